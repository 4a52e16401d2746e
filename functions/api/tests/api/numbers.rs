//! Looking a number up: a question to the device's host, and what the dialect makes of its answer.

use std::time::Duration;

use hantar_domain::device::Status;
use hantar_domain::ids::{AccountId, DeviceId};
use hantar_usecases::ports::{Answer, Ask, Failed, Outcome, Person};

use crate::door::Door;

const ALI: &str = "/api/v1/devices/1/numbers/012-345%206789";

/// A door behind which the first account's device is linked, and a token of that account.
fn linked() -> (Door, String) {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let mut state = door.world.state();
    state.books.get_mut(&AccountId(1)).unwrap().devices.get_mut(&DeviceId(1)).unwrap().status = Status::Connected;
    drop(state);
    (door, token)
}

fn answers(door: &Door, outcome: Outcome) {
    door.world.state().host = Some(outcome);
}

#[test]
fn a_number_is_looked_up_in_any_spelling() {
    let (door, token) = linked();
    let person = Person { jid: "60123456789@s.whatsapp.net".into(), lid: Some("100000000000001".into()) };
    answers(&door, Ok(Answer::Number(Some(person))));
    door.get(&token, ALI).is("number_found");
    let asked = door.world.state().commands.values().map(|(command, _)| command.ask.clone()).collect::<Vec<_>>();
    let [Ask::Number(phone)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(phone.as_str(), "+60123456789");
    answers(&door, Ok(Answer::Number(None)));
    door.get(&token, "/api/v1/devices/1/numbers/+60123456780").is("number_unused");
}

#[test]
fn what_a_host_cannot_do_is_said_in_the_dialect() {
    let (door, token) = linked();
    for (failed, golden) in [
        (Failed::NotConnected, "number_not_connected"),
        (Failed::TooMany, "number_too_many"),
        (Failed::Busy, "busy_host"),
        (Failed::Unsupported, "number_host_outdated"),
        (Failed::Refused { code: "whatsapp_429".into() }, "number_refused"),
    ] {
        answers(&door, Err(failed));
        door.get(&token, ALI).is(golden);
    }
}

#[test]
fn a_host_that_says_nothing_is_waited_for_ten_seconds_and_the_command_is_named() {
    let (door, token) = linked();
    let before = door.world.state().running;
    door.get(&token, ALI).is("number_no_host");
    assert_eq!(door.world.state().running.saturating_sub(before), Duration::from_secs(10));
}

#[test]
fn nobody_is_asked_by_a_device_without_a_number_and_for_what_is_none() {
    let (door, token) = linked();
    door.world.found(2, true);
    let theirs = door.world.token(2, &["*"]);
    door.get(&theirs, "/api/v1/devices/2/numbers/0123456789").is("number_not_linked");
    door.get(&token, "/api/v1/devices/9/numbers/0123456789").is("number_unknown_device");
    door.get(&theirs, ALI).is("number_of_another");
    door.get(&token, "/api/v1/devices/1/numbers/123").is("number_invalid");
    assert_eq!(door.get(&token, "/api/v1/devices/1/numbers/+6591234567").code(), 422);
    assert_eq!(door.get(&token, "/api/v1/devices/1/numbers/%ff").code(), 404);
    assert!(door.world.state().commands.is_empty());
    door.world.state().busy = true;
    door.get(&token, ALI).is("busy_number");
}
