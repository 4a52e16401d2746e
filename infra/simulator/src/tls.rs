//! The certificate the listener shows to clients that speak TLS: given as PEM, or made and signed by itself at start.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate with its key, in PEM.
#[derive(Debug, Clone)]
pub struct TlsCertificate {
    /// The certificate, then those that lead to its root, if any.
    pub chain_pem: String,
    /// The private key of the first certificate.
    pub key_pem: String,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The PEM holds no certificate or key, or something that is neither.
    #[error("the PEM cannot be read")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// The key is of another certificate, or of a kind that is not supported.
    #[error("the certificate and the key cannot be used")]
    Unusable(#[from] rustls::Error),
    /// No certificate could be made.
    #[error("no certificate could be made")]
    NotMade(#[from] rcgen::Error),
}

impl TlsCertificate {
    /// A certificate for this machine and the address listened on, signed by itself.
    pub(crate) fn for_this_machine(address: SocketAddr) -> Result<Self, TlsError> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let own = address.ip().to_string();
        if !address.ip().is_unspecified() && !names.contains(&own) {
            names.push(own);
        }
        let made = rcgen::generate_simple_self_signed(names)?;
        Ok(Self { chain_pem: made.cert.pem(), key_pem: made.signing_key.serialize_pem() })
    }

    pub(crate) fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = CertificateDer::pem_slice_iter(self.chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = config.with_no_client_auth().with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> TlsCertificate {
        TlsCertificate::for_this_machine("127.0.0.1:0".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_made_certificate_can_be_used_and_given_again() {
        assert!(made().server_config().is_ok());
    }

    #[test]
    fn what_is_no_certificate_and_what_does_not_belong_together_is_refused() {
        let key_pem = made().key_pem;
        assert!(matches!(
            TlsCertificate { key_pem: "nonsense".into(), ..made() }.server_config(),
            Err(TlsError::Pem(_))
        ));
        for chain_pem in [String::new(), made().chain_pem] {
            let error = TlsCertificate { chain_pem, key_pem: key_pem.clone() }.server_config();
            assert!(matches!(error, Err(TlsError::Unusable(_))), "{error:?}");
        }
    }
}
