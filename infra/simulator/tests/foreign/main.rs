//! A client library written by others, unmodified, on the simulated network: it pairs, writes and reads, to people
//! and in groups, sends and opens files, and comes back after the line broke.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod baileys;
mod companion;
