//! A subscriber: records what it is sent, checks signatures with the Standard Webhooks library rather than with our own
//! code, and answers what the test tells it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook, WebhookError};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::http_server::{Answered, Close, HttpServer};

/// What to answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// This status and an empty body.
    Status(u16),
    /// This status with a header (`retry-after`) and a body.
    Full {
        /// The status.
        status: u16,
        /// A header's name, in lower case, and its value.
        header: (&'static str, String),
        /// The body.
        body: String,
    },
    /// 302 to this address.
    Redirect(String),
    /// Nothing, until the caller gives up.
    Hang,
    /// The connection closes.
    Close,
}

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        Self::Status(status)
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
    /// What it was answered.
    pub reply: Reply,
}

/// A subscriber on a loopback port. Gone, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct WebhookReceiver {
    /// Where to send webhooks.
    pub url: String,
    received: watch::Sender<Vec<Received>>,
    script: Arc<Mutex<VecDeque<Reply>>>,
    _server: HttpServer,
}

impl Received {
    /// A header's text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Checks the signature as a subscriber does, with `whsec_…` as it was shown, and that the time in it is at most
    /// five minutes from the machine's.
    pub fn verify(&self, secret: &str) -> Result<(), WebhookError> {
        Webhook::new(secret)?.verify(&self.body, &self.headers)
    }

    /// Checks the signature, whatever the time in it: for tests whose clock stands still.
    pub fn verify_at_any_time(&self, secret: &str) -> Result<(), WebhookError> {
        let at = self.header(HEADER_WEBHOOK_TIMESTAMP).parse().map_err(|_| WebhookError::InvalidTimestamp)?;
        let expected = Webhook::new(secret)?.sign(self.header(HEADER_WEBHOOK_ID), at, &self.body)?;
        let mut given = self.header(HEADER_WEBHOOK_SIGNATURE).split(' ');
        given.any(|signature| signature == expected).then_some(()).ok_or(WebhookError::InvalidSignature)
    }
}

impl WebhookReceiver {
    /// Listens on a free port, and answers 200 until it is told otherwise.
    pub async fn start() -> Self {
        let received = watch::Sender::new(Vec::new());
        let script = Arc::<Mutex<VecDeque<Reply>>>::default();
        let (record, answers) = (received.clone(), script.clone());
        let server = HttpServer::start(move |request| {
            let reply = answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let reply = reply.unwrap_or(Reply::Status(200));
            record.send_modify(|all| all.push(Received::of(request, reply.clone())));
            answer(reply)
        })
        .await;
        Self { url: format!("{}/webhook", server.url()), received, script, _server: server }
    }

    /// Answers the next requests with these, in this order, and further ones with 200. Replaces what was left of an
    /// earlier script.
    pub fn answer_with<R: Into<Reply>>(&self, replies: impl IntoIterator<Item = R>) {
        let replies = replies.into_iter().map(Into::into).collect();
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = replies;
    }

    /// All that came so far, in the order in which it came.
    pub fn received(&self) -> Vec<Received> {
        self.received.borrow().clone()
    }

    /// Waits until `count` requests have come since the start, and gives back all.
    ///
    /// # Panics
    /// When they have not come `within` that time; says what has come.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Vec<Received> {
        let mut watched = self.received.subscribe();
        match timeout(within, watched.wait_for(|all| all.len() >= count)).await {
            Ok(Ok(all)) => all.clone(),
            _ => panic!("{count} webhooks did not come within {within:?}, only: {:#?}", self.received()),
        }
    }
}

impl Received {
    fn of(request: Request<Bytes>, reply: Reply) -> Self {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        Self { method: head.method.to_string(), path, headers: head.headers, body, reply }
    }
}

async fn answer(reply: Reply) -> Answered {
    let (status, header, body) = match reply {
        Reply::Status(status) => (status, None, String::new()),
        Reply::Full { status, header: (name, value), body } => {
            (status, Some((HeaderName::from_static(name), value)), body)
        }
        Reply::Redirect(to) => (302, Some((LOCATION, to)), String::new()),
        Reply::Hang => return std::future::pending().await,
        Reply::Close => return Err(Close),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, HeaderValue::try_from(value).expect("a header's value"));
    }
    Ok(response)
}
