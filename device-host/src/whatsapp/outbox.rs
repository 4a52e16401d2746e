//! What was sent, read back from our own message items: a phone that could not decrypt asks for it again.

use std::sync::Arc;

use hantar_domain::ids::{DeviceId, StanzaId, StanzaKey};
use hantar_domain::message::{Direction, State};
use hantar_usecases::ports::{PortError, Tenant};

use super::content;

/// A device's sent messages.
pub(crate) struct Outbox {
    /// Whose.
    pub(crate) tenant: Arc<dyn Tenant>,
    /// Which device's.
    pub(crate) device: DeviceId,
    /// What its stanza ids are made with.
    pub(crate) stanza_key: StanzaKey,
}

impl Outbox {
    /// The encoded message with this stanza id, if this device sent it to `phone` (digits).
    pub(super) async fn sent_message(&self, phone: &str, stanza: &str) -> Result<Option<Vec<u8>>, PortError> {
        let Some(id) = StanzaId(stanza.to_owned()).message(&self.stanza_key) else { return Ok(None) };
        let Some(message) = self.tenant.message(id).await? else { return Ok(None) };
        let was_sent = !matches!(message.state, State::Queued | State::Held | State::Cancelled);
        let ours = message.device == self.device && message.direction == Direction::Outbound;
        let theirs = message.phone.is_some_and(|known| known.digits() == phone);
        if !(was_sent && ours && theirs) {
            return Ok(None);
        }
        Ok(content::encoded(&message.body, message.attached.as_deref()))
    }
}
