//! A thousand messages in one request, asked of the product over HTTP: from the request to its answer.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::figures::Latencies;
use crate::server::Server;

const ROWS: usize = 1_000;
const BULKS: usize = 15;
/// Between two bulks: the relay counts what the one made before the next one comes.
const PAUSE: Duration = Duration::from_secs(3);

pub(crate) async fn run() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let mut latencies = Latencies::default();
    for bulk in 0..BULKS {
        let body = rows(bulk);
        let asked = Instant::now();
        let answer = server.api.post("/messages/bulk", &body).await?;
        latencies.add(asked.elapsed());
        let charged = &answer.body["data"]["credits_charged"];
        ensure!(answer.status == 202 && *charged == ROWS, "{}: {}", answer.status, answer.body);
        tokio::time::sleep(PAUSE).await;
    }
    println!("bulk: {ROWS} rows in one request, {BULKS} times: {}", latencies.line());
    Ok(())
}

fn rows(bulk: usize) -> Value {
    let row = |row: usize| {
        let body = format!(
            "Salam, your order number {row} is ready. Come by between nine and six, or tell us where to bring it."
        );
        json!({ "phone": format!("+60123{:06}", bulk * ROWS + row), "body": body, "external_id": format!("order-{row}") })
    };
    json!({ "messages": (0..ROWS).map(row).collect::<Vec<_>>() })
}
