//! An HTTP server on a loopback port, for servers that must also be able to close a connection without a word, to say
//! nothing at all, and to be gone with all their connections when a test drops them.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// More than any request of the product: DynamoDB takes 16 MB at most.
const MAX_BODY: usize = 20 * 1024 * 1024;

/// The connection is to be closed with no answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
pub(crate) struct Close;

/// What a handler makes of a request.
pub(crate) type Answered = Result<Response<Full<Bytes>>, Close>;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct HttpServer {
    address: SocketAddr,
    accepting: JoinHandle<Infallible>,
}

impl HttpServer {
    /// Serves each request by `handle`. A request whose caller goes away is dropped where it stands.
    pub(crate) async fn start<H, F>(handle: H) -> Self
    where
        H: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Answered> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("the listener's address");
        let accepting = tokio::spawn(async move {
            // Aborts the connections when it is dropped with this task.
            let mut connections = JoinSet::new();
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(serve(stream, handle.clone()));
                }
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, accepting }
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve<H, F>(stream: TcpStream, handle: H)
where
    H: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answered> + Send + 'static,
{
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let handle = handle.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| Close)?.to_bytes();
            handle(Request::from_parts(head, body)).await
        }
    });
    // A caller that breaks off, and our own closing, are what these servers are for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
