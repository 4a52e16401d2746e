//! How many calls a route makes to the tables, held against the table in README.md. Each call is a subrequest, of which
//! Workers may make 50 for a request, or 1000 where they are paid for.
#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use std::collections::BTreeMap;

use hantar_domain::ids::EndpointId;
use hantar_domain::webhook::{Endpoint, Subscription};

use crate::world::{Answer, World};

const SEND: &str = r#"{"phone":"0123456789","body":"Hello"}"#;

/// The bounds as the README tells them, by route.
fn told() -> BTreeMap<&'static str, usize> {
    let rows = include_str!("../../README.md").lines().filter_map(|line| line.strip_prefix("| `"));
    let read = |row: &'static str| {
        let (route, rest) = row.split_once('`')?;
        Some((route, rest.split('|').nth(2)?.trim().parse().ok()?))
    };
    rows.filter_map(read).collect()
}

/// What was asked for, and the most that it cost.
#[derive(Default)]
struct Measured(BTreeMap<&'static str, Vec<String>>);

impl Measured {
    fn note(&mut self, route: &'static str, status: u16, answer: Answer) {
        assert_eq!(answer.status, status, "{route}: {}", answer.body);
        let most = self.0.entry(route).or_default();
        if answer.calls.len() >= most.len() {
            *most = answer.calls;
        }
    }
}

/// What a browser asks for.
async fn browse(world: &World, measured: &mut Measured) {
    for (route, path) in [
        ("GET /", "/"),
        ("GET /fragments/devices", "/fragments/devices"),
        ("GET /fragments/messages", "/fragments/messages"),
    ] {
        measured.note(route, 200, world.page("GET", path, None).await);
    }
    measured.note("POST /devices/{id}/link", 303, world.page("POST", "/devices/1/link", Some("")).await);
    let form = "phone=0123456789&body=Hello&key=0123456789abcdef0123456789abcdef";
    for _ in 0..2 {
        measured.note("POST /messages", 303, world.page("POST", "/messages", Some(form)).await);
    }
    let link = format!("/sign-in?secret={}", world.sign_in);
    for status in [303, 410] {
        measured.note("GET /sign-in", status, world.ask("GET", &link, None, &[]).await);
    }
    measured.note("POST /sign-out", 303, world.page("POST", "/sign-out", Some("")).await);
}

/// Messages sent, shown, taken back; each also where that does not succeed.
async fn message(world: &World, measured: &mut Measured) {
    const ROUTE: &str = "POST /api/v1/messages/send";
    let path = "/api/v1/messages/send";
    let other = SEND.replace("Hello", "Other");
    for (status, body) in [(202, SEND), (202, SEND), (422, other.as_str())] {
        let key = [("idempotency-key", "k1")];
        measured.note(ROUTE, status, world.api_with("POST", path, Some(body), &key).await);
    }
    measured.note(ROUTE, 202, world.api("POST", path, Some(SEND)).await);
    measured.note(ROUTE, 422, world.api("POST", path, Some(r#"{"phone":"1","body":""}"#)).await);
    for (id, status) in [(1, 200), (999, 404)] {
        let path = format!("/api/v1/messages/{id}");
        measured.note("GET /api/v1/messages/{id}", status, world.api("GET", &path, None).await);
    }
    for (id, key, status) in [(1, "c1", 200), (1, "c1", 200), (1, "c2", 409), (999, "c3", 404)] {
        let (path, key) = (format!("/api/v1/messages/{id}"), [("idempotency-key", key)]);
        measured.note("DELETE /api/v1/messages/{id}", status, world.api_with("DELETE", &path, None, &key).await);
    }
}

/// What else a token may ask for.
async fn look(world: &World, measured: &mut Measured) {
    measured.note("GET /api/v1/balance", 200, world.api("GET", "/api/v1/balance", None).await);
    measured.note("GET /api/v1/connection/status", 200, world.api("GET", "/api/v1/connection/status", None).await);
    // Nobody shows a code: this is the longest wait.
    for path in ["/api/v1/connection/qr", "/api/v1/connection/qr?device=1"] {
        measured.note("GET /api/v1/connection/qr", 503, world.api("GET", path, None).await);
    }
    // Nor does anybody answer for a device.
    let number = "/api/v1/devices/1/numbers/0123456789";
    measured.note("GET /api/v1/devices/{id}/numbers/{phone}", 409, world.api("GET", number, None).await);
    world.link_elsewhere().await;
    measured.note("GET /api/v1/devices/{id}/numbers/{phone}", 504, world.api("GET", number, None).await);
    let endpoint = Endpoint {
        account: world.account,
        id: EndpointId(1),
        url: "https://example.com/hook".into(),
        subscription: Subscription::parse(&["*".to_owned()]).unwrap(),
        sealed_secret: vec![1],
        disabled: None,
        created_at: world.now(),
    };
    world.tenants.for_account(world.account).add_endpoint(&endpoint, 10, None).await.unwrap();
    measured.note("GET /api/v1/webhooks", 200, world.api("GET", "/api/v1/webhooks", None).await);
    measured.note("GET /api/v1/webhooks/{id}", 200, world.api("GET", "/api/v1/webhooks/1", None).await);
    for _ in 0..2 {
        let key = [("idempotency-key", "d1")];
        let answer = world.api_with("DELETE", "/api/v1/webhooks/1", None, &key).await;
        measured.note("DELETE /api/v1/webhooks/{id}", 204, answer);
    }
}

/// Money: where credits are not bought, which is what this Worker is told.
async fn count_money(world: &World, measured: &mut Measured) {
    for (route, path) in [
        ("GET /api/v1/credits/ledger", "/api/v1/credits/ledger"),
        ("GET /api/v1/credits/settings", "/api/v1/credits/settings"),
        ("GET /api/v1/credits/invoices", "/api/v1/credits/invoices"),
    ] {
        measured.note(route, 200, world.api("GET", path, None).await);
    }
    for body in [r#"{"low_balance":5}"#, r#"{"low_balance":5}"#] {
        let key = [("idempotency-key", "s1")];
        let answer = world.api_with("PUT", "/api/v1/credits/settings", Some(body), &key).await;
        measured.note("PUT /api/v1/credits/settings", 200, answer);
    }
    measured.note("GET /api/v1/credits/prices", 409, world.api("GET", "/api/v1/credits/prices", None).await);
    let order = r#"{"credits":100}"#;
    let answer = world.api("POST", "/api/v1/credits/checkout", Some(order)).await;
    measured.note("POST /api/v1/credits/checkout", 409, answer);
    measured.note(
        "POST /api/v1/billing/stripe",
        404,
        world.ask("POST", "/api/v1/billing/stripe", Some("{}"), &[]).await,
    );
}

#[tokio::test]
async fn no_route_makes_more_calls_than_the_readme_says() {
    let world = World::new().await;
    let mut measured = Measured::default();
    measured.note("GET /healthz", 200, world.ask("GET", "/healthz", None, &[]).await);
    measured.note("GET /readyz", 200, world.ask("GET", "/readyz", None, &[]).await);
    measured.note("GET /api/v1/openapi.json", 200, world.ask("GET", "/api/v1/openapi.json", None, &[]).await);
    // Browsers first: a link to sign in by is good for an hour, and each request by a token takes one here.
    browse(&world, &mut measured).await;
    message(&world, &mut measured).await;
    look(&world, &mut measured).await;
    count_money(&world, &mut measured).await;

    let told = told();
    let mut wrong = Vec::new();
    for (route, calls) in &measured.0 {
        println!("{route:<32}{:>4}  {}", calls.len(), calls.join(" "));
        match told.get(route) {
            Some(most) if calls.len() <= *most => {}
            said => wrong.push(format!("{route} makes {} calls, and README.md says {said:?}: {calls:?}", calls.len())),
        }
    }
    // Passed on as one call and nothing else; see tests/forms. Lists have a test of their own.
    let elsewhere = ["POST /api/v1/webhooks", "GET /api/v1/messages"];
    let unasked = told.keys().filter(|route| !measured.0.contains_key(*route) && !elsewhere.contains(route));
    wrong.extend(unasked.map(|route| format!("{route} stands in README.md and was not asked for")));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[tokio::test]
async fn a_list_costs_a_call_for_each_hundred_messages_it_walks_past_and_never_more_than_the_readme_says() {
    let world = World::new().await;
    world.send_elsewhere(310).await;
    let mut cost = BTreeMap::new();
    for page in 1..=3 {
        let answer = world.api("GET", &format!("/api/v1/messages?per_page=100&page={page}"), None).await;
        assert_eq!((answer.status, answer.body["data"].as_array().unwrap().len()), (200, 100));
        cost.insert(page, answer.calls.len());
    }
    println!("calls by page: {cost:?}");
    for (page, calls) in &cost {
        assert!(*calls <= page + 5, "page {page}: {calls} calls");
    }
    // As deep as a page may lie that is asked for by its number.
    let most = told()["GET /api/v1/messages"];
    assert!((100 + 5..1_000).contains(&most), "README.md says {most}");
    let filtered = world.api("GET", "/api/v1/messages?external_id=none", None).await;
    println!("a filter that nothing meets: {:?}", filtered.calls);
    assert!(filtered.status == 200 && filtered.calls.len() <= most);
    let deeper = world.api("GET", "/api/v1/messages?per_page=100&page=101", None).await;
    assert_eq!(deeper.status, 422);
}

#[tokio::test]
async fn who_is_not_known_costs_one_call_and_who_says_nothing_costs_none() {
    let world = World::new().await;
    let unknown = format!("Bearer {}", "0".repeat(60));
    for (token, calls) in [(None, 0), (Some("Bearer nonsense"), 0), (Some(unknown.as_str()), 1)] {
        let headers: Vec<_> = token.map(|token| ("authorization", token)).into_iter().collect();
        let answer = world.ask("GET", "/api/v1/balance", None, &headers).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.calls.len(), calls, "{token:?}: {:?}", answer.calls);
    }
}
