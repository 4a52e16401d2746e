//! The AWS SDK's connector in a Worker, and its way to the payment provider: each call is a `fetch`.
//!
//! Objects of JavaScript may not leave their thread, and the SDK wants futures that may. A Worker has one thread, so what
//! holds such objects is wrapped here, once, and nothing above needs to know.

use std::pin::pin;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};

use crate::clock::SystemClock;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use futures::future::{Either, select};
use hantar_domain::webhook::{Answer, CALL_TIMEOUT, KEPT_ANSWER_BYTES, MAX_ANSWER_BYTES};
use hantar_usecases::ports::{Call, CallAnswer, Clock as _, Egress};
use worker::js_sys::Uint8Array;
use worker::send::SendFuture;
use worker::{AbortController, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response};

/// The connector. It holds nothing, so no request can wait for what belongs to another one, which Workers forbid.
#[derive(Clone, Copy, Debug, Default)]
pub struct FetchClient;

impl HttpConnector for FetchClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(SendFuture::new(async move {
            let request = to_js(&request).map_err(|error| ConnectorError::user(error.to_string().into()))?;
            // Refused, cut off, or more calls than a Worker may make: told apart by their texts alone.
            let (status, headers, body) =
                answer(request).await.map_err(|error| ConnectorError::io(error.to_string().into()))?;
            let status = StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(body));
            for (name, value) in headers {
                response.headers_mut().append(name, value);
            }
            Ok(response)
        }))
    }
}

impl HttpClient for FetchClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(*self)
    }
}

/// The way out of a Worker. Nobody resolves a name before the call here, so it is for addresses that the operator names; no
/// redirect is followed.
#[derive(Clone, Copy, Debug, Default)]
pub struct FetchEgress;

#[async_trait]
impl Egress for FetchEgress {
    async fn post(&self, call: Call) -> CallAnswer {
        let start = SystemClock.running();
        let outcome = SendFuture::new(async move {
            let request = post(&call).map_err(|_| "protocol")?;
            let limit = pin!(Delay::from(CALL_TIMEOUT));
            match select(pin!(answer(request)), limit).await {
                Either::Left((answered, _)) => answered.map_err(|_| "connect"),
                Either::Right(((), _)) => Err("timeout"),
            }
        })
        .await;
        let took = SystemClock.running().saturating_sub(start);
        match outcome {
            Ok((code, _, mut body)) => {
                body.truncate(MAX_ANSWER_BYTES);
                let excerpt = String::from_utf8_lossy(&body[..body.len().min(KEPT_ANSWER_BYTES)]).into_owned();
                CallAnswer { answer: Answer::Status { code, retry_after: None }, excerpt, body, took }
            }
            Err(failure) => {
                CallAnswer { answer: Answer::Failure(failure), excerpt: String::new(), body: Vec::new(), took }
            }
        }
    }
}

fn post(call: &Call) -> worker::Result<Request> {
    let headers = Headers::new();
    headers.set("content-type", "application/json")?;
    for (name, value) in &call.headers {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_headers(headers).with_redirect(RequestRedirect::Manual);
    init.with_body(Some(Uint8Array::from(call.body.as_slice()).into()));
    Request::new_with_init(call.target.url.as_str(), &init)
}

fn to_js(request: &HttpRequest) -> worker::Result<Request> {
    let headers = Headers::new();
    for (name, value) in request.headers() {
        headers.append(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::from(request.method().to_owned())).with_headers(headers);
    // An answer that leads elsewhere is an answer: the signature is good for one address.
    init.with_redirect(RequestRedirect::Manual);
    // The SDK's JSON requests are never streamed, so the bytes are always at hand.
    if let Some(body) = request.body().bytes().filter(|body| !body.is_empty()) {
        init.with_body(Some(Uint8Array::from(body).into()));
    }
    Request::new_with_init(request.uri(), &init)
}

/// The whole answer. The SDK drops this future when its time is over; then the call is ended, too, and does not go on
/// holding one of the few connections that a Worker may have.
async fn answer(request: Request) -> worker::Result<(u16, Vec<(String, String)>, Vec<u8>)> {
    let controller = AbortController::default();
    let signal = controller.signal();
    let mut running = Running(Some(controller));
    let mut response: Response = Fetch::Request(request).send_with_signal(&signal).await?;
    let body = response.bytes().await?;
    running.0 = None;
    Ok((response.status_code(), response.headers().entries().collect(), body))
}

/// A call under way; ended when this is dropped.
struct Running(Option<AbortController>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}
