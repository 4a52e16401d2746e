//! Finding a campaign's recipients: chunk by chunk, each taken in whole or not at all.

use hantar_domain::campaign::{CHUNK, Campaign, Chunk, RecipientKey, Source};

use crate::ports::{Blobs, Clock, PortError, Tenant};
use crate::recipients::{Addressed, Known, Sources, Unread, address_all};
use crate::start_campaign::list_of;

/// How many are read and looked at together: some chunks' worth.
const WAVE: usize = 5 * CHUNK;
/// The most that a chunk's recipients may weigh, in bytes: a transaction holds four megabytes.
const MAX_CHUNK_BYTES: usize = 2 * 1024 * 1024;

/// How far the recipients were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expanded {
    /// This far; the campaign as it is now.
    Moved(Box<Campaign>),
    /// Somebody else moved the campaign: it is to be looked at anew.
    Overtaken,
    /// The list that came with the request is gone or damaged: the campaign cannot be carried out.
    Lost,
}

/// Takes recipients in, some `chunks` chunks of them, and closes the list when it ends. Repeatable: what was taken in is not
/// taken in again, and of two who do it at a time one is overtaken.
pub async fn expand_campaign(
    tenant: &dyn Tenant,
    blobs: &dyn Blobs,
    clock: &dyn Clock,
    mut campaign: Campaign,
    chunks: usize,
) -> Result<Expanded, PortError> {
    let regions = tenant.account().await?.map(|account| account.regions).unwrap_or_default();
    let list = list_of(campaign.account, campaign.id);
    let sources = Sources { tenant, blobs, list: list.clone(), group: campaign.group };
    let mut taken = 0;
    while taken < chunks && campaign.cursor.source != Source::End && campaign.progress.left() > 0 {
        let wave = match sources.read(campaign.cursor.source, WAVE).await {
            Ok((candidates, next)) if candidates.is_empty() => {
                // Only the end of a source brings nobody.
                campaign.cursor.source = next;
                continue;
            }
            Ok((candidates, _)) => address_all(candidates, &campaign.body, &regions),
            Err(Unread::Lost) => return Ok(Expanded::Lost),
            Err(Unread::Port(error)) => return Err(error),
        };
        let known = Known::read(tenant, Some(campaign.id), &wave).await?;
        for chunk in chunks_of(&campaign, wave, known) {
            if !tenant.campaigns().take(&campaign, &chunk).await? {
                return Ok(Expanded::Overtaken);
            }
            taken += 1;
            campaign.progress.take(chunk.recipients.len() as u64, chunk.rejected.iter().map(|one| one.reason));
            campaign.cursor.source = chunk.next;
            campaign.cursor.chunk += 1;
        }
    }
    if campaign.cursor.source == Source::End || campaign.progress.left() == 0 {
        if !tenant.campaigns().close(&campaign, clock.now()).await? {
            return Ok(Expanded::Overtaken);
        }
        campaign.progress.released += campaign.progress.surplus();
        campaign.progress.expanded = true;
        blobs.delete(&list).await?;
    }
    Ok(Expanded::Moved(Box::new(campaign)))
}

/// Those who are looked at, as chunks. Whoever comes when as many are taken in as were paid for came to the group later.
fn chunks_of(campaign: &Campaign, wave: Vec<Addressed>, mut known: Known) -> Vec<Chunk> {
    let (mut left, mut position) = (campaign.progress.left(), campaign.progress.seen());
    let (mut number, mut first) = (campaign.cursor.chunk, campaign.progress.accepted);
    let (mut chunks, mut weight) = (Vec::new(), 0);
    let mut open = Chunk { number, first, recipients: Vec::new(), rejected: Vec::new(), next: campaign.cursor.source };
    for one in wave {
        if left == 0 {
            break;
        }
        open.next = one.next;
        match known.take(one, position) {
            Ok((_, recipient)) => {
                weight += recipient.fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
                open.recipients.push(recipient);
                left -= 1;
            }
            Err(rejected) => open.rejected.push(rejected),
        }
        position += 1;
        if open.recipients.len() + open.rejected.len() == CHUNK || weight >= MAX_CHUNK_BYTES {
            number += 1;
            first += open.recipients.len() as u64;
            weight = 0;
            let next = Chunk { number, first, recipients: Vec::new(), rejected: Vec::new(), next: open.next };
            chunks.push(std::mem::replace(&mut open, next));
        }
    }
    if !(open.recipients.is_empty() && open.rejected.is_empty()) {
        chunks.push(open);
    }
    chunks.iter_mut().for_each(mix);
    chunks
}

/// Neighbours in a list are often each other's neighbours in life: they are not written to one after the other.
fn mix(chunk: &mut Chunk) {
    chunk.recipients.sort_by_cached_key(|recipient| RecipientKey::of(&recipient.phone));
}
