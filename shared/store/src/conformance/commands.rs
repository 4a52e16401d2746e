//! Commands and their answers.

use std::time::Duration;

use futures::future::join_all;
use hantar_domain::ids::{CommandId, DeviceId, Epoch};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{Answer, Ask, Command, Failed, Person};

use super::{Home, World};

const HOST: Epoch = Epoch(3);

/// A command to the account's device that somebody waits for ten seconds for.
fn command(home: &Home, id: u8) -> Command {
    let ask = Ask::Number(PhoneNumber::from_e164("60123456789").unwrap());
    Command { id: CommandId([id; 16]), device: home.device, ask, expires_at: home.now() + Duration::from_secs(10) }
}

async fn asked(home: &Home, id: u8) -> Command {
    let command = command(home, id);
    home.tenant.put_command(&command).await.unwrap();
    command
}

fn found() -> Answer {
    Answer::Number(Some(Person { jid: "60123456789@s.whatsapp.net".into(), lid: Some("1000001".into()) }))
}

/// And read as it was given.
pub async fn a_command_is_taken_and_answered(world: World) {
    let home = world.home(0).await;
    let refused = Failed::Refused { code: "whatsapp_429".into() };
    let others = [Failed::NotConnected, Failed::TooMany, Failed::Busy, Failed::Unsupported, refused].map(Err);
    let nobody = Ok(Answer::Number(None));
    let hidden = Ok(Answer::Number(Some(Person { jid: "60123456789@s.whatsapp.net".into(), lid: None })));
    for (id, outcome) in (1..).zip(others.into_iter().chain([nobody, hidden, Ok(found())])) {
        let command = asked(&home, id).await;
        assert_eq!(home.tenant.answer_of(command.id).await.unwrap(), None);
        let taken = home.tenant.take_command(home.device, command.id, HOST).await.unwrap();
        assert_eq!(taken.as_ref(), Some(&command));
        assert!(home.tenant.answer_command(command.id, HOST, &outcome).await.unwrap());
        assert_eq!(home.tenant.answer_of(command.id).await.unwrap(), Some(outcome));
    }
}

/// However many jobs say that it is there, and also when it is put again.
pub async fn a_command_is_taken_by_one_host_once(world: World) {
    let home = world.home(0).await;
    let command = asked(&home, 1).await;
    let takes = (1..=8).map(|epoch| home.tenant.take_command(home.device, command.id, Epoch(epoch)));
    let taken: Vec<_> = join_all(takes).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(taken.iter().flatten().count(), 1, "{taken:?}");
    home.tenant.put_command(&command).await.unwrap();
    assert_eq!(home.tenant.take_command(home.device, command.id, Epoch(9)).await.unwrap(), None);
}

/// By the host that took it; saying the same again is no second answer.
pub async fn a_command_is_answered_once(world: World) {
    let home = world.home(0).await;
    let command = asked(&home, 1).await;
    assert!(!home.tenant.answer_command(command.id, HOST, &Ok(found())).await.unwrap(), "nobody has taken it");
    home.tenant.take_command(home.device, command.id, HOST).await.unwrap().unwrap();
    assert!(!home.tenant.answer_command(command.id, Epoch(2), &Ok(found())).await.unwrap(), "another host took it");
    for _ in 0..2 {
        assert!(home.tenant.answer_command(command.id, HOST, &Ok(found())).await.unwrap());
    }
    assert!(!home.tenant.answer_command(command.id, HOST, &Err(Failed::Busy)).await.unwrap());
    assert_eq!(home.tenant.answer_of(command.id).await.unwrap(), Some(Ok(found())));
}

/// An answer that came in time can be read for a while longer.
pub async fn nobody_takes_or_answers_a_command_that_is_over(world: World) {
    let home = world.home(0).await;
    let (late, unanswered, answered) = (asked(&home, 1).await, asked(&home, 2).await, asked(&home, 3).await);
    for command in [&unanswered, &answered] {
        home.tenant.take_command(home.device, command.id, HOST).await.unwrap().unwrap();
    }
    assert!(home.tenant.answer_command(answered.id, HOST, &Ok(found())).await.unwrap());
    world.clock.pass(Duration::from_secs(11));
    assert_eq!(home.tenant.take_command(home.device, late.id, HOST).await.unwrap(), None);
    assert!(!home.tenant.answer_command(unanswered.id, HOST, &Ok(found())).await.unwrap());
    assert_eq!(home.tenant.answer_of(unanswered.id).await.unwrap(), None);
    assert_eq!(home.tenant.answer_of(answered.id).await.unwrap(), Some(Ok(found())));
    world.clock.pass(Duration::from_mins(2));
    assert_eq!(home.tenant.answer_of(answered.id).await.unwrap(), None);
}

/// Neither another account nor another device of the same one.
pub async fn a_command_is_found_by_its_own_account_and_device_alone(world: World) {
    let (home, other) = (world.home(0).await, world.home(0).await);
    let command = asked(&home, 1).await;
    assert_eq!(other.tenant.take_command(home.device, command.id, HOST).await.unwrap(), None);
    assert_eq!(home.tenant.take_command(DeviceId(u64::MAX >> 11), command.id, HOST).await.unwrap(), None);
    home.tenant.take_command(home.device, command.id, HOST).await.unwrap().unwrap();
    assert!(!other.tenant.answer_command(command.id, HOST, &Ok(found())).await.unwrap());
    assert!(home.tenant.answer_command(command.id, HOST, &Ok(found())).await.unwrap());
    assert_eq!(other.tenant.answer_of(command.id).await.unwrap(), None);
    // The same id of another account is another command.
    let theirs = asked(&other, 1).await;
    assert_eq!(other.tenant.answer_of(theirs.id).await.unwrap(), None);
    assert_eq!(home.tenant.answer_of(command.id).await.unwrap(), Some(Ok(found())));
}
