//! What the embedded queue engine does per second on this machine, through the SDK:
//! `cargo run -p hantar-queues --features embedded --example queue_rates [backlog]`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measuring program"
)]

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_platform::aws::{AwsEndpoint, Connector, sqs, tokio_sleep};
use hantar_queues::embedded::{Now, QueueEngine};

fn report(name: &str, count: usize, start: Instant) {
    println!("{name:<34} {:>8.0}/s", count as f64 / start.elapsed().as_secs_f64());
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let now: Now = Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        i64::try_from(since.as_millis()).unwrap()
    });
    let engine = QueueEngine::open(&folder.path().join("queues.sqlite"), now).unwrap();
    let time = SharedTimeSource::new(SystemTimeSource::new());
    let connector = Connector::InProcess(engine.http_client());
    let client = sqs(&AwsEndpoint::in_process(), connector, tokio_sleep(), time);
    let url = client.create_queue().queue_name("rates").send().await.unwrap().queue_url.unwrap();
    let backlog: usize = std::env::args().nth(1).map_or(0, |count| count.parse().unwrap());

    let start = Instant::now();
    for _ in 0..backlog / 10 {
        let entry = |id: usize| {
            let body = "x".repeat(300);
            SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(body).build().unwrap()
        };
        let entries = (0..10).map(entry).collect();
        client.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    }
    report("send, in batches of 10", backlog, start);

    let (start, count) = (Instant::now(), 4_000);
    for _ in 0..count {
        client.send_message().queue_url(&url).message_body("x".repeat(300)).send().await.unwrap();
    }
    report("send", count, start);

    let start = Instant::now();
    for _ in 0..count / 2 {
        let got = client.receive_message().queue_url(&url).send().await.unwrap();
        let handle = got.messages()[0].receipt_handle().unwrap();
        client.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    }
    report("receive one and delete it", count / 2, start);

    let start = Instant::now();
    for _ in 0..count / 20 {
        let got = client.receive_message().queue_url(&url).max_number_of_messages(10).send().await.unwrap();
        let mut delete = client.delete_message_batch().queue_url(&url);
        for (id, message) in got.messages().iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string());
            delete = delete.entries(entry.receipt_handle(message.receipt_handle().unwrap()).build().unwrap());
        }
        delete.send().await.unwrap();
    }
    report("receive and delete, tens", count / 2, start);
}
