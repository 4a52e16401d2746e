//! A campaign of twenty thousand over ten devices on a bad day: wrong numbers, numbers without WhatsApp, the same number
//! twice, opt-outs, refusals, and a killed process in the middle. Every number gets exactly one message or a stated reason,
//! and counters, credits and results agree to the row.
#![expect(clippy::disallowed_methods, reason = "a journey says how long it took")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use hantar_domain::consent::{Consent, Said, Source};
use hantar_domain::ids::{ContactId, GroupId};
use hantar_domain::phone::PhoneNumber;
use hantar_simulator::{Fault, FaultKind};
use hantar_usecases::ports::{ContactDraft, Sequence};
use serde_json::{Value, json};

use crate::shop::Shop;

const DEVICES: usize = 10;
const RECIPIENTS: usize = 20_000;
/// These come with the request, with as many wrong ones as fill it; the rest as a group.
const INLINE: usize = 9_900;
/// Rows that are no numbers come with the request, too, and some who are in the group.
const WRONG: usize = 50;
const TWICE: std::ops::Range<usize> = INLINE + 3..INLINE + 53;
/// Messages that WhatsApp's server refuses: so few that nothing is in danger.
const REFUSED: u32 = 150;
const CREDITS: i64 = 30_000;
/// Longer than it takes on a busy machine.
const VERY_LONG: Duration = Duration::from_mins(25);
/// The pause between two looks.
const PULSE: Duration = Duration::from_millis(500);

fn phone(customer: usize) -> String {
    format!("6012{customer:07}")
}

/// One in a hundred has no WhatsApp.
const fn has_whatsapp(customer: usize) -> bool {
    customer % 100 != 1
}

/// One in a hundred asked not to be written to.
const fn opted_out(customer: usize) -> bool {
    customer % 100 == 2
}

/// So many devices, each linked to a phone of the shop's.
async fn link(shop: &Shop) -> Vec<u64> {
    let mut devices = vec![1];
    for number in 1..DEVICES {
        let name = format!("Shop {number}");
        let made = shop.command_json(&["device", "create", "--name", &name, "--json"]);
        devices.push(made["id"].as_u64().unwrap_or_else(|| panic!("{made}")));
    }
    for (number, device) in devices.iter().enumerate() {
        let own = format!("6011{number:07}");
        shop.simulator.network().create_phone(&own, "Shop").unwrap();
        let code = shop.until("a QR code", async |api| {
            let answer = api.get(&format!("/connection/qr?device={device}")).await.ok()?;
            answer.body["data"]["code"].as_str().map(str::to_owned)
        });
        shop.simulator.network().scan_qr(&code.await, Some(&own)).unwrap();
    }
    shop.until("all devices connected", async |api| {
        let answer = api.get("/connection/status").await.ok()?;
        let devices = answer.body["data"]["devices"].as_array()?;
        devices.iter().all(|device| device["status"] == "connected").then_some(())
    })
    .await;
    devices
}

/// The customers who do not come with the request, as a group; and what some said before.
async fn prepare(shop: &Shop) -> u64 {
    let made = shop.api().post("/contact-groups", &json!({ "name": "Regulars" })).await.unwrap();
    let group = made.body["data"]["id"].as_u64().unwrap_or_else(|| panic!("{}", made.body));
    let stack = shop.stack().await;
    let account = stack.fleet.accounts().await.unwrap()[0];
    let tenant = stack.tenants.for_account(account);
    let number = |customer| PhoneNumber::from_e164(&phone(customer)).unwrap();
    let at = stack.clock.now();
    let first = stack.fleet.reserve(Sequence::Contacts(account), RECIPIENTS as u64).await.unwrap();
    let drafts: Vec<ContactDraft> = (INLINE..RECIPIENTS)
        .map(|customer| ContactDraft {
            id: ContactId(first + customer as u64),
            phone: number(customer),
            name: Some(format!("Customer {customer}")),
            external_id: None,
            attributes: BTreeMap::new(),
            groups: vec![GroupId(group)],
            opted_in: None,
            at,
        })
        .collect();
    for drafts in drafts.chunks(1_000) {
        tenant.contacts().upsert(drafts).await.unwrap();
    }
    for customer in (0..RECIPIENTS).filter(|customer| opted_out(*customer)) {
        let phone = number(customer);
        let said = Consent { phone, said: Said::Out, source: Source::Import, note: None, at, turned: false };
        tenant.consents().note_consent(&said, "journey", None).await.unwrap();
    }
    group
}

/// All that come with the request.
fn rows() -> Vec<Value> {
    let named =
        |customer: usize| json!({ "phone": format!("+{}", phone(customer)), "name": format!("Customer {customer}") });
    let wrong = (0..WRONG).map(|number| json!({ "phone": format!("wrong {number}"), "name": "Nobody" }));
    (0..INLINE).chain(TWICE).map(named).chain(wrong).collect()
}

/// All rows of the campaign's results.
async fn results(shop: &Shop) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shop.api().get(&format!("/campaigns/1/recipients?per_page=100{cursor}")).await.unwrap();
        assert_eq!(page.status, 200, "{}", page.body);
        rows.extend(page.body["data"].as_array().unwrap().iter().cloned());
        let Some(next) = page.body["links"]["next"].as_str() else { return rows };
        cursor = format!("&{}", next.split('&').find(|part| part.starts_with("cursor=")).unwrap());
    }
}

/// Looks until the campaign is as `wanted` says.
async fn until(shop: &Shop, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let answer = shop.api().get("/campaigns/1").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let campaign = answer.body["data"].clone();
        if wanted(&campaign) {
            return campaign;
        }
        assert_ne!(campaign["status"], "paused", "{campaign}");
        assert!(began.elapsed() < VERY_LONG, "not {what}: {campaign}; the last lines: {:#?}", shop.last_lines());
        tokio::time::sleep(PULSE).await;
    }
}

