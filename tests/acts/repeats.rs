//! The same write twice under one idempotency key, for every write of the description: the same answer, nothing made twice,
//! and 422 for another request under that key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use hantar_usecases::ports::Clock as _;
use serde_json::{Value, json};

use crate::door::{Answer, Door};
use crate::estate::{Estate, PASSWORD};
use crate::home::Home;
use crate::people::totp;
use crate::world::World;

const OTHER: &str = "an entirely new phrase";

/// Writes without a key, and why: see `infra/decisions/0021`.
const NO_KEY: [(&str, &str); 12] = [
    // Nobody is signed in whom a key could belong to.
    ("POST", "/auth/accept-invitation"),
    ("POST", "/auth/forgot-password"),
    ("POST", "/auth/resend-verification"),
    ("POST", "/auth/reset-password"),
    ("POST", "/auth/sign-in"),
    ("POST", "/auth/sign-up"),
    ("POST", "/auth/two-factor-challenge"),
    ("POST", "/auth/verify-email"),
    // Stripe's events have numbers of their own.
    ("POST", "/billing/stripe"),
    // The token that a repeat comes with has ended.
    ("POST", "/auth/sign-out"),
    // They write nothing.
    ("POST", "/campaigns/preview"),
    ("POST", "/templates/{id}/preview"),
];
/// Their repeats are looked at where the rest of them is: the first ends what the caller may do, the second needs a shop.
const ELSEWHERE: [(&str, &str); 2] = [("POST", "/users/{id}/make-owner"), ("POST", "/credits/checkout")];

/// What is asked for under the same key afterwards.
enum Other {
    /// The same with this body.
    Body(Value),
    /// The same of another thing.
    Path(String),
    /// A wrong password, which is found out before the key is looked at.
    Password(Value),
    /// There is only one such request.
    Nothing,
}

struct Walk {
    world: World,
    estate: Estate,
    done: Mutex<BTreeSet<(String, String)>>,
}

/// Where things are stored that a repeat writes for itself: what it was, and that its password was counted.
fn is_of_the_request((_, pk, sk): &(String, String, String)) -> bool {
    // A number that was drawn for nothing is a gap.
    sk.starts_with("AT#") || pk.starts_with("GUESS#") || pk.starts_with("SEQ#")
}

impl Walk {
    async fn items(&self) -> BTreeMap<(String, String, String), Value> {
        let mut items = self.world.items().await;
        items.retain(|key, _| !is_of_the_request(key));
        for item in items.values_mut() {
            // When a token was used.
            item.as_object_mut().unwrap().remove("lu");
        }
        items
    }

    /// Asks for `path`, which is `route` with its numbers, and twice so. Answers the first answer.
    async fn twice(&self, method: &str, route: &str, path: &str, body: Option<Value>, other: Other) -> Answer {
        self.done.lock().unwrap().insert((method.to_owned(), route.to_owned()));
        let (what, key) = (format!("{method} {path}"), format!("{method} {route}"));
        let ask = async |path: &str, body: Option<&Value>| {
            self.estate.door.ask(method, &format!("/api/v1{path}"), body, Some(&key)).await
        };
        let first = ask(path, body.as_ref()).await;
        assert!(first.status.is_success(), "{what}: {}", first.json());
        let before = self.items().await;
        let again = ask(path, body.as_ref()).await;
        assert_eq!((again.code(), steady(&again)), (first.code(), steady(&first)), "{what}");
        let after = self.items().await;
        let changed: Vec<_> = after.iter().filter(|(key, item)| before.get(*key) != Some(item)).collect();
        let invites = route == "/invitations";
        let changed: Vec<_> =
            changed.into_iter().filter(|((_, pk, _), _)| !(invites && pk.starts_with("LINK#"))).collect();
        assert!(changed.is_empty() && after.len() >= before.len(), "{what} twice writes {changed:?}");
        let (refused, field) = match other {
            Other::Nothing => return first,
            Other::Body(body) => (ask(path, Some(&body)).await, "idempotency_key"),
            Other::Path(path) => (ask(&path, body.as_ref()).await, "idempotency_key"),
            Other::Password(body) => (ask(path, Some(&body)).await, "password"),
        };
        let text = refused.json();
        assert!(refused.code() == 422 && !text["errors"][field].is_null(), "{what}, then something else: {text}");
        let last = self.items().await;
        assert!(last == after, "{what}, then something else, writes");
        first
    }

