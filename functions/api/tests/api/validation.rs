//! Wrong requests, each with the status and the texts that name what is wrong.

use serde_json::{Value, json};

use crate::door::{Door, good};

/// The errors that a body is refused with.
fn errors(body: &Value) -> Value {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let answer = door.send(&token, body);
    assert_eq!((answer.code(), &answer.json()["code"]), (422, &json!("validation_failed")), "{body}");
    assert_eq!(door.get(&token, "/api/v1/balance").json()["data"]["charged"], 0, "nothing is charged: {body}");
    answer.json()["errors"].clone()
}

#[test]
fn every_wrong_field_is_named_at_once_with_its_text() {
    let phone = "The phone field must be a valid Malaysian phone number, such as 0123456789 or +60123456789.";
    for (change, field, text) in [
        (json!({"phone": null}), "phone", "The phone field is required."),
        (json!({"phone": ""}), "phone", "The phone field is required."),
        (json!({"phone": "  "}), "phone", "The phone field is required."),
        (json!({"phone": 5}), "phone", "The phone field must be a string."),
        (json!({"phone": 60_123_456_789_u64}), "phone", "The phone field must be a string."),
        (json!({"phone": ["0123456789"]}), "phone", "The phone field must be a string."),
        (json!({"phone": "letters"}), "phone", phone),
        (json!({"phone": "9".repeat(10_000)}), "phone", phone),
        (json!({"phone": "0123456789\0"}), "phone", "The phone field must not contain a NUL character."),
        (
            json!({"phone": "+6591234567"}),
            "phone",
            "The phone field is a number of a country that this account does not send to.",
        ),
        (json!({"body": null}), "body", "The body field is required."),
        (json!({"body": {}}), "body", "The body field must be a string."),
        (json!({"body": "x".repeat(4097)}), "body", "The body field must not be greater than 4096 characters."),
        (json!({"body": "a\0b"}), "body", "The body field must not contain a NUL character."),
        (json!({"body": "{{plan}}"}), "body", "The body field is required."),
        (json!({"name": 5}), "name", "The name field must be a string."),
        (json!({"name": "x".repeat(256)}), "name", "The name field must not be greater than 255 characters."),
        (
            json!({"external_id": "x".repeat(256)}),
            "external_id",
            "The external id field must not be greater than 255 characters.",
        ),
        (json!({"device": "x"}), "device", "The device field must be an integer."),
        (json!({"device": 1.5}), "device", "The device field must be an integer."),
        (json!({"device": 99}), "device", "The selected device is invalid."),
        (json!({"device": u64::MAX}), "device", "The selected device is invalid."),
        (json!({"save_contact": "perhaps"}), "save_contact", "The save contact field must be true or false."),
        (json!({"attributes": "x"}), "attributes", "The attributes field must be an object of plain values."),
        (json!({"attributes": {"a": [1]}}), "attributes.a", "The attributes.a field must be a string."),
        (json!({"scheduled_at": "soon"}), "scheduled_at", "The scheduled at field must be a valid date."),
        (json!({"scheduled_at": 5}), "scheduled_at", "The scheduled at field must be a string."),
        (
            json!({"scheduled_at": "2036-01-01T00:00:00Z"}),
            "scheduled_at",
            "The scheduled at field must be a date within one year.",
        ),
        (json!({"media": "x"}), "media", "The media field must be an object."),
        (json!({"media": {}}), "media.url", "The media.url field is required when upload id is not present."),
        (
            json!({"media": {"url": "https://example.com/a", "upload_id": 1}}),
            "media.url",
            "The media.url field is prohibited when upload id is present.",
        ),
        (
            json!({"media": {"url": "http://example.com/a.png"}}),
            "media.url",
            "The media.url field must begin with https://.",
        ),
        (
            json!({"media": {"url": "https://10.0.0.1/a.png"}}),
            "media.url",
            "The media.url field must lead to a public address.",
        ),
        (
            json!({"media": {"url": "https://example.com/a", "type": "smell"}}),
            "media.type",
            "The selected media.type is invalid.",
        ),
        (
            json!({"media": {"url": "https://example.com/a", "type": "voice"}}),
            "body",
            "The body field must be empty with sound, under which WhatsApp shows no text.",
        ),
        (
            json!({"media": {"url": "https://example.com/a", "filename": "x".repeat(256)}}),
            "media.filename",
            "The media.filename field must not be greater than 255 characters.",
        ),
        (json!({"template_id": 3, "body": null}), "template_id", "The selected template id is invalid."),
    ] {
        let mut body = good();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        assert_eq!(
            errors(&body),
            json!({field: [text]}),
            "{}",
            change.to_string().chars().take(80).collect::<String>()
        );
    }
}

#[test]
fn mistakes_of_types_and_of_values_are_told_together() {
    let body = json!({"phone": "letters", "body": 5, "device": 99, "name": [], "scheduled_at": "never", "media": []});
    let errors = errors(&body);
    let mut fields: Vec<&String> = errors.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["body", "device", "media", "name", "phone", "scheduled_at"]);
}

