//! What belongs to no tenant: look-ups that lead to one, and numbers. Holds ids only.

use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::account::Account;
use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, DeviceId, EndpointId, InvitationId, Shard, UserId};
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Token, TokenHash};
use hantar_domain::user::{Email, User};
use hantar_domain::webhook::EventId;

use super::{PortError, Work};

/// What numbers are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sequence {
    /// Accounts.
    Accounts,
    /// Users.
    Users,
    /// Tokens.
    Tokens,
    /// Devices.
    Devices,
    /// Messages of an account.
    Messages(AccountId),
    /// Webhook endpoints of an account.
    Endpoints(AccountId),
    /// Contacts of an account.
    Contacts(AccountId),
    /// Groups of contacts of an account.
    Groups(AccountId),
    /// Templates of an account.
    Templates(AccountId),
    /// Bulks of an account.
    Bulks(AccountId),
    /// Campaigns of an account.
    Campaigns(AccountId),
    /// Imports of an account.
    Imports(AccountId),
    /// Exports of an account.
    Exports(AccountId),
    /// Files uploaded to be sent.
    Uploads(AccountId),
    /// Erasures of an account.
    Erasures(AccountId),
    /// Purchases of credits of an account.
    Orders(AccountId),
    /// Invitations into an account.
    Invitations(AccountId),
}

/// A new account with its owner and first device: all of it or nothing.
#[derive(Clone, Debug)]
pub struct Founding {
    /// The account.
    pub account: Account,
    /// Its data key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// Its owner.
    pub owner: User,
    /// The hash of the owner's password, where there is one.
    pub password: Option<String>,
    /// Its default device.
    pub device: Device,
    /// Credits to begin with.
    pub credits: i64,
}

/// Who a browser's cookie stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSession {
    /// The account.
    pub account: AccountId,
    /// The person.
    pub user: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a secret in a letter, or between two steps of signing in, is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Verifying this address: it is void once the address is another one.
    Verify(Email),
    /// Setting a new password.
    Reset,
    /// Joining.
    Join(InvitationId),
    /// Showing the second factor, where the password was right.
    SecondFactor,
}

/// What a secret leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The account.
    pub account: AccountId,
    /// The person; for an invitation whoever asked.
    pub user: UserId,
    /// What it is good for.
    pub purpose: Purpose,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A version of WhatsApp's web client that somebody of the fleet found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundVersion {
    /// Such as 2.3000.1042742319.
    pub version: (u32, u32, u32),
    /// When.
    pub found_at: Timestamp,
}

/// An entry among the due deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDelivery {
    /// Whose.
    pub account: AccountId,
    /// To which endpoint.
    pub endpoint: EndpointId,
    /// Which event.
    pub event: EventId,
    /// When its next attempt is due.
    pub due_at: Timestamp,
}

/// Long work that is not done, and when somebody is to look after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueWork {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub work: Work,
    /// When the next step is due.
    pub due_at: Timestamp,
}

/// The fleet's own records.
#[async_trait]
pub trait Fleet: Send + Sync {
    /// Makes the tables where they are missing. Repeatable.
    async fn prepare(&self) -> Result<(), PortError>;

    /// The fixed number of shards: `wanted` is stored by whoever comes first, and later ones get what is stored.
    async fn shard_count(&self, wanted: u16) -> Result<u16, PortError>;

    /// Reserves `count` numbers and answers the first. A repeat reserves others: gaps are allowed. Numbers begin at 1.
    async fn reserve(&self, sequence: Sequence, count: u64) -> Result<u64, PortError>;

    /// Stores a new account; `false` when the owner's e-mail is taken. A repeat with the same ids answers `true`.
    async fn found(&self, founding: &Founding) -> Result<bool, PortError>;

    /// Stores a user of an existing account; `false` when the e-mail is taken.
    async fn add_user(&self, user: &User) -> Result<bool, PortError>;

    /// Who has this e-mail.
    async fn user_by_email(&self, email: &Email) -> Result<Option<(AccountId, UserId)>, PortError>;

    /// All accounts. For the administrator of one machine; bounded to the first thousand.
    async fn accounts(&self) -> Result<Vec<AccountId>, PortError>;

