//! Accounts and their people.

use hantar_domain::account::Account;
use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, DeviceId, UserId};
use hantar_domain::phone::Region;
use hantar_domain::user::{Email, Role, User};
use hantar_usecases::ports::PortError;

use crate::device;
use crate::items::{Fields, Item, NewItem, bytes, number, text, texts, time};
use crate::places::{Place, Table};
use crate::tenant::TenantStore;

pub(crate) fn item(account: &Account, wrapped_key: &[u8]) -> Item {
    NewItem::at(&Place::account(account.id))
        .with("n", text(&account.name))
        .with("rg", texts(account.regions.iter().map(|region| region.code())))
        .with("t", time(account.created_at))
        .with("k", bytes(wrapped_key))
        .done()
}

pub(crate) fn user_item(user: &User) -> Item {
    NewItem::at(&Place::user(user.account, user.id))
        .with("em", text(user.email.as_str()))
        .maybe("vt", user.verified_at.map(time))
        .with("ro", text(user.role.word()))
        .maybe("so", user.signed_out_at.map(time))
        .done()
}

/// The entry that leads from an address to its user. An address belongs to one user in the whole installation.
pub(crate) fn email_item(user: &User) -> Item {
    NewItem::at(&Place::email(&user.email)).with("ac", number(user.account)).with("us", number(user.id)).done()
}

impl TenantStore {
    pub(crate) async fn own_account(&self) -> Result<Option<Account>, PortError> {
        let item = self.store.get(&Place::account(self.account)).await?;
        item.map(|item| read(self.account, &item)).transpose()
    }

    pub(crate) async fn own_wrapped_key(&self) -> Result<Option<Vec<u8>>, PortError> {
        let item = self.store.get(&Place::account(self.account)).await?;
        item.map(|item| Fields(&item).bytes("k").map(<[u8]>::to_vec)).transpose()
    }

    pub(crate) async fn own_user(&self, id: UserId) -> Result<Option<User>, PortError> {
        let item = self.store.get(&Place::user(self.account, id)).await?;
        item.map(|item| read_user(self.account, id, &item)).transpose()
    }

    /// One call for all that is asked by number.
    pub(crate) async fn read_for_sending(
        &self,
        device: Option<DeviceId>,
        sender: Option<UserId>,
    ) -> Result<(Option<Account>, Option<Device>, Option<User>), PortError> {
        let account = Place::account(self.account);
        let named = device.map(|id| Place::device(self.account, id));
        let user = sender.map(|id| (id, Place::user(self.account, id)));
        let places: Vec<_> = [Some(&account), named.as_ref(), user.as_ref().map(|(_, place)| place)]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let found = self.store.get_all(Table::Business, &places).await?;
        let at = |place: &Place| found.iter().find(|item| Fields(item).text("sk").is_ok_and(|sk| sk == place.sk));
        let device = match &named {
            Some(place) => at(place).map(device::read).transpose()?,
            None => self.own_devices().await?.into_iter().find(|device| device.is_default),
        };
        let account = at(&account).map(|item| read(self.account, item)).transpose()?;
        let sender = user.and_then(|(id, place)| Some(read_user(self.account, id, at(&place)?))).transpose()?;
        Ok((account, device, sender))
    }
}

fn read(id: AccountId, item: &Item) -> Result<Account, PortError> {
    let fields = Fields(item);
    let codes = fields.texts("rg")?;
    let regions = codes.iter().map(|code| Region::from_code(code).ok_or_else(|| fields.damaged("rg")));
    Ok(Account {
        id,
        name: fields.text("n")?.to_owned(),
        regions: regions.collect::<Result<_, _>>()?,
        created_at: fields.time("t")?,
    })
}

pub(crate) fn read_user(account: AccountId, id: UserId, item: &Item) -> Result<User, PortError> {
    let fields = Fields(item);
    Ok(User {
        id,
        account,
        email: fields.word("em", |email| Email::parse(email).ok())?,
        verified_at: fields.maybe_time("vt")?,
        role: fields.word("ro", Role::from_word)?,
        signed_out_at: fields.maybe_time("so")?,
    })
}
