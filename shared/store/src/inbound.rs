//! Received messages: each stored once by (device, chat, sender, id), durable when the answer comes.
//!
//! No transaction: first the mark with our number, then the message under that number. A redelivery that finds the
//! mark looks whether the message is there, too, and stores it if a death came between: half the price, and offline
//! batches of any size never meet on an item.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::FutureExt;
use hantar_domain::ids::{DeviceId, MessageId, StanzaId};
use hantar_domain::message::Message;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Inbound, PortError, Reception};

use crate::items::{Fields, NewItem, TTL, expiry, number, time};
use crate::message;
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::writing::{Write, Written, side_by_side};

/// How long a mark is kept. WhatsApp's server drops what it could not deliver after some 30 days.
const MARKED: Duration = Duration::from_hours(90 * 24);
/// How long it is kept when somebody last wrote; asked for are the last 24 hours.
const REMEMBERED: Duration = Duration::from_hours(7 * 24);

impl TenantStore {
    pub(crate) async fn store_received(&self, messages: &[Inbound]) -> Result<Vec<Reception>, PortError> {
        let mut seen = HashSet::new();
        let mut works = Vec::with_capacity(messages.len());
        for one in messages {
            let (message, id) = (&one.message, &one.message.stanza.0);
            let place = Place::received(self.account, message.device, &one.chat, &one.sender, id);
            works.push(if seen.insert(place.clone()) {
                self.store_one(place, message).boxed()
            } else {
                async { Ok(Reception::Known) }.boxed()
            });
        }
        // First, so that whoever sees a message may answer it.
        self.remember_peers(messages).await?;
        side_by_side(works).await
    }

    async fn store_one(&self, place: Place, received: &Message) -> Result<Reception, PortError> {
        let at = received.accepted_at;
        let mark = NewItem::at(&place).with("m", number(received.id)).with(TTL, expiry(at + MARKED)).done();
        let put = Write::put(&place, mark)
            .when("attribute_not_exists(pk) OR #ttl <= :now")
            .with(":now", number(at.seconds()));
        let (marked, id) = match self.store.write(put).await? {
            Written::Done(_) => (true, received.id),
            Written::Refused(item) => (false, MessageId(Fields(&item.unwrap_or_default()).number("m")?)),
        };
        if id != received.id && self.one_message(id).await?.is_some() {
            return Ok(Reception::Known);
        }
        let place = Place::message(self.account, id);
        let item = message::item(&Message { id, ..received.clone() });
        let stored = self.store.write(Write::put(&place, item).if_new()).await?.is_done();
        // Marked by us, it is new also when our own first try has stored it.
        Ok(if stored || marked { Reception::New } else { Reception::Known })
    }

    /// Notes once per call and writer when they last wrote.
    async fn remember_peers(&self, messages: &[Inbound]) -> Result<(), PortError> {
        let mut last: HashMap<(DeviceId, &PhoneNumber), Timestamp> = HashMap::new();
        for Inbound { message, .. } in messages {
            let Some(phone) = &message.phone else { continue };
            let at = last.entry((message.device, phone)).or_insert(message.accepted_at);
            *at = message.accepted_at.max(*at);
        }
        let mut works = Vec::with_capacity(last.len());
        for ((device, phone), at) in last {
            let place = Place::peer(self.account, device, phone);
            let item = NewItem::at(&place).with("t", time(at)).with(TTL, expiry(at + REMEMBERED)).done();
            let note = Write::put(&place, item).when("attribute_not_exists(pk) OR t < :t").with(":t", time(at));
            works.push(self.store.write(note).boxed());
        }
        side_by_side(works).await.map(drop)
    }

    pub(crate) async fn peer_wrote_since(
        &self,
        device: DeviceId,
        phone: &PhoneNumber,
        since: Timestamp,
    ) -> Result<bool, PortError> {
        let item = self.store.get(&Place::peer(self.account, device, phone)).await?;
        item.map_or(Ok(false), |item| Ok(Fields(&item).time("t")? >= since))
    }

    pub(crate) async fn marked(
        &self,
        device: DeviceId,
        chat: &str,
        sender: &str,
        stanza: &StanzaId,
    ) -> Result<Option<MessageId>, PortError> {
        let item = self.store.get(&Place::received(self.account, device, chat, sender, &stanza.0)).await?;
        match item {
            Some(item) if !Fields(&item).expired(self.store.now())? => Fields(&item).number("m").map(Some),
            _ => Ok(None),
        }
    }
}
