//! JSON that leaves a process: answers of the API, bodies of webhooks.
//!
//! What bytes look like is decided here, and held against the golden files under `tests/golden`. Domain types derive no
//! `serde`, so that renaming one of their fields changes nothing outside.

pub mod bulk;
pub mod jobs;
pub mod stripe;
pub mod v1;
pub mod webhook;
