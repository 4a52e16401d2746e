//! What became of all whom a campaign was given, chunk by chunk.

use std::collections::BTreeMap;

use hantar_domain::campaign::{Campaign, Fate, ResultRow, Status};
use hantar_domain::ids::MessageId;
use hantar_domain::message::Message;
use hantar_usecases::ports::{PortError, Results};

use super::expanding::ChunkItem;
use crate::places::Place;
use crate::tenant::TenantStore;

/// A row's place is its chunk's number times this and its place in the chunk: a chunk holds fewer.
const CHUNK_PLACES: u64 = 128;

impl TenantStore {
    pub(super) async fn campaign_results(
        &self,
        campaign: &Campaign,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Results, PortError> {
        let mut place = after.map_or(0, |after| after + 1);
        let mut results = Results::default();
        while place / CHUNK_PLACES < campaign.cursor.chunk {
            let (number, skip) = (place / CHUNK_PLACES, usize::try_from(place % CHUNK_PLACES).unwrap_or(0));
            let item = self.store.get(&Place::chunk(self.account, campaign.id, number)).await?;
            let missing = || PortError::Corrupt(format!("chunk {number} of campaign {} is missing", campaign.id));
            let chunk = ChunkItem::read(&item.ok_or_else(missing)?)?;
            let wanted = limit - results.rows.len();
            results.rows.extend(self.rows_of(campaign, &chunk, skip, wanted).await?);
            let whole = skip.saturating_add(wanted) >= chunk.keys.len() + chunk.rejected.len();
            place = if whole { (number + 1) * CHUNK_PLACES } else { place + wanted as u64 };
            if results.rows.len() >= limit {
                break;
            }
        }
        let more = place / CHUNK_PLACES < campaign.cursor.chunk;
        results.next = (more && place > 0).then(|| place - 1);
        Ok(results)
    }

    /// A chunk's rows behind the first `skip`: its recipients, then those who were rejected.
    async fn rows_of(
        &self,
        campaign: &Campaign,
        chunk: &ChunkItem,
        skip: usize,
        most: usize,
    ) -> Result<Vec<ResultRow>, PortError> {
        let from = chunk.first + skip as u64;
        let to = from.saturating_add(most as u64).min(chunk.first + chunk.keys.len() as u64);
        let mut rows = Vec::new();
        if from < to {
            let ids: Vec<MessageId> =
                (from..to.min(campaign.progress.claimed)).map(|one| campaign.message_id(one)).collect();
            let messages = self.some_messages(&ids).await?;
            let mut messages: BTreeMap<MessageId, Message> =
                messages.into_iter().map(|message| (message.id, message)).collect();
            let recipients = self.recipients(campaign, chunk.part(from, to)).await?;
            for (ordinal, recipient) in recipients {
                let fate = match messages.remove(&campaign.message_id(ordinal)) {
                    Some(message) => Fate::Message(Box::new(message)),
                    None if matches!(campaign.status, Status::Cancelled | Status::Failed) => Fate::Never,
                    None => Fate::Waiting,
                };
                let phone = recipient.as_ref().map(|recipient| recipient.phone.to_string()).unwrap_or_default();
                rows.push(ResultRow { phone, name: recipient.and_then(|recipient| recipient.name), fate });
            }
        }
        let skipped = skip.saturating_sub(chunk.keys.len());
        let rejected = chunk.rejected.iter().skip(skipped).take(most - rows.len());
        rows.extend(rejected.map(|one| ResultRow {
            phone: one.phone.clone(),
            name: None,
            fate: Fate::Rejected { reason: one.reason, field: one.field.clone() },
        }));
        Ok(rows)
    }
}
