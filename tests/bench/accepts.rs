//! 64 clients of one account, on tables that conflict as DynamoDB's do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hantar_domain::credits::Balance;
use hantar_platform::faults::FaultPlan;
use hantar_usecases::send_message::{Draft, send_message};

use crate::figures::{Latencies, rate};
use crate::units::Metered;

const CLIENTS: usize = 64;

pub(crate) async fn run(span: Duration) -> anyhow::Result<()> {
    let shop = Arc::new(Metered::open().await?);
    let account = shop.account;
    shop.stack.tenants.for_account(account).grant(10_000_000, "bench", shop.stack.clock.now()).await?;
    shop.faults.set_plan(FaultPlan::conflicting());
    let (over, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (shop, over, refused) = (shop.clone(), over.clone(), refused.clone());
            tokio::spawn(async move {
                let tenant = shop.stack.tenants.for_account(account);
                let mut latencies = Latencies::default();
                while !over.load(Ordering::Acquire) {
                    let draft =
                        Draft { phone: "0123456789".into(), body: format!("client {number}"), ..Draft::default() };
                    let began = Instant::now();
                    match send_message(tenant.as_ref(), &shop.stack.numbers, shop.stack.clock.as_ref(), account, draft)
                        .await
                    {
                        Ok(_) => latencies.add(began.elapsed()),
                        Err(_) => {
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                latencies
            })
        })
        .collect();
    tokio::time::sleep(span).await;
    over.store(true, Ordering::Release);
    let mut latencies = Latencies::default();
    for client in clients {
        latencies.extend(client.await?);
    }
    shop.faults.set_plan(FaultPlan::default());
    let balance: Balance = shop.stack.tenants.for_account(account).balance().await?;
    let exact = balance.is_sound() && balance.charged == i64::try_from(latencies.count())?;
    println!(
        "accepts: {CLIENTS} clients on one account under a conflict window of 5 to 10 ms: {:.0} accepts/s, {} refused, {}; balance {}",
        rate(latencies.count(), started.elapsed()),
        refused.load(Ordering::Acquire),
        latencies.line(),
        if exact { "exact" } else { "WRONG" },
    );
    Ok(())
}
