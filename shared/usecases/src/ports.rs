//! What the use cases need from outside: the traits that the store, the queues and the platform implement.
//!
//! A repeat of any write is harmless; each method says what a repeat answers.

mod blobs;
mod bulks;
mod campaigns;
mod commands;
mod consents;
mod contacts;
mod error;
mod fleet;
mod keys;
mod leases;
mod ledger;
mod mail;
mod people;
mod queue;
mod system;
mod templates;
mod tenant;

pub use blobs::{BlobKey, Blobs, Presigned};
pub use bulks::Bulks;
pub use campaigns::Campaigns;
pub use commands::{Answer, Ask, Command, Commands, Failed, Outcome, Person};
pub use consents::Consents;
pub use contacts::{ContactDraft, Contacts, Members, Upserted};
pub use error::PortError;
pub use fleet::{DueDelivery, DueWork, Fleet, FoundVersion, Founding, Link, Purpose, Sequence, WebSession};
pub use keys::{KeyError, KeyTable};
pub use leases::{Heartbeat, HostId, Leases, ShardLease};
pub use ledger::Ledger;
pub use mail::{Letter, Mail};
pub use people::{Closing, Joined, Login, NewPassword, People, SealedToken};
pub use queue::{Job, JobQueue, NoWork, Queue, Received, Work};
pub use system::{Call, CallAnswer, Clock, Egress, Entropy, KeyWrap, Sleep};
pub use templates::Templates;
pub use tenant::{
    Acceptance, Accepted, Applied, Attempt, Cancelled, Change, Created, Deleted, Delivery, DeliveryState, DeviceChange,
    Idempotency, Inbound, MessageFilter, MessagePage, OpenTurns, Reception, Refusal, StateCounts, Tenant, Tenants,
};
