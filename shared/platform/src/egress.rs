//! Calls to addresses that customers name, guarded so that nobody reaches our own network through us: the name is
//! resolved once, every address it has is checked, and the connection goes to exactly those. What a general client
//! would have to be talked out of (redirects, proxies, cookies, pooled connections) is not there at all.
//!
//! A Worker has neither resolver nor sockets: its egress is `fetch` (`crate::fetch`), with names and literals checked alone.

mod answer;
mod download;
mod exchange;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::egress::AllowList;
use hantar_domain::webhook::{Answer, CALL_TIMEOUT};
use hantar_usecases::ports::{Call, CallAnswer, Clock as _, Egress};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use self::answer::{Reply, excerpt};
use crate::clock::SystemClock;

/// How many of a name's addresses are tried. All are checked.
const MAX_TRIED: usize = 4;
/// How long an address may take to connect while another one is left to try.
const PATIENCE: Duration = Duration::from_secs(3);

/// Turns a name into its addresses.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All addresses of `name`, in the order in which to try them. None is as good as a failure.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// How calls are made.
#[derive(Clone)]
pub struct EgressSettings {
    /// Networks that may be called although they are not public.
    pub allowed: AllowList,
    /// How long a call may take, from the resolving of the name to the last byte of the answer.
    pub timeout: Duration,
    /// Certificates in PEM that are trusted besides the public authorities; empty for none.
    pub extra_roots_pem: String,
    /// Who resolves names.
    pub resolver: Arc<dyn Resolver>,
}

impl Default for EgressSettings {
    /// Public addresses alone, the customary time, the public authorities and the machine's resolver.
    fn default() -> Self {
        Self {
            allowed: AllowList::default(),
            timeout: CALL_TIMEOUT,
            extra_roots_pem: String::new(),
            resolver: Arc::new(SystemResolver),
        }
    }
}

/// The settings cannot be used. Repeating does not help.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The extra certificates are no PEM, or no certificates that can be trusted.
    #[error("the extra root certificates cannot be read")]
    Roots(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The TLS library does not start.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// The guarded way out on a machine with sockets. Each call has a connection of its own, closed when the call ends.
#[derive(Clone)]
pub struct GuardedEgress {
    allowed: AllowList,
    timeout: Duration,
    resolver: Arc<dyn Resolver>,
    tls: TlsConnector,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Connect,
    Dns,
    Protocol,
    RefusedAddress,
    Timeout,
    Tls,
}

impl Failure {
    /// The code that attempts are stored with.
    const fn code(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Protocol => "protocol",
            Self::RefusedAddress => "refused_address",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
        }
    }

    /// This failure, with its cause in the log: the attempt keeps the code alone.
    fn of(self, url: &Url, cause: &(dyn std::error::Error + 'static)) -> Self {
        let host = url.host_str().unwrap_or_default();
        tracing::debug!(failure = self.code(), host, cause, "a call to a foreign address failed");
        self
    }
}

impl GuardedEgress {
    /// Takes the settings.
    pub fn new(settings: EgressSettings) -> Result<Self, EgressError> {
        let EgressSettings { allowed, timeout, extra_roots_pem, resolver } = settings;
        Ok(Self { allowed, timeout, resolver, tls: tls(&extra_roots_pem)? })
    }

    async fn try_post(&self, call: Call) -> Result<Reply, Failure> {
        let url = call.target.url.clone();
        self.converse(&url, exchange::post(call)?, Reply::read).await
    }

    /// Sends `request` to where `url` leads, and reads the answer by `read`.
    async fn converse<T, F: Future<Output = hyper::Result<T>>>(
        &self,
        url: &Url,
        request: Request<Full<Bytes>>,
        read: impl FnOnce(Response<Incoming>) -> F,
    ) -> Result<T, Failure> {
        let addresses = self.addresses(url).await?;
        let stream = self.connect(url, &addresses).await?;
        if url.scheme() != "https" {
            return exchange::exchange(stream, request, url, read).await;
        }
        let name = server_name(url).ok_or(Failure::Tls)?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| Failure::Tls.of(url, &error))?;
        exchange::exchange(stream, request, url, read).await
    }

    /// The addresses behind `url`, if each of them may be called.
    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Failure> {
        let found = match url.host().ok_or(Failure::Dns)? {
            Host::Ipv4(address) => vec![address.into()],
            Host::Ipv6(address) => vec![address.into()],
            // As `Target` counts it; what the hosts file adds (`::1`) need not be listed.
            Host::Domain(name) if is_localhost(name) => vec![Ipv4Addr::LOCALHOST.into()],
            Host::Domain(name) => self.resolver.resolve(name).await.map_err(|error| Failure::Dns.of(url, &error))?,
        };
        if found.is_empty() {
            return Err(Failure::Dns);
        }
        // The list may have changed since the target was parsed, so plain HTTP is judged again, too.
        let may_be_called = |address: &IpAddr| match url.scheme() {
            "https" => self.allowed.allows(*address),
            _ => self.allowed.lists(*address),
        };
        if !found.iter().all(may_be_called) {
            return Err(Failure::RefusedAddress);
        }
        let port = url.port_or_known_default().ok_or(Failure::Protocol)?;
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// A connection to the first address that takes one.
    async fn connect(&self, url: &Url, addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
        let tried = &addresses[..addresses.len().min(MAX_TRIED)];
        let (last, others) = tried.split_last().ok_or(Failure::Dns)?;
        for address in others {
            if let Ok(Ok(stream)) = timeout(PATIENCE.min(self.timeout / 4), TcpStream::connect(address)).await {
                return Ok(stream);
            }
        }
        TcpStream::connect(last).await.map_err(|error| Failure::Connect.of(url, &error))
    }
}

#[async_trait]
impl Egress for GuardedEgress {
    async fn post(&self, call: Call) -> CallAnswer {
        let start = SystemClock.running();
        let outcome = timeout(self.timeout, self.try_post(call)).await.unwrap_or(Err(Failure::Timeout));
        let took = SystemClock.running().saturating_sub(start);
        match outcome {
            Ok(Reply { code, retry_after, body }) => {
                let answer = Answer::Status { code, retry_after };
                CallAnswer { answer, excerpt: excerpt(&body), body, took }
            }
            Err(failure) => {
                let answer = Answer::Failure(failure.code());
                CallAnswer { answer, excerpt: String::new(), body: Vec::new(), took }
            }
        }
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Whom the certificate must name.
fn server_name(url: &Url) -> Option<ServerName<'static>> {
    match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()).ok(),
        Host::Ipv4(address) => Some(ServerName::from(IpAddr::from(address))),
        Host::Ipv6(address) => Some(ServerName::from(IpAddr::from(address))),
    }
}

fn tls(extra_roots_pem: &str) -> Result<TlsConnector, EgressError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let public = roots.len();
    for certificate in CertificateDer::pem_slice_iter(extra_roots_pem.as_bytes()) {
        let certificate = certificate.map_err(|error| EgressError::Roots(Box::new(error)))?;
        roots.add(certificate).map_err(|error| EgressError::Roots(Box::new(error)))?;
    }
    if !extra_roots_pem.trim().is_empty() && roots.len() == public {
        return Err(EgressError::Roots("there is no certificate in it".into()));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(EgressError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests;