#[test]
fn a_wrong_idempotency_key_is_named_like_a_field() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let body = good().to_string();
    for (key, says) in [
        ("", "must not be empty"),
        ("   ", "must not be empty"),
        (&"x".repeat(256), "must not be greater than 255 characters"),
        ("k\u{e9}", "must be a string of visible ASCII characters"),
    ] {
        for (method, path) in [
            ("POST", "/api/v1/messages/send"),
            ("POST", "/api/v1/webhooks"),
            ("DELETE", "/api/v1/messages/1"),
            ("DELETE", "/api/v1/webhooks/1"),
        ] {
            let bearer = format!("Bearer {token}");
            let headers =
                [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
            let answer = door.raw(method, path, &headers, body.clone());
            let text = format!("The idempotency key field {says}.");
            assert_eq!(
                (answer.code(), &answer.json()["errors"]["idempotency_key"]),
                (422, &json!([text])),
                "{method} {path} {key:?}"
            );
        }
    }
    let twice =
        door.post_text(&token, "/api/v1/messages/send", &body, &[("idempotency-key", "a"), ("idempotency-key", "b")]);
    assert_eq!(twice.code(), 422);
    let longest = "x".repeat(255);
    assert_eq!(door.post_text(&token, "/api/v1/messages/send", &body, &[("idempotency-key", &longest)]).code(), 202);
}

#[test]
fn bodies_of_other_kinds_are_refused_as_such() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let bearer = format!("Bearer {token}");
    for kind in
        ["text/plain", "multipart/form-data; boundary=x", "application/xml", "nonsense", "application/jsonx", ""]
    {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        assert_eq!(door.raw("POST", "/api/v1/messages/send", &headers, good().to_string()).code(), 415, "{kind:?}");
    }
    let twice =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("content-type", "text/plain")];
    assert_eq!(door.raw("POST", "/api/v1/messages/send", &twice, good().to_string()).code(), 415);
    let packed =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_eq!(door.raw("POST", "/api/v1/messages/send", &packed, good().to_string()).code(), 415);
    for kind in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"] {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        assert_eq!(door.raw("POST", "/api/v1/messages/send", &headers, good().to_string()).code(), 202, "{kind:?}");
    }
}

#[test]
fn json_that_cannot_be_read_is_told_with_its_place() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let post = |body: &str| door.post_text(&token, "/api/v1/messages/send", body, &[]);
    let answer = post("{\"phone\": \"0123456789\",\n \"body\" \"Hi\"}");
    assert_eq!(answer.json()["message"], "The request body is not valid JSON: expected `:` at line 2 column 9.");
    let deep = "[".repeat(100_000);
    for body in [
        "{",
        "{\"a\":1,}",
        "nul",
        "[]",
        "5",
        "\"x\"",
        "null",
        "{\"a\":1e999}",
        "{\"a\":\"\u{0}\"}",
        "{\"a\":\"\\ud800\"}",
        "{} {}",
        &deep,
    ] {
        let answer = post(body);
        let shown: String = body.chars().take(20).collect();
        assert_eq!((answer.code(), &answer.json()["code"]), (400, &json!("malformed_body")), "{shown}");
    }
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    assert_eq!(door.raw("POST", "/api/v1/messages/send", &headers, b"{\"a\":\"\xff\xfe\"}".to_vec()).code(), 400);
}

#[test]
fn wrong_filters_are_refused_and_not_passed_over() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    for (query, field, text) in [
        ("status=nonsense", "status", "The selected status is invalid."),
        ("status[]=sent", "status", "The status field must be a string."),
        ("direction=up", "direction", "The selected direction is invalid."),
        ("device=x", "device", "The device field must be an integer."),
        ("phone=letters", "phone", "The phone field must be a valid phone number."),
        ("from=yesterday", "from", "The from field must be a valid date."),
        ("to=%00", "to", "The to field must not contain a NUL character."),
        ("per_page=101", "per_page", "The per page field must not be greater than 100."),
        ("per_page=0", "per_page", "The per page field must be at least 1."),
        ("page=0", "page", "The page field must be at least 1."),
        ("page=-1", "page", "The page field must be an integer."),
        ("cursor=x", "cursor", "The cursor field must be an integer."),
    ] {
        let answer = door.get(&token, &format!("/api/v1/messages?{query}"));
        assert_eq!((answer.code(), answer.json()["errors"].clone()), (422, json!({field: [text]})), "{query}");
    }
    assert_eq!(door.get(&token, "/api/v1/messages?page=401").code(), 422, "deeper than may be walked");
    assert_eq!(door.get(&token, "/api/v1/messages?page=400&nonsense=1&status=").code(), 200);
}

#[test]
fn webhooks_to_private_or_odd_addresses_are_refused() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    for (body, field, text) in [
        (json!({}), "url", "The url field is required."),
        (json!({"url": 5}), "url", "The url field must be a string."),
        (json!({"url": "nonsense"}), "url", "The url field must be a whole URL such as https://example.com/path."),
        (json!({"url": "http://example.com/"}), "url", "The url field must begin with https://."),
        (json!({"url": "https://10.0.0.1/"}), "url", "The url field must lead to a public address."),
        (json!({"url": "https://printer.local/"}), "url", "The url field must lead to a public address."),
        (
            json!({"url": "https://example.com/", "events": []}),
            "events",
            "The events field must have at least 1 items.",
        ),
        (json!({"url": "https://example.com/", "events": "*"}), "events", "The events field must be an array."),
        (
            json!({"url": "https://example.com/", "events": ["*", "no"]}),
            "events.1",
            "The selected events.1 is invalid.",
        ),
        (json!({"url": "https://example.com/", "events": [5]}), "events.0", "The events.0 field must be a string."),
    ] {
        let answer = door.post(&token, "/api/v1/webhooks", &body);
        assert_eq!((answer.code(), answer.json()["errors"].clone()), (422, json!({field: [text]})), "{body}");
    }
    let both = door.post(&token, "/api/v1/webhooks", &json!({"url": "x", "events": ["no"]})).json();
    assert_eq!(
        both["message"],
        "The url field must be a whole URL such as https://example.com/path. (and 1 more error)"
    );
    assert_eq!(door.get(&token, "/api/v1/webhooks").json()["data"], json!([]), "none was made");
}
