//! Received messages.

use std::time::Duration;

use hantar_domain::ids::StanzaId;
use hantar_domain::message::{Direction, Lane, Message, State, Step};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{Inbound, Reception};

use super::{Home, World};

fn incoming(home: &Home, stanza: &str) -> Inbound {
    let message = home.draft(Lane::Single);
    let history = vec![Step { state: State::Delivered, at: message.accepted_at, code: None }];
    let (direction, state, credits) = (Direction::Inbound, State::Delivered, 0);
    let message = Message { direction, state, credits, history, stanza: StanzaId(stanza.into()), ..message };
    Inbound { message, chat: "60123456789@s.whatsapp.net".into(), sender: "60123456789@s.whatsapp.net".into() }
}

/// WhatsApp delivers again what it was not told of.
pub async fn a_received_message_is_stored_once(world: World) {
    let home = world.home(0).await;
    let first = incoming(&home, "AC1");
    let again = incoming(&home, "AC1");
    let other = Inbound { sender: "999@lid".into(), ..incoming(&home, "AC1") };
    assert_eq!(home.tenant.receive(std::slice::from_ref(&first)).await.unwrap(), [Reception::New]);
    assert_eq!(home.tenant.receive(&[again.clone(), other.clone()]).await.unwrap(), [Reception::Known, Reception::New]);
    assert_eq!(home.message(first.message.id).await, first.message);
    assert_eq!(home.tenant.message(again.message.id).await.unwrap(), None);
    let found = |one: &Inbound| {
        let (chat, sender, stanza) = (one.chat.clone(), one.sender.clone(), one.message.stanza.clone());
        let tenant = home.tenant.clone();
        let device = home.device;
        async move { tenant.received(device, &chat, &sender, &stanza).await.unwrap() }
    };
    assert_eq!(found(&again).await, Some(first.message.id));
    assert_eq!(found(&other).await, Some(other.message.id));
    assert_eq!(found(&incoming(&home, "AC2")).await, None);
    assert!(home.line().await.is_empty());
}

/// The first one counts.
pub async fn one_call_with_repeats_stores_each_once(world: World) {
    let home = world.home(0).await;
    let calls = [incoming(&home, "A"), incoming(&home, "B"), incoming(&home, "A")];
    let expected = [Reception::New, Reception::New, Reception::Known];
    assert_eq!(home.tenant.receive(&calls).await.unwrap(), expected);
    assert_eq!(home.tenant.message(calls[2].message.id).await.unwrap(), None);
    assert_eq!(home.tenant.receive(&[]).await.unwrap(), []);
}

/// Two sockets for a moment.
pub async fn two_deliveries_at_once_store_one_message(world: World) {
    let home = world.home(0).await;
    for round in 0..10 {
        let stanza = format!("R{round}");
        let (one, two) = ([incoming(&home, &stanza)], [incoming(&home, &stanza)]);
        let (first, second) = futures::join!(home.tenant.receive(&one), home.tenant.receive(&two));
        first.unwrap();
        second.unwrap();
        let ids = [one[0].message.id, two[0].message.id];
        assert_eq!(home.tenant.messages(&ids).await.unwrap().len(), 1, "round {round}");
    }
}

/// An offline batch.
pub async fn hundreds_at_once_are_all_stored(world: World) {
    let home = world.home(0).await;
    let all: Vec<_> = (0..250).map(|n| incoming(&home, &format!("N{n}"))).collect();
    assert!(home.tenant.receive(&all).await.unwrap().iter().all(|one| *one == Reception::New));
    assert!(home.tenant.receive(&all).await.unwrap().iter().all(|one| *one == Reception::Known));
    let ids: Vec<_> = all.iter().map(|one| one.message.id).collect();
    assert_eq!(home.tenant.messages(&ids).await.unwrap().len(), 250);
}

/// For the lane of replies.
pub async fn it_is_known_who_wrote_last_and_when(world: World) {
    let home = world.home(0).await;
    let phone = PhoneNumber::from_e164("60123456789").unwrap();
    let hour = Duration::from_hours(1);
    let before = home.now();
    let wrote = |since| home.tenant.wrote_since(home.device, &phone, since);
    assert!(!wrote(before).await.unwrap());
    home.tenant.receive(&[incoming(&home, "A")]).await.unwrap();
    assert!(wrote(before).await.unwrap());
    world.clock.pass(2 * hour);
    assert!(!wrote(home.now() - hour).await.unwrap());
    home.tenant.receive(&[incoming(&home, "B")]).await.unwrap();
    assert!(wrote(home.now() - hour).await.unwrap());
    let other = PhoneNumber::from_e164("60111111111").unwrap();
    assert!(!home.tenant.wrote_since(home.device, &other, before).await.unwrap());
}
