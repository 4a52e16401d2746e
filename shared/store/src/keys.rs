//! A device's WhatsApp keys, fenced: no write passes over a later epoch's, and a later epoch's first read stamps the item
//! so that no older one can write it afterwards.
//!
//! What is not there cannot be stamped: an older owner may still put a key that the new one has looked for and not
//! found. The new owner's own writes pass over it, and until then it is a key that WhatsApp's side really knows of.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::FutureExt;
use hantar_domain::ids::{DeviceId, Epoch};
use hantar_usecases::ports::{KeyError, KeyTable, PortError};

use crate::items::{Fields, Item, NewItem, TTL, bytes, expiry, number};
use crate::places::{KEY, Place, Table, keys_of};
use crate::reading::Query;
use crate::store::Store;
use crate::writing::{Write, Written, side_by_side};

/// The largest value: DynamoDB takes items up to 400 KB, keys and names included.
const MAX_VALUE: usize = 350 * 1024;
/// How many keys one listing answers: several times what a busy device has.
const MAX_LISTED: usize = 200_000;
/// How long a deletion is remembered: an owner that lost the device by then will have learned so.
const TOMBSTONE: Duration = Duration::from_hours(24);
/// Nobody of a later epoch has touched it.
const MINE: &str = "attribute_not_exists(pk) OR ep <= :ep";

impl Store {
    async fn fenced(&self, write: Write, epoch: Epoch) -> Result<Option<Item>, KeyError> {
        match self.write(write.when(MINE).with(":ep", number(epoch.0))).await? {
            Written::Done(item) => Ok(item),
            Written::Refused(_) => Err(KeyError::Fenced),
        }
    }

    /// Makes an item, as read, this epoch's; answers it as it is then, `None` when it is gone.
    async fn stamped(&self, place: &Place, item: Item, epoch: Epoch) -> Result<Option<Item>, KeyError> {
        let known = Fields(&item).number::<u64>("ep")?;
        if known > epoch.0 {
            return Err(KeyError::Fenced);
        }
        if known == epoch.0 {
            return Ok(Some(item));
        }
        let stamp = Write::update(place, "SET ep = :ep").when("attribute_exists(pk) AND ep <= :ep");
        match self.write(stamp.with(":ep", number(epoch.0))).await? {
            Written::Done(item) => Ok(item),
            Written::Refused(None) => Ok(None),
            Written::Refused(Some(_)) => Err(KeyError::Fenced),
        }
    }

    async fn stamped_entry(
        &self,
        device: DeviceId,
        epoch: Epoch,
        item: Item,
    ) -> Result<Option<(String, Vec<u8>)>, KeyError> {
        let key = name(&item)?;
        let item = self.stamped(&Place::key(device, &key), item, epoch).await?;
        Ok(value(item.as_ref())?.map(|value| (key, value)))
    }

    async fn read_key(&self, device: DeviceId, epoch: Epoch, key: &str) -> Result<Option<Item>, KeyError> {
        let place = Place::key(device, key);
        match self.get(&place).await? {
            Some(item) => self.stamped(&place, item, epoch).await,
            None => Ok(None),
        }
    }

    async fn bury(&self, device: DeviceId, epoch: Epoch, key: &str) -> Result<(), KeyError> {
        let place = Place::key(device, key);
        let tombstone =
            NewItem::at(&place).with("ep", number(epoch.0)).flag("x", true).with(TTL, expiry(self.now() + TOMBSTONE));
        self.fenced(Write::put(&place, tombstone.done()), epoch).await.map(drop)
    }
}

#[async_trait]
impl KeyTable for Store {
    async fn claim(&self, device: DeviceId, epoch: Epoch) -> Result<(), KeyError> {
        let place = Place::claim(device);
        let claim = NewItem::at(&place).with("ep", number(epoch.0)).done();
        self.fenced(Write::put(&place, claim), epoch).await.map(drop)
    }

