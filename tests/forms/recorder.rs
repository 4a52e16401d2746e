//! Stands between a Worker and its AWS, and notes how the SDK names its calls.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const MOST: usize = 20_000_000;

/// One call as it passed.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operation: String,
    /// Drawn by the SDK, for each call.
    pub(crate) invocation: String,
    /// What DynamoDB knows a transaction by.
    pub(crate) transaction: Option<String>,
}

/// A proxy; gone when it is dropped.
pub(crate) struct Recorder {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Way {
    to: String,
    client: reqwest::Client,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Recorder {
    /// Passes everything on to `to`.
    pub(crate) async fn start(to: &str) -> Self {
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let way = Way { to: to.to_owned(), client, calls: calls.clone() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(way);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, calls, serving }
    }

    /// What has passed so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let body = to_bytes(body, MOST).await.unwrap();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    way.calls.lock().unwrap().push(Call {
        operation: header("x-amz-target").unwrap_or_default().rsplit('.').next().unwrap().to_owned(),
        invocation: header("amz-sdk-invocation-id").unwrap_or_default(),
        transaction: json["ClientRequestToken"].as_str().map(str::to_owned),
    });
    for name in ["host", "content-length", "transfer-encoding", "connection"] {
        head.headers.remove(name);
    }
    let url = format!("{}{}", way.to, head.uri.path());
    let answer = way.client.request(head.method, url).headers(head.headers).body(body).send().await.unwrap();
    let status = answer.status();
    let kind = answer.headers().get("content-type").cloned();
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap()));
    *response.status_mut() = status;
    response.headers_mut().extend(kind.map(|kind| (axum::http::header::CONTENT_TYPE, kind)));
    response
}
