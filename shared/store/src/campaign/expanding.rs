//! Recipients are taken in: each is an item under a key made of its number, so that a number is there once; each chunk is
//! an item that names its recipients in the order of their ordinals, and says who was rejected.

use std::collections::BTreeSet;

use hantar_domain::campaign::{Campaign, Chunk, Recipient, RecipientKey, Rejected, Rejection, Status};
use hantar_domain::ids::CampaignId;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::PortError;

use super::item::{rejections, source};
use crate::items::{Fields, Item, NewItem, bytes, number, text, texts};
use crate::places::{Place, Table};
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Transaction};
use crate::writing::Write;

/// The condition that a campaign may take recipients in; see [`active`].
const ACTIVE: &str = "st IN (:scheduled, :running, :paused)";

fn active(write: Write) -> Write {
    [Status::Scheduled, Status::Running, Status::Paused]
        .into_iter()
        .fold(write, |write, status| write.with(format!(":{status}"), text(status.word())))
}

/// What a chunk's item says.
pub(super) struct ChunkItem {
    pub(super) first: u64,
    pub(super) keys: Vec<RecipientKey>,
    pub(super) rejected: Vec<Rejected>,
}

impl ChunkItem {
    pub(super) fn read(item: &Item) -> Result<Self, PortError> {
        let fields = Fields(item);
        let (keys, rest) = fields.bytes("r")?.as_chunks::<16>();
        let rejected = fields.texts("x")?.iter().map(|text| read_rejected(text)).collect::<Option<Vec<_>>>();
        if !rest.is_empty() {
            return Err(fields.damaged("r"));
        }
        Ok(Self {
            first: fields.number("o")?,
            keys: keys.iter().map(|key| RecipientKey(*key)).collect(),
            rejected: rejected.ok_or_else(|| fields.damaged("x"))?,
        })
    }
}

/// `position reason[:field] phone`.
pub(super) fn rejected(one: &Rejected) -> String {
    let field = one.field.as_ref().map(|field| format!(":{field}")).unwrap_or_default();
    format!("{} {}{field} {}", one.position, one.reason, one.phone)
}

fn read_rejected(text: &str) -> Option<Rejected> {
    let mut parts = text.splitn(3, ' ');
    let position = parts.next()?.parse().ok()?;
    let reason = parts.next()?;
    let (reason, field) = reason.split_once(':').map_or((reason, None), |(reason, field)| (reason, Some(field)));
    let reason = Rejection::from_word(reason)?;
    Some(Rejected { position, phone: parts.next()?.to_owned(), reason, field: field.map(str::to_owned) })
}

fn recipient_item(place: &Place, ordinal: u64, recipient: &Recipient) -> Item {
    let fields = recipient.fields.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
    let fields = (!recipient.fields.is_empty()).then(|| texts(fields));
    NewItem::at(place)
        .with("o", number(ordinal))
        .with("p", text(recipient.phone.digits()))
        .maybe("n", recipient.name.as_deref().map(text))
        .maybe("f", fields)
        .maybe("k", recipient.contact.map(number))
        .done()
}

/// A recipient and its ordinal. `None` is somebody who was forgotten.
pub(super) fn read_recipient(item: &Item) -> Result<(u64, Option<Recipient>), PortError> {
    let fields = Fields(item);
    let ordinal = fields.number("o")?;
    let Some(phone) = fields.maybe_word("p", hantar_domain::phone::PhoneNumber::from_e164)? else {
        return Ok((ordinal, None));
    };
    let values = fields.texts("f")?;
    let (pairs, _) = values.as_chunks::<2>();
    let recipient = Recipient {
        phone,
        name: fields.owned("n")?,
        fields: pairs.iter().map(|[name, value]| (name.clone(), value.clone())).collect(),
        contact: fields.maybe_number("k")?,
    };
    Ok((ordinal, Some(recipient)))
}

