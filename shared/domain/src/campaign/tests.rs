use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::credits::{Balance, PRICE};
use crate::ids::StanzaKey;
use crate::message::Fact;
use crate::phone::PhoneNumber;

pub(super) fn device(id: u64, status: DeviceStatus, status_at: Timestamp) -> Device {
    Device {
        account: AccountId(1),
        id: DeviceId(id),
        name: String::new(),
        is_default: false,
        status,
        reason: None,
        phone: None,
        lid: None,
        stanza_key: StanzaKey([7; 16]),
        pairing_wanted_until: None,
        pairing_code: None,
        connected_at: None,
        last_seen_at: None,
        status_seq: 0,
        status_at,
        created_at: Timestamp(0),
    }
}

pub(super) fn campaign(bound: u64) -> Campaign {
    Campaign {
        account: AccountId(1),
        id: CampaignId(1),
        name: "Sale".into(),
        template: None,
        body: "Hi {{name}}".into(),
        group: None,
        devices: vec![DeviceId(1), DeviceId(2)],
        scheduled_at: None,
        per_minute: None,
        status: Status::Running,
        reason: None,
        first: MessageId(500),
        price: PRICE,
        progress: Progress::of(bound),
        cursor: Cursor { source: Source::End, chunk: 0 },
        claim: Claim::default(),
        paced_until: None,
        watch: Watch::default(),
        created_at: Timestamp(0),
        started_at: Some(Timestamp(10)),
        ended_at: None,
        updated_at: Timestamp(0),
    }
}

#[test]
fn a_recipients_message_is_the_same_whenever_it_is_made() {
    let (campaign, device) = (campaign(10), device(2, DeviceStatus::Connected, Timestamp(0)));
    let phone = PhoneNumber::from_e164("60123456789").unwrap();
    let recipient = Recipient { phone, name: Some("Ali".into()), fields: BTreeMap::new(), contact: None };
    let message = campaign.message(&device, 3, Some(&recipient), Timestamp(9));
    assert_eq!((message.id, message.body.as_str(), message.campaign), (MessageId(503), "Hi Ali", Some(CampaignId(1))));
    assert_eq!(campaign.message(&device, 3, Some(&recipient), Timestamp(9)), message);
    let nobody = campaign.message(&device, 3, None, Timestamp(9));
    assert_eq!(nobody, Message { phone: None, name: None, body: String::new(), ..message });
    assert_eq!(campaign.ordinal(message.id), Some(3));
    assert_eq!((campaign.ordinal(MessageId(499)), campaign.ordinal(MessageId(510))), (None, None));
}

#[test]
fn a_device_that_is_away_for_a_moment_is_used_and_one_that_is_gone_is_not() {
    use DeviceStatus::{Banned, Connected, Connecting, Disconnected, LoggedOut, Outdated, Pairing, Unlinked};
    let campaign = campaign(1);
    let usable = |one, two| {
        let devices = [one, two].map(|(id, status)| device(id, status, Timestamp(0)));
        campaign.usable(&devices).map(|devices| devices.iter().map(|device| device.id.0).collect::<Vec<_>>())
    };
    for status in [Connected, Connecting, Disconnected, Outdated] {
        assert_eq!(usable((1, status), (2, LoggedOut)), Ok(vec![1]), "{status:?}");
    }
    for (status, reason) in
        [(Unlinked, "device_unlinked"), (Pairing, "device_unlinked"), (LoggedOut, "logged_out"), (Banned, "banned")]
    {
        assert_eq!(usable((1, status), (9, Connected)), Err(reason));
    }
    assert_eq!(usable((8, Connected), (9, Connected)), Err("device_unlinked"), "devices of others");
}

#[test]
fn a_restriction_is_danger_until_its_owner_goes_on_all_the_same() {
    let campaign = campaign(1);
    for (id, status, at, lost) in [
        (1, DeviceStatus::Banned, 11, true),
        (1, DeviceStatus::Banned, 10, false),
        (3, DeviceStatus::Banned, 11, false),
        (2, DeviceStatus::LoggedOut, 11, false),
    ] {
        assert_eq!(campaign.lost_a_device(&[device(id, status, Timestamp(at))]), lost, "{id} {status:?} {at}");
    }
}

/// One thing that happens to a campaign; whoever does it may be late, or do it twice.
#[derive(Clone, Debug)]
enum Act {
    Take(u64, u64),
    Expanded,
    Claim(u64),
    Make(u64),
    Made,
    Learn(u64, Fact),
    Ask(Order),
    Release,
    Block,
}

fn act() -> impl Strategy<Value = Act> {
    let facts =
        vec![Fact::Dispatched, Fact::Acknowledged, Fact::Nacked, Fact::Refused, Fact::Cancelled, Fact::Delivered];
    prop_oneof![
        3 => (0_u64..5, 0_u64..3).prop_map(|(accepted, rejected)| Act::Take(accepted, rejected)),
        1 => Just(Act::Expanded),
        3 => (1_u64..4).prop_map(Act::Claim),
        6 => (0_u64..4).prop_map(Act::Make),
        2 => Just(Act::Made),
        4 => (0_u64..20, prop::sample::select(facts)).prop_map(|(ordinal, fact)| Act::Learn(ordinal, fact)),
        1 => prop::sample::select(vec![Order::Pause, Order::Resume, Order::Resume, Order::Cancel]).prop_map(Act::Ask),
        1 => Just(Act::Release),
        2 => Just(Act::Block),
    ]
}

