//! The testkit's servers and processes, held against what they promise.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_domain::egress::Target;
use hantar_domain::ids::{AccountId, MessageId};
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::{Answer, EventId, SigningSecret};
use hantar_platform::aws::{self, AwsEndpoint, Connector, static_credentials};
use hantar_platform::clock::SystemClock;
use hantar_platform::egress::{EgressSettings, GuardedEgress};
use hantar_platform::embedded::DynamoEngine;
use hantar_queues::embedded::QueueEngine;
use hantar_usecases::ports::{Call, Clock as _, Egress as _};

use crate::aws_server::{AwsServer, Cut};
use crate::json_client::JsonClient;
use crate::process::{Process, free_port};
use crate::webhook_receiver::{Reply, WebhookReceiver};

const LIMIT: Duration = Duration::from_secs(20);
/// For what must be seen not to happen, and is given up after this.
const BRIEF: Duration = Duration::from_millis(200);

async fn aws_server() -> AwsServer {
    let now = Arc::new(|| SystemClock.now().0.div_euclid(1000));
    AwsServer::start(DynamoEngine::in_memory().unwrap(), QueueEngine::in_memory(now).unwrap()).await
}

fn endpoint(server: &AwsServer, access_key_id: &str) -> AwsEndpoint {
    AwsEndpoint {
        endpoint_url: Some(server.url.clone()),
        region: "local".to_owned(),
        credentials: Some(static_credentials(access_key_id, "secret", None)),
    }
}

fn dynamo(server: &AwsServer, access_key_id: &str) -> aws_sdk_dynamodb::Client {
    let time = SharedTimeSource::new(SystemTimeSource::new());
    aws::dynamodb(&endpoint(server, access_key_id), Connector::Https, aws::tokio_sleep(), time)
}

fn sqs(server: &AwsServer, access_key_id: &str) -> aws_sdk_sqs::Client {
    let time = SharedTimeSource::new(SystemTimeSource::new());
    aws::sqs(&endpoint(server, access_key_id), Connector::Https, aws::tokio_sleep(), time)
}

/// Makes the table `things`.
async fn make_table(client: &aws_sdk_dynamodb::Client) {
    use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap();
    let kind = AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S);
    let table = client.create_table().table_name("things").billing_mode(BillingMode::PayPerRequest).key_schema(key);
    table.attribute_definitions(kind.build().unwrap()).send().await.unwrap();
}

#[tokio::test]
async fn clients_of_one_server_share_its_tables_and_queues() {
    let server = aws_server().await;
    make_table(&dynamo(&server, "one")).await;
    let tables = dynamo(&server, "two").list_tables().send().await.unwrap();
    assert_eq!(tables.table_names(), ["things"]);

    let made = sqs(&server, "one").create_queue().queue_name("q").send().await.unwrap();
    let queue = made.queue_url().unwrap();
    sqs(&server, "one").send_message().queue_url(queue).message_body("hello").send().await.unwrap();
    let received = sqs(&server, "two").receive_message().queue_url(queue).send().await.unwrap();
    assert_eq!(received.messages()[0].body(), Some("hello"));

    assert_eq!((server.count("CreateTable"), server.count("SendMessage")), (1, 1));
    assert_eq!((server.count_of_client("one"), server.count_of_client("two")), (3, 2));
    server.reset_counts();
    assert!(server.counts().is_empty());
}

#[tokio::test]
async fn refusals_reach_the_client_with_their_names() {
    let server = aws_server().await;
    let error = dynamo(&server, "one").describe_table().table_name("things").send().await.unwrap_err();
    assert!(error.into_service_error().is_resource_not_found_exception());
    let error = sqs(&server, "one").get_queue_url().queue_name("q").send().await.unwrap_err();
    assert!(error.into_service_error().is_queue_does_not_exist());
}

#[tokio::test]
async fn a_client_that_is_cut_off_is_alone_in_that_and_comes_back() {
    let server = aws_server().await;
    let (cut, whole) = (dynamo(&server, "cut"), dynamo(&server, "whole"));
    server.block_client("cut", Cut::Silence);
    assert!(tokio::time::timeout(BRIEF, cut.list_tables().send()).await.is_err());
    server.block_client("cut", Cut::Close);
    assert!(cut.list_tables().send().await.is_err());
    assert!(whole.list_tables().send().await.is_ok());
    server.unblock_client("cut");
    assert!(cut.list_tables().send().await.is_ok());
}

