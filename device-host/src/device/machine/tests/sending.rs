//! Reading what is open, and writing it.

use super::*;

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
    bench.give(Input::Ended(Ending::Lost));
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
fn rows_of_a_paused_campaign_stay_in_line_and_hold_up_nobody() {
    let mut bench = Bench::online();
    let row = |id, campaign| OpenMessage { campaign: Some(CampaignId(campaign)), ..queued(Lane::Campaign, id) };
    assert_eq!(written(&bench.read(vec![row(1, 7), row(2, 7), row(3, 8), row(4, 7)])), Some(1));
    let paused = Input::Paused { message: MessageId(1), campaign: CampaignId(7) };
    assert_eq!(bench.give(paused), vec![], "the distance between rows is kept");
    assert_eq!(written(&bench.wait()), Some(3));
    bench.give(Input::Written(MessageId(3)));
    assert!(!reads_turns(&bench.pass(60)), "nothing is looked at again before somebody rings");
    let actions = bench.give(Input::Wake);
    let Some(Action::ReadTurns { leave_out, .. }) = actions.first() else { panic!("{actions:?}") };
    assert!(!leave_out.contains(&MessageId(1)), "it may go once its campaign goes on");
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
    bench.give(Input::Ended(Ending::Lost));
    assert_eq!(bench.give(Input::NotWritten(MessageId(1))), vec![]);
    assert_eq!(written(&bench.give(Input::Wake)), None);
}
