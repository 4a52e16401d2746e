//! Making a campaign: checked, paid for as many as it can reach at most, and under way.

use std::collections::BTreeSet;

use hantar_domain::campaign::{
    Campaign, Claim, Cursor, Listed, MAX_INLINE, MAX_RECIPIENTS, Progress, Source, Status, Watch,
};
use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, CampaignId, ContactId, DeviceId, GroupId, MessageId, TemplateId};
use hantar_domain::message::MAX_BODY_CHARS;
use hantar_domain::phone::Region;
use hantar_domain::template::Template;
use hantar_domain::time::Timestamp;
use hantar_domain::zone::Moment;

use crate::draft::{MAX_AHEAD, MAX_LABEL_CHARS};
use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::order_campaign::ring_worker;
use crate::ports::{BlobKey, Blobs, Clock, Fleet, JobQueue, PortError, Sequence, Started, Tenant};

/// The most devices that share a campaign: they are named in the campaign's own item.
pub const MAX_DEVICES: usize = 50;
/// The fastest own pace, in messages a minute.
pub const MAX_PER_MINUTE: u32 = 10_000;

/// A campaign as its owner asks for it, not yet checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CampaignDraft {
    /// What it is called.
    pub name: String,
    /// The text; may hold merge fields.
    pub body: Option<String>,
    /// The template that has the text.
    pub template: Option<TemplateId>,
    /// Whose contacts are written to.
    pub group: Option<GroupId>,
    /// Contacts who are written to.
    pub contacts: Vec<ContactId>,
    /// Others who are written to: phone, name, attributes.
    pub recipients: Vec<Listed>,
    /// The devices that share the work; the default one when there are none.
    pub devices: Vec<DeviceId>,
    /// One more of them, or the only one.
    pub device: Option<DeviceId>,
    /// Not before.
    pub scheduled_at: Option<Moment>,
    /// How many messages may leave in a minute.
    pub per_minute: Option<u32>,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// What is wrong with a draft's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CampaignProblem {
    /// It is missing or empty.
    Required,
    /// One of two is needed: this, or the one named.
    RequiredWithout(&'static str),
    /// One of several is needed: this, or one of those named.
    RequiredWithoutAll(&'static str),
    /// It cannot be given together with the one named.
    Prohibits(&'static str),
    /// Longer than this many characters.
    TooLong(usize),
    /// More than this many.
    TooMany(u64),
    /// There is no such thing in the account, or it may not be used.
    Unknown,
    /// Nobody could be written to.
    Nobody,
    /// Too far ahead.
    TooFarAhead,
}

/// A field and its problem.
pub type CampaignProblems = Vec<(String, CampaignProblem)>;

/// Why a campaign is not made. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The draft is wrong: mend the named fields.
    #[error("the campaign is not valid")]
    Invalid(CampaignProblems),
    /// Too few credits: top up.
    #[error("too few credits: {required} required, {balance} left")]
    Credits {
        /// What it costs at most.
        required: i64,
        /// What is left.
        balance: i64,
    },
    /// The idempotency key stands for another request: take a new key.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed: see there.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What making a campaign needs from outside.
pub struct CampaignParts<'a> {
    /// The account's records.
    pub tenant: &'a dyn Tenant,
    /// Numbers of its messages.
    pub fleet: &'a dyn Fleet,
    /// Its own number.
    pub numbers: &'a Numbers,
    /// The list of those who are written to.
    pub blobs: &'a dyn Blobs,
    /// Rings for its work.
    pub queue: &'a dyn JobQueue,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// A draft with what it names.
pub(crate) struct Checked {
    pub(crate) body: String,
    pub(crate) template: Option<(TemplateId, String)>,
    pub(crate) devices: Vec<Device>,
    pub(crate) contacts: Vec<ContactId>,
    pub(crate) in_group: u64,
    pub(crate) scheduled_at: Option<Timestamp>,
    pub(crate) regions: Vec<Region>,
}

/// Deletes the list that came with the request, once nobody reads it. Repeatable.
pub async fn delete_list(blobs: &dyn Blobs, campaign: &Campaign) -> Result<(), PortError> {
    blobs.delete(&list_of(campaign.account, campaign.id)).await
}

/// Where the list of a campaign's recipients is kept while they are taken in.
pub(crate) fn list_of(account: AccountId, campaign: CampaignId) -> BlobKey {
    BlobKey::new(account, "campaigns", &format!("{campaign}-recipients"))
}

/// Makes a campaign: stored, paid and under way when it answers. With an idempotency key a repeat answers the same one;
/// without one each run makes another.
pub async fn start_campaign(
    with: &CampaignParts<'_>,
    account: AccountId,
    draft: CampaignDraft,
) -> Result<Campaign, CampaignError> {
    let now = with.clock.now();
    let key = draft.idempotency.as_ref().map(|(key, content)| idempotency("campaign", key, content, now));
    if let Some(key) = &key
        && let Some(known) = with.tenant.campaigns().started_by(key, now).await?
    {
        return known.ok_or(CampaignError::KeyReused);
    }
    let checked = check(with.tenant, &draft, now).await?.map_err(CampaignError::Invalid)?;
    let bound = draft.recipients.len() as u64 + checked.contacts.len() as u64 + checked.in_group;
    let required = with.tenant.price().saturating_mul(i64::try_from(bound).unwrap_or(i64::MAX));
    let balance = if required > 0 { with.tenant.balance().await?.available } else { 0 };
    if balance < required {
        return Err(CampaignError::Credits { required, balance });
    }
    let id = CampaignId(with.numbers.next(Sequence::Campaigns(account)).await?);
    let first = MessageId(with.fleet.reserve(Sequence::Messages(account), bound).await?);
    let list = list(&draft.recipients, &checked.contacts);
    let begins = if list.is_empty() { Source::Group(None) } else { Source::List(0) };
    let place = list_of(account, id);
    if !list.is_empty() {
        with.blobs.put(&place, list).await?;
    }
    let at = with.clock.now();
    let scheduled = checked.scheduled_at.is_some_and(|due| due > at);
    let campaign = Campaign {
        account,
        id,
        name: draft.name,
        template: checked.template,
        body: checked.body,
        group: draft.group,
        devices: checked.devices.iter().map(|device| device.id).collect(),
        scheduled_at: checked.scheduled_at,
        per_minute: draft.per_minute,
        status: if scheduled { Status::Scheduled } else { Status::Running },
        reason: None,
        first,
        price: with.tenant.price(),
        progress: Progress::of(bound),
        cursor: Cursor { source: begins, chunk: 0 },
        claim: Claim::default(),
        paced_until: None,
        watch: Watch::default(),
        created_at: at,
        started_at: (!scheduled).then_some(at),
        ended_at: None,
        updated_at: at,
    };
    let started = with.tenant.campaigns().start(&campaign, key.as_ref()).await?;
    if !matches!(started, Started::New) {
        with.blobs.delete(&place).await?;
    }
    match started {
        Started::New => {
            if let Err(error) = ring_worker(with.queue, account, id).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(account.id = account.0, campaign.id = id.0, error, "a campaign waits for the sweep");
            }
            Ok(campaign)
        }
        Started::Replayed(earlier) => Ok(*earlier),
        Started::KeyReused => Err(CampaignError::KeyReused),
        Started::Refused { balance } => Err(CampaignError::Credits { required, balance }),
    }
}

/// First those who came with the request, then the contacts.
fn list(recipients: &[Listed], contacts: &[ContactId]) -> Vec<u8> {
    let mut list = Vec::new();
    let contacts = contacts.iter().map(|id| Listed::Contact(*id));
    for entry in recipients.iter().cloned().chain(contacts) {
        entry.write(&mut list);
    }
    list
}

/// Everything that is wrong with a draft, with nothing written: for a caller that found mistakes of its own before, so that
/// it can name all of them at once.
pub async fn problems(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    draft: &CampaignDraft,
) -> Result<CampaignProblems, PortError> {
    Ok(check(tenant, draft, clock.now()).await?.err().unwrap_or_default())
}

/// All problems at once, in the order of the fields.
pub(crate) async fn check(
    tenant: &dyn Tenant,
    draft: &CampaignDraft,
    now: Timestamp,
) -> Result<Result<Checked, CampaignProblems>, PortError> {
    use CampaignProblem::{
        Nobody, Prohibits, Required, RequiredWithout, RequiredWithoutAll, TooFarAhead, TooLong, TooMany, Unknown,
    };
    let mut problems = Vec::new();
    let mut found = |field: &str, problem| problems.push((field.to_owned(), problem));
    if draft.name.trim().is_empty() {
        found("name", Required);
    } else if draft.name.chars().count() > MAX_LABEL_CHARS {
        found("name", TooLong(MAX_LABEL_CHARS));
    }
    let template = match draft.template {
        Some(id) => tenant.templates().template(id).await?.filter(|template| template.is_active),
        None => None,
    };
    match (&draft.body, draft.template) {
        (Some(_), Some(_)) => found("body", Prohibits("message_template_id")),
        (None, None) => found("body", RequiredWithout("message_template_id")),
        (None, Some(_)) if template.is_none() => found("message_template_id", Unknown),
        (Some(body), None) if body.trim().is_empty() => found("body", Required),
        (Some(body), None) if body.chars().count() > MAX_BODY_CHARS => found("body", TooLong(MAX_BODY_CHARS)),
        (Some(_), None) | (None, Some(_)) => {}
    }
    let in_group = match draft.group {
        Some(group) => group_size(tenant, group).await?,
        None => Some(0),
    };
    if in_group.is_none() {
        found("contact_group_id", Unknown);
    }
    if draft.recipients.len() > MAX_INLINE {
        found("recipients", TooMany(MAX_INLINE as u64));
    }
    let mut seen = BTreeSet::new();
    let contacts: Vec<_> = draft.contacts.iter().copied().filter(|id| seen.insert(*id)).collect();
    let bound = draft.recipients.len() as u64 + contacts.len() as u64 + in_group.unwrap_or(0);
    if draft.recipients.is_empty() && contacts.is_empty() && draft.group.is_none() {
        found("contact_group_id", RequiredWithoutAll("contact_ids / recipients"));
    } else if bound == 0 && in_group.is_some() {
        found("contact_group_id", Nobody);
    } else if bound > MAX_RECIPIENTS {
        found("recipients", TooMany(MAX_RECIPIENTS));
    }
    let (devices, unknown) = devices(tenant, draft).await?;
    for field in &unknown {
        found(field, Unknown);
    }
    if draft.devices.len() > MAX_DEVICES {
        found("devices", TooMany(MAX_DEVICES as u64));
    }
    let account = tenant.account().await?.ok_or_else(|| PortError::Corrupt("an account is missing".into()))?;
    let scheduled_at = draft.scheduled_at.map(|moment| moment.in_zone(&account.time_zone));
    if scheduled_at.is_some_and(|due| due > now + MAX_AHEAD) {
        found("scheduled_at", TooFarAhead);
    }
    if draft.per_minute == Some(0) {
        found("pacing.per_minute", Required);
    } else if draft.per_minute.is_some_and(|pace| pace > MAX_PER_MINUTE) {
        found("pacing.per_minute", TooMany(u64::from(MAX_PER_MINUTE)));
    }
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    let named = template.as_ref().map(|Template { id, name, .. }| (*id, name.clone()));
    let body = draft.body.clone().or(template.map(|template| template.body)).unwrap_or_default();
    let (in_group, regions) = (in_group.unwrap_or(0), account.regions);
    Ok(Ok(Checked { body, template: named, devices, contacts, in_group, scheduled_at, regions }))
}

/// How many contacts a group has; `None` when there is no such group.
async fn group_size(tenant: &dyn Tenant, group: GroupId) -> Result<Option<u64>, PortError> {
    if tenant.contacts().group(group).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(tenant.contacts().contact_counts().await?.groups.get(&group).copied().unwrap_or(0)))
}

/// The devices asked for, each once (the default one when there are none), and the fields of those that do not exist.
async fn devices(tenant: &dyn Tenant, draft: &CampaignDraft) -> Result<(Vec<Device>, Vec<String>), PortError> {
    let all = tenant.devices().await?;
    let many = draft.devices.iter().enumerate().map(|(index, id)| (*id, format!("devices.{index}")));
    let asked: Vec<_> = many.chain(draft.device.map(|id| (id, "device".to_owned()))).collect();
    if asked.is_empty() {
        let default: Vec<_> = all.into_iter().filter(|device| device.is_default).collect();
        let missing = if default.is_empty() { vec!["device".to_owned()] } else { Vec::new() };
        return Ok((default, missing));
    }
    let missing = |id: DeviceId| !all.iter().any(|device| device.id == id);
    let unknown = asked.iter().filter(|(id, _)| missing(*id)).map(|(_, field)| field.clone()).collect();
    let named = |device: &&Device| asked.iter().any(|(id, _)| *id == device.id);
    Ok((all.iter().filter(named).cloned().collect(), unknown))
}
