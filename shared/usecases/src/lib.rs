//! One file per business act, and the ports that they need from outside.

pub mod account_key;
pub mod ask_device;
pub mod authenticate;
pub mod cancel_message;
pub mod create_token;
pub mod export_records;
pub mod forget_person;
pub mod found_account;
pub mod idempotency;
pub mod import_contacts;
pub mod link_device;
pub mod look_up_number;
mod looks;
pub mod manage_contacts;
pub mod manage_endpoints;
pub mod manage_groups;
pub mod numbers;
pub mod ports;
pub mod receive_messages;
pub mod record_ack;
pub mod record_receipt;
pub mod send_message;
pub mod sign_in;
pub mod sweep_device;
