//! What a campaign would come to: how many are written to and how many not, why, what it costs, when it would be through,
//! and how it would read. Writes nothing.

use std::collections::BTreeMap;

use hantar_domain::campaign::{Given, Listed, Preview, Source, eta, text};
use hantar_domain::device::{Device, Status};
use hantar_domain::ids::ContactId;
use hantar_domain::pacing::Pacing;

use crate::ports::{Clock, PortError, Tenant};
use crate::recipients::{Addressed, Candidate, Known, address_all, given};
use crate::start_campaign::{CampaignDraft, CampaignProblems, check};

/// How many contacts are looked at, and how many numbers are held against the account's opt-outs. A Worker makes few calls
/// for one request; of those beyond, the rest is estimated.
pub const LOOKED_AT: usize = 1_000;
/// How many texts are shown.
const SAMPLES: usize = 3;
/// Where to read on is of no matter here.
const NOWHERE: Source = Source::End;

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The draft is wrong: mend the named fields.
    #[error("the campaign is not valid")]
    Invalid(CampaignProblems),
    /// A port failed: see there.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Looks at a draft as if it were made.
pub async fn preview_campaign(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    pacing: Pacing,
    mut draft: CampaignDraft,
) -> Result<Preview, PreviewError> {
    if draft.name.is_empty() {
        "preview".clone_into(&mut draft.name);
    }
    let now = clock.now();
    let checked = check(tenant, &draft, now).await?.map_err(PreviewError::Invalid)?;
    let total = draft.recipients.len() as u64 + checked.contacts.len() as u64 + checked.in_group;
    let candidates = candidates(tenant, &draft, &checked.contacts).await?;
    let looked_at = candidates.len() as u64;
    let addressed = address_all(candidates, &checked.body, &checked.regions);
    let asked = addressed.iter().filter(|one| one.fit.is_ok()).count();
    let mut known = Known::read(tenant, None, &addressed[..first_fit(&addressed, LOOKED_AT)]).await?;
    let (mut recipients, mut rejected, mut samples) = (0, BTreeMap::new(), Vec::new());
    for one in addressed {
        match known.take(one, 0) {
            Ok((_, recipient)) => {
                recipients += 1;
                if samples.len() < SAMPLES {
                    samples.push((recipient.phone.clone(), text(&checked.body, &recipient).text));
                }
            }
            Err(one) => *rejected.entry(one.reason).or_default() += 1,
        }
    }
    recipients += total.saturating_sub(looked_at);
    let cost = tenant.price().saturating_mul(i64::try_from(recipients).unwrap_or(i64::MAX));
    let start = checked.scheduled_at.map_or(now, |due| due.max(now));
    let able = checked.devices.iter().filter(|device| sends(device)).count() as u64;
    Ok(Preview {
        recipients,
        rejected,
        estimated: looked_at < total || asked > LOOKED_AT,
        cost,
        balance: tenant.balance().await?.available,
        eta: eta(start, recipients, able, pacing.campaign_gap, draft.per_minute),
        samples,
    })
}

/// Whether a device may be counted on.
fn sends(device: &Device) -> bool {
    device.status.is_linked() && device.status != Status::Banned
}

/// How many of those at the beginning hold so many who may be written to.
fn first_fit(addressed: &[Addressed], most: usize) -> usize {
    let mut fit = addressed.iter().enumerate().filter(|(_, one)| one.fit.is_ok());
    fit.nth(most).map_or(addressed.len(), |(index, _)| index)
}

/// Those who came with the request, all of them; then contacts, as many as are looked at.
async fn candidates(
    tenant: &dyn Tenant,
    draft: &CampaignDraft,
    contacts: &[ContactId],
) -> Result<Vec<Candidate>, PortError> {
    let rows = draft.recipients.iter().cloned().map(|row| given(row, &mut BTreeMap::new()));
    let mut all: Vec<Given> = rows.collect();
    let named = &contacts[..contacts.len().min(LOOKED_AT)];
    if !named.is_empty() {
        let found = tenant.contacts().contacts_by_id(named).await?;
        let mut found: BTreeMap<_, _> = found.into_iter().map(|contact| (contact.id, contact)).collect();
        all.extend(named.iter().map(|id| given(Listed::Contact(*id), &mut found)));
    }
    let (mut room, mut after) = (LOOKED_AT - named.len(), None);
    if let Some(group) = draft.group.filter(|_| contacts.len() <= LOOKED_AT) {
        while room > 0 {
            let members = tenant.contacts().members(group, after, room).await?;
            room -= members.contacts.len().min(room);
            all.extend(members.contacts.into_iter().map(|contact| Given::Contact(Box::new(contact))));
            after = members.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(all.into_iter().map(|given| Candidate { given, next: NOWHERE }).collect())
}
