//! One request and its answer over a connection that is used for nothing else.

use std::convert::Infallible;

use hantar_usecases::ports::Call;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use url::{Position, Url};

use super::Failure;

/// Bounds the head of an answer, and how much of its body is read at once.
const BUFFER_BYTES: usize = 16 * 1024;

const OURS: HeaderValue = HeaderValue::from_static(concat!("Hantar/", env!("CARGO_PKG_VERSION")));

/// The request that `call` asks for. What cannot be said in HTTP is a failure of the protocol.
pub(super) fn post(call: Call) -> Result<Request<Full<Bytes>>, Failure> {
    let url = &call.target.url;
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| Failure::Protocol.of(url, &error))?;
        let value = HeaderValue::from_str(value).map_err(|error| Failure::Protocol.of(url, &error))?;
        headers.append(name, value);
    }
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    request(Method::POST, url, headers, Bytes::from(call.body))
}

/// The request for what is at `url`.
pub(super) fn get(url: &Url) -> Result<Request<Full<Bytes>>, Failure> {
    let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("*/*"))]);
    request(Method::GET, url, headers, Bytes::new())
}

fn request(method: Method, url: &Url, mut headers: HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>, Failure> {
    let host = &url[Position::BeforeHost..Position::AfterPort];
    headers.insert(HOST, HeaderValue::from_str(host).map_err(|error| Failure::Protocol.of(url, &error))?);
    headers.insert(USER_AGENT, OURS);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let request = Request::builder().method(method).uri(path).body(Full::new(body));
    let mut request = request.map_err(|error| Failure::Protocol.of(url, &error))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Sends `request` over `stream` and reads the answer by `read`. The connection is driven by this future and closed with it, so
/// that nothing stays behind when a call runs out of time.
pub(super) async fn exchange<T, F: Future<Output = hyper::Result<T>>>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    url: &Url,
    read: impl FnOnce(Response<Incoming>) -> F,
) -> Result<T, Failure> {
    let protocol = |error: hyper::Error| Failure::Protocol.of(url, &error);
    let mut http = http1::Builder::new();
    let connected = http.max_buf_size(BUFFER_BYTES).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connected.map_err(protocol)?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(protocol)?;
        read(response).await.map_err(protocol)
    };
    // How the connection ends shows in the talk, which may still have bytes to read then.
    let drive = async {
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        reply = talk => reply,
        never = drive => match never {},
    }
}