#[tokio::test]
async fn a_lost_answer_leaves_the_effect() {
    let server = aws_server().await;
    let (cut, whole) = (dynamo(&server, "cut"), dynamo(&server, "whole"));
    server.block_client("cut", Cut::LostAnswers);
    tokio::select! {
        () = make_table(&cut) => panic!("the answer was not lost"),
        () = async {
            while whole.describe_table().table_name("things").send().await.is_err() {}
        } => {}
    }
}

#[tokio::test]
async fn an_answer_that_is_under_way_when_its_client_is_cut_off_is_lost() {
    let server = aws_server().await;
    let client = sqs(&server, "cut");
    let made = client.create_queue().queue_name("q").send().await.unwrap();
    let queue = made.queue_url().unwrap();
    let poll = client.receive_message().queue_url(queue).wait_time_seconds(20).send();
    let disturb = async {
        while server.count("ReceiveMessage") == 0 {
            tokio::task::yield_now().await;
        }
        server.block_client("cut", Cut::Silence);
        sqs(&server, "other").send_message().queue_url(queue).message_body("x").send().await.unwrap();
        tokio::time::sleep(BRIEF).await;
    };
    tokio::select! {
        answer = poll => panic!("{answer:?}"),
        () = disturb => {}
    }
}

fn egress() -> GuardedEgress {
    let allowed = "127.0.0.0/8".parse().unwrap();
    GuardedEgress::new(EgressSettings { allowed, timeout: LIMIT, ..EgressSettings::default() }).unwrap()
}

fn signed_call(url: &str, secret: &SigningSecret, at: Timestamp) -> Call {
    let (id, body) = (EventId::message(AccountId(1), MessageId(2), 3), br#"{"type":"message.status"}"#.to_vec());
    let headers = vec![
        ("webhook-id", id.to_string()),
        ("webhook-timestamp", at.seconds().to_string()),
        ("webhook-signature", format!("v1,AAAA {}", secret.sign(&id, at, &body))),
    ];
    Call { target: Target::parse(url, &"127.0.0.0/8".parse().unwrap()).unwrap(), headers, body }
}

#[tokio::test]
async fn a_subscriber_can_check_what_we_sign() {
    let receiver = WebhookReceiver::start().await;
    let (secret, other) = (SigningSecret::from_bytes([3; 32]), SigningSecret::from_bytes([4; 32]));
    egress().post(signed_call(&receiver.url, &secret, SystemClock.now())).await;
    egress().post(signed_call(&receiver.url, &secret, Timestamp::from_seconds(5))).await;
    let webhooks = receiver.wait_for(2, LIMIT).await;
    assert_eq!(webhooks[0].header("webhook-id"), "msg_1_2_3");
    assert_eq!((webhooks[0].method.as_str(), webhooks[0].path.as_str()), ("POST", "/webhook"));
    assert_eq!(webhooks[0].json()["type"], "message.status");
    webhooks[0].verify(&secret.shown()).unwrap();
    assert!(webhooks[0].verify(&other.shown()).is_err());
    assert!(webhooks[1].verify(&secret.shown()).is_err(), "the time in it is long past");
    webhooks[1].verify_at_any_time(&secret.shown()).unwrap();
    assert!(webhooks[1].verify_at_any_time(&other.shown()).is_err());
}

#[tokio::test]
async fn a_subscriber_answers_what_it_is_told_and_200_after_that() {
    let receiver = WebhookReceiver::start().await;
    let retry = Reply::Full { status: 429, header: ("retry-after", "7".into()), body: "slow down".into() };
    receiver.answer_with([500.into(), retry, Reply::Redirect(receiver.url.clone()), Reply::Close]);
    let secret = SigningSecret::from_bytes([3; 32]);
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(egress().post(signed_call(&receiver.url, &secret, SystemClock.now())).await);
    }
    let status = |code, seconds: Option<u64>| Answer::Status { code, retry_after: seconds.map(Duration::from_secs) };
    let expected =
        [status(500, None), status(429, Some(7)), status(302, None), Answer::Failure("protocol"), status(200, None)];
    for (answer, expected) in answers.iter().zip(expected) {
        assert_eq!(answer.answer, expected);
    }
    assert_eq!(answers[1].excerpt, "slow down");
    assert_eq!(receiver.received()[3].reply, Reply::Close);
}

#[tokio::test]
async fn a_subscriber_can_hang_and_can_be_gone() {
    let receiver = WebhookReceiver::start().await;
    let secret = SigningSecret::from_bytes([3; 32]);
    receiver.answer_with([Reply::Hang]);
    let hanging = egress();
    tokio::select! {
        answer = hanging.post(signed_call(&receiver.url, &secret, SystemClock.now())) => panic!("{answer:?}"),
        () = async {
            receiver.wait_for(1, LIMIT).await;
            tokio::time::sleep(BRIEF).await;
        } => {}
    }

    let url = receiver.url.clone();
    drop(receiver);
    let gone = || async { egress().post(signed_call(&url, &secret, SystemClock.now())).await.answer };
    let refused = async { while gone().await != Answer::Failure("connect") {} };
    tokio::time::timeout(LIMIT, refused).await.unwrap();
}

