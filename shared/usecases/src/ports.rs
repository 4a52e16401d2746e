//! What the use cases need from outside: the traits that the store, the queues and the platform implement.
//!
//! A repeat of any write is harmless; each method says what a repeat answers.

mod account;
mod blobs;
mod bulks;
mod campaigns;
mod commands;
mod consents;
mod contacts;
mod erasures;
mod error;
mod files;
mod fleet;
mod groups;
mod keep;
mod keys;
mod leases;
mod ledger;
mod mail;
mod orders;
mod payments;
mod people;
mod queue;
mod system;
mod templates;
mod tenant;

pub use account::AccountChange;
pub use blobs::{BlobKey, Blobs, PIECE_BYTES, Presigned};
pub use bulks::{BulkAccepted, Bulks};
pub use campaigns::{CampaignDifferences, Campaigns, ClaimedRows, Forgetting, Ordered, Results, Started};
pub use commands::{Answer, Ask, Command, Commands, Failed, Outcome, Person};
pub use consents::{ConsentPage, Consents, Noted, Peer};
pub use contacts::{
    ContactCounts, ContactDraft, ContactFilter, ContactPage, Contacts, Edited, Members, Saved, Upserted,
};
pub use erasures::{Erasing, Erasures, PersonMessages};
pub use error::PortError;
pub use files::{Files, ImportStart};
pub use fleet::{DueDelivery, DueWork, Fleet, FoundVersion, Founding, Link, Purpose, Sequence, WebSession};
pub use groups::{Groups, Moved, Named};
pub use keep::{Earlier, Keep, Stands};
pub use keys::{KeyError, KeyTable};
pub use leases::{Heartbeat, HostId, Leases, ShardLease};
pub use ledger::{Ledger, Warning};
pub use mail::{Letter, Mail};
pub use orders::{Orders, Paid, Session};
pub use payments::{Checkout, PaymentError, Payments};
pub use people::{Closing, Joined, Login, NewPassword, People, SealedToken};
pub use queue::{Job, JobQueue, NoWork, Queue, Received, Work};
pub use system::{Call, CallAnswer, Clock, Download, DownloadError, Downloaded, Egress, Entropy, KeyWrap, Sleep};
pub use templates::{TemplateStored, Templates};
pub use tenant::{
    Acceptance, Accepted, Applied, Attempt, Cancelled, Change, Created, Deleted, Delivery, DeliveryState, DeviceChange,
    EndpointChange, Idempotency, Inbound, MessageFilter, MessagePage, OpenTurns, Reception, Refusal, StateCounts,
    Tenant, Tenants,
};
