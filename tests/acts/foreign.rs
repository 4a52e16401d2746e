//! Another account's token at every route of the description, with the first account's numbers in paths, queries and bodies:
//! what is not the caller's is not there.

use std::collections::{BTreeMap, BTreeSet};

use hantar_domain::ids::{
    AccountId, CampaignId, ContactId, DeviceId, EndpointId, ErasureId, ExportId, GroupId, ImportId, InvitationId,
    MessageId, OrderId, TemplateId, UserId,
};
use hantar_usecases::ports::Sequence;
use serde_json::{Value, json};

use crate::door::{Answer, token};
use crate::estate::{Estate, PASSWORD};
use crate::world::World;

/// The numbers that the first account's things have; the other account's own lie before and after.
const THEIRS: std::ops::RangeInclusive<u64> = 1_001..=2_000;

/// What the answer has to be.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// 404.
    Missing,
    /// 422, on this field.
    Refused(&'static str),
    /// 202, with the row rejected for this reason.
    Rejected(&'static str),
    /// This status: the request is about the caller's own, or about nobody.
    Status(u16),
}
use Expect::{Missing, Refused, Rejected, Status};

/// One request.
struct Case {
    path: String,
    body: Option<Value>,
    expect: Expect,
}

/// Requests by method and path of the description.
#[derive(Default)]
struct Cases(BTreeMap<(&'static str, &'static str), Vec<Case>>);

impl Cases {
    /// `asked` is the path that is asked for, query included.
    fn add(&mut self, route: (&'static str, &'static str), asked: String, body: Option<Value>, expect: Expect) {
        self.0.entry(route).or_default().push(Case { path: asked, body, expect });
    }

    /// A path as it is.
    fn plain(&mut self, method: &'static str, path: &'static str, body: Option<Value>, expect: Expect) {
        self.add((method, path), path.to_owned(), body, expect);
    }

    /// A path with one number that is the first account's.
    fn missing(&mut self, method: &'static str, path: &'static str, id: u64, body: Option<Value>) {
        self.add((method, path), path.replace("{id}", &id.to_string()), body, Missing);
    }

    /// A list, asked for by each of these queries.
    fn list(&mut self, path: &'static str, queries: &[(String, Expect)]) {
        for (query, expect) in queries {
            self.add(("GET", path), format!("{path}?{query}"), None, *expect);
        }
    }
}

fn sending(cases: &mut Cases, theirs: &Estate) {
    let (phone, device) = (theirs.phone(1), theirs.home.device.0);
    let cursor = format!("cursor={}", theirs.messages[4]);
    let queries = [
        (String::new(), Status(200)),
        (format!("campaign_id={}", theirs.campaign), Refused("campaign_id")),
        (format!("device={device}"), Status(200)),
        (format!("external_id={}", theirs.word), Status(200)),
        (format!("phone={}", phone.replace('+', "%2B")), Status(200)),
        (cursor, Status(200)),
    ];
    cases.list("/messages", &queries);
    for id in theirs.messages {
        cases.missing("GET", "/messages/{id}", id, None);
        cases.missing("DELETE", "/messages/{id}", id, None);
    }
    let message = |more: Value| {
        let mut body = json!({ "phone": "0123456789", "body": "Hi" });
        let fields = body.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        fields.retain(|_, value| !value.is_null());
        body
    };
    let by_template = json!({ "template_id": theirs.template, "body": null });
    for (body, field, reason) in [
        (message(json!({ "device": device })), "device", "invalid_device"),
        (message(by_template), "template_id", "invalid_template"),
    ] {
        cases.plain("POST", "/messages/send", Some(body.clone()), Refused(field));
        cases.plain("POST", "/messages/bulk", Some(json!({ "messages": [body] })), Rejected(reason));
    }
    let same = message(json!({ "phone": phone, "save_contact": true, "external_id": theirs.word }));
    cases.plain("POST", "/messages/send", Some(same), Status(202));
    let looked_up = format!("/devices/{device}/numbers/0123456789");
    cases.add(("GET", "/devices/{id}/numbers/{phone}"), looked_up, None, Missing);
    cases.plain("GET", "/connection/status", None, Status(200));
    cases.add(("GET", "/connection/qr"), format!("/connection/qr?device={device}"), None, Missing);
}

fn campaigns(cases: &mut Cases, theirs: &Estate) {
    let queries = [(String::new(), Status(200)), (format!("cursor={}", theirs.campaign + 1), Status(200))];
    cases.list("/campaigns", &queries);
    for (method, path) in [
        ("GET", "/campaigns/{id}"),
        ("GET", "/campaigns/{id}/export"),
        ("GET", "/campaigns/{id}/recipients"),
        ("POST", "/campaigns/{id}/pause"),
        ("POST", "/campaigns/{id}/resume"),
        ("POST", "/campaigns/{id}/cancel"),
    ] {
        cases.missing(method, path, theirs.campaign, None);
    }
    let results = format!("/campaigns/{}/export/{}", theirs.campaign, theirs.results);
    cases.add(("GET", "/campaigns/{id}/export/{export}"), results, None, Missing);
    let device = theirs.home.device.0;
    let recipients = json!([{ "phone": "0123456789" }]);
    for (body, field) in [
        (json!({ "message_template_id": theirs.template, "recipients": recipients }), "message_template_id"),
        (json!({ "body": "Hi", "contact_group_id": theirs.group }), "contact_group_id"),
        (json!({ "body": "Hi", "recipients": recipients, "device": device }), "device"),
        (json!({ "body": "Hi", "recipients": recipients, "devices": [device] }), "devices.0"),
    ] {
        let mut body = body;
        cases.plain("POST", "/campaigns/preview", Some(body.clone()), Refused(field));
        body["name"] = json!("Sale");
        cases.plain("POST", "/campaigns", Some(body), Refused(field));
    }
    // Contacts that are not there are passed over; the second test sees nobody written to.
    let contacts = json!({ "name": "Sale", "body": "Hi", "contact_ids": [theirs.contact] });
    cases.plain("POST", "/campaigns/preview", Some(contacts.clone()), Status(200));
    cases.plain("POST", "/campaigns", Some(contacts), Status(201));
}

fn contacts(cases: &mut Cases, theirs: &Estate, ours: &Estate) {
    let phone = theirs.phone(1);
    let queries = [
        (String::new(), Status(200)),
        (format!("search={}", theirs.word), Status(200)),
        (format!("search={}", &phone[8..]), Status(200)),
        (format!("external_id={}", theirs.word), Status(200)),
        (format!("group={}", theirs.group), Refused("group")),
        (format!("cursor={}", theirs.contact + 1), Status(200)),
    ];
    cases.list("/contacts", &queries);
    cases.missing("GET", "/contacts/{id}", theirs.contact, None);
    cases.missing("PUT", "/contacts/{id}", theirs.contact, Some(json!({ "name": "Mine" })));
    cases.missing("DELETE", "/contacts/{id}", theirs.contact, None);
    let merged = json!({ "contact_ids": [theirs.contact] });
    cases.missing("POST", "/contacts/{id}/merge", theirs.contact, Some(json!({ "contact_ids": [ours.contact] })));
    let merge = format!("/contacts/{}/merge", ours.contact);
    cases.add(("POST", "/contacts/{id}/merge"), merge, Some(merged.clone()), Status(200));
    let grouped = json!({ "phone": "0123456789", "group_ids": [theirs.group] });
    cases.plain("POST", "/contacts", Some(grouped), Refused("group_ids.0"));
    cases.plain("POST", "/contacts", Some(json!({ "phone": phone, "external_id": "mine" })), Status(201));

    cases.plain("GET", "/contact-groups", None, Status(200));
    cases.plain("POST", "/contact-groups", Some(json!({ "name": theirs.word.to_uppercase() })), Status(201));
    cases.missing("GET", "/contact-groups/{id}", theirs.group, None);
    cases.missing("PUT", "/contact-groups/{id}", theirs.group, Some(json!({ "name": "Mine" })));
    cases.missing("DELETE", "/contact-groups/{id}", theirs.group, None);
    for method in ["POST", "DELETE"] {
        let own = Some(json!({ "contact_ids": [ours.contact] }));
        cases.missing(method, "/contact-groups/{id}/contacts", theirs.group, own);
        let members = format!("/contact-groups/{}/contacts", ours.group);
        cases.add((method, "/contact-groups/{id}/contacts"), members, Some(merged.clone()), Status(200));
    }

    let queries = [(String::new(), Status(200)), (format!("cursor={}", theirs.erasure + 1), Status(200))];
    cases.list("/contact-erasures", &queries);
    cases.missing("GET", "/contact-erasures/{id}", theirs.erasure, None);
    let named = json!({ "contact_id": theirs.contact });
    cases.plain("POST", "/contact-erasures", Some(named), Refused("contact_id"));
    cases.plain("POST", "/contact-erasures", Some(json!({ "phone": phone })), Status(202));

    let proof = format!("phone={}", theirs.phone(9).replace('+', "%2B"));
    cases.list("/consents", &[(String::new(), Status(200)), (proof.clone(), Status(200))]);
    cases.list("/consents/proof", &[(proof, Status(200))]);
    let says = json!({ "phone": theirs.phone(9), "status": "opted_in" });
    cases.plain("POST", "/consents", Some(says), Status(201));
    cases.plain("GET", "/consents/settings", None, Status(200));
    for method in ["PUT", "PATCH"] {
        cases.plain(method, "/consents/settings", Some(json!({ "stop_words": ["taknak"] })), Status(200));
    }
}

fn files(cases: &mut Cases, theirs: &Estate, ours: &Estate) {
    let announced = json!({ "filename": "mine.csv", "size": 5 });
    cases.plain("POST", "/contacts/import", Some(announced), Status(201));
    for id in theirs.imports {
        cases.missing("GET", "/contacts/import/{id}", id, None);
        cases.missing("POST", "/contacts/import/{id}/start", id, Some(json!({})));
    }
    let announced = json!({ "filename": "mine.pdf", "size": 5 });
    cases.plain("POST", "/uploads", Some(announced), Status(201));
    let carries = json!({ "phone": "0123456789", "media": { "upload_id": theirs.upload } });
    cases.plain("POST", "/messages/send", Some(carries), Refused("media.upload_id"));
    let start = format!("/contacts/import/{}/start", ours.imports[1]);
    let into = json!({ "contact_group_id": theirs.group });
    cases.add(("POST", "/contacts/import/{id}/start"), start, Some(into), Refused("contact_group_id"));
    let queries = [(String::new(), Status(202)), (format!("group={}", theirs.group), Refused("group"))];
    cases.list("/contacts/export", &queries);
    cases.missing("GET", "/contacts/export/{id}", theirs.export, None);
}

fn texts(cases: &mut Cases, theirs: &Estate) {
    let body = json!({ "name": "Mine", "body": "Hi" });
    cases.plain("GET", "/templates", None, Status(200));
    cases.plain("POST", "/templates", Some(json!({ "name": "Mine", "body": "Hi", "slug": theirs.word })), Status(201));
    cases.missing("GET", "/templates/{id}", theirs.template, None);
    cases.missing("PUT", "/templates/{id}", theirs.template, Some(body.clone()));
    cases.missing("PATCH", "/templates/{id}", theirs.template, Some(body));
    cases.missing("DELETE", "/templates/{id}", theirs.template, None);
    cases.missing("POST", "/templates/{id}/preview", theirs.template, Some(json!({})));
    let hook = json!({ "url": "https://mine.example.com/hook" });
    cases.plain("GET", "/webhooks", None, Status(200));
    cases.plain("POST", "/webhooks", Some(hook), Status(201));
    cases.missing("GET", "/webhooks/{id}", theirs.webhook, None);
    cases.missing("PUT", "/webhooks/{id}", theirs.webhook, Some(json!({ "rotate_secret": true })));
    cases.missing("DELETE", "/webhooks/{id}", theirs.webhook, None);
}

fn credits(cases: &mut Cases, theirs: &Estate) {
    for (path, status) in [("/balance", 200), ("/credits/settings", 200), ("/credits/prices", 409)] {
        cases.plain("GET", path, None, Status(status));
    }
    cases.list("/credits/ledger", &[(String::new(), Status(200))]);
    let queries = [(String::new(), Status(200)), (format!("cursor={}", theirs.order + 1), Status(200))];
    cases.list("/credits/invoices", &queries);
    cases.plain("PUT", "/credits/settings", Some(json!({ "low_balance": 1 })), Status(200));
    // Nothing is sold here; what is bought where it is belongs to the token's account by its reference.
    cases.plain("POST", "/credits/checkout", Some(json!({ "credits": 100 })), Status(409));
    cases.plain("POST", "/billing/stripe", Some(json!({})), Status(404));
}

fn people(cases: &mut Cases, theirs: &Estate) {
    let (role, password) = (json!({ "role": "admin" }), json!({ "password": PASSWORD }));
    cases.plain("GET", "/users", None, Status(200));
    for id in [theirs.user, theirs.home.owner.0] {
        cases.missing("GET", "/users/{id}", id, None);
        cases.missing("PUT", "/users/{id}", id, Some(role.clone()));
        cases.missing("DELETE", "/users/{id}", id, None);
        cases.missing("POST", "/users/{id}/make-owner", id, Some(password.clone()));
    }
    cases.plain("GET", "/invitations", None, Status(200));
    let asked = json!({ "email": "new@example.com", "role": "viewer" });
    cases.plain("POST", "/invitations", Some(asked), Status(201));
    cases.missing("DELETE", "/invitations/{id}", theirs.invitation, None);
    cases.missing("POST", "/invitations/{id}/resend", theirs.invitation, None);
    cases.plain("GET", "/tokens", None, Status(200));
    cases.plain("POST", "/tokens", Some(json!({ "name": "mine" })), Status(201));
    cases.missing("DELETE", "/tokens/{id}", theirs.token, None);
    cases.list("/audit-log", &[(String::new(), Status(200))]);
    cases.plain("GET", "/account", None, Status(200));
    for method in ["PUT", "PATCH"] {
        cases.plain(method, "/account", Some(json!({ "name": "Mine" })), Status(200));
    }
    cases.plain("DELETE", "/account", Some(password), Status(202));
    cases.plain("POST", "/account/restore", None, Status(204));
}

/// Whoever is not signed in names no account; whoever is, only their own.
fn signing_in(cases: &mut Cases) {
    let (nobody, secret) = ("nobody@example.com", "x".repeat(40));
    let letter = json!({ "token": secret, "password": "an entirely new phrase" });
    for (path, body, status) in [
        ("/auth/sign-up", json!({ "email": nobody, "password": PASSWORD }), 202),
        ("/auth/sign-in", json!({ "email": nobody, "password": "not theirs" }), 422),
        ("/auth/two-factor-challenge", json!({ "challenge": secret, "code": "123456" }), 422),
        ("/auth/verify-email", letter.clone(), 422),
        ("/auth/resend-verification", json!({ "email": nobody }), 202),
        ("/auth/forgot-password", json!({ "email": nobody }), 202),
        ("/auth/reset-password", letter.clone(), 422),
        ("/auth/accept-invitation", letter, 422),
        ("/auth/sign-out", json!({}), 204),
        ("/auth/change-password", json!({ "current_password": PASSWORD, "password": PASSWORD }), 204),
        ("/auth/two-factor", json!({ "password": PASSWORD }), 200),
        ("/auth/two-factor/confirm", json!({ "code": "12" }), 422),
        ("/auth/two-factor/recovery-codes", json!({ "password": PASSWORD }), 409),
    ] {
        cases.plain("POST", path, Some(body), Status(status));
    }
    cases.plain("DELETE", "/auth/two-factor", Some(json!({ "password": PASSWORD })), Status(204));
    cases.plain("GET", "/auth/me", None, Status(200));
}

fn cases(theirs: &Estate, ours: &Estate) -> Cases {
    let mut cases = Cases::default();
    sending(&mut cases, theirs);
    campaigns(&mut cases, theirs);
    contacts(&mut cases, theirs, ours);
    files(&mut cases, theirs, ours);
    texts(&mut cases, theirs);
    credits(&mut cases, theirs);
    people(&mut cases, theirs);
    signing_in(&mut cases);
    cases
}

/// Whether a number of the first account stands where numbers of things stand.
fn shows_number(value: &Value) -> bool {
    let names_things = |key: &str| {
        key == "id" || key.ends_with("ed_by") || key.ends_with("_id") || key.starts_with("device") || key == "groups"
    };
    let theirs = |value: &Value| value.as_u64().is_some_and(|number| THEIRS.contains(&number));
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            names_things(key) && (theirs(value) || value.as_array().is_some_and(|many| many.iter().any(theirs)))
                || shows_number(value)
        }),
        Value::Array(values) => values.iter().any(shows_number),
        _ => false,
    }
}

