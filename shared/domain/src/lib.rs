//! Nouns and rules of Hantar: ids, phone numbers, message states, credits, leases, webhook signing.
//!
//! Plain functions: no `async`, no I/O, no clock and no randomness of its own; whoever calls brings both.
//! Nothing here derives `serde`, so renaming a field never changes an API or a table.

pub mod account;
pub mod audit;
pub mod billing;
pub mod bulk;
pub mod campaign;
pub mod consent;
pub mod contact;
pub mod credits;
pub mod device;
pub mod egress;
pub mod erasure;
pub mod export;
pub mod file;
pub mod ids;
pub mod import;
pub mod invitation;
pub mod lease;
pub mod ledger;
pub mod media;
pub mod merge;
pub mod message;
pub mod order;
pub mod pacing;
pub mod password;
pub mod phone;
pub mod price;
pub mod reason;
pub mod sealed;
pub mod second_factor;
pub mod template;
pub mod time;
pub mod token;
pub mod user;
pub mod webhook;
pub mod zone;
