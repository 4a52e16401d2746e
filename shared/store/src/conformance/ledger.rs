//! Movements of credits that no message stands for, and what is told of a low balance.

use std::time::Duration;

use hantar_domain::ids::UserId;
use hantar_domain::ledger::{Cause, Movement};
use hantar_domain::user::{Email, Role, User};
use hantar_usecases::ports::Warning;

use super::{Home, World};

async fn noted(home: &Home) -> Vec<(i64, Cause)> {
    let all = home.tenant.ledger().noted(None, 100).await.unwrap();
    all.into_iter().map(|movement| (movement.credits, movement.cause)).collect()
}

/// Messages are in no need of it.
pub async fn what_moves_credits_without_a_message_is_noted_the_latest_first(world: World) {
    let home = world.home(10).await;
    let grant = |name: &str| Cause::Grant(name.to_owned());
    home.tenant.grant(5, "one#two", home.now()).await.unwrap();
    home.accepted().await;
    home.tenant.grant(7, "three", home.now()).await.unwrap();
    assert_eq!(noted(&home).await, [(7, grant("three")), (5, grant("one#two")), (10, Cause::Opening)]);
    let nothing = world.home(0).await;
    assert_eq!(noted(&nothing).await, []);
}

/// Also when the second comes at another time.
pub async fn a_grant_is_noted_once_by_its_name(world: World) {
    let home = world.home(0).await;
    for _ in 0..3 {
        home.tenant.grant(5, "once", home.now()).await.unwrap();
    }
    assert_eq!(noted(&home).await, [(5, Cause::Grant("once".into()))]);
}

/// In whatever strides.
pub async fn noted_movements_come_page_by_page_without_gaps(world: World) {
    let home = world.home(1).await;
    for number in 0..9 {
        home.tenant.grant(number + 1, &format!("g{number}"), home.now()).await.unwrap();
    }
    for stride in [1, 3, 10, 11] {
        let (mut seen, mut before): (Vec<Movement>, Option<Movement>) = (vec![], None);
        loop {
            let page = home.tenant.ledger().noted(before.as_ref(), stride).await.unwrap();
            assert!(page.len() <= stride);
            let Some(last) = page.last() else { break };
            before = Some(last.clone());
            seen.extend(page);
        }
        assert_eq!((seen.len(), seen.iter().map(|movement| movement.credits).sum::<i64>()), (10, 46), "{stride}");
        assert!(seen.windows(2).all(|pair| pair[0].at > pair[1].at), "{stride}");
    }
}

/// Until it is high, or credits come in.
pub async fn what_was_told_of_a_low_balance_is_remembered(world: World) {
    let home = world.home(10).await;
    let ledger = || home.tenant.ledger();
    let warning = async || ledger().warning().await.unwrap();
    let bare = Warning { available: 10, threshold: 0, told: 0, is_told: false, letter_at: None };
    assert_eq!(warning().await, bare);
    assert!(ledger().warn_below(11, None, home.now()).await.unwrap());
    assert_eq!(warning().await, Warning { threshold: 11, ..bare });
    for _ in 0..2 {
        ledger().note_told(1).await.unwrap();
    }
    assert_eq!(warning().await, Warning { threshold: 11, told: 1, is_told: true, ..bare });
    ledger().note_high(7).await.unwrap();
    assert!(warning().await.is_told, "that was of another time");
    ledger().note_high(1).await.unwrap();
    ledger().note_told(1).await.unwrap();
    assert!(!warning().await.is_told, "a late repeat of the first time tells nothing");
    ledger().note_told(2).await.unwrap();
    home.tenant.grant(1, "more", home.now()).await.unwrap();
    assert_eq!(warning().await, Warning { available: 11, threshold: 11, told: 2, ..bare });
    let at = home.now() + Duration::from_secs(1);
    ledger().note_letter(at).await.unwrap();
    assert_eq!(warning().await.letter_at, Some(at));
    home.has(11, 0, 0).await;
}

/// A key stands for one request.
pub async fn a_threshold_is_set_once_by_its_key(world: World) {
    let home = world.home(0).await;
    let (key, other) = (home.key(1, 1), home.key(1, 2));
    let set = async |threshold, key| home.tenant.ledger().warn_below(threshold, Some(key), home.now()).await.unwrap();
    assert!(set(5, &key).await);
    assert!(home.tenant.ledger().warn_below(6, None, home.now()).await.unwrap());
    assert!(set(5, &key).await);
    assert!(!set(7, &other).await);
    assert_eq!(home.tenant.ledger().warning().await.unwrap().threshold, 6);
}

/// And nobody else.
pub async fn owners_are_found_among_the_people(world: World) {
    let home = world.home(0).await;
    let id = UserId(world.number(hantar_usecases::ports::Sequence::Users).await);
    let email = Email::parse(&format!("agent{id}@example.com")).unwrap();
    let agent = User { id, account: home.account, email, verified_at: None, role: Role::Agent, signed_out_at: None };
    assert!(world.fleet.add_user(&agent).await.unwrap());
    assert_eq!(home.tenant.ledger().owners().await.unwrap(), vec![home.founding.owner.clone()]);
}
