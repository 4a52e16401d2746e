use hantar_domain::ids::{AccountId, DeviceId, StanzaId, StanzaKey};
use hantar_domain::message::{State, Turn};

use super::*;

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
        phone: PhoneNumber::from_e164("60123456789").unwrap(),
        body: "hello".into(),
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

/// Writes all that is ready, in order, each answered at once.
fn drain(bench: &mut Bench, ready: Vec<OpenMessage>) -> Vec<u64> {
    let mut order = Vec::new();
    let mut next = written(&bench.read(ready));
    while let Some(id) = next {
        order.push(id);
        bench.give(Input::Answered(MessageId(id)));
        let actions = bench.give(Input::Written(MessageId(id)));
        bench.give(Input::Recorded(MessageId(id)));
        next = written(&actions);
    }
    order
}

#[test]
fn a_linked_device_connects_with_its_keys_and_says_so() {
    let mut bench = Bench::new();
    let actions = bench.give(Input::Device(Box::new(device(Status::Connected))));
    assert_eq!(connects(&actions), Some(false));
    assert_eq!(said(&actions), Some((Status::Connecting, None)), "what the last host said is not true any more");
    let actions = bench.give(Input::Connected);
    assert_eq!(said(&actions), Some((Status::Connected, None)));
    assert!(actions.contains(&Action::Settle));
}

#[test]
fn an_unlinked_device_that_nobody_wants_rests() {
    let mut bench = Bench::new();
    assert_eq!(bench.give(Input::Device(Box::new(device(Status::Unlinked)))), vec![]);
    assert_eq!(bench.machine.wake_at(bench.at), None);
}

#[test]
fn a_ring_makes_an_unlinked_device_look_whether_a_code_is_wanted() {
    let mut bench = Bench::new();
    bench.give(Input::Device(Box::new(device(Status::LoggedOut))));
    assert_eq!(bench.give(Input::Wake), vec![Action::ReadDevice]);
    let mut wanted = device(Status::LoggedOut);
    wanted.pairing_wanted_until = Some(bench.at + Duration::from_mins(3));
    let actions = bench.give(Input::Device(Box::new(wanted)));
    let erased = actions.iter().position(|action| *action == Action::EraseKeys).unwrap();
    let connected = actions.iter().position(|action| *action == Action::Connect { pairing: true }).unwrap();
    assert!(erased < connected, "old keys would log in instead of pairing");
    assert_eq!(said(&actions), Some((Status::Pairing, None)));
}

#[test]
fn a_code_is_shown_with_its_end_and_taken_away_when_the_number_is_linked() {
    let mut bench = Bench::pairing();
    let actions = bench.give(Input::Code { text: "2@x".into(), valid_for: Duration::from_secs(20) });
    let code = PairingCode { text: "2@x".into(), expires_at: bench.at + Duration::from_secs(20) };
    assert_eq!(actions, vec![Action::Change(DeviceChange::PairingCode(Some(code)))]);
    let phone = PhoneNumber::from_e164("60111").unwrap();
    let actions = bench.give(Input::Paired { phone: phone.clone(), lid: Some("9".into()) });
    assert_eq!(actions[0], Action::Change(DeviceChange::Linked { phone, lid: Some("9".into()) }));
    assert_eq!(actions[1], Action::Change(DeviceChange::PairingCode(None)));
    assert_eq!(said(&actions), Some((Status::Connecting, None)));
    assert_eq!(said(&bench.give(Input::Connected)), Some((Status::Connected, None)));
}

#[test]
fn pairing_ends_when_nobody_wants_it_any_more_and_goes_on_while_somebody_does() {
    let mut bench = Bench::pairing();
    assert_eq!(bench.wait(), vec![Action::ReadDevice], "perhaps somebody asked again");
    let mut wanted = device(Status::Pairing);
    wanted.pairing_wanted_until = Some(bench.at + Duration::from_secs(100));
    bench.give(Input::Device(Box::new(wanted)));
    assert_eq!(bench.machine.wake_at(bench.at), Some(bench.at + Duration::from_secs(100)));
    bench.wait();
    let actions = bench.give(Input::Device(Box::new(device(Status::Pairing))));
    assert!(actions.contains(&Action::Disconnect));
    assert_eq!(said(&actions), Some((Status::Unlinked, None)));
}

#[test]
fn when_the_codes_of_a_connection_run_out_another_one_brings_more() {
    let mut bench = Bench::pairing();
    bench.give(Input::Code { text: "2@x".into(), valid_for: Duration::from_secs(20) });
    let actions = bench.give(Input::CodesExhausted);
    assert_eq!(actions, vec![Action::Change(DeviceChange::PairingCode(None))]);
    assert_eq!(bench.give(Input::Ended), vec![]);
    assert_eq!(connects(&bench.wait()), Some(true));
}