fn judge(case: &Case, answer: &Answer, theirs: &Estate, what: &str) {
    let (json, text) = (answer.json(), String::from_utf8_lossy(&answer.bytes).into_owned());
    let named = |field: &str| !json["errors"][field].is_null();
    match case.expect {
        Missing => assert_eq!((answer.code(), &json["code"]), (404, &json!("not_found")), "{what}: {text}"),
        Refused(field) => assert!(answer.code() == 422 && named(field), "{what}: {text}"),
        Rejected(reason) => {
            assert_eq!(answer.code(), 202, "{what}: {text}");
            let (queued, rejected) = (&json["data"]["queued"], &json["data"]["rejected"]);
            assert_eq!((queued, &rejected[0]["reason"]), (&json!([]), &json!(reason)), "{what}: {text}");
        }
        Status(status) => assert_eq!(answer.code(), status, "{what}: {text}"),
    }
    let asked = format!("{} {}", case.path, case.body.as_ref().map(Value::to_string).unwrap_or_default());
    let asked_for = asked.contains(theirs.word);
    assert!(asked_for || !text.contains(theirs.word), "{what} shows what another account wrote: {text}");
    assert!(!shows_number(&json), "{what} shows a number of another account: {text}");
}

type Items = BTreeMap<(String, String, String), Value>;

