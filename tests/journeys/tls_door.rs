//! TLS before the simulated network, with a certificate that no public root has signed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// An open door. Closed, with all its connections, when it is dropped.
pub(crate) struct TlsDoor {
    /// `wss`.
    pub(crate) url: String,
    /// The certificate to trust, in PEM.
    pub(crate) root: PathBuf,
    _open: JoinSet<()>,
}

impl TlsDoor {
    /// Before the server at `url` (`ws`); its certificate is written to `folder`.
    pub(crate) async fn before(url: &str, folder: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let root = folder.join("root.pem");
        std::fs::write(&root, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (there, path) = url.strip_prefix("ws://").unwrap().split_once('/').unwrap();
        let (inside, url) = (there.parse().unwrap(), format!("wss://localhost:{port}/{path}"));
        let mut open = JoinSet::new();
        open.spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), inside));
        Self { url, root, _open: open }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, inside: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            // A client that does not trust the certificate leaves here.
            let Ok(mut client) = acceptor.accept(client).await else { return };
            let mut server = TcpStream::connect(inside).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
