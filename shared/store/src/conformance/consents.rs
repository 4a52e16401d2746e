//! The consent ledger.

use std::time::Duration;

use futures::future::join_all;
use hantar_domain::consent::{Confirmation, Consent, Said, Settings, Source};
use hantar_domain::ids::MessageId;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Noted, Peer};

use super::{Home, World};

fn phone(number: u64) -> PhoneNumber {
    PhoneNumber::from_e164(&format!("6012{number:07}")).unwrap()
}

fn entry(number: u64, said: Said, message: u64, at: Timestamp) -> Consent {
    Consent { phone: phone(number), said, source: Source::Message(MessageId(message)), note: None, at, turned: false }
}

async fn noted(home: &Home, entry: &Consent) -> bool {
    let Source::Message(message) = entry.source else { panic!("{entry:?}") };
    match home.tenant.consents().note_consent(entry, &format!("m{message}"), None).await.unwrap() {
        Noted::Done(entry) => entry.turned,
        Noted::KeyReused => panic!("no key was given"),
    }
}

/// By the time at which it was said, and not by when it became known.
pub async fn what_a_number_said_last_counts(world: World) {
    let home = world.home(0).await;
    let start = home.now();
    let after = |seconds| start + Duration::from_secs(seconds);
    assert!(noted(&home, &entry(1, Said::Out, 1, after(10))).await);
    assert!(noted(&home, &entry(1, Said::In, 3, after(30))).await);
    assert!(!noted(&home, &entry(1, Said::Out, 2, after(20))).await, "it was taken back since");
    assert!(noted(&home, &entry(1, Said::Out, 1, after(10))).await, "a repeat answers what the first one was");
    let consents = home.tenant.consents();
    assert!(consents.suppressed(&[phone(1)]).await.unwrap().is_empty());
    let known: Vec<_> = consents.consents_of(&phone(1), 10).await.unwrap().iter().map(|entry| entry.at).collect();
    assert_eq!(known, [after(30), after(20), after(10)]);
    assert_eq!(consents.standing(&phone(1)).await.unwrap().map(|standing| standing.at), Some(after(30)));
}

/// However many are asked about, also twice.
pub async fn exactly_those_are_suppressed_who_said_so(world: World) {
    let (home, other) = (world.home(0).await, world.home(0).await);
    let at = home.now();
    join_all((0..250).step_by(7).map(|n| {
        let home = &home;
        async move { noted(home, &entry(n, Said::Out, n, at)).await }
    }))
    .await;
    let asked: Vec<_> = (0..250).chain(0..3).map(phone).collect();
    let suppressed = home.tenant.consents().suppressed(&asked).await.unwrap();
    assert_eq!(suppressed, (0..250).step_by(7).map(phone).collect());
    assert!(other.tenant.consents().suppressed(&asked).await.unwrap().is_empty(), "another account's ledger");
    assert!(home.tenant.consents().suppressed(&[]).await.unwrap().is_empty());
}

/// In one read: when they wrote, and what they said.
pub async fn it_is_known_how_somebody_stands(world: World) {
    let home = world.home(0).await;
    let consents = home.tenant.consents();
    assert_eq!(consents.peer(home.device, &phone(1)).await.unwrap(), Peer::default());
    noted(&home, &entry(1, Said::Out, 1, home.now())).await;
    let peer = consents.peer(home.device, &phone(1)).await.unwrap();
    assert_eq!((peer.wrote_at, peer.standing.map(|standing| standing.said)), (None, Some(Said::Out)));
}

/// A key counts for its request alone.
pub async fn a_consent_is_noted_once_under_a_key(world: World) {
    let home = world.home(0).await;
    let consents = home.tenant.consents();
    for (key, done) in [(home.key(1, 1), true), (home.key(1, 1), true), (home.key(1, 2), false)] {
        let entry = entry(1, Said::Out, 1, home.now());
        let noted = consents.note_consent(&entry, "u1", Some(&key)).await.unwrap();
        assert_eq!(matches!(noted, Noted::Done(_)), done);
    }
    assert_eq!(consents.consents_of(&phone(1), 10).await.unwrap().len(), 1);
}

/// As they were set last.
pub async fn consent_settings_are_kept(world: World) {
    let home = world.home(0).await;
    let consents = home.tenant.consents();
    assert_eq!(consents.consent_settings().await.unwrap(), Settings::default());
    let settings = |word: &str| Settings {
        stop_words: vec![word.into()],
        start_words: vec![],
        confirmation: Confirmation::Text("Bye".into()),
    };
    let (one, two) = (settings("one"), settings("two"));
    let key = home.key(1, 1);
    assert!(consents.set_consent_settings(&one, Some(&key), home.now()).await.unwrap());
    assert!(consents.set_consent_settings(&two, None, home.now()).await.unwrap());
    assert!(consents.set_consent_settings(&one, Some(&key), home.now()).await.unwrap(), "a repeat");
    assert!(!consents.set_consent_settings(&one, Some(&home.key(1, 2)), home.now()).await.unwrap());
    assert_eq!(consents.consent_settings().await.unwrap(), two);
}
