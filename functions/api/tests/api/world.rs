//! A small world in memory: what the handlers need from outside, with a clock that stands still and dice that always fall
//! the same way. The rules of the real store are tested with the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::account::Account;
use hantar_domain::credits::Balance;
use hantar_domain::device::{Device, Status};
use hantar_domain::ids::{AccountId, CommandId, DeviceId, EndpointId, MessageId, Shard, StanzaKey, TokenId, UserId};
use hantar_domain::message::Message;
use hantar_domain::phone::Region;
use hantar_domain::sealed::DataKey;
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Abilities, Secret, Token, TokenHash};
use hantar_domain::user::{Email, Role, User};
use hantar_domain::webhook::Endpoint;
use hantar_usecases::create_token::new_secret;
use hantar_usecases::ports::{
    Clock, Command, DueDelivery, DueWork, Entropy, Fleet, FoundVersion, Founding, Job, JobQueue, KeyWrap, Link,
    Outcome, PortError, Queue, Received, Sequence, Sleep, Tenant, Tenants, WebSession, Work,
};

use super::tenant::{Records, no_handler_calls_this};

/// How many shards there are.
pub(crate) const SHARDS: u16 = 4;
/// When everything happens.
pub(crate) const NOON: i64 = 1_795_169_053;

/// One account's records.
pub(crate) struct Books {
    pub(crate) account: Account,
    pub(crate) users: Vec<User>,
    pub(crate) balance: Balance,
    pub(crate) messages: BTreeMap<MessageId, Message>,
    pub(crate) devices: BTreeMap<DeviceId, Device>,
    pub(crate) endpoints: BTreeMap<EndpointId, Endpoint>,
    /// What was begun, and how it was answered.
    pub(crate) audit: Vec<(String, Option<u16>)>,
    /// What idempotency keys stand for: the request, and the number of what came of it.
    pub(crate) keys: HashMap<[u8; 32], ([u8; 32], u64)>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) running: Duration,
    pub(crate) dice: u64,
    pub(crate) sequences: HashMap<Sequence, u64>,
    pub(crate) tokens: HashMap<TokenHash, Token>,
    /// How often it was noted that a token was used.
    pub(crate) notes: usize,
    /// It cannot be noted.
    pub(crate) notes_fail: bool,
    pub(crate) sign_ins: HashMap<TokenHash, WebSession>,
    pub(crate) sessions: HashMap<TokenHash, WebSession>,
    pub(crate) books: BTreeMap<AccountId, Books>,
    /// Every call to the tables fails.
    pub(crate) busy: bool,
    /// Commands that somebody asked for, with their answers.
    pub(crate) commands: HashMap<(AccountId, CommandId), (Command, Option<Outcome>)>,
    /// What a host answers when it is rung for a command; nothing when there is no host.
    pub(crate) host: Option<Outcome>,
    /// How many messages the store looks at for one page.
    pub(crate) looked_at: usize,
}

#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<State>>);

impl World {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { looked_at: 1000, ..State::default() })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn in_order(&self) -> Result<MutexGuard<'_, State>, PortError> {
        let state = self.state();
        if state.busy { Err(PortError::Throttled { retry_after: Duration::from_millis(1500) }) } else { Ok(state) }
    }

    pub(crate) fn pass(&self, span: Duration) {
        self.state().running += span;
    }

    /// An account with ten credits, a user whose number is its own times ten, and a device of its own number.
    pub(crate) fn found(&self, account: u64, verified: bool) {
        let id = AccountId(account);
        let at = Timestamp::from_seconds(NOON);
        let user = User {
            id: UserId(account * 10),
            account: id,
            email: Email::parse(&format!("owner{account}@example.com")).unwrap(),
            verified_at: verified.then_some(at),
            role: Role::Owner,
            signed_out_at: None,
        };
        let books = Books {
            account: Account { id, name: "Shop".into(), regions: vec![Region::MALAYSIA], created_at: at },
            users: vec![user],
            balance: Balance::default().grant(10),
            messages: BTreeMap::new(),
            devices: BTreeMap::from([(DeviceId(account), device(account))]),
            endpoints: BTreeMap::new(),
            audit: vec![],
            keys: HashMap::new(),
        };
        self.state().books.insert(id, books);
    }

    /// A token of the account's owner, as its text.
    pub(crate) fn token(&self, account: u64, abilities: &[&str]) -> String {
        let secret = self.secret();
        let mut state = self.state();
        let id = TokenId(state.tokens.len() as u64 + 1);
        let token = Token {
            id,
            account: AccountId(account),
            user: UserId(account * 10),
            name: "test".into(),
            abilities: Abilities::from_names(abilities.iter().map(|name| (*name).to_owned())).unwrap(),
            expires_at: None,
            last_used_at: None,
            created_at: Timestamp::from_seconds(NOON),
            by_sign_in: false,
        };
        state.tokens.insert(secret.hash(), token);
        secret.shown(id)
    }

    pub(crate) fn secret(&self) -> Secret {
        new_secret(self)
    }
}

fn device(number: u64) -> Device {
    let at = Timestamp::from_seconds(NOON);
    Device {
        account: AccountId(number),
        id: DeviceId(number),
        name: "Counter <1>".into(),
        is_default: true,
        status: Status::Unlinked,
        reason: None,
        phone: None,
        lid: None,
        stanza_key: StanzaKey([9; 16]),
        pairing_wanted_until: None,
        pairing_code: None,
        connected_at: None,
        last_seen_at: None,
        status_seq: 0,
        status_at: at,
        created_at: at,
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(NOON) + self.state().running
    }

    fn running(&self) -> Duration {
        self.state().running
    }
}

