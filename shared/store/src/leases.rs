//! Heartbeats of hosts and owners of shards. Each method recognises its own earlier try.
//!
//! Heartbeats of hosts that never come back are deleted by the table when they have not been renewed for a day. That is
//! safe, although a contender takes the shards of a host without a heartbeat at once: the right of such a host lapsed
//! within seconds of its last renewal, on its own clock, which goes on while the machine sleeps; and if it wakes after
//! the deletion, its next renewal finds no counter to go on from and fails, so the item is not made anew. Only the
//! table's own clock deletes: no reader passes over the heartbeat of a host that has not ended, however wrong its own
//! clock is.

use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::ids::{Epoch, Shard};
use hantar_usecases::ports::{Heartbeat, HostId, Leases, PortError, ShardLease};

use crate::items::{Fields, Item, NewItem, expiry, number, text};
use crate::places::{HEARTBEATS, LEASES, Place, Table};
use crate::reading::Query;
use crate::store::Store;
use crate::writing::{Write, Written};

/// How long a heartbeat is kept that is ended or not renewed any more.
const REMEMBERED: Duration = Duration::from_hours(24);
/// How many of each are listed.
const LISTED: usize = 100_000;

#[async_trait]
impl Leases for Store {
    async fn renew(&self, host: &HostId, counter: u64) -> Result<bool, PortError> {
        let place = Place::heartbeat(host);
        let before = if counter == 1 { "attribute_not_exists(pk)" } else { "c = :before" };
        let renewed = Write::update(&place, "SET c = :c, #ttl = :ttl")
            .when(format!("attribute_not_exists(fin) AND ({before} OR c = :c)"))
            .with(":ttl", expiry(self.now() + REMEMBERED))
            .with(":c", number(counter));
        let renewed = if counter == 1 { renewed } else { renewed.with(":before", number(counter.saturating_sub(1))) };
        Ok(self.write(renewed).await?.is_done())
    }

    async fn leave(&self, host: &HostId) -> Result<(), PortError> {
        let leaving = Write::update(&Place::heartbeat(host), "SET lv = :lv")
            .when("attribute_exists(pk)")
            .with(":lv", aws_sdk_dynamodb::types::AttributeValue::Bool(true));
        self.write(leaving).await.map(drop)
    }

    async fn end(&self, host: &HostId, counter: u64) -> Result<bool, PortError> {
        let ended = Write::update(&Place::heartbeat(host), "SET fin = :fin, #ttl = :ttl")
            .when("c = :c")
            .with(":fin", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
            .with(":ttl", expiry(self.now() + REMEMBERED))
            .with(":c", number(counter));
        Ok(self.write(ended).await?.is_done())
    }

    async fn heartbeats(&self) -> Result<Vec<Heartbeat>, PortError> {
        let items = self.first(&Query::all(Table::Engine, HEARTBEATS.into()), LISTED).await?;
        let now = self.now();
        let mut heartbeats = Vec::with_capacity(items.len());
        for fields in items.iter().map(Fields) {
            let ended = fields.flag("fin")?;
            if !(ended && fields.expired(now)?) {
                let (host, leaving) = (HostId(fields.sk()?.to_owned()), fields.flag("lv")?);
                heartbeats.push(Heartbeat { host, counter: fields.number("c")?, leaving, ended });
            }
        }
        Ok(heartbeats)
    }

    async fn shards(&self) -> Result<Vec<ShardLease>, PortError> {
        let items = self.first(&Query::all(Table::Engine, LEASES.into()), LISTED).await?;
        items.iter().map(read).collect()
    }

    async fn take(&self, shard: Shard, seen: Option<&ShardLease>, by: &HostId) -> Result<Option<Epoch>, PortError> {
        let place = Place::lease(shard);
        let epoch = Epoch(seen.map_or(0, |seen| seen.epoch.0) + 1);
        let item = NewItem::at(&place).with("ow", text(&by.0)).with("ep", number(epoch.0)).done();
        let put = Write::put(&place, item);
        let put = match seen {
            None => put.if_new(),
            Some(seen) => {
                let put = put.with(":ep", number(seen.epoch.0));
                match &seen.owner {
                    Some(owner) => put.when("ep = :ep AND ow = :ow").with(":ow", text(&owner.0)),
                    None => put.when("ep = :ep AND attribute_not_exists(ow)"),
                }
            }
        };
        match self.write(put).await? {
            Written::Done(_) => Ok(Some(epoch)),
            Written::Refused(None) => Ok(None),
            // Perhaps our own first try, whose answer was lost.
            Written::Refused(Some(item)) => {
                let now = read(&item)?;
                Ok((now.owner.as_ref() == Some(by) && now.epoch == epoch).then_some(epoch))
            }
        }
    }

    async fn give_back(&self, shard: Shard, by: &HostId, epoch: Epoch) -> Result<(), PortError> {
        let given = Write::update(&Place::lease(shard), "REMOVE ow")
            .when("ow = :ow AND ep = :ep")
            .with(":ow", text(&by.0))
            .with(":ep", number(epoch.0));
        self.write(given).await.map(drop)
    }
}

fn read(item: &Item) -> Result<ShardLease, PortError> {
    let fields = Fields(item);
    Ok(ShardLease {
        shard: Shard(fields.word("sk", |sk| sk.parse().ok())?),
        owner: fields.owned("ow")?.map(HostId),
        epoch: Epoch(fields.number("ep")?),
    })
}
