//! The campaign's own item, and reading it.

use std::collections::BTreeMap;

use futures::future::try_join;
use hantar_domain::campaign::{Campaign, Claim, Cursor, Progress, Rejection, Source, Spread, Standing, Status, Watch};
use hantar_domain::ids::{CampaignId, ContactId, DeviceId};
use hantar_usecases::ports::PortError;

use crate::items::{Fields, Item, NewItem, number, text, texts, time};
use crate::places::{Place, Table, campaigns_of, ordered};
use crate::reading::Query;
use crate::tenant::TenantStore;

pub(super) fn item(campaign: &Campaign) -> Item {
    let (progress, claim) = (&campaign.progress, &campaign.claim);
    let (template, name) = campaign.template.clone().unzip();
    NewItem::at(&Place::campaign(campaign.account, campaign.id))
        .with("nm", text(&campaign.name))
        .maybe("tp", template.map(number))
        .maybe("tn", name.map(text))
        .maybe("gr", campaign.group.map(number))
        .with("dv", texts(campaign.devices.iter().map(ToString::to_string)))
        .maybe("sc", campaign.scheduled_at.map(time))
        .maybe("pm", campaign.per_minute.map(number))
        .with("st", text(campaign.status.word()))
        .maybe("rs", campaign.reason.as_deref().map(text))
        .with("fi", number(campaign.first))
        .with("pr", number(campaign.price))
        .with("bo", number(progress.bound))
        .flag("ex", progress.expanded)
        .with("ac", number(progress.accepted))
        .with("rj", rejections(&progress.rejected))
        .with("cl", number(progress.claimed))
        .with("dn", number(progress.done))
        .with("rl", number(progress.released))
        .with("cu", text(source(campaign.cursor.source)))
        .with("ch", number(campaign.cursor.chunk))
        .with("ca", time(claim.at))
        .with("cd", spread(&claim.spread))
        .with("ck", number(claim.chunk))
        .maybe("pu", campaign.paced_until.map(time))
        .with("wa", number(campaign.watch.answered))
        .with("wr", number(campaign.watch.refused))
        .with("t", time(campaign.created_at))
        .maybe("sa", campaign.started_at.map(time))
        .maybe("en", campaign.ended_at.map(time))
        .with("u", time(campaign.updated_at))
        .done()
}

/// Reads a campaign, but for its text.
pub(super) fn read(item: &Item) -> Result<Campaign, PortError> {
    let fields = Fields(item);
    let devices = fields.texts("dv")?.iter().map(|id| id.parse().ok()).collect::<Option<Vec<DeviceId>>>();
    let template = match fields.maybe_number("tp")? {
        Some(id) => Some((id, fields.owned("tn")?.unwrap_or_default())),
        None => None,
    };
    Ok(Campaign {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.strip_suffix("#C")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.parse().ok())?,
        name: fields.text("nm")?.to_owned(),
        template,
        body: String::new(),
        group: fields.maybe_number("gr")?,
        devices: devices.ok_or_else(|| fields.damaged("dv"))?,
        scheduled_at: fields.maybe_time("sc")?,
        per_minute: fields.maybe_number("pm")?,
        status: fields.word("st", Status::from_word)?,
        reason: fields.owned("rs")?,
        first: fields.number("fi")?,
        price: fields.number("pr")?,
        progress: Progress {
            bound: fields.number("bo")?,
            expanded: fields.flag("ex")?,
            accepted: fields.number("ac")?,
            rejected: read_rejections(fields)?,
            claimed: fields.number("cl")?,
            done: fields.number("dn")?,
            released: fields.number("rl")?,
        },
        cursor: Cursor { source: fields.word("cu", read_source)?, chunk: fields.number("ch")? },
        claim: Claim { at: fields.time("ca")?, spread: read_spread(fields)?, chunk: fields.number("ck")? },
        paced_until: fields.maybe_time("pu")?,
        watch: Watch { answered: fields.number("wa")?, refused: fields.number("wr")? },
        created_at: fields.time("t")?,
        started_at: fields.maybe_time("sa")?,
        ended_at: fields.maybe_time("en")?,
        updated_at: fields.time("u")?,
    })
}

pub(super) fn rejections(rejected: &BTreeMap<Rejection, u64>) -> aws_sdk_dynamodb::types::AttributeValue {
    texts(rejected.iter().map(|(reason, count)| format!("{reason} {count}")))
}

fn read_rejections(fields: Fields<'_>) -> Result<BTreeMap<Rejection, u64>, PortError> {
    let read = |text: &String| {
        let (reason, count) = text.split_once(' ')?;
        Some((Rejection::from_word(reason)?, count.parse().ok()?))
    };
    fields.texts("rj")?.iter().map(read).collect::<Option<_>>().ok_or_else(|| fields.damaged("rj"))
}

pub(super) fn spread(spread: &Spread) -> aws_sdk_dynamodb::types::AttributeValue {
    texts(spread.0.iter().map(|(device, share)| format!("{device} {share}")))
}

fn read_spread(fields: Fields<'_>) -> Result<Spread, PortError> {
    let read = |text: &String| {
        let (device, share) = text.split_once(' ')?;
        Some((device.parse().ok()?, share.parse().ok()?))
    };
    fields.texts("cd")?.iter().map(read).collect::<Option<_>>().map(Spread).ok_or_else(|| fields.damaged("cd"))
}