    /// Stores a token under the hash of its secret.
    async fn put_token(&self, token: &Token, hash: &TokenHash) -> Result<(), PortError>;

    /// The token with this secret.
    async fn token(&self, hash: &TokenHash) -> Result<Option<Token>, PortError>;

    /// Notes that a token was used at `at`, unless it is noted to have been used after `unless_since`. A token that is
    /// gone stays gone.
    async fn note_token_use(&self, hash: &TokenHash, at: Timestamp, unless_since: Timestamp) -> Result<(), PortError>;

    /// Stores a secret (by its hash) that may be used once to sign a browser in.
    async fn put_sign_in(&self, hash: &TokenHash, session: &WebSession) -> Result<(), PortError>;

    /// Uses up a sign-in secret. The second caller gets `None`.
    async fn take_sign_in(&self, hash: &TokenHash) -> Result<Option<WebSession>, PortError>;

    /// Stores a browser's session under the hash of its cookie.
    async fn put_web_session(&self, hash: &TokenHash, session: &WebSession) -> Result<(), PortError>;

    /// The session with this cookie.
    async fn web_session(&self, hash: &TokenHash) -> Result<Option<WebSession>, PortError>;

    /// Stores what a secret (by its hash) leads to.
    async fn put_link(&self, hash: &TokenHash, link: &Link) -> Result<(), PortError>;

    /// What a secret leads to. It stays good.
    async fn link(&self, hash: &TokenHash) -> Result<Option<Link>, PortError>;

    /// Uses a secret up. The second caller gets `None`.
    async fn take_link(&self, hash: &TokenHash) -> Result<Option<Link>, PortError>;

    /// Counts a guess at what `what` (a hash) stands for. Answers how long to wait when there were `most` within `window`
    /// before it, and then this one is not counted. A lost answer may count one twice.
    async fn count_guess(
        &self,
        what: &[u8; 32],
        most: u32,
        window: Duration,
        now: Timestamp,
    ) -> Result<Option<Duration>, PortError>;

    /// Forgets the guesses at something. Repeatable.
    async fn forget_guesses(&self, what: &[u8; 32]) -> Result<(), PortError>;

    /// The devices of a shard.
    async fn devices_of(&self, shard: Shard) -> Result<Vec<(AccountId, DeviceId)>, PortError>;

    /// Deliveries whose next attempt is due by `now`, longest due first, at most `limit`. May hold entries of deliveries
    /// that are gone: [`Fleet::forget_due`] clears those away.
    async fn due_deliveries(&self, now: Timestamp, limit: usize) -> Result<Vec<DueDelivery>, PortError>;

    /// Takes an entry out from among the due deliveries whose delivery is gone.
    async fn forget_due(&self, due: &DueDelivery) -> Result<(), PortError>;

    /// Notes long work, or moves when its next step is due. Repeatable. What begins work notes it in the transaction that
    /// stores it; this is for the steps after.
    async fn arm_work(&self, account: AccountId, work: Work, due_at: Timestamp) -> Result<(), PortError>;

    /// Long work whose next step is due by `now`, at most `limit`.
    async fn due_work(&self, now: Timestamp, limit: usize) -> Result<Vec<DueWork>, PortError>;

    /// Puts the next step off until `until`, so that nobody else begins it meanwhile: `false` when the work is over, or when
    /// its next step is not due by `now` because somebody else is at it. A step must be harmless when two do it all the same.
    async fn claim_work(
        &self,
        account: AccountId,
        work: Work,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, PortError>;

    /// Work that is over. Repeatable.
    async fn end_work(&self, account: AccountId, work: Work) -> Result<(), PortError>;

    /// The client version that was found last.
    async fn client_version(&self) -> Result<Option<FoundVersion>, PortError>;

    /// Whether the caller is to look for the client version at `now`: not when somebody else has begun to look less
    /// than `apart` ago. Not repeatable: the second of two calls is told that somebody else looks.
    async fn claim_version_look(&self, now: Timestamp, apart: Duration) -> Result<bool, PortError>;

    /// Remembers a found client version. An older finding does not replace a newer one.
    async fn keep_client_version(&self, found: &FoundVersion) -> Result<(), PortError>;
}
