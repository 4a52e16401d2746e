//! The REST API v1 (the Blasty dialect): requests and answers, exactly as its clients know them.
//!
//! Shapes and texts follow Laravel, in which that API is written: resources under `data`, its paginator, its
//! validation messages.

pub mod account;
pub mod audit;
pub mod auth;
pub mod campaign;
pub mod consent;
pub mod contact;
pub mod contact_group;
pub mod credits;
pub mod device;
pub mod erasure;
pub mod error;
pub mod export;
pub mod fields;
pub mod import;
pub mod message;
pub mod number;
pub mod page;
pub mod template;
pub mod time;
pub mod token;
pub mod upload;
pub mod user;
pub mod webhook;

use serde::Serialize;
use utoipa::ToSchema;

/// A single thing, as Laravel's resources wrap it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Data<T> {
    /// The thing.
    pub data: T,
}
