//! People: signing up and in, letters, passwords, second factors, roles, tokens, the audit log, the end of an account.
//! Through the routes, over the real store.

use std::time::Duration;

use hantar_domain::audit::{Actor, AuditEntry};
use hantar_domain::ids::{AuditId, UserId};
use hantar_domain::second_factor::{SECRET_BYTES, TotpSecret};
use hantar_domain::token::Abilities;
use hantar_domain::user::{Email, Role};
use hantar_usecases::create_token::{NewToken, create_token};
use hantar_usecases::ports::{Clock as _, Letter, Work};
use serde_json::{Value, json};

use crate::door::{Door, PAGES, token_with};
use crate::home::{Home, draft};
use crate::world::World;

const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "an entirely new phrase";

/// A world, and somebody in front of it who has no account yet.
struct Street {
    world: World,
    home: Home,
    door: Door,
}

impl Street {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed).await;
        let home = world.home(10).await;
        let door = Door::of(&home).await;
        Self { world, home, door }
    }

    /// Asks without a token.
    async fn ask(&self, path: &str, body: Value) -> crate::door::Answer {
        let headers = [("content-type", "application/json")];
        self.door.raw("POST", &format!("/api/v1/auth/{path}"), &headers, body.to_string().into_bytes()).await
    }

    fn letters(&self) -> Vec<Letter> {
        self.home.process.mailbox.take()
    }

    /// The only letter that was sent, and the secret in it.
    fn letter(&self) -> (Letter, String) {
        let mut letters = self.letters();
        assert_eq!(letters.len(), 1, "{letters:?}");
        let letter = letters.remove(0);
        let secret = secret_in(&letter);
        (letter, secret)
    }

    async fn give_password(&self) {
        self.home.give_password(PASSWORD).await;
    }

    async fn sign_in(&self, email: &str, password: &str) -> crate::door::Answer {
        self.ask("sign-in", json!({ "email": email, "password": password })).await
    }

    /// Somebody who joined in this role, with a token of theirs.
    async fn member(&self, name: &str, role: &str) -> (u64, Door) {
        let email = format!("{name}@example.com");
        let asked = self.door.post("/api/v1/invitations", &json!({ "email": email, "role": role })).await;
        assert_eq!(asked.code(), 201, "{}", asked.json());
        let (_, secret) = self.letter();
        let joined = self.ask("accept-invitation", json!({ "token": secret, "password": PASSWORD })).await;
        assert_eq!(joined.code(), 201, "{}", joined.json());
        let entered = self.sign_in(&email, PASSWORD).await.data();
        let door = self.door.with_token(entered["token"]["token"].as_str().unwrap().to_owned());
        (joined.data()["id"].as_u64().unwrap(), door)
    }
}

fn secret_in(letter: &Letter) -> String {
    let after = letter.text.split_once("?secret=").map(|(_, after)| after).unwrap_or_default();
    after.split_whitespace().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn somebody_signs_up_confirms_the_address_and_signs_in() {
    let street = Street::new(501).await;
    let new = json!({ "email": "Siti@Example.com", "password": PASSWORD, "account": "Kedai Siti" });
    street.ask("sign-up", new).await.is("auth/sign_up");
    let (letter, secret) = street.letter();
    assert_eq!(letter.to.as_str(), "siti@example.com");
    assert!(letter.text.contains(&format!("{PAGES}/verify-email?secret=")), "{}", letter.text);
    let entered = street.sign_in("siti@example.com", PASSWORD).await;
    entered.is("auth/sign_in");
    let siti = street.door.with_token(entered.data()["token"]["token"].as_str().unwrap().to_owned());
    assert_eq!(siti.post("/api/v1/messages/send", &json!({ "phone": "0123456789", "body": "Hi" })).await.code(), 403);
    let confirm = |password: &str| street.ask("verify-email", json!({ "token": secret, "password": password }));
    confirm(OTHER).await.is("auth/verify_email_wrong_password");
    for _ in 0..2 {
        confirm(PASSWORD).await.is("auth/verify_email");
    }
    let sent = siti.post("/api/v1/messages/send", &json!({ "phone": "0123456789", "body": "Hi" })).await;
    assert_eq!(sent.code(), 402, "verified, and without credits");
    siti.get("/api/v1/auth/me").await.is("auth/me");
    assert_eq!(siti.post("/api/v1/auth/sign-out", &json!({})).await.code(), 204);
    assert_eq!(siti.get("/api/v1/auth/me").await.code(), 401);
}

#[tokio::test]
async fn no_answer_tells_whether_an_address_is_known() {
    let street = Street::new(502).await;
    let both = |path: &'static str, more: Value| {
        let street = &street;
        async move {
            let mut answers = Vec::new();
            for email in ["owner0@example.com", "nobody@example.com"] {
                let mut body = more.clone();
                body["email"] = json!(email);
                let answer = street.ask(path, body).await;
                answers.push((answer.code(), String::from_utf8(answer.bytes).unwrap()));
            }
            assert_eq!(answers[0], answers[1], "{path}");
            answers.remove(0)
        }
    };
    for (path, more, code) in [
        ("sign-up", json!({ "password": PASSWORD }), 202),
        ("forgot-password", json!({}), 202),
        ("resend-verification", json!({}), 202),
        ("sign-in", json!({ "password": OTHER }), 422),
        ("sign-up", json!({ "password": "short" }), 422),
    ] {
        assert_eq!(both(path, more).await.0, code, "{path}");
    }
    let known: Vec<_> =
        street.letters().into_iter().filter(|letter| letter.to.as_str() == "owner0@example.com").collect();
    let subjects: Vec<_> = known.iter().map(|letter| letter.subject.as_str()).collect();
    assert_eq!(subjects, ["You have an account already", "Choose a new password"]);
}