#[test]
fn a_lost_connection_is_made_again_after_growing_pauses() {
    let mut bench = Bench::online();
    bench.read(vec![]);
    let actions = bench.give(Input::Ended);
    assert_eq!(said(&actions), Some((Status::Disconnected, Some("connection_lost"))));
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let before = bench.at;
        let actions = bench.wait();
        pauses.push(bench.at.since(before).as_secs());
        assert_eq!(connects(&actions), Some(false));
        assert_eq!(said(&actions), None, "it stays disconnected until it is connected");
        bench.give(Input::Ended);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16]);
}

#[test]
fn after_a_long_connection_the_pauses_begin_anew() {
    let mut bench = Bench::online();
    bench.read(vec![]);
    for _ in 0..4 {
        bench.give(Input::Ended);
        bench.wait();
    }
    bench.give(Input::Connected);
    bench.read(vec![]);
    bench.pass(31);
    bench.give(Input::Ended);
    assert_eq!(bench.machine.wake_at(bench.at), Some(bench.at + Duration::from_secs(1)));
}

#[test]
fn a_replaced_device_stays_away_for_a_minute_at_least() {
    let mut bench = Bench::online();
    bench.dice = 0;
    bench.read(vec![]);
    let actions = bench.give(Input::Replaced);
    assert_eq!(said(&actions), Some((Status::Disconnected, Some("replaced"))));
    assert_eq!(connects(&bench.pass(59)), None);
    assert_eq!(connects(&bench.pass(2)), Some(false));
}

#[test]
fn what_is_refused_for_good_is_not_tried_again_by_itself() {
    let logged_out = |certain| Input::LoggedOut { reason: "logged_out".into(), certain };
    for (input, status, erases) in [
        (logged_out(true), Status::LoggedOut, true),
        (logged_out(false), Status::LoggedOut, false),
        (Input::Outdated, Status::Outdated, false),
        (Input::Banned { reason: "banned".into() }, Status::Banned, false),
    ] {
        let mut bench = Bench::online();
        bench.read(vec![]);
        let actions = bench.give(input.clone());
        assert_eq!(said(&actions).unwrap().0, status, "{input:?}");
        assert_eq!(actions.contains(&Action::EraseKeys), erases, "{input:?}");
        assert_eq!(bench.give(Input::Ended), vec![]);
        assert_eq!(bench.machine.wake_at(bench.at), None);
        assert_eq!(connects(&bench.pass(100_000)), None);
    }
}

#[test]
fn an_unlinked_device_whose_version_is_refused_is_not_called_linked() {
    let mut bench = Bench::pairing();
    assert_eq!(said(&bench.give(Input::Outdated)), Some((Status::Unlinked, Some("outdated"))));
}

#[test]
fn a_refused_log_in_is_tried_again_after_half_a_minute() {
    let mut bench = Bench::new();
    bench.dice = 0;
    bench.give(Input::Device(Box::new(device(Status::Connected))));
    let actions = bench.give(Input::Refused { reason: "whatsapp_500".into() });
    assert_eq!(said(&actions), Some((Status::Disconnected, Some("whatsapp_500"))));
    assert_eq!(bench.machine.wake_at(bench.at), Some(bench.at + Duration::from_secs(30)));
}

#[test]
fn a_connection_that_never_logs_in_is_given_up() {
    let mut bench = Bench::new();
    bench.give(Input::Device(Box::new(device(Status::Connected))));
    assert!(bench.pass(121).contains(&Action::Disconnect));
    assert_eq!(connects(&bench.wait()), Some(false));
}

#[test]
fn replies_go_before_singles_and_those_before_campaign_rows_each_in_order_of_acceptance() {
    let mut bench = Bench::online();
    let line = vec![
        queued(Lane::Campaign, 1),
        queued(Lane::Single, 4),
        queued(Lane::Single, 2),
        queued(Lane::Reply, 9),
        queued(Lane::Reply, 8),
    ];
    assert_eq!(drain(&mut bench, line), [8, 9, 2, 4, 1]);
}

#[test]
fn what_was_on_the_wire_before_goes_first_whatever_its_lane() {
    let mut bench = Bench::online();
    let line = vec![
        queued(Lane::Reply, 1),
        message(Lane::Campaign, 7, State::Dispatched),
        message(Lane::Single, 5, State::Dispatched),
    ];
    assert_eq!(drain(&mut bench, line), [5, 7, 1]);
}

