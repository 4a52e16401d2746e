//! One device: what it does next ([`machine`]), and the doing ([`driver`]).

mod backoff;
pub(crate) mod commands;
pub(crate) mod desk;
pub(crate) mod driver;
pub(crate) mod files;
mod line;
pub(crate) mod machine;
mod opening;
mod owning;
mod records;
mod task;
mod turns;
mod writing;
