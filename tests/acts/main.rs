//! Business acts and jobs on the real store, queues and egress, over the engines that `hantar up` embeds: no host, no
//! HTTP, a clock that is moved by hand, and faults where they can be had.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod books;
mod commands;
mod counts;
mod credits;
mod delivery;
mod door;
mod endpoint;
mod home;
mod http;
mod losses;
mod message;
mod numbers;
mod people;
mod relay;
mod sweep;
mod unknown;
mod work;
mod world;
