//! Phone numbers, as WhatsApp knows them.

use hantar_domain::phone::PhoneNumber;
use serde::Serialize;
use utoipa::ToSchema;

/// What `GET devices/{id}/numbers/{phone}` answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct NumberBody {
    /// The number that was looked up, in E.164.
    pub phone: String,
    /// Whether somebody uses WhatsApp there.
    pub exists: bool,
    /// Where they are reached on WhatsApp, such as `60123456789@s.whatsapp.net`.
    pub jid: Option<String>,
    /// Their hidden id, without its server, where WhatsApp tells it.
    pub lid: Option<String>,
}

impl NumberBody {
    /// Of a number, and who is reached there: nobody without a `jid`.
    pub fn new(phone: &PhoneNumber, jid: Option<String>, lid: Option<String>) -> Self {
        Self { phone: phone.to_string(), exists: jid.is_some(), jid, lid }
    }
}
