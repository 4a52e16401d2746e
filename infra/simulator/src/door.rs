//! The door: one listener for `http` and `ws`, plain and under TLS. The first byte of a connection tells which it is.
//! Whoever says nothing, or half of something, is let go after a while.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::time;

/// How many connections are open at once; the next one waits in the system's queue.
const MAX_CONNECTIONS: usize = 65_536;
/// How long a client may take for its first byte and, if it wants it, TLS.
const GREETING_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take for the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(20);
/// A TLS connection begins with a record of this type (RFC 8446, 5.1). No HTTP method does.
const TLS_HANDSHAKE: u8 = 22;
/// When the system has no more descriptors, some come back soon.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What answers behind the door.
#[derive(Clone)]
struct Hall {
    tls: TlsAcceptor,
    app: Router,
    /// Turns true when everybody has to leave.
    closing: watch::Receiver<bool>,
}

/// Serves until it is told to stop, and then until every request under way is answered.
pub(crate) async fn serve(listener: TcpListener, tls: TlsAcceptor, app: Router, stopped: oneshot::Receiver<()>) {
    let (close, closing) = watch::channel(false);
    let hall = Hall { tls, app, closing };
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut inside = JoinSet::new();
    let welcome = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((socket, _)) => {
                    let hall = hall.clone();
                    inside.spawn(async move {
                        hall.receive(socket).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    time::pause(AFTER_FAILURE).await;
                }
            }
            while inside.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = welcome => {}
        // An error means that the simulator was dropped, which ends this task anyway.
        _ = stopped => {}
    }
    drop(listener);
    close.send_replace(true);
    while inside.join_next().await.is_some() {}
}

impl Hall {
    async fn receive(self, socket: TcpStream) {
        // Small stanzas both ways: without this every ack waits 40 ms for Nagle's algorithm.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let greeting = async {
            let mut first = [0];
            let is_tls = socket.peek(&mut first).await.is_ok() && first == [TLS_HANDSHAKE];
            if is_tls { Greeted::Tls(Box::new(self.tls.accept(socket).await)) } else { Greeted::Plain(socket) }
        };
        match time::at_most(GREETING_LIMIT, greeting).await {
            None => {}
            Some(Greeted::Plain(socket)) => self.answer(socket).await,
            Some(Greeted::Tls(accepted)) => match *accepted {
                Ok(socket) => self.answer(socket).await,
                Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
            },
        }
    }

    async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, socket: S) {
        let Self { app, mut closing, .. } = self;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_LIMIT)
            .serve_connection(TokioIo::new(socket), TowerToHyperService::new(app))
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = async { drop(closing.wait_for(|closing| *closing).await) } => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// What a connection turned out to be.
enum Greeted {
    Plain(TcpStream),
    Tls(Box<std::io::Result<TlsStream<TcpStream>>>),
}
