//! What belongs to no tenant.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use hantar_domain::ids::{TokenId, UserId};
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Abilities, Token, TokenHash};
use hantar_domain::user::{Email, Role, User};
use hantar_usecases::ports::{Clock as _, FoundVersion, Founding, Sequence, WebSession};

use super::World;
use super::world::SHARDS;

/// In blocks and alone, at once.
pub async fn numbers_are_never_given_twice(world: World) {
    let home = world.home(0).await;
    let sequence = Sequence::Messages(home.account);
    assert_eq!(world.fleet.reserve(sequence, 10).await.unwrap(), 1);
    assert_eq!(world.fleet.reserve(sequence, 1).await.unwrap(), 11);
    let blocks = join_all((0..20).map(|_| world.fleet.reserve(sequence, 5))).await;
    let numbers: BTreeSet<_> =
        blocks.into_iter().flat_map(|first| first.map(|first| first..first + 5).unwrap()).collect();
    assert_eq!((numbers.len(), numbers.first()), (100, Some(&12)));
    let other = world.home(0).await;
    assert_eq!(world.fleet.reserve(Sequence::Messages(other.account), 1).await.unwrap(), 1);
    assert_eq!(world.fleet.reserve(Sequence::Endpoints(home.account), 1).await.unwrap(), 1);
}

/// Whoever asks for another one later.
pub async fn the_first_number_of_shards_stays(world: World) {
    assert_eq!(world.fleet.shard_count(SHARDS + 1).await.unwrap(), SHARDS);
    world.fleet.prepare().await.unwrap();
    assert_eq!(world.fleet.shard_count(SHARDS).await.unwrap(), SHARDS);
}

/// A repeat founds nothing more.
pub async fn an_account_is_founded_whole_and_once(world: World) {
    let founding = world.founding(42).await;
    for _ in 0..2 {
        assert!(world.fleet.found(&founding).await.unwrap());
    }
    let (id, tenant) = (founding.account.id, world.tenants.for_account(founding.account.id));
    assert_eq!(tenant.account().await.unwrap(), Some(founding.account));
    assert_eq!(tenant.wrapped_key().await.unwrap(), Some(founding.wrapped_key));
    assert_eq!(tenant.user(founding.owner.id).await.unwrap().as_ref(), Some(&founding.owner));
    assert_eq!(tenant.devices().await.unwrap(), [founding.device]);
    let balance = tenant.balance().await.unwrap();
    assert!(balance.is_sound() && balance.available == 42);
    assert_eq!(world.fleet.user_by_email(&founding.owner.email).await.unwrap(), Some((id, founding.owner.id)));
    assert!(world.fleet.accounts().await.unwrap().contains(&id));
}

/// In the whole installation.
pub async fn an_address_belongs_to_one_user(world: World) {
    let home = world.home(0).await;
    let taken = home.founding.owner.email.clone();
    let second = world.founding(5).await;
    let second = Founding { owner: User { email: taken.clone(), ..second.owner.clone() }, ..second };
    assert!(!world.fleet.found(&second).await.unwrap());
    assert_eq!(world.tenants.for_account(second.account.id).account().await.unwrap(), None, "nothing is half written");
    let id = UserId(world.number(Sequence::Users).await);
    let email = Email::parse(&format!("second{id}@example.com")).unwrap();
    let user = User { id, account: home.account, email, verified_at: None, role: Role::Agent, signed_out_at: None };
    assert!(!world.fleet.add_user(&User { email: taken, ..user.clone() }).await.unwrap());
    assert!(world.fleet.add_user(&user).await.unwrap());
    assert!(world.fleet.add_user(&user).await.unwrap(), "a repeat is no conflict");
    assert_eq!(home.tenant.user(id).await.unwrap(), Some(user.clone()));
    assert_eq!(world.fleet.user_by_email(&user.email).await.unwrap(), Some((home.account, id)));
}

fn hash(world: &World, salt: u8) -> TokenHash {
    let mut hash = [salt; 32];
    hash[..8].copy_from_slice(&world.clock.now().0.to_be_bytes());
    TokenHash(hash)
}

/// A token of the owner that may do everything.
pub(super) fn token(home: &super::Home, id: TokenId) -> Token {
    Token {
        id,
        account: home.account,
        user: home.founding.owner.id,
        name: "CI".into(),
        abilities: Abilities::all(),
        expires_at: None,
        last_used_at: None,
        created_at: home.now(),
        by_sign_in: false,
    }
}

