//! People: how they sign in, who joins, tokens by their numbers, the audit log, the end of an account.

use std::time::Duration;

use futures::future::join_all;
use hantar_domain::audit::{Actor, AuditEntry};
use hantar_domain::ids::{AuditId, InvitationId, TokenId, UserId};
use hantar_domain::invitation::Invitation;
use hantar_domain::token::TokenHash;
use hantar_domain::user::{Email, Role, User};
use hantar_usecases::ports::{
    Clock as _, Closing, Created, Deleted, Earlier, Founding, Joined, Keep, Link, NewPassword, Purpose, Sequence,
    Stands, Work,
};

use super::fleet::token;
use super::{Home, World};

fn hash(world: &World, salt: u8) -> [u8; 32] {
    let mut hash = [salt; 32];
    hash[..8].copy_from_slice(&world.clock.now().0.to_be_bytes());
    hash
}

/// And when two use it at once, one gets it.
pub async fn a_link_leads_somewhere_until_it_is_used_or_ends(world: World) {
    let home = world.home(0).await;
    let (account, user) = (home.account, home.founding.owner.id);
    let email = home.founding.owner.email.clone();
    let purposes = [Purpose::Verify(email), Purpose::Reset, Purpose::Join(InvitationId(7)), Purpose::SecondFactor];
    for (salt, purpose) in (1..).zip(purposes) {
        let hash = TokenHash(hash(&world, salt));
        let link = Link { account, user, purpose, expires_at: home.now() + Duration::from_mins(10) };
        world.fleet.put_link(&hash, &link).await.unwrap();
        assert_eq!(world.fleet.link(&hash).await.unwrap().as_ref(), Some(&link), "looking does not use it up");
        let taken = join_all((0..6).map(|_| world.fleet.take_link(&hash))).await;
        let taken: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(taken, [link]);
        assert_eq!(world.fleet.link(&hash).await.unwrap(), None);
    }
    let late = TokenHash(hash(&world, 9));
    let link = Link { account, user, purpose: Purpose::Reset, expires_at: home.now() + Duration::from_mins(10) };
    world.fleet.put_link(&late, &link).await.unwrap();
    world.clock.pass(Duration::from_secs(601));
    assert_eq!(world.fleet.link(&late).await.unwrap(), None);
    assert_eq!(world.fleet.take_link(&late).await.unwrap(), None);
}

/// However many come at once, and again when the window is over.
pub async fn guesses_are_counted_up_to_their_limit_within_a_window(world: World) {
    let (what, window) = (hash(&world, 1), Duration::from_mins(15));
    let guess = async || world.fleet.count_guess(&what, 5, window, world.clock.now()).await.unwrap();
    for _ in 0..2 {
        let answers = join_all((0..12).map(|_| guess())).await;
        assert_eq!(answers.iter().filter(|wait| wait.is_none()).count(), 5);
        assert!(answers.iter().flatten().all(|wait| *wait <= window && *wait > window / 2));
        world.clock.pass(window);
    }
    guess().await;
    world.fleet.forget_guesses(&what).await.unwrap();
    world.fleet.forget_guesses(&what).await.unwrap();
    let answers = join_all((0..5).map(|_| guess())).await;
    assert!(answers.into_iter().all(|wait| wait.is_none()), "they were forgotten");
}