#[tokio::test]
async fn an_account_made_with_anothers_address_is_never_confirmed_by_its_letter_alone() {
    let street = Street::new(503).await;
    street.ask("sign-up", json!({ "email": "victim@example.com", "password": "the attackers own" })).await;
    let (_, secret) = street.letter();
    // The victim signs up later with a password of their own, and uses what the letters say.
    street.ask("sign-up", json!({ "email": "victim@example.com", "password": PASSWORD })).await;
    let (_, second) = street.letter();
    for secret in [secret, second] {
        let answer = street.ask("verify-email", json!({ "token": secret, "password": PASSWORD })).await;
        assert_eq!(answer.code(), 422);
    }
    street.ask("forgot-password", json!({ "email": "victim@example.com" })).await;
    let (_, reset) = street.letter();
    let mine = street.ask("reset-password", json!({ "token": reset, "password": OTHER })).await;
    assert_eq!(mine.code(), 200, "{}", mine.json());
    assert!(mine.data()["email_verified_at"].is_string(), "the letter proved the address");
    assert_eq!(street.sign_in("victim@example.com", "the attackers own").await.code(), 422);
    assert_eq!(street.sign_in("victim@example.com", OTHER).await.code(), 200);
}

#[tokio::test]
async fn a_new_password_signs_everybody_out_but_programs() {
    let street = Street::new(504).await;
    street.give_password().await;
    let entered = street.sign_in("owner0@example.com", PASSWORD).await.data();
    let browser = street.door.with_token(entered["token"]["token"].as_str().unwrap().to_owned());
    assert_eq!(browser.get("/api/v1/auth/me").await.code(), 200);
    street.ask("forgot-password", json!({ "email": "owner0@example.com" })).await.is("auth/forgot_password");
    let (letter, secret) = street.letter();
    assert!(letter.text.contains("/reset-password?secret="), "{}", letter.text);
    street.ask("reset-password", json!({ "token": secret, "password": "password12" })).await.is("auth/weak_password");
    let set = street.ask("reset-password", json!({ "token": secret, "password": OTHER })).await;
    set.is("auth/reset_password");
    assert_eq!(street.letters().len(), 1, "they are told");
    street.ask("reset-password", json!({ "token": secret, "password": OTHER })).await.is("auth/link_used");
    assert_eq!(browser.get("/api/v1/auth/me").await.code(), 401);
    assert_eq!(street.door.get("/api/v1/auth/me").await.code(), 200, "a token that was made for a program");
    assert_eq!(street.sign_in("owner0@example.com", PASSWORD).await.code(), 422);
    let change = |old: &str| {
        street.door.ask_owned(
            "POST",
            "/api/v1/auth/change-password",
            json!({ "current_password": old, "password": PASSWORD }),
        )
    };
    change(PASSWORD).await.is("auth/change_password_wrong");
    assert_eq!(change(OTHER).await.code(), 204);
    assert_eq!(street.sign_in("owner0@example.com", PASSWORD).await.code(), 200);
}

#[tokio::test]
async fn a_reset_link_works_for_an_hour() {
    let street = Street::new(505).await;
    street.ask("forgot-password", json!({ "email": "owner0@example.com" })).await;
    let (_, secret) = street.letter();
    street.world.clock.advance(Duration::from_hours(1));
    let late = street.ask("reset-password", json!({ "token": secret, "password": OTHER })).await;
    assert_eq!(late.code(), 422);
}

