//! One file per business act, and the ports that they need from outside.

pub mod account_key;
pub mod ask_device;
pub mod authenticate;
pub mod cancel_message;
pub mod create_token;
mod draft;
pub mod forget_person;
pub mod found_account;
pub mod idempotency;
pub mod link_device;
pub mod look_up_number;
mod looks;
pub mod manage_account;
pub mod manage_contacts;
pub mod manage_endpoints;
pub mod manage_groups;
pub mod manage_templates;
pub mod note_consent;
pub mod numbers;
pub mod ports;
pub mod receive_messages;
pub mod record_ack;
pub mod record_receipt;
pub mod send_bulk;
pub mod send_message;
pub mod sign_in;
pub mod sweep_device;
