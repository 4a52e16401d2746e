//! What the use cases need from outside: the traits that the store, the queues and the platform implement.
//!
//! A repeat of any write is harmless; each method says what a repeat answers.

mod commands;
mod error;
mod fleet;
mod keys;
mod leases;
mod queue;
mod system;
mod tenant;

pub use commands::{Answer, Ask, Command, Commands, Failed, Outcome, Person};
pub use error::PortError;
pub use fleet::{DueDelivery, Fleet, FoundVersion, Founding, Sequence, WebSession};
pub use keys::{KeyError, KeyTable};
pub use leases::{Heartbeat, HostId, Leases, ShardLease};
pub use queue::{Job, JobQueue, Queue, Received};
pub use system::{Call, CallAnswer, Clock, Egress, Entropy, KeyWrap, Sleep};
pub use tenant::{
    Acceptance, Accepted, Applied, Attempt, Cancelled, Change, Created, Deleted, Delivery, DeliveryState, DeviceChange,
    Idempotency, Inbound, MessageFilter, MessagePage, OpenTurns, Reception, Refusal, StateCounts, Tenant, Tenants,
};
