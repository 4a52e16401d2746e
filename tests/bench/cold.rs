//! What a Lambda start costs: the program of the function `api`, as it is shipped, behind a Runtime API and on tables served
//! over loopback. The times are from the start of the process, or from handing the event over, to the answer; all that is
//! not ours (AWS's own start of an environment, its network) is not in them, and the loopback tables are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hantar_domain::token::Abilities;
use hantar_domain::user::Email;
use hantar_local::engines::Engines;
use hantar_local::stack::Stack;
use hantar_platform::clock::SystemClock;
use hantar_platform::entropy::SystemEntropy;
use hantar_testkit::aws_server::AwsServer;
use hantar_testkit::lambda_runtime::LambdaRuntime;
use hantar_testkit::process::Process;
use hantar_usecases::create_token::{NewToken, create_token};
use hantar_usecases::found_account::{NewAccount, found_account};
use hantar_usecases::ports::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::figures::Latencies;

/// How many processes are started for each figure.
const STARTS: usize = 15;
/// How many requests a warm process is asked.
const WARM: usize = 300;
const LIMIT: Duration = Duration::from_secs(29);

struct Place {
    folder: TempDir,
    aws: AwsServer,
    token: String,
    program: PathBuf,
}

/// Prints the figures of the program that `HANTAR_LAMBDA_API` names.
pub(crate) async fn run() -> anyhow::Result<()> {
    let program = std::env::var_os("HANTAR_LAMBDA_API").map(PathBuf::from);
    let program = program.context("HANTAR_LAMBDA_API does not say where the function is: run `cargo xtask bench`")?;
    let size = std::fs::metadata(&program).with_context(|| format!("{} is not there", program.display()))?.len();
    let place = Place::open(program).await?;
    let alive = event("/healthz", None);
    let devices = event("/api/v1/balance", Some(&place.token));
    println!("cold: the function api, {:.2} MB", size as f64 / 1e6);
    for (name, event) in [("GET /healthz", &alive), ("GET /api/v1/balance", &devices)] {
        let mut starts = Latencies::default();
        for _ in 0..STARTS {
            starts.add(place.start(event).await?);
        }
        println!("cold: start of the process to the first answer, {name}: {}", starts.line());
    }
    let runtime = LambdaRuntime::start().await;
    let _process = place.process(&runtime);
    for (name, event) in [("GET /healthz", &alive), ("GET /api/v1/balance", &devices)] {
        let mut warm = Latencies::default();
        for _ in 0..WARM {
            let asked = Instant::now();
            answered(runtime.invoke(event.clone(), LIMIT).await)?;
            warm.add(asked.elapsed());
        }
        println!("cold: warm {name}: {}", warm.line());
    }
    Ok(())
}

impl Place {
    async fn open(program: PathBuf) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let engines = Engines::open(folder.path(), &clock)?;
        let (dynamo, queues) = (engines.dynamo.clone(), engines.queues.clone());
        let clients = (dynamo.http_client(), queues.http_client());
        let stack = Stack::on(engines, clients.0, clients.1, clock, Arc::new(SystemEntropy)).await?;
        let new = NewAccount {
            name: "Bench".into(),
            email: Email::parse("bench@example.com")?,
            verified: true,
            credits: 10_000,
            device_name: "Bench".into(),
        };
        let founded = found_account(&stack.founders(), new).await?.context("a new account")?;
        let (account, user) = (founded.account.id, founded.owner.id);
        let new = NewToken { account, user, name: "bench".into(), abilities: Abilities::all(), expires_at: None };
        let (_, token) =
            create_token(stack.fleet.as_ref(), &stack.numbers, stack.entropy.as_ref(), stack.clock.as_ref(), new)
                .await?;
        Ok(Self { folder, aws: AwsServer::start(dynamo, queues).await, token, program })
    }

    fn process(&self, runtime: &LambdaRuntime) -> Process {
        let mut command = runtime.command(&self.program);
        command
            .env("HANTAR_AWS_ENDPOINT_URL", &self.aws.url)
            .env("HANTAR_BUSINESS_TABLE", "hantar")
            .env("HANTAR_ENGINE_TABLE", "hantar-engine")
            .env("HANTAR_QUEUE_PREFIX", "hantar")
            .env("HANTAR_SHARDS", "4")
            .env("HANTAR_READS_PER_MINUTE", "1000000")
            .env("HANTAR_KEY_FILE", self.folder.path().join("master.key"));
        Process::start(command)
    }

    /// From the start of a process to its first answer.
    async fn start(&self, event: &Value) -> anyhow::Result<Duration> {
        let runtime = LambdaRuntime::start().await;
        let begun = Instant::now();
        let _process = self.process(&runtime);
        answered(runtime.invoke(event.clone(), LIMIT).await)?;
        Ok(begun.elapsed())
    }
}

fn answered(outcome: Result<Value, Value>) -> anyhow::Result<()> {
    let answer = outcome.map_err(|error| anyhow::anyhow!("the function failed: {error}"))?;
    ensure!(answer["statusCode"] == 200, "the function answered {answer}");
    Ok(())
}

/// A GET as API Gateway's HTTP API sends it (payload 2.0).
fn event(path: &str, token: Option<&str>) -> Value {
    let mut headers = json!({ "host": "api.example.com", "accept": "application/json" });
    if let Some(token) = token {
        headers["authorization"] = format!("Bearer {token}").into();
    }
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
        "requestContext": {
            "accountId": "000000000000", "apiId": "api", "domainName": "api.example.com", "domainPrefix": "api",
            "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "bench" },
            "requestId": "id", "routeKey": "$default", "stage": "$default",
            "time": "20/Nov/2026:00:00:00 +0000", "timeEpoch": 1_795_132_800_000_u64,
        },
        "isBase64Encoded": false,
    })
}
