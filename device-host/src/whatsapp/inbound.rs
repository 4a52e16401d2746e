//! What comes in: each message is durable before WhatsApp is told that it was received.
//!
//! The library hands its store only the chat, the sender, the id and the content. Who that is (number, hidden id, name)
//! stands in the stanza, which passes by before: it is noted then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hantar_domain::ids::{AccountId, DeviceId, StanzaId};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Clock, PortError, Tenant};
use hantar_usecases::receive_messages::{Incoming, receive_messages};
use wacore::messages::parse_message_info;
use wacore::store::traits::PendingInboundRow;
use wacore::types::message::MessageInfo;
use wacore_binary::{Jid, NodeRef};

use super::content;
use super::store::Fence;

/// What one transaction of the store holds.
const BATCH: usize = 25;
/// The library commits at most 400 messages at once; what is older than this many stanzas will not be asked for.
const MAX_NOTES: usize = 512;
/// Pauses between tries to store what came in.
const PAUSES_MS: [u64; 6] = [50, 200, 500, 1_000, 3_000, 5_000];

/// Takes in the messages of one device.
pub(crate) struct Inbox {
    tenant: Arc<dyn Tenant>,
    numbers: Arc<Numbers>,
    clock: Arc<dyn Clock>,
    account: AccountId,
    device: DeviceId,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    own: Option<Own>,
    notes: VecDeque<Note>,
}

/// The device's own addresses.
#[derive(Clone)]
struct Own {
    phone: Jid,
    lid: Option<Jid>,
}

/// What a stanza said about a message.
struct Note {
    chat: String,
    sender: String,
    id: String,
    phone: Option<PhoneNumber>,
    lid: Option<String>,
    name: Option<String>,
    from_me: bool,
}

impl Inbox {
    /// An inbox that stores into `tenant`.
    pub(crate) fn new(
        tenant: Arc<dyn Tenant>,
        numbers: Arc<Numbers>,
        clock: Arc<dyn Clock>,
        account: AccountId,
        device: DeviceId,
    ) -> Self {
        Self { tenant, numbers, clock, account, device, seen: Mutex::default() }
    }

    /// Notes the device's own addresses.
    pub(super) fn set_own(&self, phone: Jid, lid: Option<Jid>) {
        self.seen().own = Some(Own { phone, lid });
    }

    /// Notes who a message is from.
    pub(super) fn note(&self, stanza: &NodeRef<'_>) -> Option<MessageInfo> {
        let own = self.seen().own.clone()?;
        // What cannot be parsed is not handed to the store either.
        let info = parse_message_info(stanza, &own.phone, own.lid.as_ref()).ok()?;
        let mut seen = self.seen();
        if seen.notes.len() >= MAX_NOTES {
            seen.notes.pop_front();
        }
        seen.notes.push_back(Note::of(&info));
        Some(info)
    }

    /// Whether such a message is stored, if it holds what a person wrote: one-to-one messages of others. Groups, status
    /// posts and channels are not read yet.
    pub(super) fn is_kept(info: &MessageInfo) -> bool {
        let chat = &info.source.chat;
        !info.source.is_from_me && (chat.is_lid() || chat.is_pn())
    }

