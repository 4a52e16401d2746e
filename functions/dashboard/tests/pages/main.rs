//! The pages through their real router, over the small world that the API's tests use.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../../api/tests/api/people.rs"]
mod people;
#[path = "../../../api/tests/api/tenant.rs"]
mod tenant;
#[expect(dead_code, reason = "tokens are the API's matter")]
#[path = "../../../api/tests/api/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use hantar_dashboard::{DashboardParts, router};
use hantar_domain::device::{PairingCode, Status};
use hantar_domain::ids::{AccountId, DeviceId, UserId};
use hantar_domain::time::Timestamp;
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Letter, Mail, PortError};
use hantar_usecases::sign_in::create_sign_in;
use tower::ServiceExt;

use world::{NOON, World};

const HOST: (&str, &str) = ("host", "127.0.0.1:8080");
const OURS: (&str, &str) = ("origin", "http://127.0.0.1:8080");

struct Browser {
    world: World,
    router: Router,
    cookie: Option<String>,
}

/// Pages that send letters are asked over the real store (`tests/acts`).
struct NoPost;

#[async_trait::async_trait]
impl Mail for NoPost {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        unreachable!("{letter:?}")
    }
}

struct Page {
    code: u16,
    headers: HeaderMap,
    text: String,
}

impl Browser {
    fn new() -> Self {
        let world = World::new();
        world.found(1, true);
        let shared = Arc::new(world.clone());
        let parts = DashboardParts {
            fleet: shared.clone(),
            tenants: shared.clone(),
            numbers: Arc::new(Numbers::new(shared.clone(), 10)),
            clock: shared.clone(),
            entropy: shared.clone(),
            sleep: shared.clone(),
            mail: Arc::new(NoPost),
            account_keys: Arc::new(AccountKeys::new(shared.clone(), shared.clone(), shared)),
            pages_url: None,
            hosts: vec!["hantar.example.com".into()],
            https: false,
            source_url: "https://example.com/source".into(),
            version: "0.0.0-test".into(),
        };
        Self { world, router: router(Arc::new(parts)), cookie: None }
    }

    fn signed_in() -> Self {
        let mut browser = Self::new();
        let page = browser.get(&format!("/sign-in?secret={}", browser.link()));
        assert_eq!(page.code, 303);
        let cookie = page.headers["set-cookie"].to_str().unwrap();
        browser.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        browser
    }

    /// The secret of a new sign-in link.
    fn link(&self) -> String {
        pollster::block_on(create_sign_in(&self.world, &self.world, &self.world, AccountId(1), UserId(10))).unwrap()
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("other=1; {cookie}"));
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        pollster::block_on(async {
            let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
            let bytes = to_bytes(body, usize::MAX).await.unwrap();
            Page { code: head.status.as_u16(), headers: head.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
        })
    }

    fn get(&self, path: &str) -> Page {
        self.ask("GET", path, &[HOST], "")
    }

    fn post(&self, path: &str, body: &str) -> Page {
        self.ask("POST", path, &[HOST, OURS, ("content-type", "application/x-www-form-urlencoded")], body)
    }