fn count(campaign: &Value, states: &[&str]) -> u64 {
    states.iter().map(|state| campaign["counts"][state].as_u64().unwrap()).sum()
}

const ARRIVED: [&str; 3] = ["sent", "delivered", "read"];

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_of_twenty_thousand_survives_a_bad_day_to_the_row() {
    let began = Instant::now();
    let mut shop = Shop::with(&["--campaign-gap", "0.01"]).await;
    let devices = link(&shop).await;
    for customer in (0..RECIPIENTS).filter(|customer| has_whatsapp(*customer)) {
        shop.simulator.network().create_phone(&phone(customer), "Customer").unwrap();
    }
    shop.command_json(&["credits", "grant", &(CREDITS - 10_000).to_string(), "--json"]);
    let group = prepare(&shop).await;
    let nack = Fault { count: Some(REFUSED), ..Fault::new(FaultKind::Nack { code: 479 }) };
    shop.simulator.network().add_fault(nack).unwrap();
    println!("{:?}: prepared", began.elapsed());

    let sale = json!({
        "name": "Sale", "body": "Hi {{name}}!", "recipients": rows(), "contact_group_id": group, "devices": devices,
    });
    let made = shop.with_key("sale").post("/campaigns", &sale).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let started = Instant::now();
    until(&shop, "begun", |campaign| count(campaign, &ARRIVED) > 0).await;
    println!("{:?} after it was made the first message had arrived", started.elapsed());
    until(&shop, "half through", |campaign| count(campaign, &ARRIVED) >= 6_000).await;
    shop.kill().await;
    println!("{:?}: killed", started.elapsed());
    shop.start(None).await;
    let again = shop.with_key("sale").post("/campaigns", &sale).await.unwrap();
    assert_eq!((again.status, &again.body["data"]["id"]), (201, &json!(1)), "{}", again.body);
    let done = until(&shop, "through", |campaign| {
        campaign["status"] == "completed"
            && count(campaign, &["queued", "held", "dispatched", "pending", "unknown"]) == 0
    });
    let done = done.await;
    let span = started.elapsed();
    println!("{span:?}: through, {} messages a second", RECIPIENTS / usize::try_from(span.as_secs().max(1)).unwrap());
    check(&shop, &done).await;
    println!("{:?} in all", began.elapsed());
}

async fn check(shop: &Shop, campaign: &Value) {
    let given: BTreeSet<usize> = (0..RECIPIENTS).collect();
    let (out, silent): (BTreeSet<_>, BTreeSet<_>) = (
        given.iter().copied().filter(|customer| opted_out(*customer)).collect(),
        given.iter().copied().filter(|customer| !has_whatsapp(*customer)).collect(),
    );
    let rows = results(shop).await;
    assert_eq!(rows.len(), RECIPIENTS + WRONG + TWICE.len());
    // Every number has one row that says what became of it.
    let mut fates: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in &rows {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        fates.entry(text("phone")).or_default().push((text("status"), text("reason")));
    }
    let mut refused = 0;
    for customer in given {
        let number = format!("+{}", phone(customer));
        let own = fates.get(&number).unwrap_or_else(|| panic!("nothing of {number}"));
        // Of two rows with one number the first counts.
        let first: Vec<_> = own.iter().filter(|(_, reason)| reason != "duplicate").collect();
        assert_eq!(own.len(), 1 + usize::from(TWICE.contains(&customer)), "{number}: {own:?}");
        let shown = shop.simulator.network().messages(&phone(customer)).map_or(0, |messages| messages.len());
        let expected: &[(&str, &str)] = if out.contains(&customer) {
            &[("rejected", "opted_out")]
        } else if silent.contains(&customer) {
            &[("failed", "not_on_whatsapp")]
        } else {
            &[("sent", ""), ("delivered", ""), ("failed", "whatsapp_479")]
        };
        let [(status, reason)] = first[..] else { panic!("{number}: {own:?}") };
        assert!(expected.contains(&(status.as_str(), reason.as_str())), "{number}: {status} {reason}");
        let arrives = usize::from(matches!(status.as_str(), "sent" | "delivered"));
        assert_eq!(shown, arrives, "{number} is {status} and shows {shown}");
        refused += usize::from(reason == "whatsapp_479");
    }
    let wrong = fates.iter().filter(|(phone, _)| phone.starts_with("wrong"));
    assert_eq!(wrong.filter(|(_, fates)| fates[0].1 == "invalid_phone").count(), WRONG);

    let accepted = RECIPIENTS - out.len();
    let failed = silent.len() + refused;
    let of = |name: &str| campaign["counts"][name].as_u64().unwrap();
    assert_eq!(campaign["total"], json!(accepted), "{campaign}");
    assert_eq!((of("failed"), count(campaign, &ARRIVED)), (failed as u64, (accepted - failed) as u64), "{campaign}");
    assert_eq!(
        campaign["rejected"],
        json!({ "duplicate": TWICE.len(), "invalid_phone": WRONG, "opted_out": out.len() }),
        "{campaign}"
    );
    let counted = |status: &str| rows.iter().filter(|row| row["status"] == status).count() as u64;
    for state in ["sent", "delivered", "failed", "rejected"] {
        assert_eq!(counted(state), of(state), "{state}");
    }
    let paid = i64::try_from(accepted - failed).unwrap();
    assert_eq!(shop.balance().await, CREDITS - paid, "whoever got a message is paid, and nobody else");
    let messages = shop.api().get("/messages?campaign_id=1&per_page=1").await.unwrap();
    assert_eq!(messages.body["total"], json!(accepted), "{}", messages.body);
}
