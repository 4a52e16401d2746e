//! The front doors behind API Gateway's HTTP API and behind a function URL, which send the same kind of event (payload 2.0).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hantar_api::{ApiParts, Readiness};
use hantar_dashboard::DashboardParts;
use hantar_usecases::people::ClientAddress;
use hantar_usecases::ports::{Clock, Fleet};
use hantar_wire::v1::error::ErrorBody;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _};
use lambda_runtime::Error;
use tower::ServiceExt as _;

use crate::config::ApiConfig;
use crate::stack::Stack;
use crate::time_left::{deadline, time_left};

/// How long the tables may take to answer before the process calls itself not ready.
const READY_WITHIN: Duration = Duration::from_secs(2);
/// Where the source of the pages is.
const SOURCE: &str = env!("CARGO_PKG_REPOSITORY");

/// All routes: the API, and the pages where it is known by which address they are reached.
pub fn router(stack: &Stack, config: &ApiConfig) -> Result<Router, Error> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let numbers = stack.numbers();
    let ready = Ready { fleet: stack.fleet.clone(), shards: config.common.cloud.shards };
    let (mail, account_keys) = (stack.mail()?, stack.account_keys(&config.keys)?);
    let public_url = config.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let api = ApiParts {
        fleet: stack.fleet.clone(),
        tenants: stack.tenants.clone(),
        queue: stack.queue(),
        shards: config.common.cloud.shards,
        account_keys: account_keys.clone(),
        blobs: stack.blobs(),
        mail: mail.clone(),
        numbers: numbers.clone(),
        clock: stack.clock.clone(),
        entropy: stack.entropy.clone(),
        sleep: stack.sleep.clone(),
        allowed: config.allowed.clone(),
        ready: Arc::new(ready),
        limits: config.limits,
        pages_url: public_url.clone(),
        public_url: public_url.clone(),
        version: version.clone(),
    };
    let router = hantar_api::router(Arc::new(api));
    let Some(public) = &config.public_url else { return Ok(router) };
    let pages = DashboardParts {
        fleet: stack.fleet.clone(),
        tenants: stack.tenants.clone(),
        numbers,
        clock: stack.clock.clone(),
        entropy: stack.entropy.clone(),
        sleep: stack.sleep.clone(),
        mail,
        account_keys,
        pages_url: public_url,
        hosts: public.host_str().map(str::to_owned).into_iter().collect(),
        https: public.scheme() == "https",
        source_url: SOURCE.into(),
        version,
    };
    Ok(router.merge(hantar_dashboard::router(Arc::new(pages))))
}

/// Serves requests until Lambda takes the process away.
pub async fn serve(config: ApiConfig) -> Result<(), Error> {
    let stack = Stack::new(&config.common);
    let router = router(&stack, &config)?;
    let clock = stack.clock.clone();
    lambda_http::run(tower::service_fn(move |mut request: Request| {
        let (router, clock) = (router.clone(), clock.clone());
        if let Some(address) = client_address(&request, config.address_header.as_ref()) {
            request.extensions_mut().insert(address);
        }
        async move { Ok::<_, std::convert::Infallible>(answer(router, clock.as_ref(), request).await) }
    }))
    .await
}

/// Where a request comes from: what the gateway saw, or what the proxy before it says by this header. Of a port behind the
/// address nothing is kept.
fn client_address(request: &Request, named: Option<&HeaderName>) -> Option<ClientAddress> {
    let said = match named {
        Some(name) => request.headers().get(name)?.to_str().ok()?.to_owned(),
        None => match request.request_context_ref()? {
            RequestContext::ApiGatewayV2(context) => context.http.source_ip.clone()?,
            _ => return None,
        },
    };
    let said = said.trim();
    let alone = said.parse().ok().or_else(|| said.parse().ok().map(|pair: SocketAddr| pair.ip()));
    // CloudFront writes IPv6 addresses without brackets before the port.
    let alone = alone.or_else(|| said.rsplit_once(':').and_then(|(ip, _)| ip.parse().ok()));
    alone.map(|ip: IpAddr| ClientAddress(ip.to_string()))
}

/// The router's answer, or 503 a moment before Lambda ends the invocation: then the caller learns when to try again.
async fn answer(router: Router, clock: &dyn Clock, request: Request) -> Response {
    let until = request.lambda_context_ref().map_or(u64::MAX, |context| context.deadline);
    let left = time_left(clock, deadline(until));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = router.oneshot(request.map(body));
    match tokio::time::timeout(left, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            tracing::error!(%method, path, "a request was not answered in time");
            let error = ErrorBody::new("The request took too long. Try again with the same idempotency key.", "busy");
            let mut response = (StatusCode::SERVICE_UNAVAILABLE, axum::Json(error)).into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    }
}

fn body(body: lambda_http::Body) -> Body {
    match body {
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    }
}

/// Ready: the tables answer, and have as many shards as this process was told.
struct Ready {
    fleet: Arc<dyn Fleet>,
    shards: u16,
}

#[async_trait]
impl Readiness for Ready {
    async fn obstacles(&self) -> Vec<String> {
        match tokio::time::timeout(READY_WITHIN, self.fleet.shard_count(self.shards)).await {
            Ok(Ok(stored)) if stored == self.shards => vec![],
            Ok(Ok(stored)) => vec![format!("HANTAR_SHARDS is {}, but the tables have {stored}", self.shards)],
            Ok(Err(error)) => vec![format!("the tables do not answer: {error}")],
            Err(_) => vec!["the tables do not answer in time".to_owned()],
        }
    }
}