fn shell(script: &str) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Process::start(command)
}

#[tokio::test]
async fn a_programs_lines_are_waited_for_and_its_end_is_seen() {
    let mut program = shell("echo first; echo second >&2; read -r never_comes; exit 3");
    assert_eq!(program.wait_for_line("fir", LIMIT).await, "first");
    assert_eq!(program.wait_for_line("second", LIMIT).await, "second");
    assert_eq!(program.wait(LIMIT).await.code(), Some(3));
    assert_eq!(program.lines().len(), 2);
}

#[tokio::test]
#[should_panic(expected = "ended without a line with `ready`\n| sorry")]
async fn a_program_that_ends_too_early_is_not_waited_for_and_its_output_is_shown() {
    shell("echo sorry").wait_for_line("ready", LIMIT).await;
}

#[tokio::test]
async fn a_program_can_be_asked_to_end_and_be_killed() {
    use std::os::unix::process::ExitStatusExt as _;
    let mut polite = shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
    polite.wait_for_line("ready", LIMIT).await;
    assert_eq!(polite.terminate(LIMIT).await.code(), Some(0));
    polite.wait_for_line("bye", LIMIT).await;
    let mut deaf = shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    deaf.wait_for_line("ready", LIMIT).await;
    deaf.kill().await;
    assert_eq!(deaf.wait(LIMIT).await.signal(), Some(9));
}

#[tokio::test]
async fn a_frozen_program_does_nothing_until_it_thaws() {
    let program = shell("while :; do echo tick; sleep 0.01; done");
    program.wait_for_line("tick", LIMIT).await;
    program.freeze();
    // What it wrote before it stopped may still be on its way.
    let still = async {
        loop {
            let before = program.lines().len();
            tokio::time::sleep(BRIEF).await;
            if program.lines().len() == before {
                return before;
            }
        }
    };
    let before = tokio::time::timeout(LIMIT, still).await.unwrap();
    program.thaw();
    let ticking = async {
        while program.lines().len() == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, ticking).await.unwrap();
}

#[tokio::test]
async fn a_dropped_program_is_killed() {
    let program = shell("echo $$; while :; do sleep 0.01; done");
    let id: i32 = program.wait_for_line("", LIMIT).await.parse().unwrap();
    drop(program);
    let id = rustix::process::Pid::from_raw(id).unwrap();
    let gone = async {
        while rustix::process::test_kill_process(id).is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.unwrap();
}

#[tokio::test]
async fn health_is_waited_for_and_an_early_end_is_told() {
    let receiver = WebhookReceiver::start().await;
    receiver.answer_with([503, 503]);
    let mut program = shell("while :; do sleep 0.01; done");
    program.wait_for_health(&receiver.url, LIMIT).await;
    assert_eq!(receiver.received().len(), 3);

    let start = Instant::now();
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    let waiting = tokio::spawn(async move { shell("exit 1").wait_for_health(&nobody, LIMIT).await });
    assert!(waiting.await.unwrap_err().is_panic());
    assert!(start.elapsed() < LIMIT / 2);
}

#[tokio::test]
async fn the_json_client_takes_every_status_as_an_answer() {
    let receiver = WebhookReceiver::start().await;
    let json = Reply::Full { status: 422, header: ("x-one", "1".into()), body: r#"{"message":"no"}"#.into() };
    let text = Reply::Full { status: 500, header: ("x-one", "1".into()), body: "broken".into() };
    receiver.answer_with([json, text, Reply::Redirect("/elsewhere".into()), Reply::Close]);
    let client = JsonClient::new(&receiver.url).with_token("secret");
    let sent = serde_json::json!({"phone": "+60123456789"});
    let answer = client.post("/messages?x=1", &sent).await.unwrap();
    assert_eq!(
        (answer.status, answer.body["message"].as_str(), answer.headers["x-one"].as_bytes()),
        (422, Some("no"), &b"1"[..])
    );
    assert_eq!(client.put("", &sent).await.unwrap().body, "broken");
    assert_eq!(client.delete("").await.unwrap().status, 302);
    assert!(client.get("").await.is_err());
    let webhooks = receiver.received();
    assert_eq!(
        (webhooks[0].path.as_str(), webhooks[0].header("authorization")),
        ("/webhook/messages?x=1", "Bearer secret")
    );
    assert_eq!(webhooks[0].json(), sent);
}