#[tokio::test]
async fn guessing_passwords_is_stopped_for_a_while_and_for_unknown_addresses_too() {
    let street = Street::new(506).await;
    street.give_password().await;
    for email in ["owner0@example.com", "nobody@example.com"] {
        for _ in 0..10 {
            assert_eq!(street.sign_in(email, OTHER).await.code(), 422);
        }
        let stopped = street.sign_in(email, PASSWORD).await;
        assert_eq!((stopped.code(), stopped.headers.contains_key("retry-after")), (429, true), "{email}");
    }
    street.world.clock.advance(Duration::from_mins(16));
    assert_eq!(street.sign_in("owner0@example.com", PASSWORD).await.code(), 200);
    for _ in 0..12 {
        assert_eq!(street.sign_in("owner0@example.com", PASSWORD).await.code(), 200, "right ones are not counted");
    }
}

#[tokio::test]
async fn nobody_gets_letters_without_end() {
    let street = Street::new(507).await;
    let codes: Vec<u16> = {
        let mut codes = Vec::new();
        for _ in 0..7 {
            codes.push(street.ask("forgot-password", json!({ "email": "owner0@example.com" })).await.code());
        }
        codes
    };
    assert_eq!(codes, [202, 202, 202, 202, 202, 429, 429]);
    assert_eq!(street.letters().len(), 5);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_works_once() {
    let street = Street::new(508).await;
    street.give_password().await;
    let begun = street.door.post("/api/v1/auth/two-factor", &json!({ "password": PASSWORD })).await;
    assert_eq!(begun.code(), 200, "{}", begun.json());
    let secret = totp(begun.data()["secret"].as_str().unwrap());
    let url = begun.data()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("otpauth://totp/Hantar:owner0%40example.com?secret="), "{url}");
    let plain = street.sign_in("owner0@example.com", PASSWORD).await.data();
    assert!(plain["token"].is_object(), "it does not count before it is confirmed");
    street.door.post("/api/v1/auth/two-factor/confirm", &json!({ "code": "000000" })).await.is("auth/wrong_code");
    let code = || json!({ "code": secret.code_at(street.home.process.clock.now()) });
    let confirmed = street.door.post("/api/v1/auth/two-factor/confirm", &code()).await;
    let codes: Vec<String> = serde_json::from_value(confirmed.data()["recovery_codes"].clone()).unwrap();
    assert_eq!((confirmed.code(), codes.len()), (200, 8));
    assert_eq!(street.door.post("/api/v1/auth/two-factor", &json!({ "password": PASSWORD })).await.code(), 409);

    let challenge = street.sign_in("owner0@example.com", PASSWORD).await.data();
    assert_eq!((&challenge["two_factor"], &challenge["token"]), (&json!(true), &Value::Null));
    let challenge = challenge["challenge"].clone();
    let show = |mut factor: Value| {
        factor["challenge"] = challenge.clone();
        street.ask("two-factor-challenge", factor)
    };
    assert_eq!(show(code()).await.code(), 422, "this code confirmed the app already");
    street.world.clock.advance(Duration::from_secs(30));
    let entered = show(code()).await;
    assert_eq!(entered.code(), 200, "{}", entered.json());
    assert_eq!(show(json!({ "recovery_code": codes[0] })).await.code(), 422, "the challenge is used up");

    let challenge = street.sign_in("owner0@example.com", PASSWORD).await.data()["challenge"].clone();
    let by_recovery =
        |code: &str| street.ask("two-factor-challenge", json!({ "challenge": challenge, "recovery_code": code }));
    assert_eq!(by_recovery("abcd-abcd-abcd-abcd").await.code(), 422);
    assert_eq!(by_recovery(&codes[3].to_uppercase()).await.code(), 200);
    let challenge = street.sign_in("owner0@example.com", PASSWORD).await.data()["challenge"].clone();
    let again = street.ask("two-factor-challenge", json!({ "challenge": challenge, "recovery_code": codes[3] })).await;
    assert_eq!(again.code(), 422, "it was used");
    let me = street.door.get("/api/v1/auth/me").await.data();
    assert_eq!((&me["two_factor"], &me["recovery_codes_left"]), (&json!(true), &json!(7)));

    let off = street.door.ask("DELETE", "/api/v1/auth/two-factor", Some(&json!({ "password": PASSWORD })), None).await;
    assert_eq!(off.code(), 204);
    assert!(street.sign_in("owner0@example.com", PASSWORD).await.data()["token"].is_object());
}

