//! Fetching the script that holds the version: one guarded GET.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::whatsapp::transport::Server;

/// The script of WhatsApp's service worker.
const PATH: &str = "/sw.js";
/// From the look-up of the name to the last byte.
const LIMIT: Duration = Duration::from_secs(5);
/// The script has some hundred KiB.
const MOST_BYTES: usize = 4 << 20;
/// The page is not given to clients without one.
const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

/// Why the page was not had: try again later.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    #[error("the server cannot be reached: {0}")]
    Io(#[from] std::io::Error),
    #[error("the server's name is none: {0}")]
    Name(#[from] rustls_pki_types::InvalidDnsNameError),
    #[error("HTTP failed: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be built: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the page is larger than {MOST_BYTES} bytes")]
    TooLarge,
    #[error("the page broke off: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("it took longer than {LIMIT:?}")]
    Late,
}

/// The script, from the server that the sockets go to.
pub(super) async fn fetch(server: &Server) -> Result<String, PageError> {
    tokio::time::timeout(LIMIT, get(server)).await.map_err(|_| PageError::Late)?
}

async fn get(server: &Server) -> Result<String, PageError> {
    let tcp = TcpStream::connect((server.host(), server.port())).await?;
    if !server.is_tls() {
        return ask(server, tcp).await;
    }
    let name = rustls_pki_types::ServerName::try_from(server.host().to_owned())?;
    ask(server, TlsConnector::from(server.tls()).connect(name, tcp).await?).await
}

async fn ask<S>(server: &Server, stream: S) -> Result<String, PageError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(PATH)
        .header(header::HOST, server.authority())
        .header(header::USER_AGENT, BROWSER)
        .header("sec-fetch-site", "none")
        .body(Empty::<Bytes>::new())?;
    let asking = async {
        let answer = sender.send_request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(PageError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { PageError::TooLarge } else { PageError::Body(error) }
        })?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    };
    // The connection is driven by the call itself, and gone with it.
    let connection = async {
        let ended = connection.await;
        match ended {
            Ok(()) => std::future::pending().await,
            Err(error) => Err(PageError::Http(error)),
        }
    };
    tokio::select! {
        biased;
        page = asking => page,
        broken = connection => broken,
    }
}
