//! A new account with its owner, its first device and its first credits; more people and devices for it.

use hantar_domain::account::Account;
use hantar_domain::device::{Device, Status};
use hantar_domain::ids::{AccountId, DeviceId, StanzaKey, UserId};
use hantar_domain::phone::Region;
use hantar_domain::sealed::DataKey;
use hantar_domain::time::Timestamp;
use hantar_domain::user::{Email, Role, User};

use crate::numbers::Numbers;
use crate::ports::{Clock, Entropy, Fleet, Founding, KeyWrap, PortError, Sequence, Tenant};

/// What a new account is.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name.
    pub name: String,
    /// Its owner's e-mail.
    pub email: Email,
    /// Whether the address counts as verified.
    pub verified: bool,
    /// Credits to begin with.
    pub credits: i64,
    /// The name of its first device.
    pub device_name: String,
}

/// What founding needs from outside.
pub struct Founders<'a> {
    /// The fleet's records.
    pub fleet: &'a dyn Fleet,
    /// Numbers.
    pub numbers: &'a Numbers,
    /// Wraps the new data key.
    pub wrap: &'a dyn KeyWrap,
    /// Randomness.
    pub entropy: &'a dyn Entropy,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// Founds an account. `None` when the e-mail is taken, and then nothing is written.
pub async fn found_account(with: &Founders<'_>, new: NewAccount) -> Result<Option<Founding>, PortError> {
    found_with_password(with, new, None).await
}

/// Founds an account whose owner signs in by a password, of which this is the hash.
pub async fn found_with_password(
    with: &Founders<'_>,
    new: NewAccount,
    password: Option<String>,
) -> Result<Option<Founding>, PortError> {
    let now = with.clock.now();
    let account = AccountId(with.numbers.next(Sequence::Accounts).await?);
    let user = UserId(with.numbers.next(Sequence::Users).await?);
    let mut key = [0; 32];
    with.entropy.fill(&mut key);
    let founding = Founding {
        account: Account { id: account, name: new.name, regions: vec![Region::MALAYSIA], created_at: now },
        wrapped_key: with.wrap.wrap(&DataKey::from_bytes(key)).await?,
        owner: User {
            id: user,
            account,
            email: new.email,
            verified_at: new.verified.then_some(now),
            role: Role::Owner,
            signed_out_at: None,
        },
        password,
        device: Device { is_default: true, ..new_device(with, account, new.device_name).await? },
        credits: new.credits,
    };
    Ok(with.fleet.found(&founding).await?.then_some(founding))
}

/// Adds a person to an account. `None` when the e-mail is taken.
pub async fn add_user(
    with: &Founders<'_>,
    account: AccountId,
    email: Email,
    verified: bool,
) -> Result<Option<User>, PortError> {
    let id = UserId(with.numbers.next(Sequence::Users).await?);
    let verified_at = verified.then(|| with.clock.now());
    let user = User { id, account, email, verified_at, role: Role::Admin, signed_out_at: None };
    Ok(with.fleet.add_user(&user).await?.then_some(user))
}

/// Adds a device to an account. Not repeatable: each run adds another one.
pub async fn add_device(
    with: &Founders<'_>,
    tenant: &dyn Tenant,
    account: AccountId,
    name: String,
) -> Result<Device, PortError> {
    let first = tenant.devices().await?.is_empty();
    let device = Device { is_default: first, ..new_device(with, account, name).await? };
    tenant.add_device(&device).await?;
    Ok(device)
}

async fn new_device(with: &Founders<'_>, account: AccountId, name: String) -> Result<Device, PortError> {
    let mut stanza_key = [0; 16];
    with.entropy.fill(&mut stanza_key);
    let id = DeviceId(with.numbers.next(Sequence::Devices).await?);
    Ok(unlinked(account, id, name, StanzaKey(stanza_key), with.clock.now()))
}

fn unlinked(account: AccountId, id: DeviceId, name: String, stanza_key: StanzaKey, created_at: Timestamp) -> Device {
    Device {
        account,
        id,
        name,
        is_default: false,
        status: Status::Unlinked,
        reason: None,
        phone: None,
        lid: None,
        stanza_key,
        pairing_wanted_until: None,
        pairing_code: None,
        connected_at: None,
        last_seen_at: None,
        status_seq: 0,
        status_at: created_at,
        created_at,
    }
}
