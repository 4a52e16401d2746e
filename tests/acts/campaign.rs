//! Campaigns: who is written to, when, by which device, and what becomes of the money.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hantar_domain::campaign::{Campaign, Fate, Listed, Order, Rejection, Standing, Status};
use hantar_domain::credits::Balance;
use hantar_domain::device::{Device, Status as DeviceStatus};
use hantar_domain::ids::{CampaignId, DeviceId, Epoch, MessageId};
use hantar_domain::message::{Fact, Message, State};
use hantar_usecases::order_campaign::{OrderParts, order_campaign};
use hantar_usecases::ports::{Clock as _, DeviceChange, Ordered, Refusal, Sequence};
use hantar_usecases::start_campaign::{CampaignDraft, CampaignError, CampaignParts, start_campaign};

use crate::home::Home;
use crate::world::{SHARDS, World};

/// So many recipients with numbers of their own.
pub(crate) fn draft(recipients: usize) -> CampaignDraft {
    CampaignDraft {
        name: "Sale".into(),
        body: Some("Hi {{name | default: \"there\"}}".into()),
        recipients: (0..recipients).map(|number| row(&phone(number))).collect(),
        ..CampaignDraft::default()
    }
}

/// The number of the nth customer, as somebody writes it.
pub(crate) fn phone(number: usize) -> String {
    format!("012{number:07}")
}

pub(crate) fn row(phone: &str) -> Listed {
    Listed::Row { phone: phone.into(), name: None, attributes: BTreeMap::new() }
}

impl Home {
    /// Says how a device stands.
    pub(crate) async fn stands(&self, device: DeviceId, status: DeviceStatus) {
        let at = self.process.clock.now();
        let change = DeviceChange::Status { status, reason: None, at };
        self.tenant().change_device(device, &change, None).await.unwrap();
    }

    /// The first device and further ones, all connected: so many in all.
    pub(crate) async fn connected(&self, devices: usize) -> Vec<DeviceId> {
        let first = self.tenant().device(self.device).await.unwrap().unwrap();
        let mut ids = vec![self.device];
        while ids.len() < devices {
            let id = DeviceId(self.process.numbers.next(Sequence::Devices).await.unwrap());
            let device = Device { id, is_default: false, ..first.clone() };
            self.tenant().add_device(&device).await.unwrap();
            ids.push(id);
        }
        for id in &ids {
            self.stands(*id, DeviceStatus::Connected).await;
        }
        ids
    }

    pub(crate) async fn try_start(&self, draft: CampaignDraft) -> Result<Campaign, CampaignError> {
        let (tenant, process) = (self.tenant(), &self.process);
        let with = CampaignParts {
            tenant: tenant.as_ref(),
            fleet: process.fleet.as_ref(),
            numbers: &process.numbers,
            blobs: process.blobs.as_ref(),
            queue: process.queue.as_ref(),
            clock: &process.clock,
        };
        start_campaign(&with, self.account, draft).await
    }

    pub(crate) async fn start(&self, draft: CampaignDraft) -> CampaignId {
        self.try_start(draft).await.unwrap().id
    }

    pub(crate) async fn campaign(&self, id: CampaignId) -> Campaign {
        self.tenant().campaigns().campaign(id).await.unwrap().unwrap()
    }

    pub(crate) async fn order(&self, id: CampaignId, order: Order) -> Ordered {
        let (tenant, process) = (self.tenant(), &self.process);
        let (queue, clock) = (process.queue.as_ref(), &process.clock);
        let with = OrderParts { tenant: tenant.as_ref(), queue, shards: SHARDS, clock };
        order_campaign(&with, self.account, id, order, None).await.unwrap()
    }

    /// The messages of a campaign, by number.
    pub(crate) async fn rows(&self, id: CampaignId) -> Vec<Message> {
        let mut messages = self.messages().await;
        messages.retain(|message| message.campaign == Some(id));
        messages.sort_unstable_by_key(|message| message.id);
        messages
    }