    /// The key in the form of a page.
    fn key(page: &Page) -> String {
        let after = page.text.split_once(r#"name="key" value=""#).unwrap().1;
        after.split_once('"').unwrap().0.to_owned()
    }

    fn messages(&self) -> usize {
        self.world.state().books[&AccountId(1)].messages.len()
    }

    fn device(&self, status: Status, code: Option<PairingCode>) {
        let mut state = self.world.state();
        let device = state.books.get_mut(&AccountId(1)).unwrap().devices.get_mut(&DeviceId(1)).unwrap();
        (device.status, device.pairing_code) = (status, code);
    }
}

#[test]
fn a_link_signs_a_browser_in_once() {
    let browser = Browser::new();
    assert_eq!(browser.get("/").code, 401);
    let path = format!("/sign-in?secret={}", browser.link());
    assert_eq!(browser.ask("HEAD", &path, &[HOST], "").code, 204, "a preview does not use it up");
    let first = browser.get(&path);
    assert_eq!((first.code, &first.headers["location"]), (303, &"/".parse().unwrap()));
    let cookie = first.headers["set-cookie"].to_str().unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "over plain http such a cookie would never come back");
    let again = browser.get(&path);
    assert_eq!((again.code, again.text.contains("hantar sign-in")), (410, true));
    let form = browser.get("/sign-in");
    assert!(form.code == 200 && form.text.contains(r#"type="password""#), "without a secret by a password");
    let late = format!("/sign-in?secret={}", browser.link());
    browser.world.pass(Duration::from_secs(3601));
    assert_eq!(browser.get(&late).code, 410, "it works for an hour");
}

#[test]
fn signing_out_ends_the_session_itself() {
    let browser = Browser::signed_in();
    assert_eq!(browser.get("/").code, 200);
    assert_eq!(browser.post("/sign-out", "").code, 303);
    assert_eq!(browser.get("/").code, 401, "the old cookie opens nothing any more");
}

#[test]
fn only_hosts_that_are_ours_are_answered() {
    let browser = Browser::signed_in();
    for host in
        ["127.0.0.1:8080", "localhost:9", "LOCALHOST", "[::1]:8080", "hantar.example.com", "Hantar.Example.com:443"]
    {
        assert_eq!(browser.ask("GET", "/", &[("host", host)], "").code, 200, "{host}");
    }
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "a@localhost",
        "localhost/",
        "",
        "127.0.0.2",
        "[::2]",
    ] {
        for path in ["/", "/sign-in?secret=x", "/fragments/messages", "/assets/page.js", "/nowhere"] {
            assert_eq!(browser.ask("GET", path, &[("host", host)], "").code, 421, "{host:?} {path}");
        }
    }
    assert_eq!(browser.ask("GET", "/", &[], "").code, 421, "none");
    assert_eq!(browser.ask("GET", "/", &[HOST, HOST], "").code, 421, "two");
    assert_eq!(browser.ask("GET", "http://localhost:8080/", &[], "").code, 200, "named as HTTP/2 does");
}

#[test]
fn only_our_own_pages_may_change_anything() {
    let browser = Browser::signed_in();
    let body = "phone=0123456789&body=Hi";
    let refused: [&[(&str, &str)]; 7] = [
        &[HOST],
        &[HOST, ("origin", "http://evil.example")],
        &[HOST, ("origin", "null")],
        &[HOST, ("origin", "http://127.0.0.1:8081")],
        &[HOST, ("origin", "http://127.0.0.1")],
        &[HOST, OURS, ("sec-fetch-site", "cross-site")],
        &[HOST, OURS, ("sec-fetch-site", "same-site")],
    ];
    for headers in refused {
        for path in ["/messages", "/devices/1/link", "/sign-out"] {
            assert_eq!(browser.ask("POST", path, headers, body).code, 403, "{path} {headers:?}");
        }
    }
    assert_eq!(browser.messages(), 0);
    assert_eq!(browser.get("/").code, 200, "still signed in");
    assert_eq!(browser.ask("POST", "/messages", &[HOST, ("sec-fetch-site", "same-origin")], body).code, 303);
    assert_eq!(browser.ask("POST", "/messages", &[HOST, OURS], body).code, 303);
}

#[test]
fn nobody_sees_or_does_anything_signed_out() {
    let browser = Browser::new();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/fragments/devices"),
        ("GET", "/fragments/messages"),
        ("POST", "/messages"),
        ("POST", "/devices/1/link"),
    ] {
        let page = browser.ask(method, path, &[HOST, OURS], "phone=0123456789&body=Hi");
        assert_eq!((page.code, page.text.contains("Counter")), (401, false), "{method} {path}");
    }
    assert_eq!(browser.messages(), 0);
}

