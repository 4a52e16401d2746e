//! One device: what it does next ([`machine`]), and the doing ([`driver`]).

mod backoff;
pub mod driver;
mod line;
pub mod machine;
mod records;
mod turns;
mod writing;