#[test]
fn campaign_rows_keep_their_distance_and_a_single_does_not_wait_for_them() {
    let mut bench = Bench::online();
    let rows = vec![queued(Lane::Campaign, 1), queued(Lane::Campaign, 2)];
    assert_eq!(drain(&mut bench, rows), [1]);
    assert_eq!(bench.machine.wake_at(bench.at), Some(bench.at + Duration::from_secs(3)));
    // A single comes while the second row waits.
    bench.give(Input::Wake);
    assert!(reads_turns(&bench.pass(1)));
    assert_eq!(written(&bench.read(vec![queued(Lane::Single, 3), queued(Lane::Campaign, 2)])), Some(3));
    assert_eq!(written(&bench.give(Input::Written(MessageId(3)))), None);
    assert_eq!(written(&bench.pass(2)), Some(2));
}

#[test]
fn at_most_sixteen_messages_wait_for_their_answers() {
    let mut bench = Bench::online();
    let mut next = written(&bench.read((1..=20).map(|id| queued(Lane::Single, id)).collect()));
    let mut count = 0;
    while let Some(id) = next {
        count += 1;
        next = written(&bench.give(Input::Written(MessageId(id))));
    }
    assert_eq!(count, 16);
    assert_eq!(written(&bench.give(Input::Answered(MessageId(3)))), Some(17), "one answer makes room for one message");
}

#[test]
fn an_answer_that_never_comes_makes_room_after_a_minute_and_is_not_asked_for_again() {
    let mut bench = Bench::online();
    let mut next = written(&bench.read((1..=17).map(|id| queued(Lane::Single, id)).collect()));
    while let Some(id) = next {
        next = written(&bench.give(Input::Written(MessageId(id))));
    }
    assert_eq!(written(&bench.wait()), Some(17));
    bench.give(Input::Written(MessageId(17)));
    let actions = bench.give(Input::Wake);
    let Some(Action::ReadTurns { leave_out, .. }) = actions.first() else { panic!("{actions:?}") };
    assert_eq!(leave_out.len(), 17, "the sweep calls them unknown; this connection does not repeat them");
}

#[test]
fn after_a_reconnection_what_was_not_answered_is_read_and_written_again() {
    let mut bench = Bench::online();
    bench.read(vec![queued(Lane::Single, 1)]);
    bench.give(Input::Written(MessageId(1)));
    bench.give(Input::Ended);
    bench.wait();
    let actions = bench.give(Input::Connected);
    let Some(Action::ReadTurns { leave_out, thorough: true }) = actions.last() else { panic!("{actions:?}") };
    assert!(leave_out.is_empty());
    assert_eq!(written(&bench.read(vec![message(Lane::Single, 1, State::Dispatched)])), Some(1));
}

#[test]
fn an_answered_message_is_not_written_again_although_the_table_does_not_know_yet() {
    let mut bench = Bench::online();
    bench.read(vec![queued(Lane::Single, 1)]);
    bench.give(Input::Written(MessageId(1)));
    assert!(reads_turns(&bench.give(Input::Wake)));
    // While the table is being read, the answer comes and is recorded; the reading saw the state of before.
    bench.give(Input::Answered(MessageId(1)));
    bench.give(Input::Recorded(MessageId(1)));
    assert_eq!(written(&bench.read(vec![message(Lane::Single, 1, State::Dispatched)])), None);
}

#[test]
fn an_answer_that_could_not_be_recorded_is_asked_for_again() {
    let mut bench = Bench::online();
    bench.read(vec![queued(Lane::Single, 1)]);
    bench.give(Input::Written(MessageId(1)));
    bench.give(Input::Answered(MessageId(1)));
    assert!(reads_turns(&bench.give(Input::NotRecorded(MessageId(1)))));
    assert_eq!(written(&bench.read(vec![message(Lane::Single, 1, State::Dispatched)])), Some(1));
}

#[test]
fn a_message_that_cannot_be_written_does_not_stop_the_others_for_ever() {
    let mut bench = Bench::online();
    let line = || vec![message(Lane::Single, 1, State::Dispatched), queued(Lane::Single, 2)];
    let mut next = written(&bench.read(line()));
    for _ in 0..3 {
        assert_eq!(next, Some(1));
        let actions = bench.give(Input::NotWritten(MessageId(1)));
        assert_eq!(written(&actions), None, "a pause first");
        let actions = bench.wait();
        assert!(reads_turns(&actions), "{actions:?}");
        let Some(Action::ReadTurns { leave_out, .. }) = actions.first() else { panic!("{actions:?}") };
        let left: Vec<_> = line().into_iter().filter(|message| !leave_out.contains(&message.turn.message)).collect();
        next = written(&bench.read(left));
    }
    assert_eq!(next, Some(2));
}

#[test]
fn a_cancelled_message_is_just_passed_over() {
    let mut bench = Bench::online();
    assert_eq!(written(&bench.read(vec![queued(Lane::Single, 1), queued(Lane::Single, 2)])), Some(1));
    assert_eq!(written(&bench.give(Input::Gone(MessageId(1)))), Some(2));
}

