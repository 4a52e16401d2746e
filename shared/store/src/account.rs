//! Accounts and their people.

use hantar_domain::account::Account;
use hantar_domain::ids::UserId;
use hantar_domain::phone::Region;
use hantar_domain::user::{Email, Role, User};
use hantar_usecases::ports::PortError;

use crate::items::{Fields, Item, NewItem, bytes, number, text, texts, time};
use crate::places::Place;
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
        .done()
}

/// The entry that leads from an address to its user. An address belongs to one user in the whole installation.
pub(crate) fn email_item(user: &User) -> Item {
    NewItem::at(&Place::email(&user.email)).with("ac", number(user.account)).with("us", number(user.id)).done()
}

impl TenantStore {
    pub(crate) async fn own_account(&self) -> Result<Option<Account>, PortError> {
        let Some(item) = self.store.get(&Place::account(self.account)).await? else { return Ok(None) };
        let fields = Fields(&item);
        let codes = fields.texts("rg")?;
        let regions = codes.iter().map(|code| Region::from_code(code).ok_or_else(|| fields.damaged("rg")));
        Ok(Some(Account {
            id: self.account,
            name: fields.text("n")?.to_owned(),
            regions: regions.collect::<Result<_, _>>()?,
            created_at: fields.time("t")?,
        }))
    }

    pub(crate) async fn own_wrapped_key(&self) -> Result<Option<Vec<u8>>, PortError> {
        let item = self.store.get(&Place::account(self.account)).await?;
        item.map(|item| Fields(&item).bytes("k").map(<[u8]>::to_vec)).transpose()
    }

    pub(crate) async fn own_user(&self, id: UserId) -> Result<Option<User>, PortError> {
        let Some(item) = self.store.get(&Place::user(self.account, id)).await? else { return Ok(None) };
        let fields = Fields(&item);
        Ok(Some(User {
            id,
            account: self.account,
            email: fields.word("em", |email| Email::parse(email).ok())?,
            verified_at: fields.maybe_time("vt")?,
            role: fields.word("ro", Role::from_word)?,
        }))
    }
}
