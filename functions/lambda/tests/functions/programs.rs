//! The real programs, started as Lambda starts them, behind a Runtime API and on tables served over HTTP.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use hantar_lambda::api;
use hantar_lambda::config::ApiConfig;
use hantar_lambda::stack::Stack;
use hantar_testkit::aws_server::AwsServer;
use hantar_testkit::lambda_runtime::LambdaRuntime;
use hantar_testkit::process::Process;
use hantar_testkit::webhook_receiver::WebhookReceiver;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::world::{PREFIX, SHARDS, World};

const API: &str = env!("CARGO_BIN_EXE_api");
const RELAY: &str = env!("CARGO_BIN_EXE_relay");
const COUNTS: &str = env!("CARGO_BIN_EXE_counts");
const WEBHOOKS: &str = env!("CARGO_BIN_EXE_webhooks");
const JOBS: &str = env!("CARGO_BIN_EXE_jobs");
const TIMERS: &str = env!("CARGO_BIN_EXE_timers");
/// What an invocation may take here.
const LIMIT: Duration = Duration::from_secs(29);
const PUBLIC: &str = "https://api.example.com";

/// A function's program with its runtime. Both end when it is dropped.
struct Function {
    runtime: LambdaRuntime,
    _process: Process,
}

/// What the environment of a deployment says.
fn variables(world: &World, aws: &AwsServer) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_REGION", "eu-west-1".into()),
        ("AWS_ACCESS_KEY_ID", "role".into()),
        ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ("HANTAR_AWS_ENDPOINT_URL", aws.url.clone()),
        ("HANTAR_BUSINESS_TABLE", format!("{PREFIX}-business")),
        ("HANTAR_ENGINE_TABLE", format!("{PREFIX}-engine")),
        ("HANTAR_QUEUE_PREFIX", PREFIX.into()),
        ("HANTAR_SHARDS", SHARDS.to_string()),
        ("HANTAR_KEY_FILE", world.folder.path().join("master.key").display().to_string()),
        ("HANTAR_EGRESS_ALLOW", "127.0.0.0/8".into()),
        ("HANTAR_PUBLIC_URL", PUBLIC.into()),
        ("HANTAR_LOG", "info".into()),
    ]
}

async fn served(world: &World) -> AwsServer {
    AwsServer::start(world.dynamo.clone(), world.queues.clone()).await
}

