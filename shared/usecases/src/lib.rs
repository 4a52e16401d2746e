//! One file per business act, and the ports that they need from outside.

pub mod account_key;
pub mod numbers;
pub mod ports;
pub mod receive_messages;
pub mod record_ack;
pub mod record_receipt;