/// What so many messages cost.
fn credits(messages: u64) -> i64 {
    i64::try_from(messages).unwrap() * PRICE
}

/// A campaign, its messages by ordinal (state, given back), and the balance that it was charged to.
struct Model {
    status: Status,
    progress: Progress,
    messages: BTreeMap<u64, (State, bool)>,
    balance: Balance,
}

impl Model {
    fn new(bound: u64) -> Self {
        let balance = Balance::default().grant(100).charge(credits(bound)).unwrap();
        Self { status: Status::Running, progress: Progress::of(bound), messages: BTreeMap::new(), balance }
    }

    fn release(&mut self, recipients: u64) {
        self.progress.released += recipients;
        self.balance = self.balance.refund(credits(recipients));
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Take(accepted, rejected) if self.status.is_active() && !self.progress.expanded => {
                let accepted = accepted.min(self.progress.left());
                self.progress.take(accepted, (0..rejected).map(|_| Rejection::OptedOut));
            }
            Act::Expanded if self.status.is_active() && !self.progress.expanded => {
                self.progress.expanded = true;
                self.release(self.progress.surplus());
            }
            Act::Claim(rows) if self.status == Status::Running && self.progress.done == self.progress.claimed => {
                self.progress.claimed = self.progress.accepted.min(self.progress.claimed + rows);
            }
            // Whoever makes messages may do so long after the campaign was taken back.
            Act::Make(nth) if self.progress.done + nth < self.progress.claimed => {
                self.messages.entry(self.progress.done + nth).or_insert((State::Queued, false));
            }
            Act::Made if self.window_is_made() => self.progress.done = self.progress.claimed,
            Act::Learn(ordinal, fact) => self.learn(ordinal, fact),
            Act::Ask(order) => {
                if let Ok(Some(status)) = order.applied_to(self.status, true) {
                    self.status = status;
                }
            }
            Act::Release if self.status == Status::Cancelling => self.release(self.progress.remainder()),
            Act::Block if self.status == Status::Cancelling => {
                for ordinal in self.progress.done..self.progress.claimed {
                    if let std::collections::btree_map::Entry::Vacant(missing) = self.messages.entry(ordinal) {
                        missing.insert((State::Cancelled, true));
                        self.balance = self.balance.refund(PRICE);
                    }
                }
            }
            _ => {}
        }
    }

    fn window_is_made(&self) -> bool {
        (self.progress.done..self.progress.claimed).all(|ordinal| self.messages.contains_key(&ordinal))
    }

    fn learn(&mut self, ordinal: u64, fact: Fact) {
        if let Some((state, refunded)) = self.messages.get_mut(&ordinal)
            && let Some(next) = fact.applied_to(*state)
        {
            *state = next;
            if matches!(next, State::Failed | State::Cancelled) && !*refunded {
                *refunded = true;
                self.balance = self.balance.refund(PRICE);
            }
        }
    }

    fn check(&self) {
        let Progress { bound, accepted, claimed, done, released, .. } = self.progress;
        assert!(self.balance.is_sound(), "{:?}", self.balance);
        assert!(done <= claimed && claimed <= accepted && accepted <= bound, "{:?}", self.progress);
        assert!(released + claimed <= bound, "{:?}", self.progress);
        let refunded = self.messages.values().filter(|(_, refunded)| *refunded).count() as u64;
        assert_eq!(self.balance.refunded, credits(released + refunded));
    }
}

proptest! {
    #[test]
    fn a_campaigns_money_is_exact_under_any_interleaving(acts in prop::collection::vec(act(), 0..150), bound in 1_u64..20) {
        let mut model = Model::new(bound);
        for act in &acts {
            model.act(act);
            model.check();
        }
        // However far it came, it can be brought to its end, and then every credit is a message's or given back.
        let ends = if model.status.is_active() && acts.len().is_multiple_of(2) {
            vec![Act::Ask(Order::Resume), Act::Expanded, Act::Block, Act::Made]
        } else {
            vec![Act::Ask(Order::Cancel), Act::Release, Act::Block, Act::Made]
        };
        for act in &ends {
            model.act(act);
        }
        while model.status == Status::Running && !model.progress.is_made() {
            for act in [Act::Make(0), Act::Make(1), Act::Make(2), Act::Made, Act::Claim(3)] {
                model.act(&act);
                model.check();
            }
        }
        model.check();
        let progress = &model.progress;
        prop_assert_eq!(progress.released + progress.claimed, bound);
        prop_assert_eq!(model.messages.len() as u64, progress.claimed);
        let kept = model.messages.values().filter(|(_, refunded)| !refunded).count() as u64;
        prop_assert_eq!(model.balance.charged - model.balance.refunded, credits(kept));
    }
}