    /// Stores messages, 25 to a transaction, with several tries. When it answers, all are durable.
    #[tracing::instrument(name = "receive", level = "debug", skip_all, fields(device.id = %self.device, count = rows.len()))]
    pub(super) async fn receive(&self, rows: &[PendingInboundRow<'_>], fence: &Fence) -> Result<(), PortError> {
        let incoming: Vec<Incoming> = rows.iter().filter_map(|row| self.incoming(row)).collect();
        for batch in incoming.chunks(BATCH) {
            self.store(batch, fence).await?;
        }
        Ok(())
    }

    /// A message came again that the ratchet has moved past. Known: fine, its acknowledgement was lost. Unknown: the
    /// process died between the two; the text is gone, and a person should see that in the log.
    pub(super) async fn repeated(&self, chat: &str, sender: &str, id: &str) {
        self.take_note(chat, sender, id);
        match self.tenant.received(self.device, chat, sender, &StanzaId(id.to_owned())).await {
            Ok(Some(_)) | Err(_) => {}
            Ok(None) => {
                tracing::debug!(device.id = %self.device, stanza = id, "a message came again that was not kept");
            }
        }
    }

    async fn store(&self, batch: &[Incoming], fence: &Fence) -> Result<(), PortError> {
        let mut pauses = PAUSES_MS.iter();
        loop {
            let (tenant, clock) = (self.tenant.as_ref(), self.clock.as_ref());
            let stored =
                receive_messages(tenant, &self.numbers, clock, self.account, self.device, batch.to_vec()).await;
            let Err(error) = stored else { return Ok(()) };
            let pause = match (&error, pauses.next()) {
                (PortError::Corrupt(_), _) | (_, None) => return Err(error),
                _ if fence.is_tripped() => return Err(error),
                (PortError::Throttled { retry_after }, Some(pause)) => {
                    (*retry_after).max(Duration::from_millis(*pause))
                }
                (_, Some(pause)) => Duration::from_millis(*pause),
            };
            tracing::debug!(device.id = %self.device, %error, "received messages are not stored yet; trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// See [`Inbox::is_kept`].
    fn incoming(&self, row: &PendingInboundRow<'_>) -> Option<Incoming> {
        let note = self.take_note(row.chat, row.sender, row.id).unwrap_or_else(|| self.bare_note(row));
        let person = row.chat.ends_with("@s.whatsapp.net") || row.chat.ends_with("@lid");
        if note.from_me || !person {
            return None;
        }
        Some(Incoming {
            chat: row.chat.to_owned(),
            sender: row.sender.to_owned(),
            stanza: StanzaId(row.id.to_owned()),
            phone: note.phone,
            lid: note.lid,
            push_name: note.name,
            text: content::text_of(row.message)?,
        })
    }

    fn take_note(&self, chat: &str, sender: &str, id: &str) -> Option<Note> {
        let mut seen = self.seen();
        let ours = |note: &Note| note.id == id && note.chat == chat && note.sender == sender;
        let index = seen.notes.iter().position(ours)?;
        seen.notes.remove(index)
    }

    /// What the addresses alone say.
    fn bare_note(&self, row: &PendingInboundRow<'_>) -> Note {
        let sender: Option<Jid> = row.sender.parse().ok();
        let (phone, lid) = sender.as_ref().map(addresses).unwrap_or_default();
        let own = self.seen().own.clone();
        let from_me = own.zip(sender).is_some_and(|(own, sender)| {
            sender.is_same_chat_as(&own.phone) || own.lid.is_some_and(|lid| sender.is_same_chat_as(&lid))
        });
        let (chat, sender, id) = (row.chat.to_owned(), row.sender.to_owned(), row.id.to_owned());
        Note { chat, sender, id, phone, lid, name: None, from_me }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Note {
    fn of(info: &MessageInfo) -> Self {
        let (phone, lid) = addresses(&info.source.sender);
        let (other_phone, other_lid) = info.source.sender_alt.as_ref().map(addresses).unwrap_or_default();
        Self {
            chat: info.source.chat.to_string(),
            sender: info.source.sender.to_string(),
            id: info.id.clone(),
            phone: phone.or(other_phone),
            lid: lid.or(other_lid),
            name: (!info.push_name.is_empty()).then(|| info.push_name.clone()),
            from_me: info.source.is_from_me,
        }
    }
}

/// A person's number or hidden id, whichever the address is.
fn addresses(jid: &Jid) -> (Option<PhoneNumber>, Option<String>) {
    if jid.is_lid() {
        (None, Some(jid.to_non_ad().to_string()))
    } else if jid.is_pn() {
        (PhoneNumber::from_e164(&jid.user), None)
    } else {
        (None, None)
    }
}