#[test]
fn a_number_is_linked_by_a_code_that_the_page_shows() {
    let browser = Browser::signed_in();
    let page = browser.get("/");
    assert!(page.text.contains("Link a number") && !page.text.contains("http-equiv"), "{}", page.text);
    assert_eq!(browser.post("/devices/1/link", "").code, 303);
    let page = browser.get("/");
    assert!(page.text.contains("Waiting for the QR code"));
    assert!(page.text.contains(r#"<noscript><meta http-equiv="refresh""#), "works without scripts");
    let code = PairingCode { text: "2@abc".into(), expires_at: Timestamp::from_seconds(NOON + 20) };
    browser.device(Status::Pairing, Some(code));
    assert!(browser.get("/fragments/devices").text.contains("<svg"));
    browser.world.pass(Duration::from_secs(21));
    assert!(!browser.get("/fragments/devices").text.contains("<svg"), "an old code is not shown");
    browser.device(Status::Connected, None);
    let devices = browser.get("/fragments/devices").text;
    assert!(devices.contains("Connected") && !devices.contains("Link a number"), "{devices}");
    for id in ["2", "x", "99999999999999999999"] {
        assert_eq!(browser.post(&format!("/devices/{id}/link"), "").code, 404, "{id}");
    }
}

#[test]
fn a_message_is_sent_once_however_often_its_form_is() {
    let browser = Browser::signed_in();
    let key = Browser::key(&browser.get("/"));
    let form = format!("key={key}&phone=012-3456789&body=Hello%0D%0Aworld");
    assert_eq!((browser.post("/messages", &form).code, browser.post("/messages", &form).code), (303, 303));
    assert_eq!(browser.messages(), 1);
    let page = browser.get("/");
    assert!(
        page.text.contains("Hello\nworld") && page.text.contains("queued") && page.text.contains("Credits left: 9")
    );
    assert_eq!(browser.get("/fragments/messages").text.matches("<li>").count(), 1);
}

#[test]
fn a_wrong_form_comes_back_as_it_was_with_what_is_wrong() {
    let browser = Browser::signed_in();
    let page = browser.post("/messages", "phone=letters&body=&device=7");
    assert_eq!(page.code, 422);
    for text in
        ["Not a valid Malaysian phone number", "Fill this in.", "There is no such device.", r#"value="letters""#]
    {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    let mended = format!("key={}&phone=0123456789&body=Hi", Browser::key(&page));
    assert_eq!(browser.post("/messages", &mended).code, 303);
    let long = format!("phone=0123456789&body={}", "x".repeat(100_000));
    assert_eq!(browser.post("/messages", &long).code, 400);
    assert_eq!(browser.post("/messages", "phone=0123456789&body=a%00b").code, 422);
    assert_eq!(browser.messages(), 1);
}

#[test]
fn without_credits_the_page_says_so() {
    let browser = Browser::signed_in();
    for _ in 0..10 {
        assert_eq!(browser.post("/messages", "phone=0123456789&body=Hi").code, 303);
    }
    let page = browser.post("/messages", "phone=0123456789&body=Hi");
    assert_eq!((page.code, page.text.contains("not enough credits")), (422, true));
}

#[test]
fn an_owner_without_a_verified_address_sends_nothing() {
    let mut browser = Browser::signed_in();
    browser.world.state().books.get_mut(&AccountId(1)).unwrap().users[0].verified_at = None;
    let page = browser.post("/messages", "phone=0123456789&body=Hi");
    assert_eq!((page.code, page.text.contains("Verify your e-mail")), (422, true));
    browser.cookie = None;
    assert_eq!(browser.messages(), 0);
}

#[test]
fn whatever_people_write_stays_text() {
    let browser = Browser::signed_in();
    let page =
        browser.post("/messages", "phone=%22%3E%3Cscript%3E&body=%3C%2Ftextarea%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    assert!(!page.text.contains("<script>") && page.text.contains("&lt;script&gt;alert(1)"), "{}", page.text);
    assert_eq!(browser.post("/messages", "phone=0123456789&body=%3Cimg+src%3Dx+onerror%3D1%3E").code, 303);
    for path in ["/", "/fragments/messages"] {
        let text = browser.get(path).text;
        assert!(text.contains("&lt;img src=x") && !text.contains("<img"), "{path}");
    }
    assert!(browser.get("/fragments/devices").text.contains("Counter &lt;1&gt;"));
}

#[test]
fn every_answer_forbids_foreign_content_and_framing() {
    let browser = Browser::signed_in();
    for path in
        ["/", "/source", "/fragments/devices", "/assets/page.js", "/assets/style.css", "/assets/icon.svg", "/nowhere"]
    {
        let page = browser.get(path);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self';") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(page.headers["x-content-type-options"], "nosniff", "{path}");
    }
    let page = browser.get("/");
    assert_eq!(page.headers["cache-control"], "no-store");
    for inline in ["style=", "onclick", "javascript:", "<style"] {
        assert!(!page.text.contains(inline), "{inline} would not run under the policy");
    }
}

#[test]
fn every_page_leads_to_the_source() {
    let browser = Browser::new();
    for path in ["/", "/sign-in", "/nowhere", "/source"] {
        assert!(browser.get(path).text.contains(r#"<a href="/source">Source</a>"#), "{path}");
    }
    let source = browser.get("/source");
    assert_eq!((source.code, source.text.contains(r#"href="https://example.com/source""#)), (200, true));
    assert_eq!(browser.get("/nowhere").code, 404);
}

#[test]
fn every_field_has_a_label_and_its_message() {
    let text = Browser::signed_in().get("/").text;
    for field in ["phone", "body"] {
        assert!(
            text.contains(&format!(r#"<label for="{field}">"#)) && text.contains(&format!(r#"id="{field}-error""#)),
            "{field}"
        );
    }
    assert!(text.contains(r#"<html lang="en">"#) && text.contains(r#"name="viewport""#));
}

#[test]
fn a_busy_table_is_said_and_shows_nothing_of_itself() {
    let browser = Browser::signed_in();
    browser.world.state().busy = true;
    let page = browser.get("/");
    assert_eq!(
        (page.code, page.text.contains("Try again in a moment"), page.text.contains("throttled")),
        (503, true, false)
    );
}