/// A reset by letter verifies the address; a verified one keeps its time.
pub async fn a_password_is_set_with_the_end_of_what_began_before(world: World) {
    let founding = world.founding(0).await;
    let owner = User { verified_at: None, ..founding.owner.clone() };
    let founding = Founding { password: Some("first".into()), owner: owner.clone(), ..founding };
    assert!(world.fleet.found(&founding).await.unwrap());
    let tenant = world.tenants.for_account(founding.account.id);
    let people = tenant.people();
    assert_eq!(people.login(owner.id).await.unwrap().unwrap().password.as_deref(), Some("first"));
    let at = world.clock.now();
    for by_letter in [false, true] {
        let new = NewPassword { hash: "second".into(), at, by_letter };
        assert!(people.set_password(owner.id, &new, None).await.unwrap());
        let user = tenant.user(owner.id).await.unwrap().unwrap();
        assert_eq!((user.signed_out_at, user.verified_at), (Some(at), by_letter.then_some(at)));
    }
    people.verify_email(owner.id, world.clock.now()).await.unwrap();
    assert_eq!(tenant.user(owner.id).await.unwrap().unwrap().verified_at, Some(at));
    assert_eq!(people.login(owner.id).await.unwrap().unwrap().password.as_deref(), Some("second"));
    let nobody = UserId(world.number(Sequence::Users).await);
    let new = NewPassword { hash: "third".into(), at, by_letter: true };
    assert!(!people.set_password(nobody, &new, None).await.unwrap());
    assert_eq!(people.login(nobody).await.unwrap(), None, "nothing is half written");
    people.verify_email(nobody, at).await.unwrap();
    assert_eq!(tenant.user(nobody).await.unwrap(), None, "nobody is made by being verified");
}

/// A later secret takes the place of an earlier one, and a repeat of the confirmation changes nothing.
pub async fn a_second_factor_counts_once_it_is_confirmed(world: World) {
    let home = world.home(0).await;
    let (people, user) = (home.tenant.people(), home.founding.owner.id);
    assert!(people.want_second_factor(user, b"one", None).await.unwrap());
    assert!(people.want_second_factor(user, b"two", None).await.unwrap());
    assert_eq!(people.login(user).await.unwrap().unwrap().second_factor, None);
    let codes = [[1; 32], [2; 32]];
    assert!(!people.confirm_second_factor(user, b"one", 5, &codes, None).await.unwrap());
    for _ in 0..2 {
        assert!(people.confirm_second_factor(user, b"two", 5, &codes, None).await.unwrap());
    }
    let login = people.login(user).await.unwrap().unwrap();
    assert_eq!((login.second_factor.as_deref(), login.used_step), (Some(&b"two"[..]), 5));
    assert_eq!((login.wanted_factor, login.recovery), (None, codes.to_vec()));
    assert!(people.drop_second_factor(user, None).await.unwrap());
    assert!(people.drop_second_factor(user, None).await.unwrap());
    let login = people.login(user).await.unwrap().unwrap();
    assert_eq!((login.second_factor, login.recovery, login.used_step), (None, vec![], 5), "old codes stay used");
    assert!(!people.use_step(user, 9).await.unwrap(), "there is none to use");
}

/// By one of many who try at once.
pub async fn a_code_is_used_once(world: World) {
    let home = world.home(0).await;
    let (people, user) = (home.tenant.people(), home.founding.owner.id);
    assert!(people.want_second_factor(user, b"one", None).await.unwrap());
    let codes = [[1; 32], [2; 32], [3; 32]];
    assert!(people.confirm_second_factor(user, b"one", 5, &codes, None).await.unwrap());
    let used = join_all((0..6).map(|_| people.use_step(user, 6))).await;
    assert_eq!(used.into_iter().filter(|used| *used.as_ref().unwrap()).count(), 1);
    assert!(!people.use_step(user, 5).await.unwrap(), "an earlier one");
    let rest = [[1; 32], [3; 32]];
    let used = join_all((0..6).map(|_| people.change_recovery(user, &codes, &rest, None))).await;
    assert_eq!(used.into_iter().filter(|used| *used.as_ref().unwrap()).count(), 1);
    assert_eq!(people.login(user).await.unwrap().unwrap().recovery, rest);
}

async fn colleague(world: &World, home: &Home, role: Role) -> User {
    let id = UserId(world.number(Sequence::Users).await);
    let email = Email::parse(&format!("colleague{id}@example.com")).unwrap();
    let user = User { id, account: home.account, email, verified_at: None, role, signed_out_at: None };
    assert!(world.fleet.add_user(&user).await.unwrap());
    user
}

