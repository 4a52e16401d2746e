//! One file per business act, and the ports that they need from outside.

pub mod account_key;
pub mod ask_device;
pub mod authenticate;
pub mod cancel_message;
pub mod create_token;
pub mod end_campaign;
pub mod expand_campaign;
pub mod found_account;
pub mod idempotency;
pub mod link_device;
pub mod look_up_number;
mod looks;
pub mod manage_endpoints;
pub mod numbers;
pub mod order_campaign;
pub mod ports;
pub mod preview_campaign;
pub mod receive_messages;
mod recipients;
pub mod record_ack;
pub mod record_receipt;
pub mod ring_devices;
pub mod run_campaign;
pub mod send_message;
pub mod sign_in;
pub mod start_campaign;
pub mod sweep_device;