    /// Whose turns they are on a device, of those who are rows of campaigns.
    pub(crate) async fn campaign_line(&self, device: DeviceId) -> Vec<MessageId> {
        let turns = self.tenant().campaigns().turns(device, 10_000).await.unwrap();
        turns.into_iter().map(|turn| turn.message).collect()
    }

    /// Sends the first of a device's campaign rows, as its host does.
    pub(crate) async fn send_rows(&self, device: DeviceId, rows: usize) {
        for id in self.campaign_line(device).await.into_iter().take(rows) {
            self.tenant().dispatch(id, Epoch(1), self.process.clock.now()).await.unwrap();
            self.learn(id, Fact::Acknowledged).await;
        }
    }

    /// Has WhatsApp refuse the first of a device's campaign rows.
    pub(crate) async fn refuse_rows(&self, device: DeviceId, rows: usize, code: &str) {
        for id in self.campaign_line(device).await.into_iter().take(rows) {
            self.tenant().dispatch(id, Epoch(1), self.process.clock.now()).await.unwrap();
            let refusal = Refusal { fact: Fact::Nacked, code: code.into() };
            self.tenant().refuse(id, &refusal, self.process.clock.now()).await.unwrap();
        }
    }

    /// Lets some time pass, and has everything done that is due then.
    pub(crate) async fn pass(&self, world: &World, span: Duration) {
        world.clock.advance(span);
        self.process.work().await;
        world.relay(&self.process).await;
    }

    /// Holds the books against campaigns and messages: what campaigns set aside is their messages', given back, or still
    /// to be decided. Nobody may write meanwhile.
    pub(crate) async fn audit_campaigns(&self) -> Balance {
        let (balance, messages) = (self.tenant().balance().await.unwrap(), self.messages().await);
        let campaigns = self.tenant().campaigns().list(None, 100).await.unwrap();
        assert!(balance.is_sound(), "{balance:?}");
        let single: i64 = messages.iter().filter(|one| one.campaign.is_none()).map(|one| one.credits).sum();
        let held: i64 = campaigns.iter().map(|one| one.cost(one.progress.bound)).sum();
        assert_eq!(balance.charged, single + held, "charged");
        let back: i64 = messages.iter().filter(|one| one.refunded).map(|one| one.credits).sum();
        let released: i64 = campaigns.iter().map(|one| one.cost(one.progress.released)).sum();
        assert_eq!(balance.refunded, back + released, "refunded");
        for campaign in campaigns {
            let rows = messages.iter().filter(|message| message.campaign == Some(campaign.id));
            let phones: Vec<_> = rows.clone().map(|message| message.phone.clone()).collect();
            assert_eq!(phones.len(), BTreeSet::from_iter(&phones).len(), "a number has two messages");
            let progress = &campaign.progress;
            assert!(phones.len() as u64 <= progress.claimed, "{progress:?}");
            if campaign.status.is_over() {
                assert_eq!(progress.released + progress.claimed, progress.bound, "{progress:?}");
                assert_eq!(phones.len() as u64, progress.claimed, "{progress:?}");
                assert!(progress.expanded || campaign.status != Status::Completed);
            }
            for message in rows.filter(|message| matches!(message.state, State::Failed | State::Cancelled)) {
                assert!(message.refunded, "{message:?}");
            }
        }
        balance
    }

