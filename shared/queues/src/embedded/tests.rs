//! The engine through the typed SDK, as the product uses it, on a clock that stands still unless moved.

#![expect(clippy::disallowed_methods, reason = "long polls are measured on Tokio's paused clock")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry, SendMessageBatchResultEntry,
};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_platform::aws::{AwsEndpoint, Connector, sqs, tokio_sleep};
use rusqlite::StatementStatus;

use super::{Now, QueueEngine};

#[derive(Clone)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_700_000_000_000)))
    }

    fn now(&self) -> Now {
        let hand = self.0.clone();
        Arc::new(move || hand.load(Ordering::SeqCst))
    }

    fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

fn client(engine: &QueueEngine) -> Client {
    let time = SharedTimeSource::new(SystemTimeSource::new());
    sqs(&AwsEndpoint::in_process(), Connector::InProcess(engine.http_client()), tokio_sleep(), time)
}

async fn queue(client: &Client, name: &str) -> String {
    client.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap()
}

async fn ready() -> (Client, String, Hand) {
    let hand = Hand::new();
    let client = client(&QueueEngine::in_memory(hand.now()).unwrap());
    let url = queue(&client, "jobs").await;
    (client, url, hand)
}

async fn send(client: &Client, url: &str, body: &str) {
    client.send_message().queue_url(url).message_body(body).send().await.unwrap();
}

async fn receive(client: &Client, url: &str) -> Vec<Message> {
    let all = MessageSystemAttributeName::All;
    let receive =
        client.receive_message().queue_url(url).max_number_of_messages(10).message_system_attribute_names(all);
    receive.send().await.unwrap().messages.unwrap_or_default()
}

