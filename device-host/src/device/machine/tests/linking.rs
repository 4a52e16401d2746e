//! Pairing, logging in, losing the connection.

use hantar_domain::device::PairingCode;

use super::*;

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
    assert_eq!(bench.give(Input::Ended(Ending::Lost)), vec![]);
    assert_eq!(connects(&bench.wait()), Some(true));
}

#[test]
fn a_lost_connection_is_made_again_after_growing_pauses() {
    let mut bench = Bench::online();
    bench.read(vec![]);
    let actions = bench.give(Input::Ended(Ending::Lost));
    assert_eq!(said(&actions), Some((Status::Disconnected, Some("connection_lost"))));
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let before = bench.at;
        let actions = bench.wait();
        pauses.push(bench.at.since(before).as_secs());
        assert_eq!(connects(&actions), Some(false));
        assert_eq!(said(&actions), None, "it stays disconnected until it is connected");
        bench.give(Input::Ended(Ending::Lost));
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16]);
}

#[test]
fn after_a_long_connection_the_pauses_begin_anew() {
    let mut bench = Bench::online();
    bench.read(vec![]);
    for _ in 0..4 {
        bench.give(Input::Ended(Ending::Lost));
        bench.wait();
    }
    bench.give(Input::Connected);
    bench.read(vec![]);
    bench.pass(31);
    bench.give(Input::Ended(Ending::Lost));
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
        (Input::Outdated { newer: false }, Status::Outdated, false),
        (Input::Banned { reason: "banned".into() }, Status::Banned, false),
    ] {
        let mut bench = Bench::online();
        bench.read(vec![]);
        let actions = bench.give(input.clone());
        assert_eq!(said(&actions).unwrap().0, status, "{input:?}");
        assert_eq!(actions.contains(&Action::EraseKeys), erases, "{input:?}");
        assert_eq!(bench.give(Input::Ended(Ending::Lost)), vec![]);
        assert_eq!(bench.machine.wake_at(bench.at), None);
        assert_eq!(connects(&bench.pass(100_000)), None);
    }
}

#[test]
fn an_unlinked_device_whose_version_is_refused_is_not_called_linked() {
    let mut bench = Bench::pairing();
    assert_eq!(said(&bench.give(Input::Outdated { newer: false })), Some((Status::Unlinked, Some("outdated"))));
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
fn a_table_that_does_not_answer_about_the_device_is_asked_again() {
    let mut bench = Bench::new();
    bench.give(Input::Device(Box::new(device(Status::Unlinked))));
    bench.give(Input::Wake);
    assert_eq!(bench.give(Input::DeviceUnread), vec![]);
    assert_eq!(bench.wait(), vec![Action::ReadDevice]);
}

#[test]
fn a_pairing_that_fails_says_why_and_is_tried_again_after_growing_pauses() {
    let mut bench = Bench::pairing();
    let mut pauses = Vec::new();
    for attempt in 0..5 {
        let actions = bench.give(Input::Ended(Ending::HandshakeRefused));
        let expected = (attempt == 0).then_some((Status::Pairing, Some("handshake_refused")));
        assert_eq!(said(&actions), expected, "said once");
        let before = bench.at;
        let actions = bench.wait();
        pauses.push(bench.at.since(before).as_secs());
        assert_eq!((connects(&actions), said(&actions)), (Some(true), None), "the reason stays to be seen");
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16]);
    bench.give(Input::Ended(Ending::Unreachable));
    let actions = bench.pass(180);
    assert_eq!(said(&actions), Some((Status::Unlinked, Some("unreachable"))), "nobody waits any more, and knows why");
    assert_eq!(connects(&actions), None);
}

#[test]
fn a_code_after_failed_attempts_takes_their_reason_away() {
    let mut bench = Bench::pairing();
    bench.give(Input::Ended(Ending::Unreachable));
    bench.wait();
    let actions = bench.give(Input::Code { text: "2@x".into(), valid_for: Duration::from_secs(20) });
    assert_eq!(said(&actions), Some((Status::Pairing, None)));
    bench.give(Input::Ended(Ending::Lost));
    let before = bench.at;
    assert_eq!(connects(&bench.wait()), Some(true));
    assert!(bench.at.since(before) <= Duration::from_secs(1), "the next attempt is a first one");
}

#[test]
fn a_refused_version_is_replaced_by_a_newer_one_where_one_is_known() {
    let mut bench = Bench::online();
    bench.read(vec![]);
    let actions = bench.give(Input::Outdated { newer: true });
    assert_eq!(said(&actions), Some((Status::Disconnected, Some("outdated"))));
    assert_eq!(connects(&bench.wait()), Some(false));
    let mut bench = Bench::pairing();
    assert!(bench.give(Input::Outdated { newer: true }).contains(&Action::Disconnect));
    assert_eq!(connects(&bench.wait()), Some(true));
}
