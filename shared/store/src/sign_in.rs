//! Tokens, sign-in secrets and browsers' sessions: found by the hash of a secret, which itself is nowhere.

use hantar_domain::ids::{AccountId, UserId};
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Abilities, Token, TokenHash};
use hantar_usecases::ports::{PortError, WebSession};

use crate::items::{Fields, Item, NewItem, TTL, bytes, expiry, number, text, texts, time};
use crate::places::Place;
use crate::store::Store;
use crate::transaction::{Committed, Transaction};
use crate::writing::{Write, Written};

/// A token, and the entry that leads to it from its number.
pub(crate) fn token_writes(token: &Token, hash: &TokenHash) -> [Write; 2] {
    let (place, listed) = (Place::token(hash), Place::listed_token(token.account, token.id));
    let item = NewItem::at(&place)
        .with("id", number(token.id))
        .with("ac", number(token.account))
        .with("us", number(token.user))
        .with("n", text(&token.name))
        .with("ab", texts(token.abilities.names().iter().cloned()))
        .maybe("ex", token.expires_at.map(time))
        .maybe("lu", token.last_used_at.map(time))
        .with("t", time(token.created_at))
        .flag("si", token.by_sign_in);
    let entry = NewItem::at(&listed).with("h", bytes(hash.0));
    [Write::put(&place, item.done()), Write::put(&listed, entry.done())]
}

pub(crate) fn read_token(item: &Item) -> Result<Token, PortError> {
    let fields = Fields(item);
    let names = fields.texts("ab")?;
    // `*` is written by us and is no name that a caller may give.
    let abilities = if names.iter().any(|name| name == "*") {
        Abilities::all()
    } else {
        Abilities::from_names(names).map_err(|_| fields.damaged("ab"))?
    };
    Ok(Token {
        id: fields.number("id")?,
        account: fields.number("ac")?,
        user: fields.number("us")?,
        name: fields.text("n")?.to_owned(),
        abilities,
        expires_at: fields.maybe_time("ex")?,
        last_used_at: fields.maybe_time("lu")?,
        created_at: fields.maybe_time("t")?.unwrap_or_default(),
        by_sign_in: fields.flag("si")?,
    })
}

impl Store {
    /// With the entry that leads to it from its number, in one transaction.
    pub(crate) async fn store_token(&self, token: &Token, hash: &TokenHash) -> Result<(), PortError> {
        let transaction = Transaction::new(self, self.fresh_token(), token_writes(token, hash))?;
        match self.transact(&transaction).await? {
            Committed::Done => Ok(()),
            Committed::Refused(_) => Err(PortError::Corrupt(format!("token number {} is refused", token.id))),
        }
    }

    pub(crate) async fn find_token(&self, hash: &TokenHash) -> Result<Option<Token>, PortError> {
        self.get(&Place::token(hash)).await?.as_ref().map(read_token).transpose()
    }

    /// Many may find the note too old at the same moment; the condition lets one of them write.
    pub(crate) async fn note_use(
        &self,
        hash: &TokenHash,
        at: Timestamp,
        unless_since: Timestamp,
    ) -> Result<(), PortError> {
        let noted = Write::update(&Place::token(hash), "SET lu = :at")
            .when("attribute_exists(pk) AND (attribute_not_exists(lu) OR lu <= :since)")
            .with(":at", time(at))
            .with(":since", time(unless_since));
        self.write(noted).await.map(drop)
    }

    pub(crate) async fn store_session(&self, place: &Place, session: &WebSession) -> Result<(), PortError> {
        let item = NewItem::at(place)
            .with("ac", number(session.account))
            .with("us", number(session.user))
            .with("ex", time(session.expires_at))
            .with(TTL, expiry(session.expires_at));
        self.write(Write::put(place, item.done())).await.map(drop)
    }

    pub(crate) async fn find_session(&self, place: &Place) -> Result<Option<WebSession>, PortError> {
        let item = self.get(place).await?;
        self.live_session(item.as_ref())
    }

    /// A deletion tells one caller alone what was there. If its answer is lost, nobody is told: better a link too few.
    pub(crate) async fn use_up_session(&self, place: &Place) -> Result<Option<WebSession>, PortError> {
        match self.write(Write::delete(place)).await? {
            Written::Done(item) | Written::Refused(item) => {
                self.live_session(item.filter(|item| !item.is_empty()).as_ref())
            }
        }
    }

    fn live_session(&self, item: Option<&Item>) -> Result<Option<WebSession>, PortError> {
        let Some(fields) = item.map(Fields) else { return Ok(None) };
        let session = WebSession {
            account: fields.number::<AccountId>("ac")?,
            user: fields.number::<UserId>("us")?,
            expires_at: fields.time("ex")?,
        };
        Ok((self.now() < session.expires_at).then_some(session))
    }
}
