//! The simulated WhatsApp network: a server that speaks the real protocol (WebSocket, Noise, binary stanzas, Signal)
//! and plays the phones of the people on it. Tests, and developers who integrate with Hantar, run against it
//! instead of real numbers.

mod admin;
mod certificate;
mod connection;
mod content;
mod door;
mod entropy;
mod frames;
mod handshake;
mod line;
mod media_folder;
mod network;
mod passkey;
mod signal;
mod simulator;
mod stanza;
mod state_file;
mod time;
mod tls;
mod writer;

pub use content::media::Attachment;
pub use handshake::Pattern;
pub use network::{
    ActiveFault, Business, CompanionView, Fault, FaultKind, GroupChange, GroupView, LoggedStanza, MemberView, Network,
    NetworkError, NetworkTime, Paired, PasskeyView, PhoneCall, PhoneMedia, PhoneMessage, PhoneView, Refusal, Role,
    Script, ScriptRule, SettingChange, SharedSetting, StanzaDirection, StanzaFilter, Step, TimeChange, When,
};
pub use signal::SignalError;
pub use simulator::{ServerKeys, Simulator, SimulatorConfig, SimulatorError};
pub use state_file::StateFileError;
pub use tls::{TlsCertificate, TlsError};