#[test]
fn held_messages_are_read_when_they_are_due() {
    let mut bench = Bench::online();
    let due = bench.at + Duration::from_hours(1);
    bench.give(Input::Turns(Turns { ready: vec![], next_due: Some(due), more: false }));
    assert_eq!(bench.machine.wake_at(bench.at), Some(due));
    assert!(reads_turns(&bench.wait()));
}

#[test]
fn many_rings_are_one_reading() {
    let mut bench = Bench::online();
    for _ in 0..5 {
        assert_eq!(bench.give(Input::Wake), vec![], "a reading is under way");
    }
    assert!(reads_turns(&bench.read(vec![])), "what came meanwhile may have been missed");
    assert!(!reads_turns(&bench.read(vec![])));
}

#[test]
fn while_there_is_work_the_table_is_read_again_four_times_a_second_at_most() {
    let mut bench = Bench::online();
    bench.read((1..=30).map(|id| queued(Lane::Single, id)).collect());
    assert!(!reads_turns(&bench.give(Input::Wake)));
    assert!(!reads_turns(&bench.give(Input::Written(MessageId(1)))));
    bench.at = bench.at + Duration::from_millis(251);
    assert!(reads_turns(&bench.give(Input::Written(MessageId(2)))));
}

#[test]
fn when_more_stands_in_line_than_was_read_the_reading_goes_on() {
    let mut bench = Bench::online();
    bench.give(Input::Turns(Turns { ready: vec![queued(Lane::Single, 1)], next_due: None, more: true }));
    let actions = bench.give(Input::Written(MessageId(1)));
    let Some(Action::ReadTurns { leave_out, thorough: false }) = actions.first() else { panic!("{actions:?}") };
    assert!(leave_out.contains(&MessageId(1)));
}

#[test]
fn a_failed_reading_is_repeated_after_a_pause() {
    let mut bench = Bench::online();
    assert_eq!(bench.give(Input::TurnsUnread), vec![]);
    let before = bench.at;
    assert!(reads_turns(&bench.wait()));
    assert_eq!(bench.at.since(before), PAUSE);
}

#[test]
fn nothing_is_written_while_the_device_is_not_connected() {
    let mut bench = Bench::online();
    bench.read(vec![queued(Lane::Single, 1), queued(Lane::Single, 2)]);
    bench.give(Input::Ended);
    assert_eq!(bench.give(Input::NotWritten(MessageId(1))), vec![]);
    assert_eq!(written(&bench.give(Input::Wake)), None);
}

#[test]
fn a_leaving_host_waits_for_the_last_answers_and_begins_nothing_new() {
    let mut bench = Bench::online();
    bench.read(vec![queued(Lane::Single, 1), queued(Lane::Single, 2)]);
    assert_eq!(bench.give(Input::Stop), vec![]);
    assert_eq!(bench.give(Input::Written(MessageId(1))), vec![], "the second message is the next host's");
    assert_eq!(bench.give(Input::Answered(MessageId(1))), vec![], "the answer is to be recorded first");
    let actions = bench.give(Input::Recorded(MessageId(1)));
    assert_eq!(said(&actions), Some((Status::Disconnected, Some("host_stopping"))));
    assert_eq!(actions.last(), Some(&Action::Finish));
    assert_eq!(bench.give(Input::Connected), vec![]);
}

#[test]
fn a_leaving_host_does_not_wait_for_answers_for_ever() {
    let mut bench = Bench::online();
    bench.read(vec![queued(Lane::Single, 1)]);
    bench.give(Input::Written(MessageId(1)));
    bench.give(Input::Stop);
    assert_eq!(bench.pass(6).last(), Some(&Action::Finish));
}

#[test]
fn a_device_that_is_not_connected_leaves_at_once() {
    let mut bench = Bench::new();
    bench.give(Input::Device(Box::new(device(Status::Unlinked))));
    assert_eq!(bench.give(Input::Stop), vec![Action::Disconnect, Action::Finish]);
    let mut bench = Bench::pairing();
    let actions = bench.give(Input::Stop);
    assert_eq!(said(&actions), None, "the next host goes on pairing");
    assert_eq!(actions.last(), Some(&Action::Finish));
}

#[test]
fn a_table_that_does_not_answer_about_the_device_is_asked_again() {
    let mut bench = Bench::new();
    bench.give(Input::Device(Box::new(device(Status::Unlinked))));
    bench.give(Input::Wake);
    assert_eq!(bench.give(Input::DeviceUnread), vec![]);
    assert_eq!(bench.wait(), vec![Action::ReadDevice]);
}
