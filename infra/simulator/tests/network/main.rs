//! The simulator as a bare `whatsapp-rust` client sees it, over real sockets.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod account_state;
mod admin;
mod app_state;
mod calls;
mod channels;
mod contents;
mod device_lists;
mod direct_messages;
mod faults;
mod files;
mod fuzz;
mod garbage;
mod groups;
mod invitations;
mod iqs;
mod isolation;
mod keys;
mod lids;
#[path = "../light/mod.rs"]
mod light;
mod lines;
mod media;
mod page;
mod pairing;
mod passkeys;
mod people;
mod profiles;
mod reading;
mod server;
mod support;
mod tokens;
