//! Credits bought through Stripe, which a server of the test stands for. Its calls are signed by Stripe's own library in one
//! test, and by the same rule in the others.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::billing::{ApiKey, Billing, EventSecret, Stripe};
use hantar_domain::egress::Target;
use hantar_domain::ids::OrderId;
use hantar_domain::order::{Order, OrderState};
use hantar_domain::time::Timestamp;
use hantar_domain::token::Abilities;
use hantar_platform::faults::FaultPlan;
use hantar_testkit::process::program;
use hantar_testkit::webhook_receiver::{Received, Reply, WebhookReceiver};
use hantar_usecases::ports::Clock as _;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::Barrier;

use crate::door::{Answer, Door, token_with};
use crate::home::Home;
use crate::world::{LOOPBACK, World};

const KEY: &str = "sk_test_hantar";
const SECRET: &str = "whsec_hantar";
const CHECKOUT: &str = "/api/v1/credits/checkout";
const EVENTS: &str = "/api/v1/billing/stripe";

/// An account before a shop, and Stripe.
struct Shop {
    world: World,
    home: Home,
    stripe: WebhookReceiver,
    door: Door,
}

fn billing(url: &str) -> Billing {
    let api = Target::parse(url, &LOOPBACK.parse().unwrap()).unwrap();
    let prices = "MYR 10:10, 1000:8.5".parse().unwrap();
    Billing::Stripe(Box::new(Stripe { api, key: ApiKey::new(KEY), signing: vec![EventSecret::new(SECRET)], prices }))
}

/// What Stripe answers when it opens a checkout.
fn opened(name: &str) -> Reply {
    let body =
        json!({ "id": name, "object": "checkout.session", "url": format!("https://checkout.stripe.com/c/pay/{name}") });
    Reply::Full { status: 200, header: ("content-type", "application/json".into()), body: body.to_string() }
}

fn refusing(status: u16, message: &str) -> Reply {
    let body = json!({ "error": { "type": "invalid_request_error", "message": message } });
    Reply::Full { status, header: ("content-type", "application/json".into()), body: body.to_string() }
}

/// The header that Stripe signs a body with.
fn signed(body: &[u8], at: Timestamp) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{}.", at.seconds()).as_bytes());
    mac.update(body);
    let signature: Vec<_> = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = signature.concat();
    format!("t={},v1={signature}", at.seconds())
}

fn event(kind: &str, order: &Order) -> Value {
    json!({
        "id": "evt_1", "object": "event", "type": format!("checkout.session.{kind}"), "livemode": false,
        "data": { "object": {
            "id": "cs_test_1", "object": "checkout.session", "client_reference_id": order.reference().to_string(),
            "payment_status": if kind == "completed" { "paid" } else { "unpaid" },
            "amount_subtotal": order.amount.minor, "amount_total": order.amount.minor,
            "currency": order.amount.currency.to_string().to_lowercase(), "payment_intent": "pi_test_1"
        } }
    })
}

impl Shop {
    async fn open(seed: u64) -> Self {
        let world = World::new(seed).await;
        let home = world.home(0).await;
        let stripe = WebhookReceiver::start().await;
        let url = stripe.url.strip_suffix("/webhook").unwrap().to_owned();
        let door = Door::charging(&home, billing(&url)).await;
        Self { world, home, stripe, door }
    }

    async fn buy(&self, credits: u64, key: Option<&str>) -> Answer {
        self.door.ask("POST", CHECKOUT, Some(&json!({ "credits": credits })), key).await
    }

    /// An order that waits for its payment.
    async fn ordered(&self, credits: u64) -> Order {
        self.stripe.answer_with([opened("cs_test_1")]);
        let answer = self.buy(credits, None).await;
        assert_eq!(answer.code(), 201, "{}", answer.json());
        self.order(answer.data()["id"].as_u64().unwrap()).await
    }

    async fn order(&self, id: u64) -> Order {
        self.home.tenant().ledger().order(OrderId(id)).await.unwrap().unwrap()
    }

