//! The simulator as a bare `whatsapp-rust` client sees it, over real sockets.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod account_state;
mod admin;
mod contents;
mod direct_messages;
mod faults;
mod fuzz;
mod garbage;
mod groups;
mod iqs;
mod isolation;
#[path = "../light/mod.rs"]
#[expect(dead_code, reason = "the load example uses more of it")]
mod light;
mod lines;
mod media;
mod page;
mod pairing;
mod people;
mod profiles;
mod server;
mod support;
