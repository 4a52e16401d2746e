//! The server's Noise identity and the certificate chain clients check: root → intermediate → leaf, each signed
//! for real (XEdDSA over the encoded details), so that a client with a strict check can be given our root.

use buffa::{Message as _, MessageField};
use serde::{Deserialize, Serialize};
use wacore_libsignal::protocol::{CurveError, KeyPair, PrivateKey};
use waproto::whatsapp::CertChain;
use waproto::whatsapp::cert_chain::NoiseCertificate;
use waproto::whatsapp::cert_chain::noise_certificate::Details;

use crate::entropy::key_rng;

/// Chosen wide, so that no clock of a test machine falls outside.
const NOT_BEFORE: u64 = 1_600_000_000;
const NOT_AFTER: u64 = 4_000_000_000;

/// The keys a simulator answers handshakes with.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ServerIdentity {
    pub(crate) static_key: KeyPair,
    root: KeyPair,
    /// The encoded `CertChain` that goes into every server hello.
    pub(crate) chain: Vec<u8>,
}

impl ServerIdentity {
    pub(crate) fn generate() -> Result<Self, CurveError> {
        Self::under(KeyPair::generate(&mut key_rng()), KeyPair::generate(&mut key_rng()))
    }

    /// The same server under another root, given as its 32 private bytes.
    pub(crate) fn with_root(self, private: &[u8; 32]) -> Result<Self, CurveError> {
        let root = KeyPair::try_from(PrivateKey::deserialize(private)?)?;
        if root.public_key == self.root.public_key {
            return Ok(self);
        }
        Self::under(root, self.static_key)
    }

    fn under(root: KeyPair, static_key: KeyPair) -> Result<Self, CurveError> {
        let intermediate = KeyPair::generate(&mut key_rng());
        let chain = CertChain {
            intermediate: MessageField::some(certify(1, 0, &intermediate, &root)?),
            leaf: MessageField::some(certify(2, 1, &static_key, &intermediate)?),
        };
        Ok(Self { static_key, root, chain: chain.encode_to_vec() })
    }

    /// The 32 bytes a strict client pins.
    pub(crate) fn root_public_key(&self) -> &[u8] {
        self.root.public_key.public_key_bytes()
    }
}

/// Serial and issuer serial follow what the clients check: the root is 0, the intermediate 1, the leaf 2.
fn certify(serial: u32, issuer: u32, subject: &KeyPair, signer: &KeyPair) -> Result<NoiseCertificate, CurveError> {
    let details = Details {
        serial: Some(serial),
        issuer_serial: Some(issuer),
        key: Some(subject.public_key.public_key_bytes().to_vec()),
        not_before: Some(NOT_BEFORE),
        not_after: Some(NOT_AFTER),
    }
    .encode_to_vec();
    let signature = signer.calculate_signature(&details, &mut key_rng())?.to_vec();
    Ok(NoiseCertificate { details: Some(details), signature: Some(signature) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wacore_libsignal::protocol::PublicKey;

    fn details(certificate: &NoiseCertificate) -> Details {
        Details::decode_from_slice(certificate.details.as_ref().unwrap()).unwrap()
    }

    #[test]
    fn a_given_root_signs_for_the_same_server() {
        let (ours, given) = (ServerIdentity::generate().unwrap(), KeyPair::generate(&mut key_rng()));
        let server_key = ours.static_key.public_key;
        let private = *given.private_key.serialize();
        let under_it = ours.with_root(&private).unwrap();
        assert_eq!(under_it.root_public_key(), given.public_key.public_key_bytes());
        assert_eq!(under_it.static_key.public_key, server_key);
        let chain = under_it.chain.clone();
        assert_eq!(under_it.with_root(&private).unwrap().chain, chain);
    }

    #[test]
    fn each_certificate_is_signed_by_the_one_above_it() {
        let identity = ServerIdentity::generate().unwrap();
        let chain = CertChain::decode_from_slice(&identity.chain).unwrap();
        let (leaf, intermediate) = (chain.leaf.into_option().unwrap(), chain.intermediate.into_option().unwrap());
        let signed_by = |certificate: &NoiseCertificate, key: &[u8]| {
            PublicKey::from_djb_public_key_bytes(key)
                .unwrap()
                .verify_signature(certificate.details.as_ref().unwrap(), certificate.signature.as_ref().unwrap())
        };
        assert!(signed_by(&intermediate, identity.root_public_key()));
        assert!(signed_by(&leaf, &details(&intermediate).key.unwrap()));
        assert!(!signed_by(&leaf, identity.root_public_key()));
        assert_eq!(details(&leaf).key.unwrap(), identity.static_key.public_key.public_key_bytes());
        assert_eq!((details(&leaf).issuer_serial, details(&intermediate).issuer_serial), (Some(1), Some(0)));
    }
}
