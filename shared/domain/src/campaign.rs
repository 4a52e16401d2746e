//! Messages to many, dripped out so that no number is in danger.
//!
//! A campaign's recipients are found chunk by chunk; each that is accepted gets an ordinal, and with it the number of its
//! message. So whatever is done twice makes the same message, and nobody is written to twice.

mod danger;
mod figures;
mod list;
mod pace;
mod progress;
mod recipient;
mod spread;
mod status;

use crate::device::{Device, Status as DeviceStatus};
use crate::ids::{AccountId, CampaignId, ContactId, DeviceId, GroupId, MessageId, StanzaId, TemplateId};
use crate::message::{Direction, Lane, Message, State, Step};
use crate::time::Timestamp;

pub use danger::{Verdict, Watch, judge, tells_danger};
pub use figures::{Counts, Fate, Figures, Preview, ResultRow};
pub use list::Listed;
pub use pace::{Pace, ahead, eta, look_again};
pub use progress::Progress;
pub use recipient::{Given, Recipient, RecipientKey, Rejected, Rejection, Unfit, address, text};
pub use spread::Spread;
pub use status::{Order, Standing, Status, TooLate};

/// The most recipients of one campaign.
pub const MAX_RECIPIENTS: u64 = 1_000_000;
/// The most recipients that one request may bring with it.
pub const MAX_INLINE: usize = 10_000;
/// How many recipients are taken in at a time: with the campaign and the chunk itself as many as a transaction holds.
pub const CHUNK: usize = 98;
/// How many messages are made at a time.
pub const MAX_CLAIM: u64 = 490;

/// A campaign as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: CampaignId,
    /// What it is called.
    pub name: String,
    /// The template that its text was taken from, with the name that it had then.
    pub template: Option<(TemplateId, String)>,
    /// The text, as it was when the campaign was made; may hold merge fields.
    pub body: String,
    /// The group whose contacts are written to.
    pub group: Option<GroupId>,
    /// The devices that share the work.
    pub devices: Vec<DeviceId>,
    /// Not before.
    pub scheduled_at: Option<Timestamp>,
    /// How many messages may leave in a minute, on top of the devices' own pace.
    pub per_minute: Option<u32>,
    /// How it stands.
    pub status: Status,
    /// Why it is paused or failed, as a stable code.
    pub reason: Option<String>,
    /// The number of the first recipient's message.
    pub first: MessageId,
    /// What each message costs.
    pub price: i64,
    /// How far it came.
    pub progress: Progress,
    /// Where its recipients are read on.
    pub cursor: Cursor,
    /// The messages that are being made, or were made last.
    pub claim: Claim,
    /// Until when its own pace is used up.
    pub paced_until: Option<Timestamp>,
    /// What was counted when its refusals were last judged to be few.
    pub watch: Watch,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last began to run.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Last change of its status.
    pub updated_at: Timestamp,
}

/// Where a campaign's recipients are read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the list that came with the request, from this byte on.
    List(u64),
    /// In the group, behind this contact.
    Group(Option<ContactId>),
    /// Nowhere: all are read.
    End,
}

/// How far the recipients were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Where to read on.
    pub source: Source,
    /// The number of the next chunk.
    pub chunk: u64,
}

/// Messages that are made together: those of the ordinals from `done` to `claimed`. All about them follows from this, so
/// that two who make them make the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// When they are accepted.
    pub at: Timestamp,
    /// By which devices they go.
    pub spread: Spread,
    /// The chunk that holds the first of them.
    pub chunk: u64,
}

/// A part of a campaign's recipients, as they are taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its number, from 0 on.
    pub number: u64,
    /// The ordinal of its first recipient.
    pub first: u64,
    /// Those who are written to, in the order of their ordinals.
    pub recipients: Vec<Recipient>,
    /// Those who are not.
    pub rejected: Vec<Rejected>,
    /// Where to read on behind them.
    pub next: Source,
}

impl Campaign {
    /// The number of the message to the recipient with this ordinal.
    pub const fn message_id(&self, ordinal: u64) -> MessageId {
        MessageId(self.first.0 + ordinal)
    }

    /// What so many messages cost.
    pub fn cost(&self, messages: u64) -> i64 {
        self.price.saturating_mul(i64::try_from(messages).unwrap_or(i64::MAX))
    }

    /// The ordinal of the recipient that a message is to; `None` for a message of others.
    pub fn ordinal(&self, message: MessageId) -> Option<u64> {
        message.0.checked_sub(self.first.0).filter(|ordinal| *ordinal < self.progress.bound)
    }

    /// The message to a recipient. The same whoever makes it. To somebody who was forgotten it has no address and no text.
    pub fn message(&self, device: &Device, ordinal: u64, recipient: Option<&Recipient>, at: Timestamp) -> Message {
        let id = self.message_id(ordinal);
        Message {
            account: self.account,
            id,
            device: device.id,
            direction: Direction::Outbound,
            phone: recipient.map(|recipient| recipient.phone.clone()),
            lid: None,
            name: recipient.and_then(|recipient| recipient.name.clone()),
            body: recipient.map(|recipient| text(&self.body, recipient).text).unwrap_or_default(),
            media: None,
            attached: None,
            external_id: None,
            campaign: Some(self.id),
            lane: Lane::Campaign,
            stanza: StanzaId::for_message(&device.stanza_key, id),
            state: State::Queued,
            held_until: None,
            accepted_at: at,
            updated_at: at,
            credits: self.price,
            refunded: false,
            history: vec![Step { state: State::Queued, at, code: None }],
        }
    }

    /// Why none of its devices can send; `None` when one can, and then these are they.
    pub fn usable<'a>(&self, devices: &'a [Device]) -> Result<Vec<&'a Device>, &'static str> {
        let own: Vec<&Device> = devices.iter().filter(|device| self.devices.contains(&device.id)).collect();
        let able: Vec<&Device> = own.iter().copied().filter(|device| can_send(device.status)).collect();
        if !able.is_empty() {
            return Ok(able);
        }
        Err(own.first().map_or("device_unlinked", |device| match device.status {
            DeviceStatus::Banned => "banned",
            DeviceStatus::LoggedOut => "logged_out",
            _ => "device_unlinked",
        }))
    }

    /// Whether WhatsApp restricted one of its devices since it last began to run: then the others are in danger, too.
    pub fn lost_a_device(&self, devices: &[Device]) -> bool {
        let since = self.started_at.unwrap_or(self.created_at);
        devices.iter().any(|device| {
            self.devices.contains(&device.id) && device.status == DeviceStatus::Banned && device.status_at > since
        })
    }
}

/// Whether messages may be queued at a device with this status: it may be away for a moment, but not for good.
const fn can_send(status: DeviceStatus) -> bool {
    status.is_linked() && !matches!(status, DeviceStatus::Banned)
}

#[cfg(test)]
mod tests;
