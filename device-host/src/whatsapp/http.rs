//! Calls over HTTP to WhatsApp's servers, each on a connection of its own: the page that tells the version, and the servers
//! that files are uploaded to. Their names come from WhatsApp alone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Position, Url};
use wacore::net::{HttpClient, HttpRequest, HttpResponse};
use whatsapp_rust::anyhow;

/// From the look-up of the name to the end of the answer to an upload.
const UPLOAD_LIMIT: Duration = Duration::from_mins(1);
/// An upload is answered with an address and its path.
const MOST_ANSWER_BYTES: usize = 64 << 10;

/// A call was not answered: try again later.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("the server cannot be reached: {0}")]
    Io(#[from] std::io::Error),
    #[error("the server's name is none: {0}")]
    Name(#[from] rustls_pki_types::InvalidDnsNameError),
    #[error("HTTP failed: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be built: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the answer broke off: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("it took too long")]
    Late,
}

/// Sends `request` to a server, by TLS where `tls` is given, and reads at most `most` bytes of the answer within `limit`.
pub(super) async fn call(
    (host, port): (&str, u16),
    tls: Option<Arc<ClientConfig>>,
    request: Request<Full<Bytes>>,
    most: usize,
    limit: Duration,
) -> Result<(StatusCode, Bytes), CallError> {
    let calling = async {
        let tcp = TcpStream::connect((host, port)).await?;
        let Some(tls) = tls else { return ask(tcp, request, most).await };
        let name = ServerName::try_from(host.to_owned())?;
        ask(TlsConnector::from(tls).connect(name, tcp).await?, request, most).await
    };
    tokio::time::timeout(limit, calling).await.map_err(|_| CallError::Late)?
}

async fn ask<S>(stream: S, request: Request<Full<Bytes>>, most: usize) -> Result<(StatusCode, Bytes), CallError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let asking = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), most).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { CallError::TooLarge(most) } else { CallError::Body(error) }
        })?;
        Ok((status, body.to_bytes()))
    };
    // The connection is driven by the call itself, and gone with it.
    let connection = async {
        let ended = connection.await;
        match ended {
            Ok(()) => std::future::pending().await,
            Err(error) => Err(CallError::Http(error)),
        }
    };
    tokio::select! {
        biased;
        answer = asking => answer,
        broken = connection => broken,
    }
}

/// The library's road to the servers that files are uploaded to. Nothing is fetched from them: this host reads no files that
/// come in, and the library's own client would block a thread per call.
pub(crate) struct MediaRoad(pub(crate) Arc<ClientConfig>);

#[async_trait]
impl HttpClient for MediaRoad {
    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, anyhow::Error> {
        anyhow::ensure!(request.method == "POST", "this host fetches no files");
        let url = Url::parse(&request.url)?;
        anyhow::ensure!(url.scheme() == "https", "files are uploaded by https alone");
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let mut asked = Request::post(&url[Position::BeforePath..Position::AfterQuery])
            .header(header::HOST, &url[Position::BeforeHost..Position::AfterPort]);
        for (name, value) in &request.headers {
            asked = asked.header(name, value);
        }
        let asked = asked.body(Full::new(request.body.unwrap_or_default()))?;
        let server = (host, url.port_or_known_default().unwrap_or(443));
        let answer = call(server, Some(Arc::clone(&self.0)), asked, MOST_ANSWER_BYTES, UPLOAD_LIMIT).await;
        let (status, body) = answer?;
        Ok(HttpResponse { status_code: status.as_u16(), body: body.to_vec() })
    }
}
