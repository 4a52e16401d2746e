//! The people of an account: who they are, how they sign in, who is asked to join, which tokens there are, what they did;
//! and the end of the account.

use async_trait::async_trait;
use hantar_domain::audit::AuditEntry;
use hantar_domain::ids::{AuditId, InvitationId, TokenId, UserId};
use hantar_domain::invitation::Invitation;
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Token, TokenHash};
use hantar_domain::user::{Email, Role, User};

use super::{Created, Deleted, Idempotency, Keep, PortError, Stands};

/// What somebody proves that they are themselves by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// The password's hash, where they have one.
    pub password: Option<String>,
    /// The sealed secret of their authenticator app, where they use one.
    pub second_factor: Option<Vec<u8>>,
    /// The sealed secret of an app that has not shown a code yet.
    pub wanted_factor: Option<Vec<u8>>,
    /// The step of the last code that was used.
    pub used_step: u64,
    /// Hashes of the recovery codes that are left.
    pub recovery: Vec<[u8; 32]>,
}

/// A new password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword {
    /// Its hash.
    pub hash: String,
    /// When it was set: whoever signed in before is signed out.
    pub at: Timestamp,
    /// Whether it was set by a link in a letter, which proves that the address is theirs.
    pub by_letter: bool,
}

/// What became of accepting an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// They belong to the account. A repeat with the same number answers the same.
    Done,
    /// The invitation is gone.
    Gone,
    /// The address has come to belong to somebody.
    Taken,
}

/// An account that is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Who wants it.
    pub by: UserId,
    /// Where the last letter goes.
    pub email: Email,
    /// Since when.
    pub at: Timestamp,
    /// When it is deleted.
    pub due_at: Timestamp,
    /// Since when deleting is under way: then there is no way back.
    pub begun_at: Option<Timestamp>,
}

/// A token with its sealed text, which its idempotency key gives again for a day.
pub type SealedToken = (Token, Vec<u8>);

/// The people of an account, and what they did.
///
/// Where a change comes with a key to keep, the two are written together, and `false` may also say that the key is taken:
/// [`People::stands_for`] tells by what.
#[async_trait]
pub trait People: Send + Sync {
    /// All of them, by number; bounded to the first thousand.
    async fn users(&self) -> Result<Vec<User>, PortError>;

    /// How somebody signs in. `None` when they never set a password.
    async fn login(&self, user: UserId) -> Result<Option<Login>, PortError>;

    /// What a key stands for that was kept with a change of this trait.
    async fn stands_for(&self, key: &Idempotency, at: Timestamp) -> Result<Stands, PortError>;

    /// Keeps a key alone, for a request that writes nothing else. One that is taken stays as it is. Repeatable.
    async fn keep(&self, keep: &Keep) -> Result<(), PortError>;

    /// Sets a password; `false` when there is no such user. Repeatable.
    async fn set_password(&self, user: UserId, password: &NewPassword, keep: Option<&Keep>) -> Result<bool, PortError>;

    /// Notes that an address is verified, unless it was before. Repeatable.
    async fn verify_email(&self, user: UserId, at: Timestamp) -> Result<(), PortError>;

    /// Keeps the sealed secret of an app until it shows a code. A later one replaces it.
    async fn want_second_factor(&self, user: UserId, sealed: &[u8], keep: Option<&Keep>) -> Result<bool, PortError>;

    /// Makes the wanted secret the one that counts, its code of `step` used, and keeps the hashes of recovery codes. `false`
    /// when another secret is wanted by now. A repeat with the same values answers `true`.
    async fn confirm_second_factor(
        &self,
        user: UserId,
        sealed: &[u8],
        step: u64,
        recovery: &[[u8; 32]],
        keep: Option<&Keep>,
    ) -> Result<bool, PortError>;

    /// Takes the second factor and its recovery codes away; `false` when they never signed in by anything. Repeatable.
    async fn drop_second_factor(&self, user: UserId, keep: Option<&Keep>) -> Result<bool, PortError>;

    /// Uses up the code of a step: `false` when that one or a later one was used before.
    async fn use_step(&self, user: UserId, step: u64) -> Result<bool, PortError>;

