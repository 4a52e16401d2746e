//! Two device hosts on one table: sharing, dying, being stopped and woken, leaving, being cut off; and the two builds of
//! a host. The hosts are processes of their own; tables and queues are the embedded engines over loopback.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::match_wild_err_arm,
    reason = "tests"
)]

mod cut_off;
mod host;
mod keys;
mod killed;
mod late;
mod leaving;
mod plain_build;
mod role;
mod sending;
mod traces;
mod woken;
mod world;