pub(super) fn source(source: Source) -> String {
    match source {
        Source::List(byte) => format!("list {byte}"),
        Source::Group(None) => "group".into(),
        Source::Group(Some(contact)) => format!("group {contact}"),
        Source::End => "end".into(),
    }
}

fn read_source(text: &str) -> Option<Source> {
    Some(match text.split_once(' ') {
        None if text == "end" => Source::End,
        None if text == "group" => Source::Group(None),
        Some(("list", byte)) => Source::List(byte.parse().ok()?),
        Some(("group", contact)) => Source::Group(Some(ContactId(contact.parse().ok()?))),
        _ => return None,
    })
}

impl TenantStore {
    pub(super) async fn one_campaign(&self, id: CampaignId) -> Result<Option<Campaign>, PortError> {
        let (place, text) = (Place::campaign(self.account, id), Place::campaign_text(self.account, id));
        let (campaign, text) = try_join(self.store.get(&place), self.store.get(&text)).await?;
        let Some(campaign) = campaign.as_ref().map(read).transpose()? else { return Ok(None) };
        let body = text.as_ref().map_or(Ok(None), |text| Fields(text).owned("b"))?.unwrap_or_default();
        Ok(Some(Campaign { body, ..campaign }))
    }

    pub(super) async fn some_campaigns(
        &self,
        before: Option<CampaignId>,
        limit: usize,
    ) -> Result<Vec<Campaign>, PortError> {
        let partition = campaigns_of(self.account);
        let query = match before {
            Some(before) => Query::before(Table::Business, partition, ordered(before.0)),
            None => Query::all(Table::Business, partition),
        };
        let items = self.store.first(&query.backwards(), limit).await?;
        let mut campaigns = items.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let places: Vec<_> = campaigns.iter().map(|one| Place::campaign_text(self.account, one.id)).collect();
        let mut bodies = BTreeMap::new();
        for item in self.store.get_all(Table::Engine, &places).await? {
            let fields = Fields(&item);
            let id: CampaignId = fields.word("pk", |pk| pk.rsplit('#').next()?.parse().ok())?;
            bodies.insert(id, fields.text("b")?.to_owned());
        }
        for campaign in &mut campaigns {
            campaign.body = bodies.remove(&campaign.id).unwrap_or_default();
        }
        Ok(campaigns)
    }

    pub(super) async fn campaign_standings(
        &self,
        ids: &[CampaignId],
    ) -> Result<BTreeMap<CampaignId, Standing>, PortError> {
        let mut standings: BTreeMap<_, _> = ids.iter().map(|id| (*id, Standing::Over)).collect();
        let places: Vec<_> = standings.keys().map(|id| Place::campaign(self.account, *id)).collect();
        for item in self.store.get_all(Table::Business, &places).await? {
            let campaign = read(&item)?;
            standings.insert(campaign.id, campaign.status.standing());
        }
        Ok(standings)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use hantar_domain::ids::{AccountId, GroupId, MessageId, TemplateId};
    use hantar_domain::time::Timestamp;

    use super::*;

    pub(in super::super) fn campaign() -> Campaign {
        let at = Timestamp(1_752_000_000_123_456);
        Campaign {
            account: AccountId(7),
            id: CampaignId(42),
            name: "Sale".into(),
            template: Some((TemplateId(3), "Hello".into())),
            body: String::new(),
            group: Some(GroupId(8)),
            devices: vec![DeviceId(3), DeviceId(4)],
            scheduled_at: Some(at),
            per_minute: Some(20),
            status: Status::Paused,
            reason: Some("banned".into()),
            first: MessageId(100),
            price: 1,
            progress: Progress {
                bound: 90,
                expanded: true,
                accepted: 60,
                rejected: BTreeMap::from([(Rejection::OptedOut, 5), (Rejection::InvalidPhone, 2)]),
                claimed: 40,
                done: 30,
                released: 30,
            },
            cursor: Cursor { source: Source::Group(Some(ContactId(5))), chunk: 2 },
            claim: Claim { at, spread: Spread(vec![(DeviceId(3), 6), (DeviceId(4), 4)]), chunk: 1 },
            paced_until: Some(at),
            watch: Watch { answered: 9, refused: 1 },
            created_at: at,
            started_at: Some(at),
            ended_at: Some(at),
            updated_at: at,
        }
    }

    #[test]
    fn a_campaign_is_read_back_as_it_was_written() {
        let whole = campaign();
        assert_eq!(read(&item(&whole)).unwrap(), whole);
        let bare = Campaign {
            template: None,
            group: None,
            scheduled_at: None,
            per_minute: None,
            reason: None,
            progress: Progress::of(1),
            claim: Claim::default(),
            paced_until: None,
            started_at: None,
            ended_at: None,
            ..whole
        };
        assert_eq!(read(&item(&bare)).unwrap(), bare);
    }

    #[test]
    fn where_recipients_are_read_on_leads_back_from_its_text() {
        for one in
            [Source::List(0), Source::List(77), Source::Group(None), Source::Group(Some(ContactId(9))), Source::End]
        {
            assert_eq!(read_source(&source(one)), Some(one));
        }
        assert_eq!(read_source("nowhere"), None);
    }
}
