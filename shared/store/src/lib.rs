//! The DynamoDB tables: keys, items, transactions. `KEYS.md` documents every item.
//!
//! One file per noun; [`Store`] gives out the ports. Needs no runtime of its own and compiles for wasm.

mod accept;
mod account;
mod audit;
mod bulk;
mod campaign;
mod closing;
mod command;
mod consent;
mod contact;
mod contact_group;
mod counts;
mod credits;
mod delivery;
mod device;
mod endings;
mod endpoint;
mod erasure;
mod errors;
mod export;
mod files;
mod fleet;
mod group;
mod guesses;
mod history;
mod idempotency;
mod import;
mod inbound;
mod invitation;
mod items;
mod keep;
mod keys;
mod leases;
mod ledger;
mod line;
mod link;
mod list;
mod login;
mod low_balance;
mod message;
mod order;
mod people;
mod places;
mod progress;
mod reading;
mod shards;
mod sign_in;
mod store;
pub mod stream;
mod tables;
mod template;
mod tenant;
mod token;
mod transaction;
mod upload;
mod version;
mod work;
mod writing;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use store::{Store, Surroundings, TableNames};
