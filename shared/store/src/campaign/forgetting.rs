//! Taking a person out of a campaign. Their place stays, under the hash that it had: numbers are counted by it.

use futures::FutureExt;
use hantar_domain::campaign::{Campaign, RecipientKey, Rejected};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{Forgetting, PortError, Tenant as _};

use super::expanding::{ChunkItem, read_recipient, rejected};
use crate::items::{Fields, texts};
use crate::places::{CHUNKS, Place, Table, of_campaign};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::writing::{Write, side_by_side};

/// How many chunks are read at a time.
const CHUNKS_AT_ONCE: usize = 500;

impl TenantStore {
    pub(super) async fn forget_in_campaign(
        &self,
        campaign: &Campaign,
        person: &PhoneNumber,
    ) -> Result<Forgetting, PortError> {
        if !campaign.progress.expanded && campaign.status.is_active() {
            return Ok(Forgetting::Later);
        }
        let place = Place::recipient(self.account, campaign.id, RecipientKey::of(person));
        let mut gone = 0;
        if let Some(item) = self.store.get(&place).await? {
            let (ordinal, recipient) = read_recipient(&item)?;
            gone += 1;
            if recipient.is_some() {
                let blank = Write::update(&place, "REMOVE p, n, f, k").when("attribute_exists(pk)");
                self.store.write(blank).await?;
            }
            // Whoever claims from now on reads a blank. Whoever claimed before may be making the message.
            let Some(seen) = self.one_campaign(campaign.id).await? else { return Ok(Forgetting::Done(gone)) };
            if (seen.progress.done..seen.progress.claimed).contains(&ordinal) {
                return Ok(Forgetting::Later);
            }
        }
        if !campaign.progress.rejected.is_empty() {
            gone += self.forget_rejected(campaign, person).await?;
        }
        Ok(Forgetting::Done(gone))
    }

    async fn forget_rejected(&self, campaign: &Campaign, person: &PhoneNumber) -> Result<u64, PortError> {
        let regions = self.account().await?.map(|account| account.regions).unwrap_or_default();
        let is_theirs = |one: &Rejected| {
            PhoneNumber::parse(&one.phone, &regions).is_ok_and(|phone| phone == *person)
                || one.phone.chars().filter(char::is_ascii_digit).eq(person.digits().chars())
        };
        let query = Query::beginning(Table::Engine, of_campaign(self.account, campaign.id), CHUNKS);
        let (mut start, mut gone) = (None, 0);
        loop {
            let page = self.store.page(&query, start, CHUNKS_AT_ONCE).await?;
            let mut works = Vec::new();
            for item in &page.items {
                let mut chunk = ChunkItem::read(item)?;
                let theirs = chunk.rejected.iter_mut().filter(|one| is_theirs(one));
                let count = theirs.map(|one| one.phone.clear()).count() as u64;
                if count > 0 {
                    let place = Place::in_campaign(self.account, campaign.id, Fields(item).sk()?);
                    let blank = Write::update(&place, "SET x = :x").when("attribute_exists(pk)");
                    let blank = blank.with(":x", texts(chunk.rejected.iter().map(rejected)));
                    works.push(self.store.write(blank).boxed());
                    gone += count;
                }
            }
            side_by_side(works).await?;
            start = page.next;
            if start.is_none() {
                return Ok(gone);
            }
        }
    }
}
