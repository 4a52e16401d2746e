//! Messages came in: each is stored once, before WhatsApp is told that it was received.

use hantar_domain::ids::{AccountId, DeviceId, MessageId, StanzaId};
use hantar_domain::message::{Direction, Lane, Message, State, Step};
use hantar_domain::phone::PhoneNumber;

use crate::numbers::Numbers;
use crate::ports::{Clock, Inbound, PortError, Reception, Sequence, Tenant};

/// A message as WhatsApp delivered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The chat, as WhatsApp names it.
    pub chat: String,
    /// Who wrote it, as WhatsApp names them.
    pub sender: String,
    /// WhatsApp's id.
    pub stanza: StanzaId,
    /// The writer's number, when WhatsApp tells it.
    pub phone: Option<PhoneNumber>,
    /// The writer's hidden id, when WhatsApp tells it.
    pub lid: Option<String>,
    /// The name that the writer gave themselves.
    pub push_name: Option<String>,
    /// The text; empty for kinds that are not text.
    pub text: String,
}

/// Stores what came in, each message once by (chat, sender, id). When it answers, all are durable. A repeat stores
/// nothing new.
pub async fn receive_messages(
    tenant: &dyn Tenant,
    numbers: &Numbers,
    clock: &dyn Clock,
    account: AccountId,
    device: DeviceId,
    incoming: Vec<Incoming>,
) -> Result<Vec<Reception>, PortError> {
    let mut messages = Vec::with_capacity(incoming.len());
    for one in incoming {
        let id = MessageId(numbers.next(Sequence::Messages(account)).await?);
        let at = clock.now();
        let message = Message {
            account,
            id,
            device,
            direction: Direction::Inbound,
            phone: one.phone,
            lid: one.lid,
            name: one.push_name,
            body: one.text,
            media: None,
            attached: None,
            external_id: None,
            campaign: None,
            lane: Lane::Single,
            stanza: one.stanza,
            state: State::Delivered,
            held_until: None,
            accepted_at: at,
            updated_at: at,
            credits: 0,
            refunded: false,
            history: vec![Step { state: State::Delivered, at, code: None }],
        };
        messages.push(Inbound { message, chat: one.chat, sender: one.sender });
    }
    tenant.receive(&messages).await
}