    async fn hear(&self, event: &Value) -> Answer {
        let body = event.to_string().into_bytes();
        let signature = signed(&body, self.world.clock.now());
        self.door.raw("POST", EVENTS, &[("stripe-signature", &signature)], body).await
    }

    async fn granted(&self) -> i64 {
        self.home.audit().await.granted
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_leads_to_stripe_and_its_payment_into_the_account() {
    let shop = Shop::open(1701).await;
    shop.stripe.answer_with([opened("cs_test_1")]);
    shop.buy(1000, Some("k1")).await.is("checkout");
    let asked: Vec<Received> = shop.stripe.received();
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("POST", "/v1/checkout/sessions"));
    assert_eq!(asked[0].header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(asked[0].header("content-type"), "application/x-www-form-urlencoded");
    let order = shop.order(1).await;
    assert_eq!(asked[0].header("idempotency-key"), order.reference().to_string());
    assert_eq!(shop.granted().await, 0, "not before it is paid");
    shop.hear(&event("completed", &order)).await.is("stripe_event");
    assert_eq!(shop.granted().await, 1000);
    shop.door.get("/api/v1/credits/invoices").await.is("invoices");
    shop.door.get("/api/v1/credits/ledger").await.is("ledger_purchase");
    shop.door.get("/api/v1/credits/prices").await.is("prices");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_heard_of_64_times_at_once_counts_once() {
    let shop = Arc::new(Shop::open(1702).await);
    let order = shop.ordered(50).await;
    shop.world.faults.set_plan(FaultPlan::conflicting());
    let start = Arc::new(Barrier::new(64));
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let (shop, start, event) = (shop.clone(), start.clone(), event("completed", &order));
            tokio::spawn(async move {
                start.wait().await;
                shop.hear(&event).await.code()
            })
        })
        .collect();
    for call in calls {
        let code = call.await.unwrap();
        assert!(matches!(code, 200 | 503), "{code}");
    }
    shop.world.faults.set_plan(FaultPlan::default());
    assert_eq!(shop.hear(&event("completed", &order)).await.code(), 200);
    assert_eq!(shop.granted().await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_under_its_key_finds_the_same_order_and_asks_stripe_under_the_same_name() {
    let shop = Shop::open(1703).await;
    shop.stripe.answer_with([Reply::Status(500), Reply::Close, opened("cs_test_1")]);
    assert_eq!(shop.buy(100, Some("k")).await.code(), 503, "Stripe is down");
    assert_eq!(shop.buy(100, Some("k")).await.code(), 503, "its answer is lost");
    let (first, again) = (shop.buy(100, Some("k")).await, shop.buy(100, Some("k")).await);
    assert_eq!((first.code(), again.code()), (201, 201));
    assert_eq!(first.data(), again.data());
    let names: Vec<_> = shop.stripe.received().iter().map(|call| call.header("idempotency-key").to_owned()).collect();
    assert_eq!(names, vec![shop.order(1).await.reference().to_string(); 3]);
    shop.buy(101, Some("k")).await.is("checkout_key_reused");
    assert_eq!(shop.home.tenant().ledger().orders(None, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sold_or_wrong_is_refused_with_every_field_named() {
    let shop = Shop::open(1704).await;
    shop.buy(9, None).await.is("checkout_too_few");
    shop.door
        .post(CHECKOUT, &json!({ "credits": 9, "success_url": "ftp://x", "cancel_url": 5 }))
        .await
        .is("checkout_invalid");
    shop.door.post(CHECKOUT, &json!({})).await.is("checkout_missing");
    shop.stripe.answer_with([refusing(400, "The amount is too small.")]);
    shop.buy(10, None).await.is("checkout_refused");
    shop.stripe.answer_with([refusing(401, "Invalid API Key provided.")]);
    shop.buy(10, None).await.is("checkout_unavailable");
    let reader = token_with(&shop.home, Abilities::from_names(["billing:read".into()]).unwrap()).await;
    assert_eq!(shop.door.with_token(reader).post(CHECKOUT, &json!({ "credits": 10 })).await.code(), 403);
    let unsold = Door::of(&shop.home).await;
    unsold.post(CHECKOUT, &json!({ "credits": 10 })).await.is("checkout_not_sold");
    unsold.get("/api/v1/credits/prices").await.is("prices_not_sold");
    unsold.raw("POST", EVENTS, &[], b"{}".to_vec()).await.is("stripe_not_here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_stripe_did_not_sign_now_changes_nothing() {
    let shop = Shop::open(1705).await;
    let order = shop.ordered(100).await;
    let body = event("completed", &order).to_string().into_bytes();
    let now = shop.world.clock.now();
    let other = String::from_utf8(body.clone()).unwrap().replace("evt_1", "evt_2").into_bytes();
    shop.door.raw("POST", EVENTS, &[], body.clone()).await.is("stripe_unsigned");
    let (good, old) = (signed(&body, now), signed(&body, now - Duration::from_mins(6)));
    shop.door.raw("POST", EVENTS, &[("stripe-signature", &good)], other).await.is("stripe_forged");
    shop.door.raw("POST", EVENTS, &[("stripe-signature", &old)], body.clone()).await.is("stripe_replayed");
    let nonsense = b"[]".to_vec();
    let signature = signed(&nonsense, now);
    shop.door.raw("POST", EVENTS, &[("stripe-signature", &signature)], nonsense).await.is("stripe_malformed");
    let large = vec![b' '; 600 * 1024];
    let signature = signed(&large, now);
    assert_eq!(shop.door.raw("POST", EVENTS, &[("stripe-signature", &signature)], large).await.code(), 413);
    assert_eq!((shop.granted().await, shop.order(1).await.state), (0, OrderState::Open));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_orders_own_amount_pays_it_and_only_its_own_name_leads_to_it() {
    let shop = Shop::open(1706).await;
    let order = shop.ordered(100).await;
    let mut wrong = event("completed", &order);
    wrong["data"]["object"]["amount_subtotal"] = 1.into();
    shop.hear(&wrong).await.is("stripe_wrong_amount");
    let mut currency = event("completed", &order);
    currency["data"]["object"]["currency"] = "idr".into();
    assert_eq!(shop.hear(&currency).await.code(), 409);
    for foreign in [Order { nonce: [9; 16], ..order.clone() }, Order { id: OrderId(77), ..order.clone() }] {
        assert_eq!(shop.hear(&event("completed", &foreign)).await.code(), 200);
    }
    assert_eq!(shop.granted().await, 0);
    let mut taxed = event("completed", &order);
    taxed["data"]["object"]["amount_total"] = (order.amount.minor + 60).into();
    assert_eq!(shop.hear(&taxed).await.code(), 200);
    assert_eq!(shop.granted().await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_expires_or_fails_and_is_paid_all_the_same_when_money_comes() {
    let shop = Shop::open(1707).await;
    let order = shop.ordered(100).await;
    let mut pending = event("completed", &order);
    pending["data"]["object"]["payment_status"] = "unpaid".into();
    for (event, state) in [
        (pending, OrderState::Open),
        (event("expired", &order), OrderState::Expired),
        (event("async_payment_failed", &order), OrderState::Expired),
        (event("completed", &order), OrderState::Paid),
        (event("expired", &order), OrderState::Paid),
    ] {
        assert_eq!(shop.hear(&event).await.code(), 200);
        assert_eq!(shop.order(1).await.state, state, "{event}");
    }
    assert_eq!(shop.granted().await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_pays_its_own_prices_and_invoices_are_its_own() {
    let shop = Shop::open(1708).await;
    let list = "SGD 1:3".parse().unwrap();
    shop.home.tenant().ledger().set_prices(Some(&list)).await.unwrap();
    let order = shop.ordered(7).await;
    assert_eq!((order.amount.minor, order.amount.currency.to_string()), (21, "SGD".to_owned()));
    for _ in 0..4 {
        shop.ordered(5).await;
    }
    let ids = async |path: &str| {
        let page = shop.door.get(path).await.json();
        let ids: Vec<_> = page["data"].as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect();
        (ids, page["links"]["next"].as_str().map(str::to_owned))
    };
    let (first, next) = ids("/api/v1/credits/invoices?per_page=2").await;
    assert_eq!(first, [5, 4]);
    assert_eq!(ids(next.unwrap().strip_prefix("http://localhost:8080").unwrap()).await.0, [3, 2]);
    assert_eq!(ids("/api/v1/credits/invoices?per_page=2&page=3").await, (vec![1], None));
    let other = shop.world.home(0).await;
    assert_eq!(Door::of(&other).await.get("/api/v1/credits/invoices").await.data(), json!([]));
}

/// Runs a program of JavaScript that may use Stripe's library.
async fn javascript(program_text: &str, arguments: &[&str]) -> String {
    let mut node = tokio::process::Command::new("node");
    node.env("NODE_PATH", program("HANTAR_NODE_MODULES")).args(["-e", program_text, "--"]).args(arguments);
    let output = node.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripes_own_library_signs_is_believed() {
    const SIGN: &str = r"
        const [payload, secret, timestamp] = process.argv.slice(1);
        const stripe = require('stripe')('sk_test_x');
        console.log(stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: Number(timestamp) }));
    ";
    let shop = Shop::open(1709).await;
    let order = shop.ordered(100).await;
    let body = event("completed", &order).to_string();
    let now = shop.world.clock.now().seconds();
    for (secret, at, code) in [("whsec_other", now, 400), (SECRET, now - 400, 400), (SECRET, now, 200)] {
        let header = javascript(SIGN, &[&body, secret, &at.to_string()]).await;
        let answer = shop.door.raw("POST", EVENTS, &[("stripe-signature", &header)], body.clone().into_bytes()).await;
        assert_eq!(answer.code(), code, "{}", answer.json());
    }
    assert_eq!(shop.granted().await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_is_asked_for_in_the_words_of_stripes_own_library() {
    const CREATE: &str = r"
        const [port, reference, name] = process.argv.slice(1);
        const options = { host: '127.0.0.1', port: Number(port), protocol: 'http', telemetry: false, maxNetworkRetries: 0 };
        const stripe = require('stripe')('sk_test_hantar', options);
        stripe.checkout.sessions.create({
            mode: 'payment', client_reference_id: reference, customer_email: 'owner0@example.com',
            success_url: 'https://shop.example/ok', cancel_url: 'https://shop.example/no',
            line_items: [{ quantity: 1, price_data: { currency: 'myr', unit_amount: 8500, product_data: { name } } }],
            metadata: { reference }, payment_intent_data: { metadata: { reference }, description: name },
        }).then(session => console.log(session.id));
    ";
    let shop = Shop::open(1710).await;
    shop.stripe.answer_with([opened("cs_test_1"), opened("cs_test_1")]);
    let asked =
        json!({ "credits": 1000, "success_url": "https://shop.example/ok", "cancel_url": "https://shop.example/no" });
    assert_eq!(shop.door.post(CHECKOUT, &asked).await.code(), 201);
    let reference = shop.order(1).await.reference().to_string();
    let port = shop.stripe.url.rsplit(':').next().unwrap().strip_suffix("/webhook").unwrap().to_owned();
    assert_eq!(javascript(CREATE, &[&port, &reference, "1000 message credits"]).await, "cs_test_1");
    let calls = shop.stripe.received();
    let fields = |call: &Received| {
        let text = String::from_utf8(call.body.to_vec()).unwrap();
        let mut fields: Vec<_> = text.split('&').map(decoded).collect();
        fields.sort();
        fields
    };
    assert_eq!(fields(&calls[0]), fields(&calls[1]));
    assert_eq!(calls[0].path, calls[1].path);
    assert_eq!(calls[0].header("authorization"), calls[1].header("authorization"));
}

/// A field of a form, of which some encode more than others.
fn decoded(field: &str) -> String {
    let url = format!("http://x/?{field}");
    let url = reqwest::Url::parse(&url).unwrap();
    url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}