async fn delete(client: &Client, url: &str, message: &Message) {
    let handle = message.receipt_handle().unwrap();
    client.delete_message().queue_url(url).receipt_handle(handle).send().await.unwrap();
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

fn attribute(message: &Message, name: &MessageSystemAttributeName) -> String {
    message.attributes().unwrap()[name].clone()
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_time_out_and_gone_once_deleted() {
    let (client, url, hand) = ready().await;
    send(&client, &url, "one").await;
    let first = receive(&client, &url).await;
    assert_eq!(bodies(&first), ["one"]);
    assert!(receive(&client, &url).await.is_empty());
    hand.pass(30);
    let second = receive(&client, &url).await;
    assert_eq!(attribute(&second[0], &MessageSystemAttributeName::ApproximateReceiveCount), "2");
    assert_eq!(second[0].message_id, first[0].message_id);
    // The first receipt is void since the second receive, and says so by doing nothing.
    delete(&client, &url, &first[0]).await;
    hand.pass(30);
    let third = receive(&client, &url).await;
    delete(&client, &url, &third[0]).await;
    delete(&client, &url, &third[0]).await;
    hand.pass(600);
    assert!(receive(&client, &url).await.is_empty());
}

#[tokio::test]
async fn a_receive_takes_at_most_what_was_asked_oldest_first() {
    let (client, url, hand) = ready().await;
    for body in ["1", "2", "3"] {
        send(&client, &url, body).await;
        hand.pass(1);
    }
    let two = client.receive_message().queue_url(&url).max_number_of_messages(2).send().await.unwrap();
    assert_eq!(bodies(two.messages()), ["1", "2"]);
    assert_eq!(bodies(&receive(&client, &url).await), ["3"]);
}

#[tokio::test]
async fn a_delayed_message_waits_for_its_time() {
    let (client, url, hand) = ready().await;
    client.send_message().queue_url(&url).message_body("late").delay_seconds(900).send().await.unwrap();
    hand.pass(899);
    assert!(receive(&client, &url).await.is_empty());
    hand.pass(1);
    assert_eq!(receive(&client, &url).await.len(), 1);
    let refused = client.send_message().queue_url(&url).message_body("x").delay_seconds(901).send().await.unwrap_err();
    assert_eq!(refused.into_service_error().code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn visibility_can_be_ended_and_prolonged_while_a_message_is_in_flight_and_not_after() {
    let (client, url, hand) = ready().await;
    send(&client, &url, "one").await;
    let change = async |message: &Message, seconds: i32| {
        let handle = message.receipt_handle().unwrap();
        client
            .change_message_visibility()
            .queue_url(&url)
            .receipt_handle(handle)
            .visibility_timeout(seconds)
            .send()
            .await
    };
    let first = receive(&client, &url).await;
    change(&first[0], 0).await.unwrap();
    let second = receive(&client, &url).await;
    change(&second[0], 100).await.unwrap();
    hand.pass(99);
    assert!(receive(&client, &url).await.is_empty());
    hand.pass(1);
    let late = change(&second[0], 10).await.unwrap_err().into_service_error();
    assert!(late.is_message_not_inflight(), "{late:?}");
    let third = receive(&client, &url).await;
    delete(&client, &url, &third[0]).await;
    assert_eq!(change(&third[0], 10).await.unwrap_err().into_service_error().code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn a_message_received_too_often_goes_to_the_dead_letter_queue_with_its_origin() {
    let (client, url, hand) = ready().await;
    let dead = queue(&client, "dead").await;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:local:000000000000:dead","maxReceiveCount":"2"}"#;
    let set = client.set_queue_attributes().queue_url(&url).attributes(QueueAttributeName::RedrivePolicy, policy);
    set.send().await.unwrap();
    send(&client, &url, "poison").await;
    for _ in 0..2 {
        assert_eq!(receive(&client, &url).await.len(), 1);
        assert!(receive(&client, &dead).await.is_empty());
        hand.pass(30);
    }
    assert!(receive(&client, &url).await.is_empty());
    let buried = receive(&client, &dead).await;
    assert_eq!(bodies(&buried), ["poison"]);
    let origin = attribute(&buried[0], &MessageSystemAttributeName::DeadLetterQueueSourceArn);
    assert!(origin.ends_with(":jobs"), "{origin}");
}

#[tokio::test]
async fn a_batch_succeeds_and_fails_entry_by_entry() {
    let (client, url, _) = ready().await;
    let entry = |id: &str, delay| {
        SendMessageBatchRequestEntry::builder().id(id).message_body(id).delay_seconds(delay).build().unwrap()
    };
    let sent = client.send_message_batch().queue_url(&url).entries(entry("a", 0)).entries(entry("b", 901));
    let sent = sent.entries(entry("c", 0)).send().await.unwrap();
    assert_eq!(sent.successful().iter().map(SendMessageBatchResultEntry::id).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!((sent.failed()[0].id(), sent.failed()[0].code()), ("b", "InvalidParameterValue"));
    let got = receive(&client, &url).await;
    let handle = got[0].receipt_handle().unwrap();
    let again =
        ChangeMessageVisibilityBatchRequestEntry::builder().id("x").receipt_handle(handle).visibility_timeout(0);
    client.change_message_visibility_batch().queue_url(&url).entries(again.build().unwrap()).send().await.unwrap();
    let got = receive(&client, &url).await;
    let gone = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let handle = got[0].receipt_handle().unwrap();
    let deleted =
        client.delete_message_batch().queue_url(&url).entries(gone("x", handle)).entries(gone("y", "nonsense"));
    let deleted = deleted.send().await.unwrap();
    assert_eq!((deleted.successful().len(), deleted.failed()[0].code()), (1, "ReceiptHandleIsInvalid"));
}

#[tokio::test]
async fn batches_are_limited_in_number_size_and_names() {
    let (client, url, _) = ready().await;
    let batch = async |entries: Vec<(String, usize)>| {
        let entry = |(id, size): (String, usize)| {
            SendMessageBatchRequestEntry::builder().id(id).message_body("x".repeat(size)).build().unwrap()
        };
        let entries = entries.into_iter().map(entry).collect();
        client.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await
    };
    let named = |count: usize, size| (0..count).map(|id| (id.to_string(), size)).collect();
    assert_eq!(batch(named(10, 100_000)).await.unwrap().successful().len(), 10);
    assert!(batch(named(11, 1)).await.unwrap_err().into_service_error().is_too_many_entries_in_batch_request());
    assert!(batch(named(2, 600_000)).await.unwrap_err().into_service_error().is_batch_request_too_long());
    assert!(batch(Vec::new()).await.unwrap_err().into_service_error().is_empty_batch_request());
    let twice = vec![("a".to_owned(), 1), ("a".to_owned(), 1)];
    assert!(batch(twice).await.unwrap_err().into_service_error().is_batch_entry_ids_not_distinct());
}

#[tokio::test]
async fn a_message_holds_one_mebibyte_and_only_characters_of_xml() {
    let (client, url, _) = ready().await;
    let send = async |body: String| client.send_message().queue_url(&url).message_body(body).send().await;
    send("x".repeat(1024 * 1024)).await.unwrap();
    assert_eq!(
        send("x".repeat(1024 * 1024 + 1)).await.unwrap_err().into_service_error().code(),
        Some("InvalidParameterValue")
    );
    assert!(send("\u{1}".to_owned()).await.unwrap_err().into_service_error().is_invalid_message_contents());
    assert_eq!(send("abc".to_owned()).await.unwrap().md5_of_message_body(), Some("900150983cd24fb0d6963f7d28e17f72"));
}

#[tokio::test]
async fn a_missing_queue_is_its_own_error() {
    let (client, _, _) = ready().await;
    let url = "http://in.process/000000000000/none";
    assert!(
        client
            .get_queue_url()
            .queue_name("none")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_queue_does_not_exist()
    );
    let sent = client.send_message().queue_url(url).message_body("x").send().await;
    assert!(sent.unwrap_err().into_service_error().is_queue_does_not_exist());
    let received = client.receive_message().queue_url(url).send().await;
    assert!(received.unwrap_err().into_service_error().is_queue_does_not_exist());
}

#[tokio::test]
async fn a_queue_made_again_is_the_same_and_another_by_its_name_is_refused() {
    let (client, url, _) = ready().await;
    assert_eq!(queue(&client, "jobs").await, url);
    let create = |seconds| {
        client.create_queue().queue_name("slow").attributes(QueueAttributeName::VisibilityTimeout, seconds).send()
    };
    create("60").await.unwrap();
    create("60").await.unwrap();
    assert!(create("61").await.unwrap_err().into_service_error().is_queue_name_exists());
    assert_eq!(client.list_queues().queue_name_prefix("s").send().await.unwrap().queue_urls().len(), 1);
}

#[tokio::test]
async fn attributes_count_what_waits_what_is_in_flight_and_what_is_delayed() {
    let (client, url, _) = ready().await;
    for body in ["1", "2", "3"] {
        send(&client, &url, body).await;
    }
    client.send_message().queue_url(&url).message_body("4").delay_seconds(10).send().await.unwrap();
    client.receive_message().queue_url(&url).send().await.unwrap();
    let all =
        client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All).send().await.unwrap();
    let all = all.attributes.unwrap();
    assert_eq!(all[&QueueAttributeName::ApproximateNumberOfMessages], "2");
    assert_eq!(all[&QueueAttributeName::ApproximateNumberOfMessagesNotVisible], "1");
    assert_eq!(all[&QueueAttributeName::ApproximateNumberOfMessagesDelayed], "1");
    assert_eq!(all[&QueueAttributeName::VisibilityTimeout], "30");
    client.purge_queue().queue_url(&url).send().await.unwrap();
    assert!(receive(&client, &url).await.is_empty());
}

#[tokio::test]
async fn messages_end_with_the_queues_retention() {
    let (client, url, hand) = ready().await;
    send(&client, &url, "old").await;
    hand.pass(345_601);
    send(&client, &url, "new").await;
    assert_eq!(bodies(&receive(&client, &url).await), ["new"]);
}

#[tokio::test]
async fn a_long_poll_ends_with_what_is_sent_meanwhile() {
    let (client, url, _) = ready().await;
    let waiting = client.receive_message().queue_url(&url).wait_time_seconds(20).send();
    let waiting = tokio::spawn(waiting);
    tokio::task::yield_now().await;
    send(&client, &url, "now").await;
    let got = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(bodies(got.messages()), ["now"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_that_meets_nothing_ends_empty_at_its_time() {
    let (client, url, _) = ready().await;
    let before = tokio::time::Instant::now();
    let got = client.receive_message().queue_url(&url).wait_time_seconds(3).send().await.unwrap();
    assert!(got.messages().is_empty());
    assert_eq!(before.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn a_long_poll_sees_what_another_engine_on_the_same_file_sent_and_what_became_visible() {
    let folder = tempfile::tempdir().unwrap();
    let (path, hand) = (folder.path().join("queues.sqlite"), Hand::new());
    let one = client(&QueueEngine::open(&path, hand.now()).unwrap());
    let two = client(&QueueEngine::open(&path, hand.now()).unwrap());
    let url = queue(&one, "jobs").await;
    let poll = || tokio::spawn(one.receive_message().queue_url(&url).wait_time_seconds(20).send());
    let waiting = poll();
    tokio::task::yield_now().await;
    send(&two, &url, "from elsewhere").await;
    let limit = Duration::from_secs(5);
    let got = tokio::time::timeout(limit, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(bodies(got.messages()), ["from elsewhere"]);
    let waiting = poll();
    tokio::task::yield_now().await;
    hand.pass(30);
    let got = tokio::time::timeout(limit, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(bodies(got.messages()), ["from elsewhere"]);
}

#[tokio::test]
async fn two_engines_on_one_file_never_take_the_same_message() {
    let folder = tempfile::tempdir().unwrap();
    let (path, hand) = (folder.path().join("queues.sqlite"), Hand::new());
    let clients = [(); 2].map(|()| client(&QueueEngine::open(&path, hand.now()).unwrap()));
    let url = queue(&clients[0], "jobs").await;
    for body in 0..100 {
        send(&clients[0], &url, &body.to_string()).await;
    }
    let mut takers = tokio::task::JoinSet::new();
    for client in clients {
        let url = url.clone();
        takers.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let got = receive(&client, &url).await;
                if got.is_empty() {
                    return taken;
                }
                taken.extend(bodies(&got).into_iter().map(str::to_owned));
            }
        });
    }
    let mut taken: Vec<_> = takers.join_all().await.into_iter().flatten().collect();
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 100);
}

#[tokio::test]
async fn messages_outlive_the_engine_that_took_them() {
    let folder = tempfile::tempdir().unwrap();
    let (path, hand) = (folder.path().join("queues.sqlite"), Hand::new());
    let first = client(&QueueEngine::open(&path, hand.now()).unwrap());
    let url = queue(&first, "jobs").await;
    send(&first, &url, "kept").await;
    let taken = receive(&first, &url).await;
    drop(first);
    let again = client(&QueueEngine::open(&path, hand.now()).unwrap());
    assert!(receive(&again, &url).await.is_empty());
    hand.pass(30);
    assert_eq!(receive(&again, &url).await[0].message_id, taken[0].message_id);
}

#[test]
fn finding_the_next_message_takes_no_longer_in_a_long_queue() {
    let steps = |count: i64| {
        let mut connection = rusqlite::Connection::open_in_memory().unwrap();
        super::schema::prepare(&mut connection).unwrap();
        let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
            INSERT INTO messages (queue, body, sent_at, visible_at) SELECT i % 4, 'x', 0, i % 7 FROM n";
        connection
            .execute(
                "INSERT INTO queues VALUES (0,'a','{}',0,0), (1,'b','{}',0,0), (2,'c','{}',0,0), (3,'d','{}',0,0)",
                [],
            )
            .unwrap();
        connection.execute(fill, [count]).unwrap();
        let mut statement = connection.prepare(super::messages::NEXT).unwrap();
        statement.query_row([1, 10], |row| row.get::<_, i64>(0)).unwrap();
        statement.get_status(StatementStatus::VmStep)
    };
    assert_eq!(steps(100), steps(100_000));
}