    /// A path without numbers.
    async fn plain(&self, method: &str, route: &str, body: Value, other: Value) -> Answer {
        self.twice(method, route, route, Some(body), Other::Body(other)).await
    }

    /// A path with a number.
    async fn of(&self, method: &str, route: &str, id: u64, body: Value, other: Value) -> Answer {
        self.twice(method, route, &route.replace("{id}", &id.to_string()), Some(body), Other::Body(other)).await
    }

    /// A path with a number and no body.
    async fn bare(&self, method: &str, route: &str, id: u64, other: u64) -> Answer {
        let path = |id: u64| route.replace("{id}", &id.to_string());
        self.twice(method, route, &path(id), None, Other::Path(path(other))).await
    }

    async fn contacts(&self) {
        let contact = self.estate.contact;
        let new = |last: u32, name: &str| json!({ "phone": self.estate.phone(last), "name": name });
        let second = id(&self.plain("POST", "/contacts", new(21, "Ali"), new(21, "Abu")).await);
        let third = id(&self.estate.door.post("/api/v1/contacts", &new(22, "Siti")).await);
        self.of("PUT", "/contacts/{id}", contact, json!({ "name": "A" }), json!({ "name": "B" })).await;
        let merged = |id: u64| json!({ "contact_ids": [id] });
        self.of("POST", "/contacts/{id}/merge", contact, merged(second), merged(third)).await;
        let group = id(&self.plain("POST", "/contact-groups", json!({ "name": "A" }), json!({ "name": "B" })).await);
        self.of("PUT", "/contact-groups/{id}", group, json!({ "name": "C" }), json!({ "name": "D" })).await;
        for method in ["POST", "DELETE"] {
            self.of(method, "/contact-groups/{id}/contacts", group, merged(contact), merged(third)).await;
        }
        self.bare("DELETE", "/contact-groups/{id}", group, self.estate.group).await;
        self.bare("DELETE", "/contacts/{id}", third, contact).await;
        let person = |last: u32| json!({ "phone": self.estate.phone(last) });
        self.plain("POST", "/contact-erasures", person(23), person(24)).await;
        let says = |status: &str| json!({ "phone": self.estate.phone(25), "status": status });
        self.plain("POST", "/consents", says("opted_out"), says("opted_in")).await;
        for (method, word) in [("PUT", "taknak"), ("PATCH", "sudahlah")] {
            let words = json!({ "stop_words": [word] });
            self.plain(method, "/consents/settings", words, json!({ "stop_words": ["cukuplah"] })).await;
        }
    }

    async fn files(&self) {
        let file = |size: u32| json!({ "filename": "more.csv", "size": size });
        self.plain("POST", "/contacts/import", file(9), file(10)).await;
        self.plain("POST", "/uploads", file(9), file(10)).await;
        let route = "/contacts/import/{id}/start";
        self.of("POST", route, self.estate.imports[1], json!({}), json!({ "dry_run": true })).await;
        let group = format!("/contacts/export?group={}", self.estate.group);
        self.twice("GET", "/contacts/export", &group, None, Other::Path("/contacts/export".into())).await;
        let results = format!("/campaigns/{}/export", self.estate.campaign);
        let other = Other::Path(format!("{results}?format=xlsx"));
        self.twice("GET", "/campaigns/{id}/export", &results, None, other).await;
    }

    async fn texts(&self) {
        let text = |name: &str| json!({ "name": name, "body": "Hi" });
        let template = id(&self.plain("POST", "/templates", text("A"), text("B")).await);
        for (method, name) in [("PUT", "C"), ("PATCH", "D")] {
            self.of(method, "/templates/{id}", template, text(name), text("E")).await;
        }
        self.bare("DELETE", "/templates/{id}", template, self.estate.template).await;
        let hook = |name: &str| json!({ "url": format!("https://{name}.example.com/hook") });
        let webhook = id(&self.plain("POST", "/webhooks", hook("a"), hook("b")).await);
        let url = |name: &str| json!({ "url": format!("https://{name}.example.com/hook"), "rotate_secret": true });
        self.of("PUT", "/webhooks/{id}", webhook, url("c"), url("d")).await;
        self.bare("DELETE", "/webhooks/{id}", webhook, self.estate.webhook).await;
    }