impl TenantStore {
    pub(super) async fn known_recipients(
        &self,
        id: CampaignId,
        keys: &[RecipientKey],
    ) -> Result<BTreeSet<RecipientKey>, PortError> {
        let unique: BTreeSet<_> = keys.iter().copied().collect();
        let places: Vec<_> = unique.into_iter().map(|key| Place::recipient(self.account, id, key)).collect();
        let found = self.store.get_all(Table::Engine, &places).await?;
        let read = |item| {
            let key = |sk: &str| hex::decode(sk.strip_prefix("R#")?).ok()?.try_into().ok().map(RecipientKey);
            Fields(item).word("sk", key)
        };
        found.iter().map(read).collect()
    }

    pub(super) async fn take_chunk(&self, campaign: &Campaign, chunk: &Chunk) -> Result<bool, PortError> {
        let mut progress = campaign.progress.clone();
        progress.take(chunk.recipients.len() as u64, chunk.rejected.iter().map(|one| one.reason));
        let moved =
            Write::update(&Place::campaign(self.account, campaign.id), "SET cu = :cu, ch = :ch, ac = :ac, rj = :rj")
                .when(format!("ch = :seen AND attribute_not_exists(ex) AND {ACTIVE}"))
                .with(":cu", text(source(chunk.next)))
                .with(":ch", number(chunk.number + 1))
                .with(":seen", number(chunk.number))
                .with(":ac", number(progress.accepted))
                .with(":rj", rejections(&progress.rejected));
        let place = Place::chunk(self.account, campaign.id, chunk.number);
        let keys: Vec<RecipientKey> =
            chunk.recipients.iter().map(|recipient| RecipientKey::of(&recipient.phone)).collect();
        let item = NewItem::at(&place)
            .with("o", number(chunk.first))
            .with("r", bytes(keys.iter().flat_map(|key| key.0).collect::<Vec<u8>>()))
            .with("x", texts(chunk.rejected.iter().map(rejected)))
            .done();
        let recipients = (chunk.first..).zip(&chunk.recipients).zip(keys).map(|((ordinal, recipient), key)| {
            let place = Place::recipient(self.account, campaign.id, key);
            Write::put(&place, recipient_item(&place, ordinal, recipient))
        });
        let writes = [active(moved), Write::put(&place, item)].into_iter().chain(recipients);
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        Ok(matches!(self.store.transact(&transaction).await?, Committed::Done))
    }

    pub(super) async fn close_expansion(&self, campaign: &Campaign, at: Timestamp) -> Result<bool, PortError> {
        let owed = campaign.progress.surplus();
        let closed = Write::update(&Place::campaign(self.account, campaign.id), "SET ex = :ex, rl = :rl")
            .when(format!("ch = :seen AND attribute_not_exists(ex) AND {ACTIVE}"))
            .with(":ex", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
            .with(":rl", number(campaign.progress.released + owed))
            .with(":seen", number(campaign.cursor.chunk));
        self.give_back_for(campaign, active(closed), owed, at).await
    }
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::ContactId;
    use hantar_domain::phone::PhoneNumber;

    use super::*;

    #[test]
    fn who_was_rejected_is_read_back_as_it_was_written() {
        for (reason, field, phone) in [
            (Rejection::InvalidPhone, None, "no number at all"),
            (Rejection::MissingField, Some("plan"), "+60123456789"),
            (Rejection::NoContact, None, ""),
        ] {
            let one = Rejected { position: 7, phone: phone.into(), reason, field: field.map(str::to_owned) };
            assert_eq!(read_rejected(&rejected(&one)), Some(one));
        }
    }

    #[test]
    fn a_recipient_is_read_back_as_it_was_written() {
        let phone = PhoneNumber::from_e164("60123456789").unwrap();
        let place = Place::recipient(hantar_domain::ids::AccountId(1), CampaignId(2), RecipientKey::of(&phone));
        let bare = Recipient { phone, name: None, fields: [].into(), contact: None };
        let fields = [("plan".to_owned(), "gold".to_owned()), ("town".to_owned(), "Ipoh".to_owned())].into();
        let whole = Recipient { name: Some("Ali".into()), fields, contact: Some(ContactId(5)), ..bare.clone() };
        for one in [bare, whole] {
            assert_eq!(read_recipient(&recipient_item(&place, 9, &one)).unwrap(), (9, Some(one)));
        }
    }
}