#[tokio::test]
async fn one_recovery_code_at_many_places_at_once_lets_one_in() {
    let street = Street::new(509).await;
    street.give_password().await;
    let begun = street.door.post("/api/v1/auth/two-factor", &json!({ "password": PASSWORD })).await.data();
    let code = totp(begun["secret"].as_str().unwrap()).code_at(street.home.process.clock.now());
    let codes = street.door.post("/api/v1/auth/two-factor/confirm", &json!({ "code": code })).await.data();
    let mut challenges = Vec::new();
    for _ in 0..4 {
        challenges.push(street.sign_in("owner0@example.com", PASSWORD).await.data()["challenge"].clone());
    }
    let shown = challenges.into_iter().map(|challenge| {
        street
            .ask("two-factor-challenge", json!({ "challenge": challenge, "recovery_code": codes["recovery_codes"][0] }))
    });
    let answers = futures::future::join_all(shown).await;
    assert_eq!(answers.iter().filter(|answer| answer.code() == 200).count(), 1);
}

/// Reads what an app would be shown.
pub(crate) fn totp(base32: &str) -> TotpSecret {
    let (mut bits, mut count, mut bytes) = (0_u64, 0, Vec::new());
    for letter in base32.bytes() {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        bits = bits << 5 | u64::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 255) as u8);
        }
    }
    let bytes: [u8; SECRET_BYTES] = bytes.try_into().unwrap();
    TotpSecret::from_bytes(bytes)
}

#[tokio::test]
async fn people_are_invited_join_and_leave() {
    let street = Street::new(510).await;
    let asked = json!({ "email": "agent@example.com", "role": "agent" });
    let key = Some("invite-1");
    let first = street.door.ask("POST", "/api/v1/invitations", Some(&asked), key).await;
    first.is("people/invite");
    let again = street.door.ask("POST", "/api/v1/invitations", Some(&asked), key).await;
    assert_eq!((again.code(), again.data()["id"].clone()), (201, first.data()["id"].clone()));
    let reused = json!({ "email": "agent@example.com", "role": "viewer" });
    assert_eq!(street.door.ask("POST", "/api/v1/invitations", Some(&reused), key).await.code(), 422);
    let letters = street.letters();
    assert_eq!(letters.len(), 2, "who died before the letter sends it by trying again");
    street.door.get("/api/v1/invitations").await.is("people/invitations");
    street.door.post("/api/v1/invitations", &json!({ "email": "x", "role": "owner" })).await.is("people/invite_wrong");
    let join = |letter: usize| {
        street.ask("accept-invitation", json!({ "token": secret_in(&letters[letter]), "password": PASSWORD }))
    };
    join(0).await.is("people/join");
    assert_eq!(join(1).await.code(), 422, "an invitation is accepted once, by whichever letter");
    street.door.get("/api/v1/users").await.is("people/users");
    let id = street.ask("sign-in", json!({ "email": "agent@example.com", "password": PASSWORD })).await.data();
    let agent = street.door.with_token(id["token"]["token"].as_str().unwrap().to_owned());
    let number = id["user"]["id"].as_u64().unwrap();
    assert_eq!(agent.get("/api/v1/messages").await.code(), 200);
    let path = format!("/api/v1/users/{number}");
    let remove = || street.door.ask("DELETE", &path, None, Some("gone"));
    assert_eq!(remove().await.code(), 204);
    assert_eq!(remove().await.code(), 204, "a repeat under the same key");
    assert_eq!(street.door.delete(&format!("/api/v1/users/{number}")).await.code(), 404);
    assert_eq!(agent.get("/api/v1/messages").await.code(), 401, "at once");
    assert_eq!(street.sign_in("agent@example.com", PASSWORD).await.code(), 422);
    let anew =
        street.door.post("/api/v1/invitations", &json!({ "email": "agent@example.com", "role": "viewer" })).await;
    assert_eq!(anew.code(), 201, "the address is free again");
}

#[tokio::test]
async fn an_invitation_that_is_taken_back_or_late_opens_nothing() {
    let street = Street::new(511).await;
    let asked = street.door.post("/api/v1/invitations", &json!({ "email": "a@example.com", "role": "agent" })).await;
    let (_, secret) = street.letter();
    let path = format!("/api/v1/invitations/{}", asked.data()["id"]);
    assert_eq!(street.door.post(&format!("{path}/resend"), &json!({})).await.code(), 200);
    let (_, second) = street.letter();
    assert_eq!(street.door.delete(&path).await.code(), 204);
    street.door.delete(&path).await.is("people/no_invitation");
    for secret in [secret, second] {
        assert_eq!(street.ask("accept-invitation", json!({ "token": secret, "password": PASSWORD })).await.code(), 422);
    }
    street.door.post("/api/v1/invitations", &json!({ "email": "b@example.com", "role": "agent" })).await;
    let (_, late) = street.letter();
    street.world.clock.advance(Duration::from_hours(7 * 24));
    assert_eq!(street.ask("accept-invitation", json!({ "token": late, "password": PASSWORD })).await.code(), 422);
}

