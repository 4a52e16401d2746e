//! The whole host against the simulated network, on the real store.

#![expect(clippy::unwrap_used, clippy::panic, clippy::match_wild_err_arm, reason = "tests")]

mod commands;
mod consent;
mod messages;
mod pairing;
mod shards;
mod tables;
mod world;