    async fn messages(&self) {
        let message = |body: &str| json!({ "phone": self.estate.phone(31), "body": body });
        self.plain("POST", "/messages/send", message("a"), message("b")).await;
        let bulk = |body: &str| json!({ "messages": [message(body)] });
        self.plain("POST", "/messages/bulk", bulk("a"), bulk("b")).await;
        let [waiting, held, ..] = self.estate.messages;
        self.bare("DELETE", "/messages/{id}", held, waiting).await;
        let campaign = |body: &str| json!({ "name": "Sale", "body": body, "contact_group_id": self.estate.group });
        let made = id(&self.plain("POST", "/campaigns", campaign("a"), campaign("b")).await);
        for order in ["pause", "resume", "cancel"] {
            self.bare("POST", &format!("/campaigns/{{id}}/{order}"), made, self.estate.campaign).await;
        }
    }

    async fn people(&self) {
        let named = |name: &str| json!({ "name": name });
        let token = id(&self.plain("POST", "/tokens", named("a"), named("b")).await);
        self.bare("DELETE", "/tokens/{id}", token, self.estate.token).await;
        let role = |word: &str| json!({ "role": word });
        self.of("PUT", "/users/{id}", self.estate.user, role("agent"), role("admin")).await;
        let leaving = self.estate.home.colleague("leaving").await.0;
        self.bare("DELETE", "/users/{id}", leaving, self.estate.user).await;
        let asked = |role: &str| json!({ "email": "new@example.com", "role": role });
        let invitation = id(&self.plain("POST", "/invitations", asked("agent"), asked("viewer")).await);
        self.estate.home.process.mailbox.take();
        self.bare("POST", "/invitations/{id}/resend", invitation, self.estate.invitation).await;
        assert_eq!(self.estate.home.process.mailbox.take().len(), 1);
        self.bare("DELETE", "/invitations/{id}", invitation, self.estate.invitation).await;
        let low = |balance: u32| json!({ "low_balance": balance });
        self.plain("PUT", "/credits/settings", low(7), low(8)).await;
        for (method, name) in [("PUT", "a"), ("PATCH", "b")] {
            self.plain(method, "/account", named(name), named("c")).await;
        }
    }

    async fn passwords(&self) {
        let change = |password: &str| json!({ "current_password": PASSWORD, "password": password });
        self.plain("POST", "/auth/change-password", change(OTHER), change("and another one")).await;
        let proof = |route| {
            let wrong = Other::Password(json!({ "password": PASSWORD }));
            self.twice("POST", route, route, Some(json!({ "password": OTHER })), wrong)
        };
        let begun = proof("/auth/two-factor").await;
        let code = totp(begun.data()["secret"].as_str().unwrap()).code_at(self.world.clock.now());
        let confirmed = json!({ "code": code });
        self.plain("POST", "/auth/two-factor/confirm", confirmed, json!({ "code": "000000" })).await;
        proof("/auth/two-factor/recovery-codes").await;
        for route in ["/auth/two-factor", "/account"] {
            let wrong = Other::Password(json!({ "password": PASSWORD }));
            self.twice("DELETE", route, route, Some(json!({ "password": OTHER })), wrong).await;
        }
        self.twice("POST", "/account/restore", "/account/restore", None, Other::Nothing).await;
    }
}

/// An answer without what is reckoned from the moment of asking: an estimate, and an address that is signed for an hour.
fn steady(answer: &Answer) -> Value {
    let mut json = answer.json();
    for field in ["eta", "upload"] {
        if let Some(data) = json["data"].as_object_mut() {
            data.remove(field);
        }
    }
    json
}

fn id(answer: &Answer) -> u64 {
    answer.data()["id"].as_u64().unwrap_or_else(|| panic!("{}", answer.json()))
}

