//! A campaign's messages are made: claimed by one write for many, then put one by one, each if it is not there.
//!
//! A message and its turn are two plain writes, at half the price of a transaction: first the message, then the turn. Whoever
//! dies in between leaves them claimed and not made, and the next one puts them again.

use std::collections::BTreeMap;

use futures::FutureExt;
use hantar_domain::campaign::{Campaign, Claim, Recipient, RecipientKey, Status, Watch};
use hantar_domain::ids::DeviceId;
use hantar_domain::message::{Message, State, Step, Turn};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Cancelled, ClaimedRows, PortError};

use super::expanding::{ChunkItem, read_recipient};
use super::item::spread;
use crate::items::{number, text, time};
use crate::line::{self, enter, open_place};
use crate::places::{OPEN_CAMPAIGN, Place, Table, of_device};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Transaction};
use crate::writing::{Write, Written, side_by_side};
use crate::{credits, message};

impl TenantStore {
    pub(super) async fn claim_rows(
        &self,
        campaign: &Campaign,
        to: u64,
        claim: &Claim,
        paced_until: Option<Timestamp>,
        watch: Watch,
    ) -> Result<bool, PortError> {
        let paced = if paced_until.is_some() { ", pu = :pu" } else { "" };
        let expression = format!("SET cl = :to, ca = :ca, cd = :cd, wa = :wa, wr = :wr{paced}");
        let claimed = Write::update(&Place::campaign(self.account, campaign.id), expression)
            .when("st = :st AND cl = :seen AND dn = :seen AND ac >= :to")
            .with(":to", number(to))
            .with(":ca", time(claim.at))
            .with(":cd", spread(&claim.spread))
            .with(":wa", number(watch.answered))
            .with(":wr", number(watch.refused))
            .with(":seen", number(campaign.progress.claimed))
            .with(":st", text(Status::Running.word()));
        let claimed = match paced_until {
            Some(until) => claimed.with(":pu", time(until)),
            None => claimed,
        };
        Ok(self.store.write(claimed).await?.is_done())
    }

    pub(super) async fn claimed_rows(&self, campaign: &Campaign) -> Result<ClaimedRows, PortError> {
        let (mut from, to) = (campaign.progress.done, campaign.progress.claimed);
        let mut rows = ClaimedRows { recipients: Vec::new(), chunk: campaign.claim.chunk };
        while from < to {
            let place = Place::chunk(self.account, campaign.id, rows.chunk);
            let missing = || PortError::Corrupt(format!("chunk {} of campaign {} is missing", place.sk, campaign.id));
            let chunk = ChunkItem::read(&self.store.get(&place).await?.ok_or_else(missing)?)?;
            let end = chunk.first + chunk.keys.len() as u64;
            let part = chunk.part(from, to);
            let found = self.recipients(campaign, part).await?;
            for ordinal in from..to.min(end) {
                let recipient = found.get(&ordinal).ok_or_else(missing)?;
                rows.recipients.push(recipient.clone());
            }
            from = from.max(to.min(end));
            // The next one may be in this chunk, too.
            if from >= end {
                rows.chunk += 1;
            }
        }
        Ok(rows)
    }

    /// Recipients by their ordinals; `None` for those who were forgotten.
    pub(super) async fn recipients(
        &self,
        campaign: &Campaign,
        keys: &[RecipientKey],
    ) -> Result<BTreeMap<u64, Option<Recipient>>, PortError> {
        let places: Vec<_> = keys.iter().map(|key| Place::recipient(self.account, campaign.id, *key)).collect();
        self.store.get_all(Table::Engine, &places).await?.iter().map(read_recipient).collect()
    }

    pub(super) async fn put_campaign_rows(&self, messages: &[Message]) -> Result<(), PortError> {
        side_by_side(messages.iter().map(|message| self.put_row(message).boxed()).collect()).await.map(drop)
    }

    async fn put_row(&self, message: &Message) -> Result<(), PortError> {
        let put = Write::put(&Place::message(self.account, message.id), message::item(message)).if_new();
        if let Written::Refused(Some(item)) = self.store.write(put).await?
            && !message::read(&item)?.state.is_open()
        {
            return Ok(());
        }
        self.store.write(enter(&open_place(message))).await.map(drop)
    }

    pub(super) async fn block_campaign_rows(&self, messages: &[Message], at: Timestamp) -> Result<(), PortError> {
        for message in messages {
            if self.one_message(message.id).await?.is_some() || !self.put_cancelled(message, at).await? {
                // Stored by whoever was claiming it: cancelled unless it went its way.
                match self.take_back(message.id, None, at).await? {
                    Cancelled::Done(_) | Cancelled::TooLate(_) => {}
                    Cancelled::Missing | Cancelled::KeyReused => return Err(PortError::Conflict),
                }
            }
        }
        Ok(())
    }

    async fn put_cancelled(&self, message: &Message, at: Timestamp) -> Result<bool, PortError> {
        let mut cancelled = message.clone();
        cancelled.state = State::Cancelled;
        cancelled.updated_at = at;
        cancelled.refunded = message.credits > 0;
        cancelled.history.push(Step { state: State::Cancelled, at, code: None });
        let put = Write::put(&Place::message(self.account, message.id), message::item(&cancelled)).if_new();
        let refund = (message.credits > 0).then(|| credits::give_back(self.account, message.credits));
        let transaction =
            Transaction::new(&self.store, self.store.fresh_token(), [Some(put), refund].into_iter().flatten())?;
        let line = self.store.lines().of(self.account);
        let _turn = line.turn().await;
        Ok(matches!(self.store.transact(&transaction).await?, Committed::Done))
    }

    pub(super) async fn rows_made(&self, campaign: &Campaign, chunk: u64) -> Result<bool, PortError> {
        let made = Write::update(&Place::campaign(self.account, campaign.id), "SET dn = :to, ck = :ck")
            .when("dn = :seen AND cl = :to")
            .with(":to", number(campaign.progress.claimed))
            .with(":seen", number(campaign.progress.done))
            .with(":ck", number(chunk));
        Ok(self.store.write(made).await?.is_done())
    }

    pub(super) async fn campaign_turns(&self, device: DeviceId, limit: usize) -> Result<Vec<Turn>, PortError> {
        let query = Query::beginning(Table::Business, of_device(self.account, device), OPEN_CAMPAIGN);
        self.store.first(&query, limit).await?.iter().map(line::turn).collect()
    }
}

impl ChunkItem {
    /// The keys of its recipients with ordinals from `from` to `to`.
    pub(super) fn part(&self, from: u64, to: u64) -> &[RecipientKey] {
        let place = |ordinal: u64| usize::try_from(ordinal.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let end = place(to).min(self.keys.len());
        self.keys.get(place(from)..end).unwrap_or_default()
    }
}
