//! What the machine's tests work with.

mod leaving;
mod linking;
mod sending;

use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, CampaignId, DeviceId, MessageId, StanzaId, StanzaKey};
use hantar_domain::message::{Lane, OpenMessage, State, Turn};
use hantar_domain::phone::PhoneNumber;

use super::*;
use crate::whatsapp::Ending;

const START: i64 = 1_000_000;
const KEY: StanzaKey = StanzaKey([1; 16]);

/// A machine with a clock, and what it said last.
struct Bench {
    machine: Machine,
    at: Timestamp,
    dice: u32,
}

impl Bench {
    fn new() -> Self {
        let pacing = Pacing { campaign_gap: Duration::from_secs(3) };
        Self { machine: Machine::new(pacing), at: Timestamp::from_seconds(START), dice: u32::MAX }
    }

    /// Linked, connected, with nothing read yet but the request for it under way.
    fn online() -> Self {
        let mut bench = Self::new();
        bench.give(Input::Device(Box::new(device(Status::Connected))));
        let actions = bench.give(Input::Connected);
        assert!(matches!(actions.last(), Some(Action::ReadTurns { thorough: true, .. })), "{actions:?}");
        bench
    }

    fn pairing() -> Self {
        let mut bench = Self::new();
        let mut wanted = device(Status::Unlinked);
        wanted.pairing_wanted_until = Some(bench.at + Duration::from_mins(3));
        bench.give(Input::Device(Box::new(wanted)));
        bench
    }

    fn give(&mut self, input: Input) -> Vec<Action> {
        self.machine.step(input, Now { at: self.at, dice: self.dice })
    }

    fn read(&mut self, ready: Vec<OpenMessage>) -> Vec<Action> {
        self.give(Input::Turns(Turns { ready, next_due: None, more: false }))
    }

    /// Lets the time pass up to the moment that the machine waits for.
    fn wait(&mut self) -> Vec<Action> {
        self.at = self.machine.wake_at(self.at).unwrap().max(self.at);
        self.give(Input::Timer)
    }

    fn pass(&mut self, seconds: u64) -> Vec<Action> {
        self.at = self.at + Duration::from_secs(seconds);
        self.give(Input::Timer)
    }
}

fn device(status: Status) -> Device {
    Device {
        account: AccountId(1),
        id: DeviceId(1),
        name: "shop".into(),
        is_default: true,
        status,
        reason: None,
        phone: status.is_linked().then(|| PhoneNumber::from_e164("60111").unwrap_or_else(|| panic!("a number"))),
        lid: None,
        stanza_key: KEY,
        pairing_wanted_until: None,
        pairing_code: None,
        connected_at: None,
        last_seen_at: None,
        status_seq: 1,
        status_at: Timestamp::default(),
        created_at: Timestamp::default(),
    }
}

fn message(lane: Lane, id: u64, state: State) -> OpenMessage {
    OpenMessage {
        turn: Turn { lane, accepted_at: Timestamp(i64::try_from(id).unwrap()), message: MessageId(id) },
        state,
        held_until: None,
        campaign: None,
        phone: PhoneNumber::from_e164("60123456789").unwrap(),
        body: "hello".into(),
        media: None,
        attached: None,
        stanza: StanzaId::for_message(&KEY, MessageId(id)),
    }
}

fn queued(lane: Lane, id: u64) -> OpenMessage {
    message(lane, id, State::Queued)
}

/// The number of the message that is to be written.
fn written(actions: &[Action]) -> Option<u64> {
    actions.iter().find_map(|action| match action {
        Action::Write(message) => Some(message.turn.message.0),
        _ => None,
    })
}

fn said(actions: &[Action]) -> Option<(Status, Option<&str>)> {
    actions.iter().find_map(|action| match action {
        Action::Change(DeviceChange::Status { status, reason, .. }) => Some((*status, reason.as_deref())),
        _ => None,
    })
}

fn connects(actions: &[Action]) -> Option<bool> {
    actions.iter().find_map(|action| match action {
        Action::Connect { pairing } => Some(*pairing),
        _ => None,
    })
}

fn reads_turns(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::ReadTurns { .. }))
}