/// What is stored of an account: in its partitions, under names that lead to it, and in lists of all accounts.
async fn stored(world: &World, account: AccountId, device: DeviceId) -> Items {
    let mut items = world.items().await;
    items.retain(|(_, pk, sk), item| {
        *pk == format!("A#{account}")
            || pk.starts_with(&format!("A#{account}#"))
            || *pk == format!("D#{device}")
            || pk.starts_with(&format!("D#{device}#"))
            || pk.starts_with("SEQ#") && pk.ends_with(&format!("#{account}"))
            || sk.starts_with(&format!("A#{account}#"))
            || sk.starts_with(&format!("{account}#"))
            || item["ac"]["N"] == account.to_string()
    });
    items
}

/// Otherwise the walk would prove nothing.
async fn assert_absent(theirs: &Estate, ours: &Estate) {
    let tenant = ours.home.tenant();
    for id in theirs.messages {
        assert_eq!(tenant.message(MessageId(id)).await.unwrap(), None);
    }
    for id in theirs.imports {
        assert!(tenant.files().import(ImportId(id)).await.unwrap().is_none());
    }
    let (contacts, people) = (tenant.contacts(), tenant.people());
    assert!(tenant.device(theirs.home.device).await.unwrap().is_none());
    assert!(tenant.campaigns().campaign(CampaignId(theirs.campaign)).await.unwrap().is_none());
    assert!(contacts.contact(ContactId(theirs.contact)).await.unwrap().is_none());
    assert!(contacts.group(GroupId(theirs.group)).await.unwrap().is_none());
    assert!(contacts.erasure(ErasureId(theirs.erasure)).await.unwrap().is_none());
    assert!(tenant.templates().template(TemplateId(theirs.template)).await.unwrap().is_none());
    assert!(tenant.endpoint(EndpointId(theirs.webhook)).await.unwrap().is_none());
    for export in [theirs.export, theirs.results] {
        assert!(tenant.files().export(ExportId(export)).await.unwrap().is_none());
    }
    assert!(tenant.ledger().order(OrderId(theirs.order)).await.unwrap().is_none());
    assert!(people.invitation(InvitationId(theirs.invitation)).await.unwrap().is_none());
    for id in [theirs.user, theirs.home.owner.0] {
        assert!(tenant.user(UserId(id)).await.unwrap().is_none());
    }
    assert!(people.tokens().await.unwrap().iter().all(|token| token.id.0 != theirs.token));
}

