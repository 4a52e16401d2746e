//! The running server: one listener for the WebSocket, the media and the admin API, each plain and under TLS.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use wacore_libsignal::protocol::CurveError;

use crate::certificate::ServerIdentity;
use crate::network::Network;
use crate::state_file::{self, StateFileError};
use crate::tls::{TlsCertificate, TlsError};
use crate::{admin, door, time};

/// How long a shut-down waits for requests under way.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

/// How to run a simulator.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The seed of everything random but keys: numbers, LIDs, ids.
    pub seed: u64,
    /// Where accounts, keys and phones are kept over a restart. Without it a restart forgets every pairing.
    pub state_file: Option<PathBuf>,
}

/// The keys a server is known by; what is absent is made at start.
#[derive(Debug, Clone, Default)]
pub struct ServerKeys {
    /// The certificate of the TLS listener.
    pub tls: Option<TlsCertificate>,
    /// The private key of the root that clients of the Noise handshake may check, 32 bytes.
    pub root: Option<[u8; 32]>,
}

impl ServerKeys {
    /// A root key as it is written in a file: 64 hexadecimal digits. `None` when it is something else.
    pub fn root_from_hex(text: &str) -> Option<[u8; 32]> {
        hex::decode(text.trim()).ok()?.try_into().ok()
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The address cannot be listened on; choose another.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The state file cannot be used.
    #[error("cannot use the state file {}", path.display())]
    StateFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: StateFileError,
    },
    /// The server's keys could not be made.
    #[error("cannot make the server's keys")]
    Keys(#[from] CurveError),
    /// The TLS certificate cannot be used, or none could be made.
    #[error("cannot use the TLS certificate")]
    Tls(#[from] TlsError),
}

/// A running simulator. Dropping it stops it at once; [`Simulator::shutdown`] stops it in order.
pub struct Simulator {
    network: Network,
    address: SocketAddr,
    tls_certificate: String,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    /// Does what the agenda says.
    living: JoinHandle<()>,
    state_file: Option<PathBuf>,
    keeping: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts listening.
    pub async fn start(config: SimulatorConfig) -> Result<Self, SimulatorError> {
        Self::start_with_keys(config, ServerKeys::default()).await
    }

    /// Starts listening, known by the given keys.
    pub async fn start_with_keys(config: SimulatorConfig, keys: ServerKeys) -> Result<Self, SimulatorError> {
        let network = restore_or_new(&config, keys.root.as_ref())?;
        let failed = |source| SimulatorError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        network.media().set_host(reachable(address));
        let certificate = match keys.tls {
            Some(given) => given,
            None => TlsCertificate::for_this_machine(address)?,
        };
        let tls = TlsAcceptor::from(certificate.server_config()?);
        let tls_certificate = certificate.chain_pem;
        let (stop, stopped) = oneshot::channel();
        let app = admin::router(network.clone(), &tls_certificate);
        let serving = tokio::spawn(door::serve(listener, tls, app, stopped));
        let root = hex::encode(network.root_public_key());
        tracing::info!(%address, seed = config.seed, %root, "the simulated WhatsApp network is up");
        let keeping = config.state_file.clone().map(|path| tokio::spawn(state_file::keep(network.clone(), path)));
        let living = tokio::spawn(network.clone().keep_appointments());
        let (stop, state_file) = (Some(stop), config.state_file);
        Ok(Self { network, address, tls_certificate, stop, serving, living, state_file, keeping })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where WhatsApp clients connect to.
    pub fn websocket_url(&self) -> String {
        format!("ws://{}/ws/chat", self.address)
    }

    /// Where they connect to with TLS, for which they have to trust [`Simulator::tls_certificate`].
    pub fn secure_websocket_url(&self) -> String {
        format!("wss://{}/ws/chat", self.address)
    }

    /// The public key of the Noise root, as hexadecimal digits.
    pub fn root_key_hex(&self) -> String {
        hex::encode(self.network.root_public_key())
    }

    /// The certificate of the TLS listener, in PEM.
    pub fn tls_certificate(&self) -> &str {
        &self.tls_certificate
    }

    /// The network behind it: the same operations as the admin API has.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Stops listening, cuts every socket and writes the state file, if there is one.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only when the server already ended.
            let _ = stop.send(());
        }
        self.living.abort();
        self.network.cut_all();
        if time::at_most(SHUTDOWN_LIMIT, &mut self.serving).await.is_none() {
            self.serving.abort();
        }
        if let Some(keeping) = self.keeping.take() {
            keeping.abort();
            // Whether it ended or was ended: it does not write any more.
            let _ = keeping.await;
        }
        if let Some(path) = &self.state_file
            && let Err(error) = state_file::store(&self.network, path)
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the state file could not be written");
        }
    }
}

/// The host and port clients on this machine reach a listener by.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("127.0.0.1:{}", address.port()) } else { address.to_string() }
}

fn restore_or_new(config: &SimulatorConfig, root: Option<&[u8; 32]>) -> Result<Network, SimulatorError> {
    if let Some(path) = &config.state_file {
        let loaded = state_file::load(path, config.seed, root);
        let loaded = loaded.map_err(|source| SimulatorError::StateFile { path: path.clone(), source })?;
        if let Some(network) = loaded {
            return Ok(network);
        }
    }
    let mut identity = ServerIdentity::generate()?;
    if let Some(root) = root {
        identity = identity.with_root(root)?;
    }
    Ok(Network::new(identity, config.seed, 0, time::Setting::default()))
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.serving.abort();
        self.living.abort();
        if let Some(keeping) = &self.keeping {
            keeping.abort();
        }
        self.network.cut_all();
    }
}