/// Writes of the description, and whether each takes a key.
fn described(document: &Value) -> BTreeMap<(String, String), bool> {
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, what)| {
            let parameters = what["parameters"].as_array().into_iter().flatten();
            let keyed = parameters.into_iter().any(|one| one["name"] == "Idempotency-Key" && one["in"] == "header");
            ((method.to_uppercase(), path.strip_prefix("/api/v1").unwrap().to_owned()), keyed)
        })
    });
    all.filter(|((method, _), keyed)| method != "GET" || *keyed).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_takes_a_key_under_which_a_repeat_does_nothing_more() {
    let world = World::new(561).await;
    let estate = Estate::of(&world, world.home(50).await, "sendiri", "+60123452").await;
    let described = described(&estate.door.get("/api/v1/openapi.json").await.json());
    let own = |list: &[(&str, &str)]| {
        list.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect::<BTreeSet<_>>()
    };
    let without: BTreeSet<_> = described.iter().filter(|(_, keyed)| !**keyed).map(|(route, _)| route.clone()).collect();
    assert_eq!(without, own(&NO_KEY));
    let walk = Walk { world, estate, done: Mutex::new(own(&ELSEWHERE)) };
    walk.contacts().await;
    walk.files().await;
    walk.texts().await;
    walk.messages().await;
    walk.people().await;
    walk.passwords().await;
    let with: BTreeSet<_> = described.into_iter().filter(|(_, keyed)| *keyed).map(|(route, _)| route).collect();
    assert_eq!(walk.done.into_inner().unwrap(), with);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_repeat_undoes_nothing_that_happened_since() {
    let world = World::new(562).await;
    let home = world.home(50).await;
    home.give_password(PASSWORD).await;
    let (door, people) = (Door::of(&home).await, home.tenant());
    let other = home.colleague("other").await;
    let user = format!("/api/v1/users/{other}");
    let proof = json!({ "password": PASSWORD });
    let ask = |method: &'static str, path: String, body: Value, key: &'static str| {
        let door = &door;
        async move { door.ask(method, &path, Some(&body), Some(key)).await }
    };
    let role = |word: &str, key| ask("PUT", user.clone(), json!({ "role": word }), key);
    assert_eq!(role("agent", "k1").await.data()["role"], "agent");
    assert_eq!(role("admin", "k2").await.data()["role"], "admin");
    let late = role("agent", "k1").await;
    assert_eq!((late.code(), &late.data()["role"]), (200, &json!("admin")));

    let over = || ask("POST", format!("{user}/make-owner"), proof.clone(), "k3");
    assert_eq!(over().await.data()["role"], "owner");
    assert_eq!(over().await.code(), 403, "it was given away: that much is told");
    assert!(people.people().hand_over(other, home.owner, None).await.unwrap());
    let late = over().await;
    assert_eq!((late.code(), &late.data()["role"]), (200, &json!("admin")), "and it was given back since");

    let close = || ask("DELETE", "/api/v1/account".into(), proof.clone(), "k4");
    let due = close().await.data();
    assert_eq!(door.post("/api/v1/account/restore", &json!({})).await.code(), 204);
    home.process.mailbox.take();
    let late = close().await;
    assert_eq!((late.code(), late.data()), (202, due));
    assert_eq!(people.people().closing().await.unwrap(), None);
    assert_eq!(home.process.mailbox.take(), [], "nor is a letter sent that would not be true");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_under_one_key_whoever_is_answered_is_told_the_same() {
    let world = World::new(563).await;
    let home = world.home(50).await;
    home.give_password(PASSWORD).await;
    let door = Door::of(&home).await;
    let proof = json!({ "password": PASSWORD });
    let ask = || door.ask("POST", "/api/v1/auth/two-factor", Some(&proof), Some("k"));
    let answers = futures::future::join_all((0..8).map(|_| ask())).await;
    let mut told: Vec<_> = answers.iter().filter(|answer| answer.code() == 200).map(Answer::data).collect();
    // Whoever is crowded out where tries of the password are counted is told to come again.
    let codes: Vec<_> = answers.iter().map(Answer::code).collect();
    assert!(codes.iter().all(|code| matches!(code, 200 | 409 | 503)) && !told.is_empty(), "{codes:?}");
    told.push(ask().await.data());
    assert!(told.windows(2).all(|two| two[0] == two[1] && two[0]["secret"].is_string()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_again_to_its_person_alone() {
    let world = World::new(564).await;
    let home = world.home(50).await;
    home.give_password(PASSWORD).await;
    let other = Home { owner: home.colleague("other").await, ..home.clone() };
    other.give_password(PASSWORD).await;
    let (door, stranger) = (Door::of(&home).await, Door::of(&other).await);
    let proof = json!({ "password": PASSWORD });
    let path = "/api/v1/auth/two-factor";
    let own = door.ask("POST", path, Some(&proof), Some("k")).await.data();
    let theirs = stranger.ask("POST", path, Some(&proof), Some("k")).await.data();
    assert!(own["secret"].is_string() && theirs["secret"].is_string());
    assert_ne!(own["secret"], theirs["secret"], "another one's key is another key");
    world.clock.advance(std::time::Duration::from_hours(25));
    let anew = door.ask("POST", path, Some(&proof), Some("k")).await.data();
    assert_ne!(own["secret"], anew["secret"], "a key counts for a day");
}