#[tokio::test]
async fn whoever_invites_an_address_does_not_learn_that_it_is_known() {
    let street = Street::new(512).await;
    let neighbour = street.world.home(0).await;
    let owner = neighbour.tenant().user(neighbour.owner).await.unwrap().unwrap();
    let mut shapes = Vec::new();
    for email in [owner.email.as_str(), "nobody@example.com"] {
        let mut answer =
            street.door.post("/api/v1/invitations", &json!({ "email": email, "role": "agent" })).await.data();
        (answer["email"], answer["id"]) = (Value::Null, Value::Null);
        (answer["created_at"], answer["expires_at"]) = (Value::Null, Value::Null);
        shapes.push(answer);
    }
    assert_eq!(shapes[0], shapes[1]);
    let letters = street.letters();
    assert!(letters[0].text.contains("has an account of its own") && secret_in(&letters[0]).is_empty());
    assert!(!secret_in(&letters[1]).is_empty());
}

#[tokio::test]
async fn each_role_may_what_the_table_says_and_no_token_goes_beyond_its_person() {
    let street = Street::new(513).await;
    let (_, viewer) = street.member("viewer", "viewer").await;
    let (_, agent) = street.member("agent", "agent").await;
    let (_, admin) = street.member("admin", "admin").await;
    let send = json!({ "phone": "0123456789", "body": "Hi" });
    let hook = json!({ "url": "https://example.com/hook" });
    let invite = json!({ "email": "x@example.com", "role": "viewer" });
    for (door, allowed) in
        [(&viewer, [200, 403, 403, 403, 403]), (&agent, [200, 202, 403, 403, 403]), (&admin, [200, 202, 201, 201, 403])]
    {
        let codes = [
            door.get("/api/v1/messages").await.code(),
            door.post("/api/v1/messages/send", &send).await.code(),
            door.post("/api/v1/webhooks", &hook).await.code(),
            door.post("/api/v1/invitations", &invite).await.code(),
            door.ask("DELETE", "/api/v1/account", Some(&json!({ "password": PASSWORD })), None).await.code(),
        ];
        assert_eq!(codes, allowed);
    }
    viewer.post("/api/v1/messages/send", &send).await.is("people/role_forbids");
    let all = viewer.post("/api/v1/tokens", &json!({ "name": "mine" })).await.data();
    let program = street.door.with_token(all["token"].as_str().unwrap().to_owned());
    assert_eq!(program.post("/api/v1/messages/send", &send).await.code(), 403, "whatever its own abilities say");
}

#[tokio::test]
async fn a_changed_role_counts_at_once_and_the_owner_stays_unless_handed_over() {
    let street = Street::new(514).await;
    street.give_password().await;
    let (id, member) = street.member("member", "viewer").await;
    let send = json!({ "phone": "0123456789", "body": "Hi" });
    assert_eq!(member.post("/api/v1/messages/send", &send).await.code(), 403);
    let path = format!("/api/v1/users/{id}");
    street.door.put(&path, &json!({ "role": "agent" })).await.is("people/change_role");
    assert_eq!(member.post("/api/v1/messages/send", &send).await.code(), 202);
    let own = format!("/api/v1/users/{}", street.home.owner);
    street.door.put(&own, &json!({ "role": "admin" })).await.is("people/owner_stays");
    assert_eq!(street.door.delete(&own).await.code(), 409);
    street.door.put(&path, &json!({ "role": "owner" })).await.is("people/wrong_role");
    let over = format!("{path}/make-owner");
    let hand_over = |password: &str| street.door.ask_owned("POST", &over, json!({ "password": password }));
    assert_eq!(hand_over(OTHER).await.code(), 422);
    assert_eq!(hand_over(PASSWORD).await.data()["role"], "owner");
    let roles: Vec<_> = street.home.tenant().people().users().await.unwrap().iter().map(|user| user.role).collect();
    assert_eq!(roles, [Role::Admin, Role::Owner], "one owner, always");
    assert_eq!(hand_over(PASSWORD).await.code(), 403, "who gave it away has it no more");
}

