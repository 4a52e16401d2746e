//! What the cases run in: the ports, a clock that is moved by hand, and accounts of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use hantar_domain::account::Account;
use hantar_domain::credits::Balance;
use hantar_domain::device::{Device, Status};
use hantar_domain::ids::{AccountId, DeviceId, MessageId, StanzaId, StanzaKey, UserId};
use hantar_domain::message::{Direction, Lane, Message, State, Step};
use hantar_domain::phone::{PhoneNumber, Region};
use hantar_domain::time::Timestamp;
use hantar_domain::user::{Email, Role, User};
use hantar_domain::zone::Zone;
use hantar_usecases::ports::{
    Acceptance, Accepted, Clock, Fleet, Founding, Idempotency, KeyTable, Leases, OpenTurns, Sequence, Tenant, Tenants,
};

/// A clock that each reading moves on by a microsecond, and otherwise stands still unless moved.
#[derive(Debug)]
pub struct Hand(AtomicI64);

impl Hand {
    /// Stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves on.
    pub fn pass(&self, span: Duration) {
        self.0.fetch_add(span.as_micros() as i64, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn running(&self) -> Duration {
        Duration::from_micros(self.now().0.unsigned_abs())
    }
}

/// The ports on fresh tables, or on tables shared with other cases.
pub struct World {
    /// What belongs to no tenant.
    pub fleet: Arc<dyn Fleet>,
    /// The way to tenants.
    pub tenants: Arc<dyn Tenants>,
    /// Heartbeats and shard owners.
    pub leases: Arc<dyn Leases>,
    /// Keys.
    pub keys: Arc<dyn KeyTable>,
    /// The store's clock.
    pub clock: Arc<Hand>,
}

/// How many shards the cases settle on.
pub(super) const SHARDS: u16 = 4;

impl World {
    /// Prepares the tables.
    pub async fn prepare(self) -> Self {
        self.fleet.prepare().await.unwrap();
        self.fleet.shard_count(SHARDS).await.unwrap();
        self
    }

    /// An account of its own, with one device and this many credits.
    pub async fn home(&self, credits: i64) -> Home {
        let founding = self.founding(credits).await;
        assert!(self.fleet.found(&founding).await.unwrap());
        Home {
            tenant: self.tenants.for_account(founding.account.id),
            account: founding.account.id,
            device: founding.device.id,
            clock: self.clock.clone(),
            next: AtomicU64::new(1),
            founding,
        }
    }

    /// An account that is not founded yet.
    pub async fn founding(&self, credits: i64) -> Founding {
        let account = AccountId(self.number(Sequence::Accounts).await);
        let user = UserId(self.number(Sequence::Users).await);
        let device = DeviceId(self.number(Sequence::Devices).await);
        let now = self.clock.now();
        Founding {
            account: Account {
                id: account,
                name: format!("Account {account}"),
                regions: vec![Region::MALAYSIA],
                time_zone: Zone::default(),
                created_at: now,
            },
            wrapped_key: account.0.to_be_bytes().to_vec(),
            owner: User {
                id: user,
                account,
                email: Email::parse(&format!("owner{user}@example.com")).unwrap(),
                verified_at: Some(now),
                role: Role::Owner,
                signed_out_at: None,
            },
            password: None,
            device: device_of(account, device, now),
            credits,
        }
    }

    /// The next number.
    pub async fn number(&self, sequence: Sequence) -> u64 {
        self.fleet.reserve(sequence, 1).await.unwrap()
    }
}

/// A new device.
pub(super) fn device_of(account: AccountId, device: DeviceId, now: Timestamp) -> Device {
    Device {
        account,
        id: device,
        name: "Shop".into(),
        is_default: true,
        status: Status::Unlinked,
        reason: None,
        phone: None,
        lid: None,
        stanza_key: StanzaKey([7; 16]),
        pairing_wanted_until: None,
        pairing_code: None,
        connected_at: None,
        last_seen_at: None,
        status_seq: 0,
        status_at: now,
        created_at: now,
    }
}

/// An account to try things on.
pub struct Home {
    /// Its records.
    pub tenant: Arc<dyn Tenant>,
    /// Its number.
    pub account: AccountId,
    /// Its device.
    pub device: DeviceId,
    /// How it was founded.
    pub founding: Founding,
    clock: Arc<Hand>,
    next: AtomicU64,
}

impl Home {
    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A message number that was not used yet.
    pub fn id(&self) -> MessageId {
        MessageId(self.next.fetch_add(1, Ordering::SeqCst))
    }

    /// A message that is not accepted yet.
    pub fn draft(&self, lane: Lane) -> Message {
        let (id, at) = (self.id(), self.now());
        Message {
            account: self.account,
            id,
            device: self.device,
            direction: Direction::Outbound,
            phone: PhoneNumber::from_e164("60123456789"),
            lid: None,
            name: Some("Ali".into()),
            body: format!("message {id}"),
            media: None,
            attached: None,
            external_id: Some(format!("ref-{id}")),
            campaign: None,
            lane,
            stanza: StanzaId::for_message(&StanzaKey([7; 16]), id),
            state: State::Queued,
            held_until: None,
            accepted_at: at,
            updated_at: at,
            credits: 1,
            refunded: false,
            history: vec![Step { state: State::Queued, at, code: None }],
        }
    }

    /// An acceptance of such a message.
    pub fn acceptance(&self) -> Acceptance {
        Acceptance { message: self.draft(Lane::Single), idempotency: None }
    }

    /// An acceptance under a key that stands for `request`.
    pub fn keyed(&self, key: u8, request: u8) -> Acceptance {
        Acceptance { idempotency: Some(self.key(key, request)), ..self.acceptance() }
    }

    /// An idempotency key, valid for a day.
    pub fn key(&self, key: u8, request: u8) -> Idempotency {
        let expires_at = self.now() + Duration::from_hours(24);
        Idempotency { key: [key; 32], request: [request; 32], expires_at }
    }

    /// Accepts a new message.
    pub async fn accepted(&self) -> Message {
        self.accepted_in(Lane::Single).await
    }

    /// Accepts a new message of this lane.
    pub async fn accepted_in(&self, lane: Lane) -> Message {
        let message = self.draft(lane);
        let acceptance = Acceptance { message: message.clone(), idempotency: None };
        assert_eq!(self.tenant.accept(&acceptance).await.unwrap(), Accepted::Stored);
        message
    }

    /// The balance, which must be sound.
    pub async fn balance(&self) -> Balance {
        let balance = self.tenant.balance().await.unwrap();
        assert!(balance.is_sound(), "{balance:?}");
        balance
    }

    /// Asserts what is available, charged and given back.
    pub async fn has(&self, available: i64, charged: i64, refunded: i64) {
        let balance = self.balance().await;
        assert_eq!((balance.available, balance.charged, balance.refunded), (available, charged, refunded));
    }

    /// A message as it is.
    pub async fn message(&self, id: MessageId) -> Message {
        self.tenant.message(id).await.unwrap().unwrap()
    }

    /// The numbers in the device's line.
    pub async fn line(&self) -> Vec<MessageId> {
        self.turns(1_000).await.turns.into_iter().map(|turn| turn.message).collect()
    }

    /// The device's line.
    pub async fn turns(&self, limit: usize) -> OpenTurns {
        self.tenant.open_turns(self.device, self.now(), limit).await.unwrap()
    }
}