impl Function {
    async fn start(program: &str, variables: &[(&'static str, String)]) -> Self {
        let runtime = LambdaRuntime::start().await;
        let mut command = runtime.command(Path::new(program));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Self { _process: Process::start(command), runtime }
    }

    async fn invoke(&self, event: Value) -> Value {
        self.runtime.invoke(event, LIMIT).await.unwrap()
    }
}

/// One request as the front doors see it.
struct Asked<'a> {
    method: Method,
    path: &'a str,
    query: &'a str,
    headers: Vec<(&'a str, String)>,
    body: Option<String>,
}

impl Asked<'_> {
    /// What API Gateway's HTTP API makes of it. A function URL sends the same with another domain, and encodes bodies.
    fn event(&self, domain: &str, encoded: bool) -> Value {
        let mut headers: serde_json::Map<_, _> =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        headers.insert("host".into(), domain.into());
        let body = self.body.as_ref().map(|body| if encoded { base64(body) } else { body.clone() });
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": self.query,
            "headers": headers,
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "api",
                "domainName": domain,
                "domainPrefix": "api",
                "http": {
                    "method": self.method.as_str(), "path": self.path, "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1", "userAgent": "test",
                },
                "requestId": "id",
                "routeKey": "$default",
                "stage": "$default",
                "time": "20/Nov/2026:00:00:00 +0000",
                "timeEpoch": 1_795_132_800_000_u64,
            },
            "body": body,
            "isBase64Encoded": encoded && self.body.is_some(),
        })
    }

    /// The router's own answer: status, content type and body.
    async fn of_router(&self, router: Router) -> (u16, String, Vec<u8>) {
        let uri = if self.query.is_empty() { self.path.to_owned() } else { format!("{}?{}", self.path, self.query) };
        let mut request = Request::builder().method(self.method.clone()).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request = request.header("host", "api.example.com");
        let body = self.body.clone().map_or_else(Body::empty, Body::from);
        let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let kind = head.headers.get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        (head.status.as_u16(), kind.unwrap_or_default(), body.collect().await.unwrap().to_bytes().to_vec())
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A function's answer: status, content type and body.
fn read(answer: &Value) -> (u16, String, Vec<u8>) {
    use base64::Engine as _;
    let body = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => base64::engine::general_purpose::STANDARD.decode(body).unwrap(),
        _ => body.as_bytes().to_vec(),
    };
    let header =
        |set: &str| answer[set]["content-type"].as_str().or(answer[set]["content-type"][0].as_str()).map(str::to_owned);
    let kind = header("headers").or_else(|| header("multiValueHeaders"));
    (u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap(), kind.unwrap_or_default(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_an_http_api_and_a_function_url_as_the_router_does() {
    let world = World::new().await;
    let home = world.home().await;
    let token = world.token(home).await;
    let aws = served(&world).await;
    let variables = variables(&world, &aws);
    let config =
        ApiConfig::parse(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| v.clone())).unwrap();
    let router = api::router(&Stack::new(&config.common), &config).unwrap();
    let function = Function::start(API, &variables).await;

    let bearer = || ("authorization", format!("Bearer {token}"));
    let json = || ("content-type", "application/json".to_owned());
    let get = |path, query| Asked { method: Method::GET, path, query, headers: vec![bearer()], body: None };
    let post = |body: Value, key: &str| Asked {
        method: Method::POST,
        path: "/api/v1/messages/send",
        query: "",
        headers: vec![bearer(), json(), ("idempotency-key", key.to_owned())],
        body: Some(body.to_string()),
    };
    let good = json!({ "phone": "+60123456789", "body": "Selamat pagi 🌞" });
    let asked = [
        get("/healthz", ""),
        get("/readyz", ""),
        get("/api/v1/connection/status", ""),
        get("/api/v1/messages", "per_page=2&status=queued"),
        get("/api/v1/balance", ""),
        get("/api/v1/nothing", ""),
        post(good.clone(), "same"),
        post(good, "same"),
        post(json!({ "phone": 7 }), "wrong"),
        Asked { method: Method::DELETE, path: "/api/v1/messages/1", query: "", headers: vec![], body: None },
        get("/assets/icon.svg", ""),
        get("/source", ""),
    ];
    for one in &asked {
        let expected = one.of_router(router.clone()).await;
        for (domain, encoded) in [("api.example.com", false), ("api.example.com", true)] {
            let answered = read(&function.invoke(one.event(domain, encoded)).await);
            let shown = |(status, kind, body): &(u16, String, Vec<u8>)| {
                format!("{status} {kind} {}", String::from_utf8_lossy(body))
            };
            assert_eq!(shown(&answered), shown(&expected), "{} {}", one.method, one.path);
        }
    }
    assert!(aws.count_of_client("role") > 0, "the role's credentials were used");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_ready_only_when_the_tables_answer_and_have_the_configured_shards() {
    let world = World::new().await;
    let aws = served(&world).await;
    let mut variables = variables(&world, &aws);
    let ready = Asked { method: Method::GET, path: "/readyz", query: "", headers: vec![], body: None };
    let function = Function::start(API, &variables).await;
    assert_eq!(read(&function.invoke(ready.event("h", false)).await).0, 200);
    variables.retain(|(name, _)| *name != "HANTAR_SHARDS");
    let function = Function::start(API, &variables).await;
    let (status, _, body) = read(&function.invoke(ready.event("h", false)).await);
    assert_eq!(status, 503);
    assert!(String::from_utf8_lossy(&body).contains("HANTAR_SHARDS"), "{}", String::from_utf8_lossy(&body));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_tables_do_not_answer_gets_503_and_a_time_before_lambda_ends_it() {
    let world = World::new().await;
    let aws = served(&world).await;
    let function = Function::start(API, &variables(&world, &aws)).await;
    let alive = Asked { method: Method::GET, path: "/healthz", query: "", headers: vec![], body: None };
    assert_eq!(read(&function.invoke(alive.event("h", false)).await).0, 200);
    aws.block_client("role", hantar_testkit::aws_server::Cut::Silence);
    let headers = vec![("authorization", format!("Bearer {}", world.token(world.home().await).await))];
    let asked = Asked { method: Method::GET, path: "/api/v1/balance", query: "", headers, body: None };
    let answer = function.runtime.invoke(asked.event("h", false), Duration::from_secs(2)).await.unwrap();
    assert_eq!(answer["statusCode"], 503, "{answer}");
    assert!(answer.to_string().contains("retry-after"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_through_all_functions_to_its_doorbell_and_its_subscriber() {
    let world = World::new().await;
    let home = world.home().await;
    let receiver = WebhookReceiver::start().await;
    world.subscribe(home, &receiver.url).await;
    let aws = served(&world).await;
    let variables = variables(&world, &aws);
    let (relay, webhooks) = (Function::start(RELAY, &variables).await, Function::start(WEBHOOKS, &variables).await);
    let counts = Function::start(COUNTS, &variables).await;
    world.skip_stream().await;
    world.receive(home, ["hello".to_owned()]).await;
    let both = async |event: Value| {
        assert_eq!(counts.invoke(event.clone()).await, json!({ "batchItemFailures": [] }));
        relay.runtime.invoke(event, LIMIT).await
    };
    let mapped = world.mapping(100, 0).drain(both).await;
    assert!(mapped.given_up.is_empty());
    assert_eq!(world.tenant(home).state_counts().await.unwrap().inbound, 1);
    let jobs = world.bodies("webhooks").await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let record = |body: &Value| json!({ "messageId": "m", "body": body.to_string(), "eventSource": "aws:sqs" });
    let event = json!({ "Records": jobs.iter().map(record).collect::<Vec<_>>() });
    assert_eq!(webhooks.invoke(event).await, json!({ "batchItemFailures": [] }));
    assert_eq!(receiver.received().len(), 1);

    let jobs = Function::start(JOBS, &variables).await;
    let event = json!({ "Records": [record(&json!({ "kind": "import" }))] });
    assert_eq!(jobs.invoke(event).await, json!({ "batchItemFailures": [] }));
    assert_eq!(world.bodies("parked").await[0]["code"], "unknown_job");
    let timers = Function::start(TIMERS, &variables).await;
    assert_eq!(
        timers.invoke(json!({ "timer": "sweep" })).await,
        json!({ "shards": SHARDS, "left": 0, "deliveries": 0, "work": 0 })
    );
    assert!(timers.runtime.invoke(json!({ "timer": "dance" }), LIMIT).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_variable_ends_every_program_at_once_with_its_name_and_code_64() {
    let world = World::new().await;
    let aws = served(&world).await;
    let given = variables(&world, &aws);
    let refused = |program: &str, name: &str, value: Option<&str>| {
        let mut command = Command::new(program);
        command.env_clear().env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9");
        command.envs(given.iter().filter(|(known, _)| *known != name).map(|(name, value)| (name, value)));
        command.envs(value.map(|value| (name, value)));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{program} {name}: {said}");
        assert!(said.starts_with(&format!("{name}: expected ")) && said.lines().count() == 1, "{program}: {said}");
    };
    for program in [API, RELAY, COUNTS, WEBHOOKS, JOBS, TIMERS] {
        refused(program, "HANTAR_BUSINESS_TABLE", None);
        refused(program, "HANTAR_SHARDS", Some("many"));
    }
    let before = aws.count("GetItem") + aws.count("PutItem");
    assert_eq!(before, 0, "nothing was opened");
    for program in [RELAY, TIMERS] {
        // What is stored says otherwise.
        refused(program, "HANTAR_SHARDS", Some("8"));
    }
    for program in [API, WEBHOOKS] {
        refused(program, "HANTAR_KEY_FILE", None.or(Some("/nowhere")));
    }
}
