//! An account's groups of contacts. Who is in them is kept with the contacts.

use async_trait::async_trait;
use hantar_domain::contact::Group;
use hantar_domain::ids::{ContactId, GroupId};
use hantar_domain::time::Timestamp;

use super::{Deleted, Idempotency, PortError};

/// What became of a group that was to be made or renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// This is the group now; also for a repeat with the same idempotency key.
    Done(Group),
    /// Another group has this name; nothing was written.
    Taken,
    /// The account has as many groups as it may have; nothing was written.
    Full,
    /// There is no such group.
    Missing,
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
}

/// What became of a change of who is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// All who exist are in it, or out of it.
    Done,
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
}

/// An account's groups of contacts.
#[async_trait]
pub trait Groups: Send + Sync {
    /// All groups, in order of their numbers.
    async fn groups(&self) -> Result<Vec<Group>, PortError>;

    /// One group, strongly consistent.
    async fn group(&self, id: GroupId) -> Result<Option<Group>, PortError>;

    /// Makes a group, unless the account has `most`.
    async fn add_group(
        &self,
        group: &Group,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<Named, PortError>;

    /// Gives a group another name.
    async fn rename_group(
        &self,
        id: GroupId,
        name: &str,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Named, PortError>;

    /// Deletes a group; its contacts stay. It is gone at once, and [`super::Work::Ungroup`] takes its contacts out.
    async fn delete_group(
        &self,
        id: GroupId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError>;

    /// Puts contacts into a group, or takes them out. Who does not exist, and who is in as many groups as a contact may be
    /// in, is passed over. After an error some may have been moved; repeatable.
    async fn move_contacts(
        &self,
        group: GroupId,
        contacts: &[ContactId],
        into: bool,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Moved, PortError>;

    /// Takes some contacts out of a group that was deleted. `true` when nobody is left in it. Repeatable.
    async fn clear_group(&self, id: GroupId, at: Timestamp) -> Result<bool, PortError>;
}
