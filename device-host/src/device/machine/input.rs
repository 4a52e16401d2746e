//! What a device's machine hears.

use std::time::Duration;

use hantar_domain::device::Device;
use hantar_domain::ids::{CampaignId, MessageId};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;

use crate::device::line::Turns;
use crate::whatsapp::Ending;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The device as it is stored: at the start, and in answer to [`super::Action::ReadDevice`].
    Device(Box<Device>),
    /// The device could not be read.
    DeviceUnread,
    /// Somebody rang.
    Wake,
    /// The moment of [`super::Machine::wake_at`] came.
    Timer,
    /// The log-in was answered.
    Connected,
    /// The connection is over, or did not come about.
    Ended(Ending),
    /// Another connection took this one's place.
    Replaced,
    /// The link is gone.
    LoggedOut {
        /// Why.
        reason: String,
        /// Whether the keys are worth nothing any more.
        certain: bool,
    },
    /// This client version is refused.
    Outdated {
        /// Whether another one is known by now.
        newer: bool,
    },
    /// The number is restricted.
    Banned {
        /// Why.
        reason: String,
    },
    /// The log-in was refused for another reason.
    Refused {
        /// Why.
        reason: String,
    },
    /// A QR code to show.
    Code {
        /// Its text.
        text: String,
        /// How long it counts.
        valid_for: Duration,
    },
    /// No more codes come on this connection.
    CodesExhausted,
    /// A phone linked this device.
    Paired {
        /// Its number.
        phone: PhoneNumber,
        /// Its hidden id.
        lid: Option<String>,
    },
    /// The table was read.
    Turns(Turns),
    /// The table could not be read.
    TurnsUnread,
    /// Written to the socket.
    Written(MessageId),
    /// Neither written nor to be written: cancelled, refused, gone.
    Gone(MessageId),
    /// Not written, and not to be for a while: what it carries cannot be had now. The table says until when.
    Held(MessageId),
    /// Not written: its campaign is paused. It keeps its turn, and so do the campaign's others.
    Paused {
        /// Which.
        message: MessageId,
        /// Of which campaign.
        campaign: CampaignId,
    },
    /// Perhaps not written, and to be tried again.
    NotWritten(MessageId),
    /// WhatsApp answered, or the recipient's phone did.
    Answered(MessageId),
    /// The table knows of the answer.
    Recorded(MessageId),
    /// The table could not be told of the answer.
    NotRecorded(MessageId),
    /// The host leaves: finish what is on the wire.
    Stop,
}

/// The moment of an input, and a throw of the dice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Now.
    pub(crate) at: Timestamp,
    /// Any number.
    pub(crate) dice: u32,
}
