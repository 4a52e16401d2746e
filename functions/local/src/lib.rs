//! Everything in one process on embedded parts: what the binary `hantar` is made of. A library too, so that tests and
//! benches can put the same parts together.

pub mod admin;
pub mod blob_door;
pub mod cli;
pub mod engines;
#[cfg(feature = "simulator")]
pub(crate) mod mortal;
pub mod office;
pub mod program;
pub mod relay_loop;
mod runtimes;
pub mod stack;
pub mod timers;
pub mod up;
pub mod webhook_workers;
pub mod work_workers;
