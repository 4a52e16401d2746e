//! Contacts by the hundred thousand on the embedded tables: how quickly they are made, and how quickly one is found among
//! them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_domain::contact::Group;
use hantar_domain::contact::search::Search;
use hantar_domain::ids::{AccountId, ContactId, GroupId};
use hantar_domain::phone::{PhoneNumber, Region};
use hantar_domain::time::Timestamp;
use hantar_platform::aws::{AwsEndpoint, Connector, dynamodb, tokio_sleep};
use hantar_platform::clock::SystemClock;
use hantar_platform::embedded::DynamoEngine;
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::sleep::TokioSleep;
use hantar_store::{Store, Surroundings, TableNames};
use hantar_usecases::ports::{ContactDraft, ContactFilter, Tenant};
use tempfile::TempDir;

use crate::figures::{Latencies, rate};

/// Rows of one call, as an import makes them.
const BATCH: u64 = 1_000;
/// How often each kind of search is asked.
const SEARCHES: u64 = 200;
const FIRST: [&str; 12] =
    ["Mohd", "Siti", "Ahmad", "Nur", "Wei", "Ali", "Muthu", "Tan", "Lim", "Priya", "José", "Zulkifli"];
const SECOND: [&str; 10] = ["bin", "binti", "a/l", "Aminah", "Ismail", "Ling", "Hassan", "Kumar", "Rahman", "Chong"];

pub(crate) async fn run(count: u64) -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let engine = DynamoEngine::open(&folder.path().join("tables.db"))?;
    let time = SharedTimeSource::new(SystemTimeSource::new());
    let client = dynamodb(&AwsEndpoint::in_process(), Connector::InProcess(engine.http_client()), tokio_sleep(), time);
    let around =
        Surroundings { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy), sleep: Arc::new(TokioSleep) };
    let store = Store::new(client, TableNames::with_prefix("bench"), around);
    store.fleet().prepare().await?;
    let tenant = store.tenants().for_account(AccountId(1));
    let at = Timestamp(1_800_000_000_000_000);
    let group = Group { account: AccountId(1), id: GroupId(1), name: "All".into(), created_at: at };
    tenant.contacts().add_group(&group, 1, None).await?;
    let started = Instant::now();
    let mut slowest = Latencies::default();
    for from in (0..count).step_by(usize::try_from(BATCH)?) {
        let drafts: Vec<_> = (from..count.min(from + BATCH)).map(draft).collect();
        let began = Instant::now();
        tenant.contacts().upsert(&drafts).await?;
        slowest.add(began.elapsed());
        consume(&engine).await?;
    }
    let made = usize::try_from(count)?;
    println!(
        "contacts: {count} made in calls of {BATCH}: {:.0}/s; a call: {}",
        rate(made, started.elapsed()),
        slowest.line()
    );
    search_all(&*tenant, count).await
}

async fn consume(engine: &DynamoEngine) -> anyhow::Result<()> {
    while let Some(last) = engine.stream_batch("bench-business", 1000).await?.last().map(|record| record.sequence) {
        engine.consume("bench-business", last).await?;
    }
    Ok(())
}

fn name(n: u64) -> String {
    let pick = |words: &[&str], by: u64| words[usize::try_from(n / by).unwrap_or(0) % words.len()].to_owned();
    format!("{} {} N{}", pick(&FIRST, 1), pick(&SECOND, 12), n % 50_000)
}

fn phone(n: u64) -> String {
    format!("601{:09}", n * 7_919 % 1_000_000_000)
}

fn draft(n: u64) -> ContactDraft {
    ContactDraft {
        id: ContactId(n + 1),
        phone: PhoneNumber::from_e164(&phone(n)).unwrap_or_else(|| unreachable!("it has the shape of a number")),
        name: Some(name(n)),
        external_id: None,
        attributes: BTreeMap::from([("plan".to_owned(), "gold".to_owned())]),
        groups: vec![GroupId(1)],
        opted_in: None,
        at: Timestamp(1_800_000_000_000_000),
    }
}

async fn search_all(tenant: &dyn Tenant, count: u64) -> anyhow::Result<()> {
    type Spelling = fn(u64) -> String;
    let kinds: [(&str, Spelling); 6] = [
        ("a whole number", |n| format!("+{}", phone(n))),
        ("the last four digits", |n| phone(n)[8..].to_owned()),
        ("a common word", |n| FIRST[usize::try_from(n).unwrap_or(0) % FIRST.len()].to_owned()),
        ("a beginning of three letters", |n| name(n).chars().take(3).collect()),
        ("a whole name", name),
        ("two common words", |n| {
            let name = name(n);
            let words: Vec<_> = name.split(' ').take(2).collect();
            words.join(" ")
        }),
    ];
    for (kind, text) in kinds {
        let mut latencies = Latencies::default();
        for n in 0..SEARCHES.min(count) {
            let n = n * 4_999 % count;
            let filter = ContactFilter {
                search: Some(Search::parse(&text(n), &[Region::MALAYSIA])),
                ..ContactFilter::default()
            };
            let began = Instant::now();
            let page = tenant.contacts().list_contacts(&filter, None, 0, 25).await?;
            latencies.add(began.elapsed());
            ensure!(!page.contacts.is_empty(), "nobody found by {}", text(n));
        }
        println!("contacts: found among {count} by {kind}: {}", latencies.line());
    }
    let mut latencies = Latencies::default();
    for page in 0..SEARCHES.min(count / 25) {
        let began = Instant::now();
        tenant.contacts().list_contacts(&ContactFilter::default(), None, usize::try_from(page * 25)?, 25).await?;
        latencies.add(began.elapsed());
    }
    println!("contacts: pages 1 to {SEARCHES} of {count}: {}", latencies.line());
    Ok(())
}
