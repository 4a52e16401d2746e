//! The gates before every route, and their order.

use std::time::Duration;

use axum::body::Body;
use hantar_api::{MAX_BODY_BYTES, RateLimits};
use hantar_domain::time::Timestamp;
use serde_json::json;

use crate::door::{Door, good};
use crate::world::NOON;

const SEND: &str = "/api/v1/messages/send";

/// Every route, with the ability that it asks for.
const ROUTES: [(&str, &str, &str); 12] = [
    ("GET", "/api/v1/connection/status", "connection:read"),
    ("GET", "/api/v1/connection/qr", "connection:write"),
    ("GET", "/api/v1/devices/1/numbers/0123456789", "contacts:read"),
    ("POST", SEND, "messages:send"),
    ("GET", "/api/v1/messages", "messages:read"),
    ("GET", "/api/v1/messages/1", "messages:read"),
    ("DELETE", "/api/v1/messages/1", "messages:send"),
    ("GET", "/api/v1/balance", "billing:read"),
    ("GET", "/api/v1/webhooks", "webhooks:*"),
    ("POST", "/api/v1/webhooks", "webhooks:*"),
    ("GET", "/api/v1/webhooks/1", "webhooks:*"),
    ("DELETE", "/api/v1/webhooks/1", "webhooks:*"),
];

const ALL: [&str; 7] = [
    "connection:read",
    "connection:write",
    "contacts:read",
    "messages:send",
    "messages:read",
    "billing:read",
    "webhooks:*",
];

#[test]
fn every_route_asks_for_a_token_and_for_its_own_ability() {
    let door = Door::new();
    for (method, path, ability) in ROUTES {
        assert_eq!(door.raw(method, path, &[], "").code(), 401, "{method} {path} without a token");
        let others: Vec<&str> = ALL.into_iter().filter(|other| *other != ability).collect();
        let bearer = format!("Bearer {}", door.world.token(1, &others));
        let refused = door.raw(method, path, &[("authorization", &bearer)], "");
        assert_eq!(refused.json()["code"], "missing_ability", "{method} {path} with all abilities but its own");
        let bearer = format!("Bearer {}", door.world.token(1, &[ability]));
        let passed = door.raw(method, path, &[("authorization", &bearer)], "").code();
        assert!(!matches!(passed, 401 | 403), "{method} {path} with its ability: {passed}");
    }
}

#[test]
fn the_use_of_a_token_is_noted_once_an_hour() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let ask = || {
        assert_eq!(door.get(&token, "/api/v1/balance").code(), 200);
        let state = door.world.state();
        (state.notes, state.tokens.values().next().unwrap().last_used_at)
    };
    let start = Timestamp::from_seconds(NOON);
    assert_eq!((ask(), ask()), ((1, Some(start)), (1, Some(start))));
    door.world.pass(Duration::from_secs(3599));
    assert_eq!(ask(), (1, Some(start)));
    door.world.pass(Duration::from_secs(1));
    assert_eq!(ask(), (2, Some(start + Duration::from_hours(1))));
}

#[test]
fn a_use_that_cannot_be_noted_costs_nobody_the_answer() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    door.world.state().notes_fail = true;
    assert_eq!(door.get(&token, "/api/v1/balance").code(), 200);
    assert!(door.world.state().tokens.values().all(|token| token.last_used_at.is_none()));
}

#[test]
fn what_is_no_token_is_not_noted_and_an_ended_one_neither() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let other = format!("9|{}", token.split_once('|').unwrap().1);
    assert_eq!(door.get(&other, "/api/v1/balance").code(), 401);
    door.world.state().tokens.values_mut().for_each(|token| token.expires_at = Some(Timestamp::from_seconds(NOON)));
    assert_eq!(door.get(&token, "/api/v1/balance").code(), 401);
    assert_eq!(door.world.state().notes, 0);
}

#[test]
fn what_is_no_token_opens_no_door() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let plain = token.split_once('|').unwrap().1.to_owned();
    let wrong_number = format!("Bearer 9|{plain}");
    let good = format!("Bearer {token}");
    for header in
        ["", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense", "Bearer 1|", &wrong_number, &token, "Bearer \u{e9}"]
    {
        let answer = door.raw("GET", "/api/v1/balance", &[("authorization", header)], "");
        assert_eq!(answer.code(), 401, "{header:?}");
    }
    let twice = door.raw("GET", "/api/v1/balance", &[("authorization", &good), ("authorization", &good)], "");
    assert_eq!(twice.code(), 401, "two headers are none");
    for header in [good.clone(), format!("bearer {plain}"), format!("BEARER  {token}")] {
        assert_eq!(door.raw("GET", "/api/v1/balance", &[("authorization", &header)], "").code(), 200, "{header:?}");
    }
    door.raw("GET", "/api/v1/balance", &[], "").is("unauthenticated");
}