    /// Puts other recovery codes in the place of `seen`: `false` when these are not the ones that are left.
    async fn change_recovery(
        &self,
        user: UserId,
        seen: &[[u8; 32]],
        recovery: &[[u8; 32]],
        keep: Option<&Keep>,
    ) -> Result<bool, PortError>;

    /// Changes a role, neither from nor to the owner's: `false` when it is no more as it was `seen`. A repeat answers `true`.
    async fn change_role(&self, user: UserId, seen: Role, role: Role, keep: Option<&Keep>) -> Result<bool, PortError>;

    /// Makes `to` the owner, and `from`, who was, an administrator. `false` when they are not so. A repeat answers `true`.
    async fn hand_over(&self, from: UserId, to: UserId, keep: Option<&Keep>) -> Result<bool, PortError>;

    /// Removes somebody who is not the owner, with all that they sign in by.
    async fn remove_user(
        &self,
        user: UserId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError>;

    /// The open invitations, by number, with those that have ended and are not cleared away yet.
    async fn invitations(&self) -> Result<Vec<Invitation>, PortError>;

    /// An invitation.
    async fn invitation(&self, id: InvitationId) -> Result<Option<Invitation>, PortError>;

    /// Stores an invitation. The account may have about `most`.
    async fn add_invitation(
        &self,
        invitation: &Invitation,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Invitation>, PortError>;

    /// Takes an invitation back.
    async fn delete_invitation(
        &self,
        id: InvitationId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError>;

    /// Makes a user of an invitation, with a password's hash: all of it or nothing.
    async fn accept_invitation(&self, id: InvitationId, user: &User, password: &str) -> Result<Joined, PortError>;

    /// All tokens, by number; bounded to the first thousand.
    async fn tokens(&self) -> Result<Vec<Token>, PortError>;

    /// Stores a token under the hash of its secret. The account may have about `most`. `idempotency` comes with the sealed
    /// text of the token, which a repeat gets again.
    async fn add_token(
        &self,
        token: &Token,
        hash: &TokenHash,
        most: usize,
        idempotency: Option<(&Idempotency, &[u8])>,
    ) -> Result<Created<SealedToken>, PortError>;

    /// Deletes a token; of `owner` alone, where one is given.
    async fn delete_token(
        &self,
        id: TokenId,
        owner: Option<UserId>,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError>;

    /// Writes an entry of the audit log and answers its number: that of the entry, or the next free one. Each call writes one.
    async fn begin_audit(&self, entry: &AuditEntry) -> Result<AuditId, PortError>;

    /// Adds what came of it. Repeatable.
    async fn end_audit(&self, id: AuditId, status: u16) -> Result<(), PortError>;

    /// Entries older than `before`, newest first, at most `limit`.
    async fn audit(&self, before: Option<AuditId>, limit: usize) -> Result<Vec<AuditEntry>, PortError>;

    /// Whether the account is to be deleted.
    async fn closing(&self) -> Result<Option<Closing>, PortError>;

    /// Notes that the account is to be deleted, and the work that does it, unless it was noted before. Answers what is noted.
    /// The key that is kept stands for when it is due.
    async fn close(&self, closing: &Closing, key: Option<&Idempotency>) -> Result<Closing, PortError>;

    /// Takes that back, with the work: `false` when it was not noted, or when deleting has begun.
    async fn reopen(&self, keep: Option<&Keep>) -> Result<bool, PortError>;

    /// Begins deleting, and answers since when it is under way: `None` when nobody wants it any more. Repeatable.
    async fn begin_erasing(&self, at: Timestamp) -> Result<Option<Timestamp>, PortError>;

    /// Shuts everybody out: people, tokens, invitations, and hosts, which let a device go that is in no shard's list.
    /// Repeatable.
    async fn shut_out(&self) -> Result<(), PortError>;

    /// Deletes some of what the account has in the tables, `most` items at most: `true` when there is nothing left but the
    /// account itself. Repeatable, and goes on where it was left.
    async fn erase_some(&self, most: usize) -> Result<bool, PortError>;

    /// Deletes the account itself, with the key of all that was sealed and the note that it is to be deleted. Repeatable.
    async fn erase_account(&self) -> Result<(), PortError>;
}
