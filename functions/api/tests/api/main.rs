//! The API through its real router, over a small world in memory.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod answers;
mod door;
mod fuzz;
mod gates;
mod lists;
mod numbers;
mod people;
mod tenant;
mod validation;
mod world;