/// Two accounts that own one of everything each; the first one's numbers are in [`THEIRS`], and no other's are.
async fn neighbours(world: &World) -> (Estate, Estate) {
    let burn = async |sequences: &[Sequence]| {
        let process = world.process();
        for sequence in sequences {
            process.fleet.reserve(*sequence, 1_000).await.unwrap();
        }
    };
    let shared = [Sequence::Accounts, Sequence::Users, Sequence::Tokens, Sequence::Devices];
    burn(&shared).await;
    let home = world.home(50).await;
    let account = home.account;
    let own = [
        Sequence::Messages,
        Sequence::Endpoints,
        Sequence::Contacts,
        Sequence::Groups,
        Sequence::Templates,
        Sequence::Bulks,
        Sequence::Campaigns,
        Sequence::Imports,
        Sequence::Exports,
        Sequence::Erasures,
        Sequence::Uploads,
        Sequence::Orders,
        Sequence::Invitations,
    ];
    burn(&own.map(|sequence| sequence(account))).await;
    let theirs = Estate::of(world, home, "rahsia", "+60123451").await;
    burn(&shared).await;
    let ours = Estate::of(world, world.home(50).await, "sendiri", "+60123452").await;
    let estates = [theirs.contact, theirs.home.device.0, theirs.home.owner.0, theirs.token, theirs.messages[4]];
    assert!(estates.iter().all(|number| THEIRS.contains(number)), "{estates:?}");
    assert_absent(&theirs, &ours).await;
    (theirs, ours)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_shows_or_changes_anything_of_another_account() {
    let world = World::new(551).await;
    let (theirs, ours) = neighbours(&world).await;
    let mut cases = cases(&theirs, &ours);
    let document = ours.door.get("/api/v1/openapi.json").await.json();
    let before = stored(&world, theirs.home.account, theirs.home.device).await;
    assert!(before.len() > 50, "{}", before.len());
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").unwrap();
        for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let known = cases.0.keys().copied().find(|known| *known == (method.as_str(), path));
            let known = known.unwrap_or_else(|| panic!("no case for {method} {path}"));
            for case in cases.0.remove(&known).unwrap() {
                // Each time with a token of its own: one of them is ended.
                let door = ours.door.with_token(token(&ours.home).await);
                let answer = door.ask(&method, &format!("/api/v1{}", case.path), case.body.as_ref(), None).await;
                let what = format!("{method} {} {}", case.path, case.body.clone().unwrap_or_default());
                judge(&case, &answer, &theirs, &what);
                let after = stored(&world, theirs.home.account, theirs.home.device).await;
                assert!(after == before, "{what} changed {:?}", difference(&before, &after));
            }
        }
    }
    let left: Vec<_> = cases.0.into_keys().collect();
    assert!(left.is_empty(), "there are no such routes any more: {left:?}");
}

