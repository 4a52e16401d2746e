//! A campaign of twenty thousand over ten devices on a bad day: wrong numbers, numbers without WhatsApp, the same number
//! twice, opt-outs, refusals, and a killed process in the middle. Every number gets exactly one message or a stated reason,
//! and counters, credits and results agree to the row.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use hantar_simulator::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::shop::Shop;

const DEVICES: usize = 10;
const RECIPIENTS: usize = 20_000;
/// As many come with the request as one request may bring; the rest as a group.
const INLINE: usize = 9_900;
/// Rows that are no numbers, or numbers of the group: they come with the request, too.
const WRONG: usize = 50;
const TWICE: usize = 50;
/// Messages that WhatsApp's server refuses.
const REFUSED: u32 = 150;
/// Longer than it takes on a busy machine.
const VERY_LONG: Duration = Duration::from_mins(25);

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

/// All rows of a campaign's results, by number.
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

async fn campaign(shop: &Shop) -> Value {
    let answer = shop.api().get("/campaigns/1").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["data"].clone()
}

/// Looks until the campaign is as `wanted` says.
async fn until(shop: &Shop, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let campaign = campaign(shop).await;
        if wanted(&campaign) {
            return campaign;
        }
        assert!(began.elapsed() < VERY_LONG, "not {what}: {campaign}; the last lines: {:#?}", shop.last_lines());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn count(campaign: &Value, states: &[&str]) -> u64 {
    states.iter().map(|state| campaign["counts"][state].as_u64().unwrap()).sum()
}
