//! What a device's machine says is to be done.

use std::collections::BTreeSet;

use hantar_domain::ids::MessageId;
use hantar_domain::message::OpenMessage;
use hantar_usecases::ports::DeviceChange;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Begin a connection: with the stored keys, or with new ones to be paired.
    Connect {
        /// Whether to pair.
        pairing: bool,
    },
    /// End the connection.
    Disconnect,
    /// From now on, a lost connection is for the machine to mend.
    Settle,
    /// Forget all keys.
    EraseKeys,
    /// Change the device's record.
    Change(DeviceChange),
    /// Read the device's record; answered by [`super::Input::Device`].
    ReadDevice,
    /// Read the open messages; answered by [`super::Input::Turns`].
    ReadTurns {
        /// Leave these out.
        leave_out: BTreeSet<MessageId>,
        /// Look through all of them for such as were on the wire before.
        thorough: bool,
    },
    /// Take this message to the wire; answered by [`super::Input::Written`], [`super::Input::Gone`],
    /// [`super::Input::Paused`] or [`super::Input::NotWritten`].
    Write(Box<OpenMessage>),
    /// All is done; the device's task may end.
    Finish,
}