/// What was begun by the walk is done by jobs, later.
#[tokio::test(flavor = "multi_thread")]
async fn work_of_one_account_leaves_another_account_alone() {
    let world = World::new(552).await;
    let (theirs, ours) = neighbours(&world).await;
    // Nothing of theirs is to be done any more.
    let cancel = format!("/api/v1/campaigns/{}/cancel", theirs.campaign);
    assert_eq!(theirs.door.ask("POST", &cancel, None, None).await.code(), 200);
    theirs.home.process.work().await;
    world.relay(&theirs.home.process).await;
    let before = stored(&world, theirs.home.account, theirs.home.device).await;
    let phone = json!({ "phone": theirs.phone(1) });
    assert_eq!(ours.door.post("/api/v1/contacts", &phone).await.code(), 201);
    assert_eq!(ours.door.post("/api/v1/contact-erasures", &phone).await.code(), 202);
    let merge = format!("/api/v1/contacts/{}/merge", ours.contact);
    assert_eq!(ours.door.post(&merge, &json!({ "contact_ids": [theirs.contact] })).await.code(), 200);
    let cancel = format!("/api/v1/campaigns/{}/cancel", ours.campaign);
    assert_eq!(ours.door.ask("POST", &cancel, None, None).await.code(), 200);
    let sale = json!({ "name": "Sale", "body": "Hi", "contact_ids": [theirs.contact] });
    let sale = ours.door.post("/api/v1/campaigns", &sale).await.data()["id"].clone();
    world.clock.advance(std::time::Duration::from_secs(1));
    ours.home.process.sweep_work().await;
    assert!(ours.home.process.work().await > 0);
    world.relay(&ours.home.process).await;
    let sent = ours.door.get(&format!("/api/v1/messages?campaign_id={sale}")).await.data();
    assert_eq!(sent, json!([]), "nobody is written to");
    let after = stored(&world, theirs.home.account, theirs.home.device).await;
    assert!(after == before, "changed: {:?}", difference(&before, &after));
}

fn difference(before: &Items, after: &Items) -> BTreeSet<(String, String, String)> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    keys.into_iter().filter(|key| before.get(key) != after.get(key)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_all_methods_that_its_paths_take() {
    let world = World::new(553).await;
    let door = crate::door::Door::of(&world.home(0).await).await;
    let document = door.get("/api/v1/openapi.json").await.json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let answer = door.ask("TRACE", &path.replace("{id}", "1").replace("{phone}", "0123456789"), None, None).await;
        assert_eq!(answer.code(), 405, "{path}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        let takes = message.rsplit_once("Supported methods: ").unwrap().1.trim_end_matches('.').to_owned();
        let takes: BTreeSet<_> = takes.split(", ").filter(|method| *method != "HEAD").map(str::to_owned).collect();
        let described: BTreeSet<_> = methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        assert_eq!(takes, described, "{path}");
    }
}
