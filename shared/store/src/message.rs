//! Message items, and reading them.

use hantar_domain::ids::{MessageId, StanzaId};
use hantar_domain::media::Media;
use hantar_domain::message::{Direction, Message, State};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::PortError;

use crate::history;
use crate::items::{Fields, Item, NewItem, bytes, number, text, time};
use crate::places::{Place, Table, lane_digit, lane_of};
use crate::tenant::TenantStore;

/// Stored for messages that came in; absent for ours.
const INBOUND: &str = "in";

pub(crate) fn item(message: &Message) -> Item {
    let inbound = (message.direction == Direction::Inbound).then(|| text(INBOUND));
    NewItem::at(&Place::message(message.account, message.id))
        .with("d", number(message.device))
        .maybe("o", inbound)
        .maybe("p", message.phone.as_ref().map(|phone| text(phone.digits())))
        .maybe("l", message.lid.as_deref().map(text))
        .maybe("n", message.name.as_deref().map(text))
        .with("b", text(&message.body))
        .maybe("md", message.media.as_ref().map(|media| text(media.written())))
        .maybe("ma", message.attached.as_deref().map(bytes))
        .maybe("x", message.external_id.as_deref().map(text))
        .maybe("cg", message.campaign.map(number))
        .with("e", number(lane_digit(message.lane)))
        .with("z", text(&message.stanza.0))
        .with("s", text(message.state.word()))
        .maybe("hu", message.held_until.map(time))
        .with("t", time(message.accepted_at))
        .with("u", time(message.updated_at))
        .with("c", number(message.credits))
        .flag("r", message.refunded)
        .with("h", history::write(&message.history))
        .done()
}

pub(crate) fn read(item: &Item) -> Result<Message, PortError> {
    let fields = Fields(item);
    let account = fields.word("pk", |pk| pk.strip_prefix("A#")?.strip_suffix("#M")?.parse().ok())?;
    let lane = fields.maybe_number::<u8>("e")?.unwrap_or(1).to_string();
    Ok(Message {
        account,
        id: fields.word("sk", |sk| sk.parse().ok())?,
        device: fields.number("d")?,
        direction: match fields.maybe_text("o")? {
            Some(INBOUND) => Direction::Inbound,
            None => Direction::Outbound,
            Some(_) => return Err(fields.damaged("o")),
        },
        phone: fields.maybe_word("p", PhoneNumber::from_e164)?,
        lid: fields.owned("l")?,
        name: fields.owned("n")?,
        body: fields.owned("b")?.unwrap_or_default(),
        media: fields.maybe_word("md", Media::read)?,
        attached: fields.maybe_bytes("ma")?.map(<[u8]>::to_vec),
        external_id: fields.owned("x")?,
        campaign: fields.maybe_number("cg")?,
        lane: lane_of(&lane).ok_or_else(|| fields.damaged("e"))?,
        stanza: StanzaId(fields.text("z")?.to_owned()),
        state: fields.word("s", State::from_word)?,
        held_until: fields.maybe_time("hu")?,
        accepted_at: fields.time("t")?,
        updated_at: fields.maybe_time("u")?.map_or_else(|| fields.time("t"), Ok::<Timestamp, _>)?,
        credits: fields.maybe_number("c")?.unwrap_or(0),
        refunded: fields.flag("r")?,
        history: history::read(fields)?,
    })
}

impl TenantStore {
    pub(crate) async fn one_message(&self, id: MessageId) -> Result<Option<Message>, PortError> {
        let item = self.store.get(&Place::message(self.account, id)).await?;
        item.as_ref().map(read).transpose()
    }

    pub(crate) async fn some_messages(&self, ids: &[MessageId]) -> Result<Vec<Message>, PortError> {
        let mut wanted = ids.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let places: Vec<_> = wanted.iter().map(|id| Place::message(self.account, *id)).collect();
        let items = self.store.get_all(Table::Business, &places).await?;
        let mut messages = items.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        messages.sort_unstable_by_key(|message| message.id);
        let found = |id: &MessageId| messages.binary_search_by_key(id, |message| message.id).ok();
        Ok(ids.iter().filter_map(found).map(|index| messages[index].clone()).collect())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use hantar_domain::ids::{AccountId, CampaignId, DeviceId, UploadId};
    use hantar_domain::media::{Kind, Source};
    use hantar_domain::message::{Lane, Step};

    use super::*;

    pub(crate) fn message() -> Message {
        let at = Timestamp(1_752_000_000_123_456);
        Message {
            account: AccountId(7),
            id: MessageId(42),
            device: DeviceId(3),
            direction: Direction::Outbound,
            phone: PhoneNumber::from_e164("60123456789"),
            lid: Some("123@lid".into()),
            name: Some("Ali".into()),
            body: "hello".into(),
            media: Some(Media {
                source: Source::Url("https://example.com/a.pdf".into()),
                kind: Some(Kind::Document),
                filename: Some("a.pdf".into()),
            }),
            attached: Some(vec![1, 2, 3]),
            external_id: Some("order-1".into()),
            campaign: Some(CampaignId(5)),
            lane: Lane::Campaign,
            stanza: StanzaId("3EB0AB".into()),
            state: State::Held,
            held_until: Some(at),
            accepted_at: at,
            updated_at: at,
            credits: 1,
            refunded: true,
            history: vec![Step { state: State::Held, at, code: Some("scheduled".into()) }],
        }
    }

    #[test]
    fn a_message_is_read_back_as_it_was_written() {
        let whole = message();
        assert_eq!(read(&item(&whole)).unwrap(), whole);
        let bare = Message {
            phone: None,
            lid: None,
            name: None,
            external_id: None,
            campaign: None,
            media: None,
            attached: None,
            held_until: None,
            refunded: false,
            history: vec![],
            direction: Direction::Inbound,
            ..whole.clone()
        };
        assert_eq!(read(&item(&bare)).unwrap(), bare);
        let media = Some(Media { source: Source::Upload(UploadId(9)), kind: None, filename: None });
        let uploaded = Message { media, attached: None, ..whole };
        assert_eq!(read(&item(&uploaded)).unwrap(), uploaded);
    }

    #[test]
    fn an_item_of_another_release_is_readable() {
        let mut item = item(&message());
        item.insert("future".into(), text("x"));
        for name in ["p", "l", "n", "b", "md", "ma", "x", "cg", "e", "hu", "u", "c", "r", "h"] {
            item.remove(name);
        }
        let message = read(&item).unwrap();
        assert_eq!((message.lane, message.updated_at, message.credits), (Lane::Single, message.accepted_at, 0));
    }

    #[test]
    fn a_message_of_300_characters_with_all_its_steps_stays_below_one_kilobyte() {
        let mut message =
            Message { body: "x".repeat(300), media: None, attached: None, lane: Lane::Single, lid: None, ..message() };
        for state in [State::Queued, State::Dispatched, State::Sent, State::Delivered, State::Read] {
            message.history.push(Step { state, at: message.accepted_at, code: None });
        }
        let size: usize = item(&message).iter().map(|(name, value)| name.len() + size(value)).sum();
        assert!(size < 800, "{size} bytes");
    }

    fn size(value: &aws_sdk_dynamodb::types::AttributeValue) -> usize {
        use aws_sdk_dynamodb::types::AttributeValue::{Bool, L, N, S};
        match value {
            S(text) => text.len(),
            N(digits) => digits.len() / 2 + 2,
            L(values) => values.iter().map(|value| size(value) + 1).sum::<usize>() + 3,
            Bool(_) => 1,
            other => panic!("{other:?}"),
        }
    }
}
