//! Secrets in letters, and between two steps of signing in: found by their hash, used up by a deletion.

use hantar_domain::token::TokenHash;
use hantar_domain::user::Email;
use hantar_usecases::ports::{Link, PortError, Purpose};

use crate::items::{Fields, Item, NewItem, TTL, expiry, number, text, time};
use crate::places::Place;
use crate::store::Store;
use crate::writing::{Write, Written};

impl Store {
    pub(crate) async fn store_link(&self, hash: &TokenHash, link: &Link) -> Result<(), PortError> {
        let place = Place::link(hash);
        let item = NewItem::at(&place)
            .with("ac", number(link.account))
            .with("us", number(link.user))
            .with("ex", time(link.expires_at))
            .with(TTL, expiry(link.expires_at));
        let item = match &link.purpose {
            Purpose::Verify(email) => item.with("k", text("verify")).with("em", text(email.as_str())),
            Purpose::Reset => item.with("k", text("reset")),
            Purpose::Join(invitation) => item.with("k", text("join")).with("iv", number(invitation)),
            Purpose::SecondFactor => item.with("k", text("factor")),
        };
        self.write(Write::put(&place, item.done())).await.map(drop)
    }

    pub(crate) async fn find_link(&self, hash: &TokenHash) -> Result<Option<Link>, PortError> {
        let item = self.get(&Place::link(hash)).await?;
        self.live_link(item.as_ref())
    }

    /// A deletion tells one caller alone what was there. If its answer is lost, nobody is told: better a link too few.
    pub(crate) async fn use_up_link(&self, hash: &TokenHash) -> Result<Option<Link>, PortError> {
        let (Written::Done(item) | Written::Refused(item)) = self.write(Write::delete(&Place::link(hash))).await?;
        self.live_link(item.filter(|item| !item.is_empty()).as_ref())
    }

    fn live_link(&self, item: Option<&Item>) -> Result<Option<Link>, PortError> {
        let Some(fields) = item.map(Fields) else { return Ok(None) };
        let purpose = match fields.text("k")? {
            "verify" => Purpose::Verify(fields.word("em", |email| Email::parse(email).ok())?),
            "reset" => Purpose::Reset,
            "join" => Purpose::Join(fields.number("iv")?),
            "factor" => Purpose::SecondFactor,
            _ => return Err(fields.damaged("k")),
        };
        let (account, user) = (fields.number("ac")?, fields.number("us")?);
        let link = Link { account, user, purpose, expires_at: fields.time("ex")? };
        Ok((self.now() < link.expires_at).then_some(link))
    }
}
