//! Business acts and jobs on the real store, queues and egress, over the engines that `hantar up` embeds: no host, no
//! HTTP, a clock that is moved by hand, and faults where they can be had.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod account;
mod books;
mod bulk;
mod campaign;
mod campaign_crashes;
mod campaign_routes;
mod commands;
mod consent;
mod contacts;
mod counts;
mod credits;
mod delivery;
mod door;
mod endpoint;
mod erasures;
mod estate;
mod exports;
mod foreign;
mod home;
mod http;
mod imports;
mod ledger;
mod losses;
mod low_balance;
mod media;
mod message;
mod numbers;
mod people;
mod purchases;
mod relay;
mod repeats;
mod sweep;
mod template;
mod unknown;
mod work;
mod world;