/// And an account has one owner, whatever happens at once.
pub async fn roles_change_from_what_was_seen(world: World) {
    let home = world.home(0).await;
    let (people, owner) = (home.tenant.people(), home.founding.owner.id);
    let (one, two) = (colleague(&world, &home, Role::Agent).await, colleague(&world, &home, Role::Viewer).await);
    for _ in 0..2 {
        assert!(people.change_role(one.id, Role::Agent, Role::Admin, None).await.unwrap(), "a repeat is no conflict");
    }
    assert!(!people.change_role(one.id, Role::Agent, Role::Viewer, None).await.unwrap(), "it was changed since");
    assert!(!people.change_role(one.id, Role::Admin, Role::Owner, None).await.unwrap(), "the owner's is handed over");
    assert!(!people.change_role(owner, Role::Owner, Role::Admin, None).await.unwrap());
    let over = join_all([one.id, two.id].map(|id| people.hand_over(owner, id, None))).await;
    assert_eq!(over.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    let users = people.users().await.unwrap();
    assert_eq!(users.len(), 3);
    let owners: Vec<_> = users.iter().filter(|user| user.role == Role::Owner).collect();
    assert!(owners.len() == 1 && owners[0].id != owner, "{users:?}");
    assert!(people.hand_over(owner, owners[0].id, None).await.unwrap(), "a repeat is no conflict");
}

/// The two together or neither; and a key that is taken stays as it is.
pub async fn a_change_of_people_is_kept_with_its_key(world: World) {
    let home = world.home(0).await;
    let (people, owner) = (home.tenant.people(), home.founding.owner.id);
    let keep = |key, request, number| {
        let sealed = Some(vec![key]);
        Keep { idempotency: home.key(key, request), number, sealed, at: home.now() }
    };
    let stands = async |keep: &Keep| people.stands_for(&keep.idempotency, home.now()).await.unwrap();
    let (first, other) = (keep(1, 1, 7), keep(1, 2, 8));
    assert_eq!(stands(&first).await, Stands::Nothing);
    assert!(people.want_second_factor(owner, b"one", Some(&first)).await.unwrap());
    assert_eq!(stands(&first).await, Stands::Same(Earlier { number: 7, sealed: vec![1] }));
    assert_eq!(stands(&other).await, Stands::Other);
    assert!(!people.want_second_factor(owner, b"two", Some(&other)).await.unwrap());
    let login = people.login(owner).await.unwrap().unwrap();
    assert_eq!(login.wanted_factor.as_deref(), Some(&b"one"[..]), "nothing is written under a key that is taken");
    people.keep(&other).await.unwrap();
    assert_eq!(stands(&other).await, Stands::Other);
    let late = keep(2, 1, 0);
    assert!(!people.confirm_second_factor(owner, b"zero", 5, &[], Some(&late)).await.unwrap());
    assert_eq!(stands(&late).await, Stands::Nothing, "no key is kept without its change");
    people.keep(&late).await.unwrap();
    people.keep(&late).await.unwrap();
    assert_eq!(stands(&late).await, Stands::Same(Earlier { number: 0, sealed: vec![2] }));
}

/// With all that they sign in by; under a key a repeat answers the same.
pub async fn a_removed_person_is_gone_and_the_owner_stays(world: World) {
    let home = world.home(0).await;
    let (people, owner) = (home.tenant.people(), home.founding.owner.id);
    let user = colleague(&world, &home, Role::Agent).await;
    let new = NewPassword { hash: "hash".into(), at: home.now(), by_letter: false };
    assert!(people.set_password(user.id, &new, None).await.unwrap());
    let id = TokenId(world.number(Sequence::Tokens).await);
    let (theirs, hash) = (hantar_domain::token::Token { user: user.id, ..token(&home, id) }, hash(&world, 1));
    world.fleet.put_token(&theirs, &TokenHash(hash)).await.unwrap();
    let key = home.key(1, 1);
    for _ in 0..2 {
        assert_eq!(people.remove_user(user.id, Some(&key), home.now()).await.unwrap(), Deleted::Done);
    }
    let other = home.key(1, 2);
    assert_eq!(people.remove_user(user.id, Some(&other), home.now()).await.unwrap(), Deleted::KeyReused);
    assert_eq!(people.remove_user(user.id, None, home.now()).await.unwrap(), Deleted::Missing);
    assert_eq!(home.tenant.user(user.id).await.unwrap(), None);
    assert_eq!(people.login(user.id).await.unwrap(), None);
    assert_eq!(world.fleet.token(&TokenHash(hash)).await.unwrap(), None);
    assert_eq!(world.fleet.user_by_email(&user.email).await.unwrap(), None, "the address is free");
    assert_ne!(people.remove_user(owner, None, home.now()).await.unwrap(), Deleted::Done);
    assert!(home.tenant.user(owner).await.unwrap().is_some());
}

async fn invitation(world: &World, home: &Home) -> Invitation {
    let id = InvitationId(world.number(Sequence::Invitations(home.account)).await);
    let email = Email::parse(&format!("guest{}-{id}@example.com", home.account)).unwrap();
    let (by, at) = (home.founding.owner.id, home.now());
    Invitation { id, email, role: Role::Agent, by, created_at: at, expires_at: at + Duration::from_hours(1) }
}

/// Those that have ended make room.
pub async fn an_invitation_is_made_once_and_bounded_in_number(world: World) {
    let home = world.home(0).await;
    let people = home.tenant.people();
    let (first, key) = (invitation(&world, &home).await, home.key(1, 1));
    assert_eq!(people.add_invitation(&first, 2, Some(&key)).await.unwrap(), Created::New);
    let second = invitation(&world, &home).await;
    let again = people.add_invitation(&second, 2, Some(&key)).await.unwrap();
    assert_eq!(again, Created::Replayed(Box::new(first.clone())));
    let reused = people.add_invitation(&second, 2, Some(&home.key(1, 2))).await.unwrap();
    assert_eq!(reused, Created::KeyReused);
    assert_eq!(people.add_invitation(&second, 2, None).await.unwrap(), Created::New);
    let third = invitation(&world, &home).await;
    assert_eq!(people.add_invitation(&third, 2, None).await.unwrap(), Created::Full);
    assert_eq!(people.invitations().await.unwrap(), [first, second]);
    world.clock.pass(Duration::from_hours(2));
    let third = invitation(&world, &home).await;
    assert_eq!(people.add_invitation(&third, 2, None).await.unwrap(), Created::New);
    assert_eq!(people.invitations().await.unwrap(), vec![third.clone()]);
    assert_eq!(people.delete_invitation(third.id, None, home.now()).await.unwrap(), Deleted::Done);
    assert_eq!(people.delete_invitation(third.id, None, home.now()).await.unwrap(), Deleted::Missing);
    assert_eq!(people.invitation(third.id).await.unwrap(), None);
}

/// By one of many who try at once; a repeat is no conflict.
pub async fn an_invitation_is_accepted_once_and_whole(world: World) {
    let home = world.home(0).await;
    let people = home.tenant.people();
    let open = invitation(&world, &home).await;
    assert_eq!(people.add_invitation(&open, 9, None).await.unwrap(), Created::New);
    let mut users = Vec::new();
    for _ in 0..4 {
        let id = UserId(world.number(Sequence::Users).await);
        let (email, role) = (open.email.clone(), open.role);
        users.push(User { id, account: home.account, email, verified_at: None, role, signed_out_at: None });
    }
    let joined = join_all(users.iter().map(|user| people.accept_invitation(open.id, user, "hash"))).await;
    let joined: Vec<_> = joined.into_iter().map(Result::unwrap).collect();
    let won: Vec<_> = (0..4).filter(|index| joined[*index] == Joined::Done).collect();
    assert_eq!(won.len(), 1, "{joined:?}");
    let user = &users[won[0]];
    assert_eq!(people.accept_invitation(open.id, user, "hash").await.unwrap(), Joined::Done);
    assert_eq!(home.tenant.user(user.id).await.unwrap().as_ref(), Some(user));
    assert_eq!(people.login(user.id).await.unwrap().unwrap().password.as_deref(), Some("hash"));
    assert_eq!(people.invitation(open.id).await.unwrap(), None);
    assert_eq!(people.users().await.unwrap().len(), 2);
    let late = User { email: Email::parse("late@example.com").unwrap(), ..users[0].clone() };
    assert_eq!(people.accept_invitation(InvitationId(999), &late, "hash").await.unwrap(), Joined::Gone);
    assert_eq!(world.fleet.user_by_email(&late.email).await.unwrap(), None, "nothing is half written");
}

/// With its sealed text under a key; deleted by its number, by its owner or by anybody of the account.
pub async fn tokens_are_listed_and_deleted_by_their_numbers(world: World) {
    let home = world.home(0).await;
    let (people, owner) = (home.tenant.people(), home.founding.owner.id);
    let mut made = Vec::new();
    for salt in 1..4 {
        let id = TokenId(world.number(Sequence::Tokens).await);
        let (token, hash) = (token(&home, id), TokenHash(hash(&world, salt)));
        let key = home.key(salt, 1);
        let stored = people.add_token(&token, &hash, 3, Some((&key, b"sealed"))).await.unwrap();
        assert_eq!(stored, Created::New);
        let another = TokenHash(self::hash(&world, 9));
        let again = people.add_token(&token, &another, 3, Some((&key, b"other"))).await.unwrap();
        assert_eq!(again, Created::Replayed(Box::new((token.clone(), b"sealed".to_vec()))));
        let other = home.key(salt, 2);
        let reused = people.add_token(&token, &another, 3, Some((&other, b"other"))).await.unwrap();
        assert_eq!(reused, Created::KeyReused);
        assert_eq!(world.fleet.token(&hash).await.unwrap().as_ref(), Some(&token));
        made.push((token, hash));
    }
    assert_eq!(people.tokens().await.unwrap(), made.iter().map(|(token, _)| token.clone()).collect::<Vec<_>>());
    let id = TokenId(world.number(Sequence::Tokens).await);
    let full = people.add_token(&token(&home, id), &TokenHash(hash(&world, 8)), 3, None).await.unwrap();
    assert_eq!(full, Created::Full);
    let (first, hash) = &made[0];
    let other = UserId(owner.0 + 1_000_000);
    assert_eq!(people.delete_token(first.id, Some(other), None, home.now()).await.unwrap(), Deleted::Missing);
    let key = home.key(7, 1);
    for _ in 0..2 {
        assert_eq!(people.delete_token(first.id, Some(owner), Some(&key), home.now()).await.unwrap(), Deleted::Done);
    }
    assert_eq!(people.delete_token(first.id, None, None, home.now()).await.unwrap(), Deleted::Missing);
    assert_eq!(world.fleet.token(hash).await.unwrap(), None);
    assert_eq!(people.tokens().await.unwrap().len(), 2);
}

/// Also those of one microsecond.
pub async fn the_audit_log_keeps_every_entry_in_order(world: World) {
    let home = world.home(0).await;
    let people = home.tenant.people();
    let at = home.now();
    let entry = AuditEntry {
        id: AuditId(at.0.cast_unsigned()),
        actor: Actor { user: Some(home.founding.owner.id), token: None, address: Some("192.0.2.1".into()) },
        action: "POST /api/v1/webhooks".into(),
        at,
        status: None,
    };
    let begun = join_all((0..5).map(|_| people.begin_audit(&entry))).await;
    let mut ids: Vec<_> = begun.into_iter().map(Result::unwrap).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..5).map(|more| AuditId(entry.id.0 + more)).collect::<Vec<_>>());
    people.end_audit(ids[1], 201).await.unwrap();
    people.end_audit(AuditId(7), 201).await.unwrap();
    let all = people.audit(None, 10).await.unwrap();
    assert_eq!(all.len(), 5, "an outcome makes no entry");
    assert_eq!(all[4], entry);
    assert_eq!(all[3], AuditEntry { id: ids[1], status: Some(201), ..entry });
    assert_eq!(people.audit(Some(ids[3]), 2).await.unwrap(), all[2..4]);
}

