//! The running server: one listener for the WebSocket and the admin API.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wacore_libsignal::protocol::CurveError;

use crate::certificate::ServerIdentity;
use crate::network::Network;
use crate::state_file::{self, StateFileError};
use crate::{admin, time};

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
}

/// A running simulator. Dropping it stops it at once; [`Simulator::shutdown`] stops it in order.
pub struct Simulator {
    network: Network,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    state_file: Option<PathBuf>,
    keeping: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts listening.
    pub async fn start(config: SimulatorConfig) -> Result<Self, SimulatorError> {
        let network = restore_or_new(&config)?;
        let failed = |source| SimulatorError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        // Small stanzas both ways: without this every ack waits 40 ms for Nagle's algorithm.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
        });
        let (stop, stopped) = oneshot::channel();
        let server = axum::serve(listener, admin::router(network.clone())).with_graceful_shutdown(async move {
            // An error means that the simulator was dropped, which ends the task anyway.
            let _ = stopped.await;
        });
        let serving = tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the simulator stopped listening");
            }
        });
        tracing::info!(%address, seed = config.seed, "the simulated WhatsApp network is up");
        let keeping = config.state_file.clone().map(|path| tokio::spawn(state_file::keep(network.clone(), path)));
        Ok(Self { network, address, stop: Some(stop), serving, state_file: config.state_file, keeping })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where WhatsApp clients connect to.
    pub fn websocket_url(&self) -> String {
        format!("ws://{}/ws/chat", self.address)
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

fn restore_or_new(config: &SimulatorConfig) -> Result<Network, SimulatorError> {
    if let Some(path) = &config.state_file {
        let loaded = state_file::load(path, config.seed);
        let loaded = loaded.map_err(|source| SimulatorError::StateFile { path: path.clone(), source })?;
        if let Some(network) = loaded {
            return Ok(network);
        }
    }
    Ok(Network::new(ServerIdentity::generate()?, config.seed, 0, time::Setting::default()))
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.serving.abort();
        if let Some(keeping) = &self.keeping {
            keeping.abort();
        }
        self.network.cut_all();
    }
}
