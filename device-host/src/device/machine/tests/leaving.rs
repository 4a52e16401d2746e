//! The host leaves.

use super::*;

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
