//! What is deployed, deployed: Terraform applies `envs/dev` with the real AWS provider to an emulator, a real device host
//! joins it, messages go through the HTTP API to phones and back, and all of it is taken down again. And the device host's
//! image, put together by hand.
//!
//! What the emulator cannot play is named in `not_played.rs`, with the check that looks at it instead.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod deployment;
mod emulator;
mod image;
mod journey;
mod not_played;
mod shop;
mod state;
