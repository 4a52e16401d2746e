//! Whatever comes in, the answer is a clean one: never a 5xx, always JSON with a code, and money only for what was taken.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::door::Door;

/// Any JSON, with the names of real fields among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "0123456789",
            "+60123456789",
            "1",
            "true",
            "",
            "\0",
            "2026-11-20",
            "https://example.com/",
            "*",
            "{{name}}"
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "phone",
        "body",
        "name",
        "external_id",
        "save_contact",
        "attributes",
        "device",
        "media",
        "template_id",
        "scheduled_at",
        "url",
        "events",
        "",
        "\0",
        "a.b",
    ]);
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..10)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn is_clean(answer: &crate::door::Answer, what: &str) {
    let code = answer.code();
    assert!(code < 500, "{what}: {code}");
    if code >= 400 {
        let body = answer.json();
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{what}: {body}");
        assert!(body["code"].is_string(), "{what}: {body}");
        assert_eq!(body["errors"].is_object(), code == 422, "{what}: {body}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_gets_a_clean_answer(body in any_json()) {
        let door = Door::new();
        let token = door.world.token(1, &["*"]);
        let sent = door.send(&token, &body);
        is_clean(&sent, &body.to_string());
        let charged = i64::from(sent.code() == 202);
        prop_assert_eq!(&door.get(&token, "/api/v1/balance").json()["data"]["charged"], &json!(charged));
        is_clean(&door.post(&token, "/api/v1/webhooks", &body), &body.to_string());
    }

    #[test]
    fn any_bytes_get_a_clean_answer(body in prop::collection::vec(any::<u8>(), 0..200), form: bool) {
        let door = Door::new();
        let bearer = format!("Bearer {}", door.world.token(1, &["*"]));
        let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        for path in ["/api/v1/messages/send", "/api/v1/webhooks"] {
            is_clean(&door.raw("POST", path, &headers, body.clone()), &format!("{body:?}"));
        }
    }

    #[test]
    fn any_query_gets_a_clean_answer(name in prop::sample::select(vec![
        "status", "device", "direction", "phone", "external_id", "from", "to", "per_page", "page", "cursor",
    ]), value in "[ -~]{0,30}") {
        let door = Door::new();
        let token = door.world.token(1, &["*"]);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair(name, &value);
        let query = query.finish();
        is_clean(&door.get(&token, &format!("/api/v1/messages?{query}")), &query);
        let raw: String = value.chars().filter(|c| !matches!(c, ' ' | '#' | '"' | '<' | '>' | '`' | '{' | '}' | '\\' | '^' | '|')).collect();
        is_clean(&door.get(&token, &format!("/api/v1/messages?{name}={raw}")), &raw);
    }
}