#[test]
fn the_gates_stand_in_their_order() {
    let door = Door::with_limits(RateLimits { reads_per_minute: 100, writes_per_minute: 1 });
    door.world.found(2, false);
    let large = (MAX_BODY_BYTES + 1).to_string();
    // Wrong in every way at once: each line mends what the one before was refused for.
    door.raw("POST", SEND, &[("content-length", &large)], "{").is("gate_too_large");
    door.raw("POST", SEND, &[], "{").is("gate_unauthenticated");
    let bearer = format!("Bearer {}", door.world.token(2, &["messages:read"]));
    door.raw("POST", SEND, &[("authorization", &bearer)], "{").is("gate_ability");
    let bearer = format!("Bearer {}", door.world.token(2, &["messages:send"]));
    door.raw("POST", SEND, &[("authorization", &bearer)], "{").is("gate_unverified");
    door.raw("POST", SEND, &[("authorization", &bearer)], "{").is("gate_rate");
    let next = || format!("Bearer {}", door.world.token(1, &["messages:send"]));
    door.raw("POST", SEND, &[("authorization", &next())], "{").is("gate_media_type");
    door.raw("POST", SEND, &[("authorization", &next()), ("content-type", "application/json")], "{")
        .is("gate_malformed");
    door.raw("POST", SEND, &[("authorization", &next()), ("content-type", "application/json")], "{}")
        .is("gate_invalid");
}

#[test]
fn a_body_that_does_not_say_its_length_is_cut_off_at_the_limit() {
    let door = Door::new();
    let bearer = format!("Bearer {}", door.world.token(1, &["*"]));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let chunks = |count: usize| {
        let chunk = || Ok::<_, std::io::Error>(" ".repeat(1024 * 1024));
        Body::from_stream(futures::stream::iter((0..count).map(move |_| chunk())))
    };
    assert_eq!(door.raw("POST", SEND, &headers, chunks(6)).code(), 413);
    assert_eq!(door.raw("POST", SEND, &headers, chunks(5)).code(), 400, "white space is no JSON, but not too large");
    let broken = futures::stream::iter([Ok("{"), Err(std::io::Error::other("the line broke"))]);
    assert_eq!(door.raw("POST", SEND, &headers, Body::from_stream(broken)).code(), 400);
}

#[test]
fn the_bucket_refills_with_time() {
    let door = Door::with_limits(RateLimits { reads_per_minute: 2, writes_per_minute: 1 });
    let token = door.world.token(1, &["*"]);
    let read = || door.get(&token, "/api/v1/balance").code();
    assert_eq!([read(), read(), read()], [200, 200, 429]);
    assert_eq!(door.send(&token, &good()).code(), 202, "writes have a bucket of their own");
    let refused = door.get(&token, "/api/v1/balance");
    assert_eq!(
        (&refused.headers["retry-after"], &refused.headers["x-ratelimit-remaining"]),
        (&"30".parse().unwrap(), &"0".parse().unwrap())
    );
    door.world.pass(Duration::from_secs(30));
    assert_eq!([read(), read()], [200, 429]);
    let other = door.world.token(1, &["*"]);
    assert_eq!(door.get(&other, "/api/v1/balance").code(), 200, "each token has its own");
}

#[test]
fn every_answer_to_a_known_caller_says_what_is_left() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    for answer in [
        door.get(&token, "/api/v1/balance"),
        door.get(&token, "/api/v1/messages/9"),
        door.send(&token, &good()),
        door.send(&token, &json!({})),
    ] {
        let write = matches!(answer.code(), 202 | 422);
        assert_eq!(answer.headers["x-ratelimit-limit"], if write { "300" } else { "600" }, "{}", answer.status);
        assert!(answer.headers.contains_key("x-ratelimit-remaining"), "{}", answer.status);
    }
}

#[test]
fn addresses_that_do_not_exist_are_named() {
    let door = Door::new();
    door.raw("GET", "/api/v1/broadcasts?x=1", &[], "").is("no_route");
    for path in
        ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/messages/", "/api/v1/messages/1/2", "/api/v2/messages"]
    {
        assert_eq!(door.raw("GET", path, &[], "").json()["code"], "route_not_found", "{path}");
    }
}

#[test]
fn a_wrong_method_is_answered_with_those_that_the_address_takes() {
    let door = Door::new();
    door.raw("PUT", "/api/v1/messages/send", &[], "{}").is("no_method");
    let paths = ROUTES.iter().map(|(_, path, _)| *path).chain(["/api/v1/openapi.json"]);
    for path in paths {
        let answer = door.raw("PATCH", path, &[], "");
        let mut allowed: Vec<&str> = answer.headers["allow"].to_str().unwrap().split(',').map(str::trim).collect();
        let text = answer.json()["message"].as_str().unwrap().to_owned();
        let mut named: Vec<&str> = text.split_once("methods: ").unwrap().1.trim_end_matches('.').split(", ").collect();
        allowed.sort_unstable();
        named.sort_unstable();
        assert_eq!((answer.code(), named), (405, allowed), "{path}");
    }
}

#[test]
fn a_number_that_is_none_leads_to_nothing() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    door.get(&token, "/api/v1/messages/9").is("message_missing");
    for id in
        ["0", "-1", "+1", "1.0", "abc", "%00", "%ff", "18446744073709551616", "9999999999999999999999999999", "1%2F2"]
    {
        for kind in ["messages", "webhooks"] {
            assert_eq!(door.get(&token, &format!("/api/v1/{kind}/{id}")).code(), 404, "{kind}/{id}");
        }
        let number = format!("/api/v1/devices/{id}/numbers/0123456789");
        assert_eq!(door.get(&token, &number).code(), 404, "{number}");
    }
}

#[test]
fn a_busy_table_is_said_with_the_time_to_wait() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    door.world.state().busy = true;
    door.send(&token, &good()).is("busy");
}
