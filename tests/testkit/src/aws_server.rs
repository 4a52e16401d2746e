//! The embedded engines over HTTP, so that several processes share one "AWS", and so that a test can cut one of them
//! off from it. Callers are told apart by their access key id; nobody checks their signature.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hantar_platform::embedded::DynamoEngine;
use hantar_queues::embedded::QueueEngine;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use http::{Request, Response};
use http_body_util::Full;

use crate::http_server::{Answered, Close, HttpServer};

/// How a client is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its requests are lost: nothing happens, and it waits for an answer until it gives up.
    Silence,
    /// Its requests are lost, and its connections close at once.
    Close,
    /// Its requests are carried out, and it waits for an answer until it gives up.
    LostAnswers,
}

/// DynamoDB and SQS for several processes. Gone, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct AwsServer {
    /// What clients take as the endpoint of both services.
    pub url: String,
    ledger: Arc<Mutex<Ledger>>,
    _server: HttpServer,
}

#[derive(Debug, Default)]
struct Ledger {
    cuts: BTreeMap<String, Cut>,
    /// Requests by client and operation.
    counts: BTreeMap<(String, String), u64>,
}

impl AwsServer {
    /// Serves the engines on a free port.
    pub async fn start(dynamo: DynamoEngine, queues: QueueEngine) -> Self {
        let ledger = Arc::<Mutex<Ledger>>::default();
        let shared = ledger.clone();
        let server = HttpServer::start(move |request| {
            let (dynamo, queues, ledger) = (dynamo.clone(), queues.clone(), shared.clone());
            async move { answer(&dynamo, &queues, &ledger, request).await }
        })
        .await;
        Self { url: server.url(), ledger, _server: server }
    }

    /// Cuts the client with this access key id off, until [`Self::unblock_client`]. Also what is under way for it is
    /// not answered any more.
    pub fn block_client(&self, access_key_id: &str, cut: Cut) {
        locked(&self.ledger).cuts.insert(access_key_id.to_owned(), cut);
    }

    /// Lets the client in again. What it sent before stays unanswered.
    pub fn unblock_client(&self, access_key_id: &str) {
        locked(&self.ledger).cuts.remove(access_key_id);
    }

    /// How many requests came, those of cut-off clients included, by access key id and operation (`PutItem`).
    pub fn counts(&self) -> BTreeMap<(String, String), u64> {
        locked(&self.ledger).counts.clone()
    }

    /// How many requests for `operation` came from all clients.
    pub fn count(&self, operation: &str) -> u64 {
        locked(&self.ledger).counts.iter().filter(|((_, of), _)| of == operation).map(|(_, count)| count).sum()
    }

    /// How many requests came from the client with this access key id.
    pub fn count_of_client(&self, access_key_id: &str) -> u64 {
        locked(&self.ledger).counts.iter().filter(|((by, _), _)| by == access_key_id).map(|(_, count)| count).sum()
    }

    /// Counts from zero again.
    pub fn reset_counts(&self) {
        locked(&self.ledger).counts.clear();
    }
}

fn locked(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The id in `AWS4-HMAC-SHA256 Credential=ID/date/region/service/aws4_request, …`; empty when there is none.
fn access_key_id(headers: &HeaderMap) -> &str {
    let signature = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = signature.and_then(|value| value.split_once("Credential=")).map(|(_, credential)| credential);
    credential.and_then(|credential| credential.split('/').next()).unwrap_or_default()
}

async fn answer(
    dynamo: &DynamoEngine,
    queues: &QueueEngine,
    ledger: &Mutex<Ledger>,
    request: Request<Bytes>,
) -> Answered {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (service, operation) = target.split_once('.').unwrap_or_default();
    let client = access_key_id(request.headers()).to_owned();
    let cut = || locked(ledger).cuts.get(&client).copied();
    *locked(ledger).counts.entry((client.clone(), operation.to_owned())).or_default() += 1;
    match cut() {
        Some(Cut::Silence) => return std::future::pending().await,
        Some(Cut::Close) => return Err(Close),
        Some(Cut::LostAnswers) | None => {}
    }
    let mut query_error = None;
    let (status, body) = match service {
        "DynamoDB_20120810" => dynamo.call(target, request.body()).await,
        "AmazonSQS" => {
            let (status, body, error) = queues.call(target, request.body()).await;
            query_error = error;
            (status, body)
        }
        _ => (400, r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#.to_owned()),
    };
    match cut() {
        Some(Cut::Silence | Cut::LostAnswers) => return std::future::pending().await,
        Some(Cut::Close) => return Err(Close),
        None => {}
    }
    let mut response = Response::builder().status(status).header(CONTENT_TYPE, "application/x-amz-json-1.0");
    if let Some(query_error) = query_error {
        response = response.header("x-amzn-query-error", query_error);
    }
    response.body(Full::from(body)).map_err(|_| Close)
}
