//! What all dealings with people need from outside, what may be wrong with them, and how their answers take the same time.

use std::time::Duration;

use hantar_domain::audit::{Actor, AuditEntry};
use hantar_domain::ids::{AccountId, AuditId, UserId};
use hantar_domain::password::{SALT_BYTES, Weak, hash};
use hantar_domain::token::{Presented, TokenHash};
use hantar_domain::user::{Email, User};

use crate::account_key::AccountKeys;
use crate::create_token::new_secret;
use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::ports::{
    Clock, Earlier, Entropy, Fleet, Keep, Link, Mail, PortError, Purpose, Sleep, Stands, Tenant, Tenants,
};

/// How long an answer takes that must not tell whether an address is known: longer than a letter takes to be handed over.
const EVEN: Duration = Duration::from_secs(1);

/// The network address that a request comes from. The composition root puts it among the request's extensions, because it
/// alone knows whom to believe: a socket, a gateway's event, a proxy's header. Without it guesses are counted by what is
/// guessed at alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub String);

/// What dealing with people needs from outside.
pub struct PeopleParts<'a> {
    /// The fleet's records.
    pub fleet: &'a dyn Fleet,
    /// The accounts' records.
    pub tenants: &'a dyn Tenants,
    /// Numbers.
    pub numbers: &'a Numbers,
    /// Seals second factors, and wraps the keys of new accounts.
    pub keys: &'a AccountKeys,
    /// Letters.
    pub mail: &'a dyn Mail,
    /// Randomness.
    pub entropy: &'a dyn Entropy,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Waiting.
    pub sleep: &'a dyn Sleep,
    /// The address of the pages that letters link to. Never taken from a request: whoever sends it could have letters lead
    /// elsewhere. `None`: letters hold codes for the API.
    pub pages: Option<&'a str>,
    /// Where the request comes from, where that is known.
    pub address: Option<&'a ClientAddress>,
}

/// Why something is not done. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// Address and password do not belong together, or nobody has this address.
    #[error("these credentials do not match")]
    Credentials,
    /// The password is not the caller's.
    #[error("the password is wrong")]
    Password,
    /// The new password is not taken.
    #[error("the password {0}")]
    Weak(Weak),
    /// The secret of the link is wrong, used, or too old.
    #[error("the link does not work any more")]
    Link,
    /// The code is wrong, used, or too old.
    #[error("the code is wrong")]
    Code,
    /// There were too many guesses.
    #[error("too many attempts")]
    TooMany {
        /// How long to wait.
        wait: Duration,
    },
    /// There is no such thing in this account.
    #[error("there is no such thing")]
    Missing,
    /// The account's owner cannot be changed so: the account has to be handed over first.
    #[error("an account always has one owner")]
    Owner,
    /// Somebody else has changed it at the same time: look again.
    #[error("it was changed by somebody else")]
    Changed,
    /// It is so already, or not so yet.
    #[error("it is so already, or not so yet")]
    State,
    /// More was asked for than the caller may do.
    #[error("the abilities go beyond the caller's own")]
    Beyond,
    /// The address belongs to somebody by now.
    #[error("the address is taken")]
    Taken,
    /// The account has as many as it may have.
    #[error("there are as many as there may be")]
    Full,
    /// The idempotency key stands for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<Weak> for PeopleError {
    fn from(weak: Weak) -> Self {
        Self::Weak(weak)
    }
}

impl PeopleParts<'_> {
    /// Who acts, where nobody is signed in.
    pub(crate) fn stranger(&self) -> Actor {
        Actor { address: self.address.map(|address| address.0.clone()), ..Actor::default() }
    }

    pub(crate) fn hashed(&self, password: &str) -> Result<String, PeopleError> {
        let mut salt = [0; SALT_BYTES];
        self.entropy.fill(&mut salt);
        let failed = || PortError::Unavailable { what: "memory", source: "a password could not be hashed".into() };
        hash(password, &salt).ok_or_else(|| failed().into())
    }

    /// Makes a secret that leads there, for so long.
    pub(crate) async fn new_link(
        &self,
        user: &User,
        purpose: Purpose,
        valid_for: Duration,
    ) -> Result<String, PortError> {
        let secret = new_secret(self.entropy);
        let expires_at = self.clock.now() + valid_for;
        let link = Link { account: user.account, user: user.id, purpose, expires_at };
        self.fleet.put_link(&secret.hash(), &link).await?;
        Ok(secret.plain().to_owned())
    }

    /// What a secret leads to.
    pub(crate) async fn link(&self, secret: &str) -> Result<(TokenHash, Link), PeopleError> {
        let presented = Presented::parse(secret.trim()).ok_or(PeopleError::Link)?;
        let link = self.fleet.link(&presented.hash).await?.ok_or(PeopleError::Link)?;
        Ok((presented.hash, link))
    }

    /// Uses a secret up: one caller alone goes on.
    pub(crate) async fn use_up(&self, hash: &TokenHash) -> Result<(), PeopleError> {
        self.fleet.take_link(hash).await?.map(drop).ok_or(PeopleError::Link)
    }

    /// Who has this address.
    pub(crate) async fn known(&self, email: &Email) -> Result<Option<User>, PortError> {
        match self.fleet.user_by_email(email).await? {
            Some((account, user)) => self.tenants.for_account(account).user(user).await,
            // The same reads as for somebody who is known.
            None => self.tenants.for_account(AccountId(0)).user(UserId(0)).await,
        }
    }

    /// What came of a letter that only goes to who is known. A failure must not tell that somebody is: whoever waits for the
    /// letter asks again.
    pub(crate) fn unless_sent(sent: Result<(), PeopleError>) {
        if let Err(error) = sent {
            tracing::error!(error = &error as &dyn std::error::Error, "a letter could not be sent");
        }
    }

    /// A caller's key, if there is one, as it is kept with the change that it is for. `content` never holds a password: a
    /// plain hash of one is no place for it.
    pub(crate) fn keep(&self, key: Option<&str>, kind: &str, content: &[u8]) -> Option<Keep> {
        key.map(|key| {
            let at = self.clock.now();
            Keep { idempotency: idempotency(kind, key, content, at), number: 0, sealed: None, at }
        })
    }

    /// What the same request came to before, if it was carried out under this key: it is not carried out again.
    pub(crate) async fn earlier(
        &self,
        tenant: &dyn Tenant,
        keep: Option<&Keep>,
    ) -> Result<Option<Earlier>, PeopleError> {
        let Some(keep) = keep else { return Ok(None) };
        match tenant.people().stands_for(&keep.idempotency, keep.at).await? {
            Stands::Nothing => Ok(None),
            Stands::Same(earlier) => Ok(Some(earlier)),
            Stands::Other => Err(PeopleError::KeyReused),
        }
    }

    /// Waits until the answer takes as long as any other does.
    pub(crate) async fn even(&self, begun: Duration) {
        let taken = self.clock.running().saturating_sub(begun);
        self.sleep.sleep(EVEN.saturating_sub(taken)).await;
    }

    /// Notes in the audit log what somebody did without a token.
    pub(crate) async fn note(
        &self,
        tenant: &dyn Tenant,
        actor: Actor,
        action: &str,
        status: u16,
    ) -> Result<(), PortError> {
        let at = self.clock.now();
        let id = AuditId(u64::try_from(at.0).unwrap_or(0));
        let entry = AuditEntry { id, actor, action: action.to_owned(), at, status: Some(status) };
        tenant.people().begin_audit(&entry).await.map(drop)
    }
}