fn closing(home: &Home) -> Closing {
    let (by, email, at) = (home.founding.owner.id, home.founding.owner.email.clone(), home.now());
    Closing { by, email, at, due_at: at + Duration::from_hours(168), begun_at: None }
}

/// With the work that does it.
pub async fn an_account_to_be_deleted_is_noted_once_and_may_stay(world: World) {
    let home = world.home(0).await;
    let people = home.tenant.people();
    let first = closing(&home);
    assert_eq!(people.close(&first, None).await.unwrap(), first);
    let later = Closing { due_at: first.due_at + Duration::from_hours(9), ..closing(&home) };
    assert_eq!(people.close(&later, None).await.unwrap(), first, "the first one counts");
    let due = async || {
        let due = world.fleet.due_work(first.due_at, 1_000).await.unwrap();
        due.into_iter().any(|due| due.account == home.account && due.work == Work::Erase)
    };
    assert!(due().await);
    assert!(people.reopen(None).await.unwrap());
    assert!(!people.reopen(None).await.unwrap());
    assert!(!due().await);
    let key = home.key(3, 1);
    for wanted in [&first, &later] {
        assert_eq!(people.close(wanted, Some(&key)).await.unwrap(), first);
        let due = u64::try_from(first.due_at.0).unwrap();
        let stands = people.stands_for(&key, home.now()).await.unwrap();
        assert_eq!(stands, Stands::Same(Earlier { number: due, sealed: vec![] }));
    }
    assert!(people.reopen(None).await.unwrap());
    assert_eq!(people.closing().await.unwrap(), None);
    assert_eq!(people.begin_erasing(home.now()).await.unwrap(), None);
    people.close(&first, None).await.unwrap();
    let begun = home.now();
    assert_eq!(people.begin_erasing(begun).await.unwrap(), Some(begun));
    assert_eq!(people.begin_erasing(home.now()).await.unwrap(), Some(begun));
    assert!(!people.reopen(None).await.unwrap());
}