/// And by no other.
pub async fn a_token_is_found_by_its_hash(world: World) {
    let home = world.home(0).await;
    let some = Abilities::from_names(["messages:send".to_owned(), "gateway".to_owned()]).unwrap();
    for (salt, abilities, expires_at) in [(1, Abilities::all(), None), (2, some, Some(home.now()))] {
        let id = TokenId(world.number(Sequence::Tokens).await);
        let token = Token { abilities, expires_at, by_sign_in: salt == 2, ..token(&home, id) };
        let hash = hash(&world, salt);
        world.fleet.put_token(&token, &hash).await.unwrap();
        assert_eq!(world.fleet.token(&hash).await.unwrap(), Some(token));
    }
    assert_eq!(world.fleet.token(&hash(&world, 3)).await.unwrap(), None);
}

/// And a token that is gone is not made anew by its use.
pub async fn the_use_of_a_token_is_noted_now_and_then(world: World) {
    let home = world.home(0).await;
    let id = TokenId(world.number(Sequence::Tokens).await);
    let token = Token { last_used_at: Some(home.now()), ..token(&home, id) };
    let (hash, first) = (hash(&world, 4), token.last_used_at.unwrap());
    world.fleet.put_token(&token, &hash).await.unwrap();
    let note = async |at: Timestamp, unless_since: Timestamp| {
        world.fleet.note_token_use(&hash, at, unless_since).await.unwrap();
        world.fleet.token(&hash).await.unwrap().unwrap()
    };
    let later = first + Duration::from_mins(1);
    assert_eq!(note(later, first - Duration::from_micros(1)).await, token, "it was used since");
    assert_eq!(note(later, first).await, Token { last_used_at: Some(later), ..token });
    let unknown = self::hash(&world, 5);
    world.fleet.note_token_use(&unknown, later, later).await.unwrap();
    assert_eq!(world.fleet.token(&unknown).await.unwrap(), None);
}

fn session(world: &World, home: &super::Home) -> WebSession {
    let expires_at = world.clock.now() + Duration::from_mins(10);
    WebSession { account: home.account, user: home.founding.owner.id, expires_at }
}

/// Also when two use it at once.
pub async fn a_sign_in_secret_is_used_once(world: World) {
    let home = world.home(0).await;
    let (hash, session) = (hash(&world, 1), session(&world, &home));
    world.fleet.put_sign_in(&hash, &session).await.unwrap();
    let answers = join_all((0..8).map(|_| world.fleet.take_sign_in(&hash))).await;
    let taken: Vec<_> = answers.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken, [session]);
    assert_eq!(world.fleet.web_session(&hash).await.unwrap(), None, "it is no session");
}

/// Whether or not the table has deleted them.
pub async fn sessions_end_by_their_own_expiry(world: World) {
    let home = world.home(0).await;
    let (hash, session) = (hash(&world, 1), session(&world, &home));
    world.fleet.put_web_session(&hash, &session).await.unwrap();
    world.fleet.put_sign_in(&hash, &session).await.unwrap();
    assert_eq!(world.fleet.web_session(&hash).await.unwrap(), Some(session));
    world.clock.pass(Duration::from_secs(601));
    assert_eq!(world.fleet.web_session(&hash).await.unwrap(), None);
    assert_eq!(world.fleet.take_sign_in(&hash).await.unwrap(), None);
}

/// However many ask at once; and again after a while. The item is the installation's, so the cases of it are one case.
pub async fn one_of_many_looks_for_the_client_version_and_the_newest_finding_stays(world: World) {
    let (now, apart) = (world.clock.now(), Duration::from_mins(10));
    let claims = join_all((0..8).map(|_| world.fleet.claim_version_look(now, apart))).await;
    assert_eq!(claims.into_iter().map(Result::unwrap).filter(|mine| *mine).count(), 1);
    assert_eq!(world.fleet.client_version().await.unwrap(), None, "nobody has found one yet");
    assert!(!world.fleet.claim_version_look(now + Duration::from_secs(599), apart).await.unwrap());
    assert!(world.fleet.claim_version_look(now + apart, apart).await.unwrap());
    let found = FoundVersion { version: (2, 3000, 1_050_000_000), found_at: now + apart };
    let older = FoundVersion { version: (2, 3000, 1_049_000_000), found_at: now };
    for finding in [found, older] {
        world.fleet.keep_client_version(&finding).await.unwrap();
    }
    assert_eq!(world.fleet.client_version().await.unwrap(), Some(found));
}