#[async_trait]
impl Sleep for World {
    async fn sleep(&self, span: Duration) {
        self.pass(span);
    }
}

impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.state();
        for byte in bytes {
            state.dice = state.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state.dice >> 56) as u8;
        }
    }
}

#[async_trait]
impl KeyWrap for World {
    async fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, PortError> {
        Ok(key.bytes().to_vec())
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, PortError> {
        Ok(DataKey::from_bytes(wrapped.try_into().unwrap()))
    }
}

impl Tenants for World {
    fn for_account(&self, account: AccountId) -> Arc<dyn Tenant> {
        Arc::new(Records { world: self.clone(), account })
    }
}

#[async_trait]
impl Fleet for World {
    async fn prepare(&self) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn shard_count(&self, _: u16) -> Result<u16, PortError> {
        self.in_order().map(|_| SHARDS)
    }

    async fn reserve(&self, sequence: Sequence, count: u64) -> Result<u64, PortError> {
        let mut state = self.in_order()?;
        let last = state.sequences.entry(sequence).or_default();
        let first = *last + 1;
        *last += count;
        Ok(first)
    }

    async fn found(&self, _: &Founding) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn add_user(&self, _: &User) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn user_by_email(&self, _: &Email) -> Result<Option<(AccountId, UserId)>, PortError> {
        no_handler_calls_this()
    }

    async fn accounts(&self) -> Result<Vec<AccountId>, PortError> {
        no_handler_calls_this()
    }

    async fn put_token(&self, _: &Token, _: &TokenHash) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn token(&self, hash: &TokenHash) -> Result<Option<Token>, PortError> {
        Ok(self.state().tokens.get(hash).cloned())
    }

    async fn note_token_use(&self, hash: &TokenHash, at: Timestamp, _: Timestamp) -> Result<(), PortError> {
        let mut state = self.in_order()?;
        if state.notes_fail {
            return Err(PortError::Conflict);
        }
        state.notes += 1;
        if let Some(token) = state.tokens.get_mut(hash) {
            token.last_used_at = Some(at);
        }
        Ok(())
    }

    async fn put_sign_in(&self, hash: &TokenHash, session: &WebSession) -> Result<(), PortError> {
        self.state().sign_ins.insert(*hash, session.clone());
        Ok(())
    }

    async fn take_sign_in(&self, hash: &TokenHash) -> Result<Option<WebSession>, PortError> {
        Ok(self.state().sign_ins.remove(hash))
    }

    async fn put_web_session(&self, hash: &TokenHash, session: &WebSession) -> Result<(), PortError> {
        self.state().sessions.insert(*hash, session.clone());
        Ok(())
    }

    async fn web_session(&self, hash: &TokenHash) -> Result<Option<WebSession>, PortError> {
        Ok(self.state().sessions.get(hash).cloned())
    }

    async fn put_link(&self, _: &TokenHash, _: &Link) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn link(&self, _: &TokenHash) -> Result<Option<Link>, PortError> {
        no_handler_calls_this()
    }

    async fn take_link(&self, _: &TokenHash) -> Result<Option<Link>, PortError> {
        no_handler_calls_this()
    }

    async fn count_guess(
        &self,
        _: &[u8; 32],
        _: u32,
        _: Duration,
        _: Timestamp,
    ) -> Result<Option<Duration>, PortError> {
        no_handler_calls_this()
    }

    async fn forget_guesses(&self, _: &[u8; 32]) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn devices_of(&self, _: Shard) -> Result<Vec<(AccountId, DeviceId)>, PortError> {
        no_handler_calls_this()
    }

    async fn due_deliveries(&self, _: Timestamp, _: usize) -> Result<Vec<DueDelivery>, PortError> {
        no_handler_calls_this()
    }

    async fn forget_due(&self, _: &DueDelivery) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn arm_work(&self, _: AccountId, _: Work, _: Timestamp) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn due_work(&self, _: Timestamp, _: usize) -> Result<Vec<DueWork>, PortError> {
        no_handler_calls_this()
    }

    async fn claim_work(&self, _: AccountId, _: Work, _: Timestamp, _: Timestamp) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn end_work(&self, _: AccountId, _: Work) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn client_version(&self) -> Result<Option<FoundVersion>, PortError> {
        no_handler_calls_this()
    }

    async fn claim_version_look(&self, _: Timestamp, _: Duration) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn keep_client_version(&self, _: &FoundVersion) -> Result<(), PortError> {
        no_handler_calls_this()
    }
}

#[async_trait]
impl JobQueue for World {
    async fn prepare(&self, _: u16) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    /// A host, if there is one, is at work at once.
    async fn send(&self, to: Queue, jobs: &[Job], _: Duration) -> Result<(), PortError> {
        let mut state = self.in_order()?;
        for job in jobs {
            let Job::Command { account, device, command } = job else { unreachable!("a handler rang for {job:?}") };
            assert_eq!(to, Queue::Shard(Shard::of(*device, SHARDS)));
            let answer = state.host.clone();
            let (command, answered) = state.commands.get_mut(&(*account, *command)).unwrap();
            assert_eq!(command.device, *device);
            *answered = answer;
        }
        Ok(())
    }

    async fn receive(&self, _: Queue, _: Duration) -> Result<Vec<Received>, PortError> {
        no_handler_calls_this()
    }

    async fn park(&self, _: &str, _: &str) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn done(&self, _: Queue, _: &[String]) -> Result<(), PortError> {
        no_handler_calls_this()
    }
}