/// In steps, and again from wherever it was left.
pub async fn an_account_is_erased_step_by_step(world: World) {
    let home = world.home(20).await;
    let neighbour = world.home(20).await;
    let people = home.tenant.people();
    colleague(&world, &home, Role::Agent).await;
    let open = invitation(&world, &home).await;
    people.add_invitation(&open, 9, None).await.unwrap();
    let (id, secret) = (TokenId(world.number(Sequence::Tokens).await), TokenHash(hash(&world, 1)));
    world.fleet.put_token(&token(&home, id), &secret).await.unwrap();
    for _ in 0..6 {
        home.accepted().await;
        neighbour.accepted().await;
    }
    people.close(&closing(&home), None).await.unwrap();
    people.begin_erasing(home.now()).await.unwrap();
    for _ in 0..2 {
        people.shut_out().await.unwrap();
    }
    assert_eq!(world.fleet.token(&secret).await.unwrap(), None);
    assert_eq!(home.tenant.user(home.founding.owner.id).await.unwrap(), None);
    assert_eq!(world.fleet.user_by_email(&home.founding.owner.email).await.unwrap(), None);
    let mut steps = 0;
    while !people.erase_some(4).await.unwrap() {
        steps += 1;
        assert!(steps < 100, "it never ends");
    }
    assert!(steps > 2, "{steps}");
    assert!(people.erase_some(4).await.unwrap(), "nothing is left");
    assert_eq!(home.tenant.devices().await.unwrap(), []);
    assert_eq!(home.line().await, []);
    assert!(home.tenant.account().await.unwrap().is_some() && people.closing().await.unwrap().is_some());
    for _ in 0..2 {
        people.erase_account().await.unwrap();
    }
    assert_eq!(home.tenant.account().await.unwrap(), None);
    assert_eq!(people.closing().await.unwrap(), None);
    assert!(!world.fleet.accounts().await.unwrap().contains(&home.account));
    assert_eq!(neighbour.line().await.len(), 6);
    assert_eq!(neighbour.tenant.people().users().await.unwrap().len(), 1);
}
