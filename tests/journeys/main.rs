//! Journeys: the real binary, driven from outside over HTTP, against the simulated network. One machine, one process,
//! killed wherever it hurts.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod campaign;
mod commands;
mod first_message;
mod hops;
mod media;
mod money;
mod numbers;
mod order;
mod restarts;
mod secure;
mod shop;
mod tls_door;
mod webhooks;
