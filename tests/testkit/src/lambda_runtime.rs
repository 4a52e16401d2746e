//! The Lambda Runtime API, as a function's process sees it: it asks for the next invocation and posts what came of it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::http_server::{Answered, Close, HttpServer};

const VERSION: &str = "/2018-06-01/runtime/";
/// Invocations that wait for a process. A process is given one at a time.
const WAITING: usize = 1000;

/// What came of an invocation: an answer, or the error that the function told of.
pub type Outcome = Result<Value, Value>;

/// One function's runtime API. Gone when it is dropped.
#[derive(Debug)]
pub struct LambdaRuntime {
    server: HttpServer,
    invocations: mpsc::Sender<Invocation>,
}

#[derive(Debug)]
struct Invocation {
    event: Value,
    limit: Duration,
    answer: oneshot::Sender<Outcome>,
}

#[derive(Debug)]
struct Desk {
    waiting: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    open: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
}

impl LambdaRuntime {
    /// Waits for a process on a free port.
    pub async fn start() -> Self {
        let (invocations, waiting) = mpsc::channel(WAITING);
        let desk = Arc::new(Desk { waiting: tokio::sync::Mutex::new(waiting), open: Mutex::default() });
        let server = HttpServer::start(move |request| {
            let desk = desk.clone();
            async move { desk.answer(request).await }
        })
        .await;
        Self { server, invocations }
    }

    /// The command that starts a function's program on this runtime, as Lambda does, with nothing else in its environment.
    pub fn command(&self, program: &Path) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", self.server.url().trim_start_matches("http://"))
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/function")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "role")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_SESSION_TOKEN", "token");
        command
    }

    /// Invokes the function, whose process may still have to come; it has `limit` for its work once it has taken the event.
    ///
    /// # Panics
    /// When no outcome comes for a minute longer than that.
    pub async fn invoke(&self, event: Value, limit: Duration) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        self.invocations.send(Invocation { event, limit, answer }).await.expect("the runtime serves");
        let outcome = tokio::time::timeout(limit + Duration::from_mins(1), outcome).await;
        outcome.expect("the function's outcome in time").expect("the runtime serves")
    }
}

impl Desk {
    async fn answer(&self, request: Request<Bytes>) -> Answered {
        let path = request.uri().path().to_owned();
        let path = path.strip_prefix(VERSION).ok_or(Close)?;
        let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        match path.split('/').collect::<Vec<_>>()[..] {
            ["invocation", "next"] => self.next().await,
            ["invocation", id, "response"] => self.done(id, Ok(body)),
            ["invocation", id, "error"] => self.done(id, Err(body)),
            _ => Err(Close),
        }
    }

    async fn next(&self) -> Answered {
        let invocation = self.waiting.lock().await.recv().await.ok_or(Close)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("00000000-0000-4000-8000-{:012}", open.len());
        let ends = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + invocation.limit;
        open.insert(id.clone(), invocation.answer);
        Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", id)
            .header("lambda-runtime-deadline-ms", ends.as_millis().to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:000000000000:function:function")
            .header("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793")
            .body(Full::from(invocation.event.to_string()))
            .map_err(|_| Close)
    }

    fn done(&self, id: &str, outcome: Outcome) -> Answered {
        let (closed, _) = oneshot::channel();
        let asked = self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), closed);
        // Whoever invoked may have gone; an id that nobody gave out is the function's mistake.
        let _ = asked.ok_or(Close)?.send(outcome);
        Response::builder().status(202).body(Full::default()).map_err(|_| Close)
    }
}