    async fn get(&self, device: DeviceId, epoch: Epoch, key: &str) -> Result<Option<Vec<u8>>, KeyError> {
        let item = self.read_key(device, epoch, key).await?;
        value(item.as_ref())
    }

    async fn list(&self, device: DeviceId, epoch: Epoch, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, KeyError> {
        let query = Query::beginning(Table::Engine, keys_of(device), format!("{KEY}{prefix}"));
        let items = self.first(&query, MAX_LISTED).await?;
        let works = items.into_iter().map(|item| self.stamped_entry(device, epoch, item).boxed()).collect();
        Ok(side_by_side(works).await?.into_iter().flatten().collect())
    }

    async fn put(&self, device: DeviceId, epoch: Epoch, key: &str, value: &[u8]) -> Result<(), KeyError> {
        if value.len() > MAX_VALUE {
            let text =
                format!("key {key} of device {device} would take {} bytes, an item holds {MAX_VALUE}", value.len());
            return Err(PortError::Corrupt(text).into());
        }
        let place = Place::key(device, key);
        let item = NewItem::at(&place).with("ep", number(epoch.0)).with("v", bytes(value)).done();
        self.fenced(Write::put(&place, item), epoch).await.map(drop)
    }

    async fn put_all(&self, device: DeviceId, epoch: Epoch, entries: &[(String, Vec<u8>)]) -> Result<(), KeyError> {
        let puts = entries.iter().map(|(key, value)| self.put(device, epoch, key, value)).collect();
        side_by_side(puts).await.map(drop)
    }

    async fn delete(&self, device: DeviceId, epoch: Epoch, key: &str) -> Result<(), KeyError> {
        self.bury(device, epoch, key).await
    }

    async fn append(&self, device: DeviceId, epoch: Epoch, key: &str, numbers: &[u32]) -> Result<(), KeyError> {
        if numbers.is_empty() {
            return Ok(());
        }
        let added = AttributeValue::Ns(numbers.iter().map(ToString::to_string).collect());
        let write = Write::update(&Place::key(device, key), "SET ep = :ep ADD ns :ns REMOVE x, #ttl");
        self.fenced(write.with(":ns", added), epoch).await.map(drop)
    }

    async fn numbers(&self, device: DeviceId, epoch: Epoch, key: &str) -> Result<Vec<u32>, KeyError> {
        let Some(item) = self.read_key(device, epoch, key).await? else { return Ok(Vec::new()) };
        let Some(AttributeValue::Ns(numbers)) = item.get("ns") else { return Ok(Vec::new()) };
        let numbers = numbers.iter().map(|number| number.parse().ok()).collect::<Option<Vec<u32>>>();
        let mut numbers = numbers.ok_or_else(|| Fields(&item).damaged("ns"))?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    async fn erase(&self, device: DeviceId, epoch: Epoch) -> Result<(), KeyError> {
        let query = Query::beginning(Table::Engine, keys_of(device), KEY);
        let items = self.first(&query, MAX_LISTED).await?;
        let mut names = Vec::with_capacity(items.len());
        for item in &items {
            if Fields(item).number::<u64>("ep")? > epoch.0 {
                return Err(KeyError::Fenced);
            }
            if !item.contains_key("x") {
                names.push(name(item)?);
            }
        }
        let deaths = names.iter().map(|key| self.bury(device, epoch, key).boxed()).collect();
        side_by_side(deaths).await.map(drop)
    }
}

fn name(item: &Item) -> Result<String, PortError> {
    Fields(item).word("sk", |sk| sk.strip_prefix(KEY).map(str::to_owned))
}

/// `None` for a tombstone, and for a set of numbers.
fn value(item: Option<&Item>) -> Result<Option<Vec<u8>>, KeyError> {
    let bytes = item.map(|item| Fields(item).maybe_bytes("v")).transpose()?.flatten();
    Ok(bytes.map(<[u8]>::to_vec))
}
