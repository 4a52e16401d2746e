//! The fixed number of shards, and which devices each one has.

use hantar_domain::ids::{AccountId, DeviceId, Shard};
use hantar_usecases::ports::PortError;

use crate::items::{Fields, NewItem, number};
use crate::places::{Place, Table, shard_list};
use crate::reading::Query;
use crate::store::Store;
use crate::writing::{Write, Written};

/// How many devices one shard may have: a host could not hold more.
const MAX_DEVICES: usize = 100_000;

impl Store {
    pub(crate) async fn settle_shards(&self, wanted: u16) -> Result<u16, PortError> {
        // Looked up before it is written: whoever may only read can ask, once somebody settled it.
        let count = match self.get(&Place::settings()).await? {
            Some(item) => Fields(&item).number("shards")?,
            None => self.store_shards(wanted).await?,
        };
        Ok(*self.known_shards().get_or_init(|| count))
    }

    async fn store_shards(&self, wanted: u16) -> Result<u16, PortError> {
        let place = Place::settings();
        let settings = NewItem::at(&place).with("shards", number(wanted)).done();
        match self.write(Write::put(&place, settings).if_new()).await? {
            Written::Done(_) => Ok(wanted),
            Written::Refused(_) => self.stored_shards().await,
        }
    }

    /// The number of shards, which must have been settled by somebody.
    pub(crate) async fn shards_in_all(&self) -> Result<u16, PortError> {
        if let Some(count) = self.known_shards().get() {
            return Ok(*count);
        }
        let count = self.stored_shards().await?;
        Ok(*self.known_shards().get_or_init(|| count))
    }

    async fn stored_shards(&self) -> Result<u16, PortError> {
        let item = self.get(&Place::settings()).await?;
        let item = item.ok_or_else(|| PortError::Corrupt("the number of shards was never settled".into()))?;
        Fields(&item).number("shards")
    }

    /// The entry of a device in its shard's list.
    pub(crate) async fn shard_entry(&self, account: AccountId, device: DeviceId) -> Result<Write, PortError> {
        let place = Place::in_shard(Shard::of(device, self.shards_in_all().await?), account, device);
        Ok(Write::put(&place, NewItem::at(&place).done()))
    }

    pub(crate) async fn in_shard(&self, shard: Shard) -> Result<Vec<(AccountId, DeviceId)>, PortError> {
        let items = self.first(&Query::all(Table::Engine, shard_list(shard)), MAX_DEVICES).await?;
        let read = |sk: &str| {
            let (account, device) = sk.strip_prefix("A#")?.split_once("#D#")?;
            Some((account.parse().ok()?, device.parse().ok()?))
        };
        items.iter().map(|item| Fields(item).word("sk", read)).collect()
    }
}
