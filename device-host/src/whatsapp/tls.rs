//! Whom to trust on `wss`: the public roots, and one more where a simulated network is used. Never nobody.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Why no TLS set-up came about: mend the PEM.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The text is not PEM.
    #[error("the extra root is not PEM: {0}")]
    Pem(rustls_pki_types::pem::Error),
    /// The text holds no certificate.
    #[error("the extra root PEM holds no certificate")]
    Empty,
    /// TLS itself refuses.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// A client set-up that trusts the public roots and those of `extra_pem`.
pub(crate) fn client_config(extra_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = extra_pem {
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(TlsError::Pem)?)?;
            found = true;
        }
        if !found {
            return Err(TlsError::Empty);
        }
    }
    // Named, not the process default: another crate may bring a second provider, and then there is no default.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pem_without_a_certificate_is_refused() {
        assert!(matches!(client_config(Some(b"hello")), Err(TlsError::Empty | TlsError::Pem(_))));
        assert!(client_config(None).is_ok());
    }
}
