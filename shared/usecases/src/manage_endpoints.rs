//! Subscribers' addresses: made with a secret that is shown once, listed, changed, deleted.

use hantar_domain::egress::{AllowList, Refusal, Target};
use hantar_domain::ids::{AccountId, EndpointId};
use hantar_domain::webhook::{Endpoint, MAX_ENDPOINTS, SigningSecret, Subscription, SubscriptionError};

use crate::account_key::AccountKeys;
use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::ports::{Clock, Created, Deleted, EndpointChange, Entropy, PortError, Sequence, Tenant};

/// How often a change is tried when others change the endpoint at the same time.
const MOST_TRIES: usize = 5;

/// What a new endpoint is, not yet checked.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    /// Where to.
    pub url: String,
    /// Names of events; `*` for all.
    pub events: Vec<String>,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// Why an endpoint is not made. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address may not be called.
    #[error(transparent)]
    Url(Refusal),
    /// The events do not exist.
    #[error(transparent)]
    Events(SubscriptionError),
    /// The account has as many as it may have.
    #[error("an account may have {MAX_ENDPOINTS} endpoints")]
    TooMany,
    /// The idempotency key stands for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What managing endpoints needs from outside.
pub struct EndpointParts<'a> {
    /// The account's records.
    pub tenant: &'a dyn Tenant,
    /// Numbers.
    pub numbers: &'a Numbers,
    /// Seals the secret.
    pub keys: &'a AccountKeys,
    /// Randomness.
    pub entropy: &'a dyn Entropy,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Addresses that may be called although they are not public.
    pub allowed: &'a AllowList,
}

/// Why an endpoint gets nothing that its account switched off.
const SWITCHED_OFF: &str = "switched_off";

/// Where the secret of an endpoint is kept: it opens nowhere else.
fn place(endpoint: EndpointId) -> String {
    format!("endpoint/{endpoint}")
}

/// Makes an endpoint and answers it with its secret. With an idempotency key a repeat answers the same ones.
pub async fn create_endpoint(
    with: &EndpointParts<'_>,
    account: AccountId,
    new: NewEndpoint,
) -> Result<(Endpoint, SigningSecret), EndpointError> {
    let target = Target::parse(&new.url, with.allowed).map_err(EndpointError::Url)?;
    let subscription = Subscription::parse(&new.events).map_err(EndpointError::Events)?;
    let mut secret = [0; 32];
    with.entropy.fill(&mut secret);
    let secret = SigningSecret::from_bytes(secret);
    let id = EndpointId(with.numbers.next(Sequence::Endpoints(account)).await?);
    let now = with.clock.now();
    let endpoint = Endpoint {
        account,
        id,
        url: target.url.to_string(),
        subscription,
        sealed_secret: with.keys.seal(account, &place(id), secret.bytes()).await?,
        disabled: None,
        created_at: now,
    };
    let idempotency = new.idempotency.map(|(key, content)| idempotency("endpoint", &key, &content, now));
    match with.tenant.add_endpoint(&endpoint, MAX_ENDPOINTS, idempotency.as_ref()).await? {
        Created::New => Ok((endpoint, secret)),
        Created::Replayed(earlier) => {
            let secret = open_secret(with.keys, &earlier).await?;
            Ok((*earlier, secret))
        }
        Created::KeyReused => Err(EndpointError::KeyReused),
        Created::Full => Err(EndpointError::TooMany),
    }
}

/// What is to be changed of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointDraft {
    /// Where to from now on.
    pub url: Option<String>,
    /// Names of events from now on.
    pub events: Option<Vec<String>>,
    /// Whether events are posted to it; `true` also for one that we switched off.
    pub is_active: Option<bool>,
    /// Whether it gets another secret. Deliveries are signed with the new one from now on.
    pub rotates: bool,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// Changes an endpoint, and answers it as it is then, with its secret when that was rotated; `None` when there is none.
/// With an idempotency key a repeat changes nothing and answers it as it is.
pub async fn change_endpoint(
    with: &EndpointParts<'_>,
    account: AccountId,
    id: EndpointId,
    draft: EndpointDraft,
) -> Result<Option<(Endpoint, Option<SigningSecret>)>, EndpointError> {
    let now = with.clock.now();
    let key = draft.idempotency.as_ref().map(|(key, content)| {
        let content = [&id.0.to_be_bytes()[..], content].concat();
        idempotency("change endpoint", key, &content, now)
    });
    for _ in 0..MOST_TRIES {
        let Some(seen) = with.tenant.endpoint(id).await? else { return Ok(None) };
        let mut endpoint = changed(with, account, &seen, &draft).await?;
        match with.tenant.change_endpoint(&seen, &endpoint, key.as_ref(), now).await? {
            EndpointChange::Done => {}
            EndpointChange::Before => {
                let Some(there) = with.tenant.endpoint(id).await? else { return Ok(None) };
                endpoint = there;
            }
            EndpointChange::Missing => return Ok(None),
            // Changed by another, or switched off by us, since it was read.
            EndpointChange::Moved => continue,
            EndpointChange::KeyReused => return Err(EndpointError::KeyReused),
        }
        let secret = if draft.rotates { Some(open_secret(with.keys, &endpoint).await?) } else { None };
        return Ok(Some((endpoint, secret)));
    }
    Err(PortError::Conflict.into())
}

/// What the draft makes of an endpoint.
async fn changed(
    with: &EndpointParts<'_>,
    account: AccountId,
    seen: &Endpoint,
    draft: &EndpointDraft,
) -> Result<Endpoint, EndpointError> {
    let mut endpoint = seen.clone();
    if let Some(url) = &draft.url {
        endpoint.url = Target::parse(url, with.allowed).map_err(EndpointError::Url)?.url.to_string();
    }
    if let Some(events) = &draft.events {
        endpoint.subscription = Subscription::parse(events).map_err(EndpointError::Events)?;
    }
    match draft.is_active {
        Some(true) => endpoint.disabled = None,
        Some(false) if endpoint.disabled.is_none() => endpoint.disabled = Some(SWITCHED_OFF.to_owned()),
        Some(false) | None => {}
    }
    if draft.rotates {
        let mut secret = [0; 32];
        with.entropy.fill(&mut secret);
        endpoint.sealed_secret = with.keys.seal(account, &place(seen.id), &secret).await?;
    }
    Ok(endpoint)
}

/// Deletes an endpoint; what is still to be delivered to it is given up. A repeat under the same key answers the same;
/// without a key the second one finds nothing.
pub async fn delete_endpoint(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    id: EndpointId,
    key: Option<&str>,
) -> Result<Deleted, PortError> {
    let now = clock.now();
    let idempotency = key.map(|key| idempotency("delete endpoint", key, &id.0.to_be_bytes(), now));
    tenant.delete_endpoint(id, idempotency.as_ref(), now).await
}

/// The secret of a stored endpoint.
pub async fn open_secret(keys: &AccountKeys, endpoint: &Endpoint) -> Result<SigningSecret, PortError> {
    let place = place(endpoint.id);
    let bytes = keys.open(endpoint.account, &place, &endpoint.sealed_secret).await?;
    let bytes =
        bytes.try_into().map_err(|_| PortError::Corrupt(format!("the secret at {place} has a wrong length")))?;
    Ok(SigningSecret::from_bytes(bytes))
}
