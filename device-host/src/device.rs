//! One device: what it does next ([`machine`]), and the doing ([`driver`]).

mod backoff;
pub(crate) mod driver;
mod line;
pub(crate) mod machine;
mod records;
mod task;
mod turns;
mod writing;