    /// The counts of a campaign, once everything is relayed, are those of its messages.
    pub(crate) async fn check_counts(&self, id: CampaignId) {
        let counts = self.tenant().campaigns().counts(id).await.unwrap();
        let mut truth: BTreeMap<State, u64> = BTreeMap::new();
        for message in self.rows(id).await {
            *truth.entry(message.state).or_default() += 1;
        }
        assert_eq!(counts.states, truth);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_is_written_to_once_or_rejected_for_a_reason() {
    let world = World::new(501).await;
    let home = world.home(1000).await;
    home.connected(1).await;
    let mut draft = draft(0);
    draft.body = Some("Hi {{name}}".into());
    let named = |phone: &str, name: Option<&str>| Listed::Row {
        phone: phone.into(),
        name: name.map(str::to_owned),
        attributes: BTreeMap::new(),
    };
    draft.recipients = vec![
        named("0123456789", Some("Ali")),
        named("+60 12-345 6789", Some("Ali again")),
        named("no number", Some("X")),
        named("0123456780", None),
        named("0123456781", Some("Siti")),
        named("+14155550123", Some("Joe")),
    ];
    let id = home.start(draft).await;
    assert_eq!(home.tenant().balance().await.unwrap().available, 994, "the upper bound is set aside");
    home.process.work().await;
    let campaign = home.campaign(id).await;
    let rejected =
        BTreeMap::from([(Rejection::InvalidPhone, 2), (Rejection::Duplicate, 1), (Rejection::MissingField, 1)]);
    assert_eq!((campaign.progress.accepted, &campaign.progress.rejected), (2, &rejected));
    assert_eq!(home.audit_campaigns().await.available, 998, "what nobody needs is given back");
    let texts: BTreeSet<_> = home.rows(id).await.into_iter().map(|message| message.body).collect();
    assert_eq!(texts, BTreeSet::from(["Hi Ali".to_owned(), "Hi Siti".to_owned()]));

    let results = home.tenant().campaigns().results(&campaign, None, 100).await.unwrap();
    let fates: BTreeMap<String, &str> = results
        .rows
        .iter()
        .map(|row| {
            let fate = match &row.fate {
                Fate::Message(message) => message.state.word(),
                Fate::Rejected { reason, .. } => reason.word(),
                Fate::Waiting | Fate::Never => "none",
            };
            (row.phone.clone(), fate)
        })
        .collect();
    let expected = [
        ("+14155550123", "invalid_phone"),
        ("+60 12-345 6789", "duplicate"),
        ("+60123456781", "queued"),
        ("+60123456789", "queued"),
        ("0123456780", "missing_field"),
        ("no number", "invalid_phone"),
    ];
    assert_eq!(fates, BTreeMap::from(expected.map(|(phone, fate)| (phone.to_owned(), fate))));
    assert_eq!(results.next, None);

    home.send_rows(home.device, 2).await;
    home.pass(&world, Duration::from_secs(30)).await;
    assert_eq!(home.campaign(id).await.status, Status::Completed);
    home.check_counts(id).await;
    home.audit_campaigns().await;
    assert_eq!(home.process.sweep_work().await, 0, "nothing is left to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_queue_ever_holds_more_than_some_minutes_of_a_devices_work() {
    let world = World::new(502).await;
    let home = world.home(1000).await;
    let devices = home.connected(2).await;
    let id = home.start(CampaignDraft { devices: devices.clone(), ..draft(300) }).await;
    home.process.work().await;
    for _ in 0..12 {
        for device in &devices {
            let line = home.campaign_line(*device).await;
            assert!(line.len() <= 60, "{} in the line of device {device}", line.len());
            home.send_rows(*device, 30).await;
        }
        home.pass(&world, Duration::from_secs(30)).await;
        home.check_counts(id).await;
    }
    assert_eq!(home.campaign(id).await.status, Status::Completed);
    let rows = home.rows(id).await;
    let of = |device| rows.iter().filter(|message| message.device == device).count();
    assert_eq!((rows.len(), of(devices[0]), of(devices[1])), (300, 150, 150), "shared out evenly");
    home.audit_campaigns().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_campaign_makes_nothing_and_what_it_queued_stands_in_nobodys_way() {
    let world = World::new(503).await;
    let home = world.home(1000).await;
    home.connected(1).await;
    let one = home.start(draft(100)).await;
    home.process.work().await;
    assert_eq!(home.rows(one).await.len(), 60);
    let standing = async |id| home.tenant().campaigns().standings(&[id]).await.unwrap()[&id];
    assert_eq!(standing(one).await, Standing::Running);
    home.order(one, Order::Pause).await;
    assert_eq!(standing(one).await, Standing::Paused);
    let two = home.start(draft(10)).await;
    for _ in 0..3 {
        home.pass(&world, Duration::from_secs(61)).await;
    }
    assert_eq!((home.rows(one).await.len(), home.rows(two).await.len()), (60, 10));
    assert!(matches!(home.order(one, Order::Pause).await, Ordered::Done(_)), "a repeat changes nothing");
    home.process.rings().await;
    home.order(one, Order::Resume).await;
    assert_eq!(home.process.rings().await, [(home.account, home.device)], "the device looks at its line again");
    home.send_rows(home.device, 70).await;
    home.process.work().await;
    assert_eq!(home.rows(one).await.len(), 100);
    assert_eq!(standing(CampaignId(999)).await, Standing::Over);
    home.audit_campaigns().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_campaign_gives_back_what_has_not_left_to_the_credit() {
    let world = World::new(504).await;
    let home = world.home(1000).await;
    home.connected(1).await;
    let id = home.start(draft(200)).await;
    home.process.work().await;
    home.send_rows(home.device, 25).await;
    let on_the_wire = home.campaign_line(home.device).await[0];
    home.dispatch(on_the_wire).await;
    home.order(id, Order::Cancel).await;
    home.process.work().await;
    assert_eq!(home.campaign(id).await.status, Status::Cancelled);
    let balance = home.audit_campaigns().await;
    assert_eq!(balance.available, 1000 - 26, "25 were sent and one is on the wire");
    world.relay(&home.process).await;
    home.check_counts(id).await;
    home.learn(on_the_wire, Fact::Acknowledged).await;
    assert_eq!(home.audit_campaigns().await.available, 1000 - 26);
    assert!(matches!(home.order(id, Order::Cancel).await, Ordered::Done(_)), "a repeat changes nothing");
    assert!(matches!(home.order(id, Order::Resume).await, Ordered::TooLate(_)));
    let results = home.tenant().campaigns().results(&home.campaign(id).await, None, 500).await.unwrap();
    let never = results.rows.iter().filter(|row| row.fate == Fate::Never).count();
    assert_eq!((results.rows.len(), never), (200, 140), "those that were never made are named, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_waits_for_its_time_and_is_expanded_before() {
    let world = World::new(505).await;
    let home = world.home(1000).await;
    home.connected(1).await;
    let due = world.clock.now() + Duration::from_hours(2);
    let id = home.start(CampaignDraft { scheduled_at: Some(due.into()), ..draft(10) }).await;
    home.process.work().await;
    let campaign = home.campaign(id).await;
    assert_eq!((campaign.status, campaign.progress.expanded), (Status::Scheduled, true));
    assert!(home.rows(id).await.is_empty());
    world.clock.advance(Duration::from_hours(1));
    home.order(id, Order::Pause).await;
    home.order(id, Order::Resume).await;
    home.process.work().await;
    assert_eq!((home.campaign(id).await.status, home.rows(id).await.len()), (Status::Scheduled, 0));
    world.clock.advance(Duration::from_hours(1) + Duration::from_secs(1));
    home.process.sweep_work().await;
    home.process.work().await;
    assert_eq!((home.campaign(id).await.status, home.rows(id).await.len()), (Status::Running, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaigns_own_pace_is_kept() {
    let world = World::new(506).await;
    let home = world.home(1000).await;
    home.connected(1).await;
    let id = home.start(CampaignDraft { per_minute: Some(6), ..draft(100) }).await;
    home.process.work().await;
    for minute in 1..=4_usize {
        for _ in 0..2 {
            home.pass(&world, Duration::from_secs(30)).await;
        }
        let made = home.rows(id).await.len();
        assert!((6 * minute..=6 * minute + 4).contains(&made), "{made} after {minute} minutes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_pauses_itself_when_its_numbers_are_in_danger() {
    let world = World::new(507).await;
    let home = world.home(1000).await;
    let devices = home.connected(2).await;
    let paused = async |id| {
        let campaign = home.campaign(id).await;
        (campaign.status, campaign.reason)
    };

    let id = home.start(CampaignDraft { devices: devices.clone(), ..draft(100) }).await;
    home.process.work().await;
    home.send_rows(devices[0], 20).await;
    home.refuse_rows(devices[1], 4, "whatsapp_404").await;
    home.pass(&world, Duration::from_secs(30)).await;
    assert_eq!(paused(id).await, (Status::Running, None), "people without WhatsApp are no danger");
    home.refuse_rows(devices[1], 5, "whatsapp_463").await;
    world.relay(&home.process).await;
    home.pass(&world, Duration::from_secs(30)).await;
    assert_eq!(paused(id).await, (Status::Paused, Some("whatsapp_refuses".into())));
    home.order(id, Order::Resume).await;
    home.process.work().await;
    assert_eq!(paused(id).await, (Status::Running, None), "whoever goes on is not stopped by what was before");

    home.stands(devices[1], DeviceStatus::Banned).await;
    home.pass(&world, Duration::from_secs(30)).await;
    assert_eq!(paused(id).await, (Status::Paused, Some("banned".into())));
    home.order(id, Order::Resume).await;
    home.process.work().await;
    assert_eq!(paused(id).await, (Status::Running, None), "by the device that is left");
    home.stands(devices[0], DeviceStatus::LoggedOut).await;
    home.pass(&world, Duration::from_secs(30)).await;
    let (status, reason) = paused(id).await;
    assert!(status == Status::Paused && reason.is_some(), "{reason:?}");
    home.audit_campaigns().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_credits_make_no_campaign_and_a_key_makes_one() {
    let world = World::new(508).await;
    let home = world.home(10).await;
    match home.try_start(draft(11)).await {
        Err(CampaignError::Credits { required: 11, balance: 10 }) => {}
        other => panic!("{other:?}"),
    }
    assert!(home.tenant().campaigns().list(None, 10).await.unwrap().is_empty());
    let keyed = |content: &str| CampaignDraft { idempotency: Some(("k".into(), content.into())), ..draft(4) };
    let id = home.start(keyed("a")).await;
    assert_eq!(home.start(keyed("a")).await, id);
    assert!(matches!(home.try_start(keyed("b")).await, Err(CampaignError::KeyReused)));
    assert_eq!(home.tenant().balance().await.unwrap().available, 6);
    home.audit_campaigns().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_who_start_campaigns_at_once_never_overdraw() {
    let world = World::new(509).await;
    let home = world.home(1000).await;
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let home = home.seen_by(world.process());
            tokio::spawn(async move { home.try_start(draft(20 + number % 7)).await.map(|one| one.progress.bound) })
        })
        .collect();
    let mut held = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(bound) => held += bound,
            Err(CampaignError::Credits { .. } | CampaignError::Port(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    let balance = home.audit_campaigns().await;
    assert_eq!(balance.charged.unsigned_abs(), held);
    assert!(balance.available < 26, "nobody could start another one: {balance:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_whose_list_is_lost_fails_and_gives_everything_back_that_has_not_left() {
    let world = World::new(510).await;
    let home = world.home(100).await;
    home.connected(1).await;
    let id = home.start(draft(40)).await;
    home.process.blobs.delete_all(home.account).await.unwrap();
    home.process.work().await;
    let campaign = home.campaign(id).await;
    assert_eq!((campaign.status, campaign.reason.as_deref()), (Status::Failed, Some("list_lost")));
    assert_eq!(home.audit_campaigns().await.available, 100);
}