#[tokio::test]
async fn two_who_are_made_owner_at_once_leave_one() {
    let street = Street::new(515).await;
    let (one, _) = street.member("one", "admin").await;
    let (two, _) = street.member("two", "admin").await;
    let tenant = street.home.tenant();
    let people = tenant.people();
    let over = [one, two].map(|id| people.hand_over(street.home.owner, UserId(id), None));
    let over = futures::future::join_all(over).await;
    assert_eq!(over.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    let owners = people.users().await.unwrap().into_iter().filter(|user| user.role == Role::Owner).count();
    assert_eq!(owners, 1);
}

#[tokio::test]
async fn tokens_are_made_once_listed_without_their_texts_and_deleted() {
    let street = Street::new(516).await;
    let asked = json!({ "name": "CI", "abilities": ["messages:read"], "expires_at": "2026-12-31T00:00:00Z" });
    let key = Some("token-1");
    let made = street.door.ask("POST", "/api/v1/tokens", Some(&asked), key).await;
    made.is("people/token_made");
    let again = street.door.ask("POST", "/api/v1/tokens", Some(&asked), key).await;
    assert_eq!(again.data(), made.data(), "a repeat shows the very same one");
    let reused = street.door.ask("POST", "/api/v1/tokens", Some(&json!({ "name": "other" })), key).await;
    assert_eq!(reused.code(), 422);
    street.door.get("/api/v1/tokens").await.is("people/tokens");
    let ci = street.door.with_token(made.data()["token"].as_str().unwrap().to_owned());
    assert_eq!(ci.get("/api/v1/messages").await.code(), 200);
    assert_eq!(ci.get("/api/v1/tokens").await.code(), 403);
    street
        .door
        .post("/api/v1/tokens", &json!({ "abilities": ["fly"], "expires_at": "2020-01-01" }))
        .await
        .is("people/token_wrong");
    let path = format!("/api/v1/tokens/{}", made.data()["id"]);
    for _ in 0..2 {
        assert_eq!(street.door.ask("DELETE", &path, None, Some("token-2")).await.code(), 204);
    }
    street.door.delete(&path).await.is("people/no_token");
    assert_eq!(ci.get("/api/v1/messages").await.code(), 401);
}

#[tokio::test]
async fn a_token_makes_none_that_may_do_more() {
    let street = Street::new(517).await;
    let some = Abilities::from_names(["tokens:*".to_owned(), "messages:read".to_owned()]).unwrap();
    let limited = street.door.with_token(token_with(&street.home, some).await);
    limited.post("/api/v1/tokens", &json!({ "name": "all" })).await.is("people/token_beyond");
    let within = json!({ "name": "some", "abilities": ["messages:read"] });
    assert_eq!(limited.post("/api/v1/tokens", &within).await.code(), 201);
}

#[tokio::test]
async fn agents_see_and_delete_their_own_tokens_alone() {
    let street = Street::new(518).await;
    let (_, agent) = street.member("agent", "agent").await;
    let mine = agent.post("/api/v1/tokens", &json!({ "name": "mine" })).await.data();
    let seen = agent.get("/api/v1/tokens").await.data();
    assert!(seen.as_array().unwrap().iter().all(|token| token["user_id"] == mine["user_id"]), "{seen}");
    let all = street.door.get("/api/v1/tokens").await.data();
    let other = all.as_array().unwrap().iter().find(|token| token["user_id"] != mine["user_id"]).unwrap();
    assert_eq!(agent.delete(&format!("/api/v1/tokens/{}", other["id"])).await.code(), 404);
    assert_eq!(agent.delete(&format!("/api/v1/tokens/{}", mine["id"])).await.code(), 204);
}

#[tokio::test]
async fn people_of_another_account_are_not_there() {
    let street = Street::new(519).await;
    street.give_password().await;
    let neighbour = street.world.home(0).await;
    let next_door = Door::of(&neighbour).await;
    let asked =
        next_door.post("/api/v1/invitations", &json!({ "email": "n@example.com", "role": "agent" })).await.data();
    let token = next_door.post("/api/v1/tokens", &json!({ "name": "n" })).await.data();
    let (user, password) = (neighbour.owner, json!({ "password": PASSWORD }));
    for (method, path, body) in [
        ("GET", format!("users/{user}"), None),
        ("PUT", format!("users/{user}"), Some(json!({ "role": "agent" }))),
        ("DELETE", format!("users/{user}"), None),
        ("POST", format!("users/{user}/make-owner"), Some(password)),
        ("DELETE", format!("invitations/{}", asked["id"].as_u64().unwrap() + 100), None),
        ("POST", format!("invitations/{}/resend", asked["id"]), None),
        ("DELETE", format!("tokens/{}", token["id"]), None),
    ] {
        let answer = street.door.ask(method, &format!("/api/v1/{path}"), body.as_ref(), None).await;
        assert_eq!(answer.code(), 404, "{method} {path}: {}", answer.json());
    }
    assert_eq!(next_door.get("/api/v1/users").await.data()[0]["role"], "owner", "nothing happened to them");
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_with_who_began_it_and_how_it_ended() {
    let street = Street::new(520).await;
    street.give_password().await;
    street.sign_in("owner0@example.com", OTHER).await;
    let made = street.door.post("/api/v1/webhooks", &json!({ "url": "https://example.com/hook" })).await.data();
    street.door.delete(&format!("/api/v1/webhooks/{}", made["id"])).await;
    street.door.post("/api/v1/webhooks", &json!({})).await;
    street.door.post("/api/v1/messages/send", &json!({ "phone": "0123456789", "body": "Hi" })).await;
    street.door.get("/api/v1/messages").await;
    street.door.get("/api/v1/audit-log").await.is("people/audit_log");
    let first = street.door.get("/api/v1/audit-log?per_page=2").await.json();
    let next = first["links"]["next"].as_str().unwrap().split_once("8080").unwrap().1.to_owned();
    let second = street.door.get(&next).await.json();
    let by_number = street.door.get("/api/v1/audit-log?per_page=2&page=2").await.json();
    assert_eq!(second["data"], by_number["data"]);
    assert_eq!(second["links"]["next"], Value::Null);
}

#[tokio::test]
async fn a_change_whose_process_died_is_shown_without_an_outcome() {
    let street = Street::new(521).await;
    let at = street.home.process.clock.now();
    let entry = AuditEntry {
        id: AuditId(u64::try_from(at.0).unwrap()),
        actor: Actor { user: Some(street.home.owner), ..Actor::default() },
        action: "POST /api/v1/webhooks".into(),
        at,
        status: None,
    };
    street.home.tenant().people().begin_audit(&entry).await.unwrap();
    street.door.get("/api/v1/audit-log").await.is("people/audit_log_unfinished");
}

#[tokio::test]
async fn deleting_an_account_asks_for_the_password_waits_a_week_and_can_be_taken_back() {
    let street = Street::new(522).await;
    street.give_password().await;
    let close = |password: &str| street.door.ask_owned("DELETE", "/api/v1/account", json!({ "password": password }));
    close(OTHER).await.is("people/close_wrong_password");
    close(PASSWORD).await.is("people/close");
    assert_eq!(street.letters().len(), 1);
    street.world.clock.advance(Duration::from_hours(6 * 24));
    assert_eq!(street.home.process.sweep_work().await, 0, "it is not due");
    assert_eq!(street.door.get("/api/v1/users").await.code(), 200, "everything works");
    assert_eq!(street.door.post("/api/v1/account/restore", &json!({})).await.code(), 204);
    street.door.post("/api/v1/account/restore", &json!({})).await.is("people/restore_nothing");
    street.world.clock.advance(Duration::from_hours(2 * 24));
    assert_eq!(street.home.process.sweep_work().await, 0, "it is not to be deleted any more");
}

/// Runs what is due until nothing is.
async fn erase(street: &Street) -> usize {
    let mut steps = 0;
    for _ in 0..100 {
        street.world.clock.advance(Duration::from_mins(3));
        if street.home.process.sweep_work().await == 0 {
            return steps;
        }
        steps += street.home.process.work().await;
    }
    panic!("it never ends");
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_and_touches_no_other() {
    let street = Street::new(523).await;
    street.give_password().await;
    let neighbour = street.world.home(10).await;
    neighbour.send("stays").await;
    street.member("agent", "agent").await;
    street.door.post("/api/v1/invitations", &json!({ "email": "open@example.com", "role": "agent" })).await;
    street.home.subscribe_listed("https://example.com/hook", &["*"], "").await.unwrap();
    for number in 0..5 {
        street.home.send(&format!("message {number}")).await;
    }
    street.world.relay(&street.home.process).await;
    let blob = hantar_usecases::ports::BlobKey::new(street.home.account, "imports", "a.csv");
    street.home.process.blobs.put(&blob, b"secret".to_vec()).await.unwrap();
    let before = street.world.items().await;
    let close = json!({ "password": PASSWORD });
    assert_eq!(street.door.ask("DELETE", "/api/v1/account", Some(&close), None).await.code(), 202);
    street.world.clock.advance(Duration::from_hours(7 * 24));
    assert!(erase(&street).await > 1);
    assert_eq!(street.door.get("/api/v1/users").await.code(), 401);
    let (account, device) = (street.home.account, street.home.device);
    let after = street.world.items().await;
    let ours = |(_, pk, sk): &(String, String, String)| {
        let of_account = *pk == format!("A#{account}") || pk.starts_with(&format!("A#{account}#"));
        let listed = sk.starts_with(&format!("A#{account}#")) || sk.starts_with(&format!("{account}#"));
        of_account
            || listed
            || *pk == format!("D#{device}")
            || pk.ends_with(&format!("#{account}")) && pk.starts_with("SEQ#")
    };
    let left: Vec<_> = after.keys().filter(|key| ours(key)).collect();
    let only_due = left.iter().all(|(_, pk, _)| pk.starts_with("DUE#"));
    assert!(only_due, "{left:?}");
    let addressed = |(_, item): (&(String, String, String), &Value)| {
        ["EMAIL#", "TOKEN#"].iter().any(|kind| item["pk"]["S"].as_str().unwrap().starts_with(kind))
            && item["ac"]["N"] == account.to_string()
    };
    assert_eq!(after.iter().filter(|entry| addressed(*entry)).count(), 0);
    assert_eq!(street.home.process.blobs.size(&blob).await.unwrap(), None);
    let theirs = |key: &(String, String, String)| key.1.starts_with(&format!("A#{}", neighbour.account));
    let kept = |items: &std::collections::BTreeMap<(String, String, String), Value>| {
        items.iter().filter(|(key, _)| theirs(key)).map(|(key, item)| (key.clone(), item.clone())).collect::<Vec<_>>()
    };
    assert_eq!(kept(&after), kept(&before));
}

#[tokio::test]
async fn erasing_is_done_step_by_step_and_goes_on_after_a_death() {
    let street = Street::new(524).await;
    street.give_password().await;
    for number in 0..30 {
        street.home.try_send(draft(&format!("message {number}"))).await.ok();
    }
    let tenant = street.home.tenant();
    let people = tenant.people();
    let close = json!({ "password": PASSWORD });
    street.door.ask("DELETE", "/api/v1/account", Some(&close), None).await;
    street.world.clock.advance(Duration::from_hours(7 * 24));
    let now = street.home.process.clock.now();
    let begun = people.begin_erasing(now).await.unwrap();
    assert_eq!(people.begin_erasing(now + Duration::from_secs(9)).await.unwrap(), begun, "it is known since when");
    assert!(!people.reopen(None).await.unwrap(), "there is no way back");
    people.shut_out().await.unwrap();
    people.shut_out().await.unwrap();
    let mut steps = 0;
    while !people.erase_some(4).await.unwrap() {
        steps += 1;
        assert!(steps < 100);
    }
    assert!(steps > 3, "{steps}");
    assert!(tenant.account().await.unwrap().is_some(), "the account itself goes last");
    people.erase_account().await.unwrap();
    people.erase_account().await.unwrap();
    assert_eq!(people.begin_erasing(now).await.unwrap(), None, "whoever comes late has nothing to do");
    assert!(
        street.home.process.fleet.user_by_email(&Email::parse("owner0@example.com").unwrap()).await.unwrap().is_none()
    );
}

#[tokio::test]
async fn a_token_of_the_command_line_is_listed_too() {
    let street = Street::new(525).await;
    let (process, account, user) = (&street.home.process, street.home.account, street.home.owner);
    let new = NewToken { account, user, name: "cli".into(), abilities: Abilities::all(), expires_at: None };
    let fleet = process.fleet.as_ref();
    let (token, _) = create_token(fleet, &process.numbers, &process.entropy, &process.clock, new).await.unwrap();
    let listed = street.door.get("/api/v1/tokens").await.data();
    assert!(listed.as_array().unwrap().iter().any(|one| one["id"] == token.id.0), "{listed}");
}

#[tokio::test]
async fn work_that_nobody_wants_any_more_ends() {
    let street = Street::new(526).await;
    let (fleet, account) = (&street.home.process.fleet, street.home.account);
    fleet.arm_work(account, Work::Erase, street.home.process.clock.now()).await.unwrap();
    street.home.process.sweep_work().await;
    assert_eq!(street.home.process.work().await, 1);
    assert_eq!(fleet.due_work(street.home.process.clock.now() + Duration::from_hours(1), 10).await.unwrap(), []);
    assert!(street.home.tenant().account().await.unwrap().is_some());
}
