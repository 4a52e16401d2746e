//! Commands: what only the host that owns a device can answer, asked by somebody who waits for the answer.
//!
//! A command is an item that ends by itself. Its job on the shard's queue says that it is there; the host takes it, and
//! writes the answer to where whoever asked looks for it.

use async_trait::async_trait;
use hantar_domain::ids::{CommandId, DeviceId, Epoch};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;

use super::PortError;

/// What a device is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Who is at this number.
    Number(PhoneNumber),
    /// Something that a later release asks for.
    Unknown,
}

/// A question to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// Who is asked.
    pub device: DeviceId,
    /// What.
    pub ask: Ask,
    /// Nobody waits any longer: from then on it is neither carried out nor answered.
    pub expires_at: Timestamp,
}

/// Somebody on WhatsApp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Where they are reached: `60123456789@s.whatsapp.net`.
    pub jid: String,
    /// Their hidden id, without its server, where WhatsApp tells it.
    pub lid: Option<String>,
}

/// What a device answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Who is at the number; `None`: nobody there uses WhatsApp.
    Number(Option<Person>),
}

/// Why a host did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The device is not logged in at the moment: ask again once it is.
    NotConnected,
    /// It was asked so often that WhatsApp would take offence: ask again a second later.
    TooMany,
    /// Too many others wait for this device: ask again a second later.
    Busy,
    /// The host is of a release that does not know this question yet.
    Unsupported,
    /// WhatsApp refused: asking again changes nothing unless the code says so.
    Refused {
        /// WhatsApp's word, as a stable code.
        code: String,
    },
}

/// What came of a command.
pub type Outcome = Result<Answer, Failed>;

/// One account's commands.
#[async_trait]
pub trait Commands: Send + Sync {
    /// Stores a command. A repeat changes nothing.
    async fn put_command(&self, command: &Command) -> Result<(), PortError>;

    /// Hands a command of `device` to the one host that carries it out; `None` to everybody after it, and when it is
    /// over, another device's, or not there. Not repeatable.
    async fn take_command(&self, device: DeviceId, id: CommandId, epoch: Epoch) -> Result<Option<Command>, PortError>;

    /// Stores the answer of the host that took the command under `epoch`. `false` when it has another answer, was not
    /// taken by this host, or nobody waits any longer. A repeat of the same answer answers `true`.
    async fn answer_command(&self, id: CommandId, epoch: Epoch, outcome: &Outcome) -> Result<bool, PortError>;

    /// The answer, if there is one: for a minute longer than somebody waits for it.
    async fn answer_of(&self, id: CommandId) -> Result<Option<Outcome>, PortError>;
}
