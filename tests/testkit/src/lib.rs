//! Builders, servers and fakes for the tests. What goes wrong in here is the test's failure, so it panics and says why.
#![expect(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test's failure is a panic")]
#![expect(clippy::disallowed_methods, reason = "which programs to test, the environment says")]

pub mod aws_server;
pub mod clock;
pub mod file_server;
mod http_server;
pub mod json_client;
pub mod lambda_runtime;
pub mod mailbox;
pub mod process;
pub mod stream_mapping;
pub mod webhook_receiver;

#[cfg(test)]
mod tests;
