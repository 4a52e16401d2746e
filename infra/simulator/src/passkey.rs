//! Passkeys as WebAuthn has them: what a person's authenticator signs with, and how the server checks the signature.
//! Pure: no socket, no state.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use rcgen::{PublicKeyData as _, SigningKey as _};
use rustls_pki_types::{SignatureVerificationAlgorithm, alg_id};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::entropy::key_rng;

/// Whom passkeys are for, and the page that asks for them.
const RELYING_PARTY: &str = "web.whatsapp.com";
const ORIGIN: &str = "https://web.whatsapp.com";
/// How long a client may let the person take.
const TIMEOUT_MS: u64 = 60_000;
/// The person was there, and showed who it is.
const PRESENT_AND_VERIFIED: u8 = 0b0000_0101;
/// The hash of the relying party, a byte of flags, a counter.
const AUTHENTICATOR_DATA: usize = 37;

/// A passkey: a key pair that never leaves the authenticator, and the name it goes by.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Passkey {
    credential: Vec<u8>,
    /// As PKCS #8.
    private: Vec<u8>,
    /// As a point of the curve, uncompressed.
    public: Vec<u8>,
}

/// Why an authenticator does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsigned {
    /// What was asked is not what a server asks with.
    Options,
    /// It is asked for somebody else's passkey, or for another site.
    NotMine,
    /// The key cannot be used.
    Key,
}

impl Passkey {
    pub(crate) fn generate() -> Result<Self, rcgen::Error> {
        let pair = rcgen::KeyPair::generate()?;
        let credential: [u8; 16] = rand::RngExt::random(&mut key_rng());
        Ok(Self { credential: credential.to_vec(), private: pair.serialize_der(), public: pair.der_bytes().to_vec() })
    }

    /// What the server asks with: the JSON of WebAuthn's `PublicKeyCredentialRequestOptions`.
    pub(crate) fn options(&self, challenge: &[u8]) -> String {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "challenge": encode(challenge),
            "timeout": TIMEOUT_MS,
            "rpId": RELYING_PARTY,
            "allowCredentials": [{ "type": "public-key", "id": encode(&self.credential) }],
            "userVerification": "required",
        })
        .to_string()
    }

    /// The authenticator's answer to such options, as WebAuthn writes it in JSON.
    pub(crate) fn sign(&self, options: &Value) -> Result<Value, Unsigned> {
        let challenge = options["challenge"].as_str().filter(|text| !text.is_empty()).ok_or(Unsigned::Options)?;
        let id = BASE64_URL_SAFE_NO_PAD.encode(&self.credential);
        let allowed = options["allowCredentials"].as_array().is_none_or(|allowed| {
            allowed.is_empty() || allowed.iter().any(|one| one["id"].as_str().map(unpadded) == Some(id.as_str()))
        });
        if !allowed || options["rpId"].as_str().is_some_and(|party| party != RELYING_PARTY) {
            return Err(Unsigned::NotMine);
        }
        let client = json!({
            "type": "webauthn.get",
            "challenge": unpadded(challenge),
            "origin": ORIGIN,
            "crossOrigin": false,
        })
        .to_string();
        let mut data = Sha256::digest(RELYING_PARTY).to_vec();
        data.push(PRESENT_AND_VERIFIED);
        data.extend([0; 4]);
        let covered = [&data[..], &Sha256::digest(client.as_bytes())[..]].concat();
        let pair = rcgen::KeyPair::try_from(self.private.as_slice()).map_err(|_| Unsigned::Key)?;
        let signature = pair.sign(&covered).map_err(|_| Unsigned::Key)?;
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        Ok(json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(client.as_bytes()),
                "authenticatorData": encode(&data),
                "signature": encode(&signature),
                "userHandle": null,
            },
        }))
    }

    /// Whether an assertion is this passkey's answer to this challenge.
    pub(crate) fn verifies(&self, challenge: &[u8], credential: &[u8], assertion: &[u8]) -> bool {
        credential == self.credential && self.checked(challenge, assertion).is_some()
    }

    fn checked(&self, challenge: &[u8], assertion: &[u8]) -> Option<()> {
        let assertion: Value = serde_json::from_slice(assertion).ok()?;
        let decode = |value: &Value| BASE64_URL_SAFE_NO_PAD.decode(unpadded(value.as_str()?)).ok();
        if decode(&assertion["rawId"])? != self.credential {
            return None;
        }
        let response = &assertion["response"];
        let (client, data) = (decode(&response["clientDataJSON"])?, decode(&response["authenticatorData"])?);
        let said: Value = serde_json::from_slice(&client).ok()?;
        let is_answer = said["type"] == "webauthn.get" && said["origin"] == ORIGIN;
        if !is_answer || decode(&said["challenge"])? != challenge {
            return None;
        }
        let party = Sha256::digest(RELYING_PARTY);
        let flags = *data.get(party.len()).filter(|_| data.len() >= AUTHENTICATOR_DATA)?;
        if !data.starts_with(&party) || flags & PRESENT_AND_VERIFIED != PRESENT_AND_VERIFIED {
            return None;
        }
        let covered = [&data[..], &Sha256::digest(&client)[..]].concat();
        verifier()?.verify_signature(&self.public, &covered, &decode(&response["signature"])?).ok()
    }
}

/// ECDSA over P-256 with SHA-256, which every authenticator has.
fn verifier() -> Option<&'static dyn SignatureVerificationAlgorithm> {
    let known = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all;
    let is_it = |one: &&&dyn SignatureVerificationAlgorithm| {
        one.public_key_alg_id() == alg_id::ECDSA_P256 && one.signature_alg_id() == alg_id::ECDSA_SHA256
    };
    known.iter().find(is_it).copied()
}

/// Some write base64 with its padding.
fn unpadded(text: &str) -> &str {
    text.trim_end_matches('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assertion(passkey: &Passkey, challenge: &[u8]) -> Value {
        passkey.sign(&serde_json::from_str(&passkey.options(challenge)).unwrap()).unwrap()
    }

    #[test]
    fn an_answer_is_good_for_its_challenge_and_its_passkey_alone() {
        let (own, other) = (Passkey::generate().unwrap(), Passkey::generate().unwrap());
        let signed = assertion(&own, b"now").to_string();
        assert!(own.verifies(b"now", &own.credential, signed.as_bytes()));
        assert!(!own.verifies(b"then", &own.credential, signed.as_bytes()));
        assert!(!own.verifies(b"now", &other.credential, signed.as_bytes()));
        assert!(!other.verifies(b"now", &other.credential, signed.as_bytes()));
    }

    #[test]
    fn an_answer_that_was_changed_is_not_good() {
        let own = Passkey::generate().unwrap();
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let client =
            |origin: &str| json!({ "type": "webauthn.get", "challenge": encode(b"now"), "origin": origin }).to_string();
        let table = [
            ("clientDataJSON", encode(client("https://evil.example").as_bytes())),
            ("clientDataJSON", encode(client(ORIGIN).as_bytes())),
            ("authenticatorData", encode(&[0; AUTHENTICATOR_DATA])),
            ("authenticatorData", encode(&[0; 5])),
            ("signature", encode(b"none")),
            ("signature", "%%".to_owned()),
        ];
        for (field, value) in table {
            let mut changed = assertion(&own, b"now");
            changed["response"][field] = value.clone().into();
            assert!(!own.verifies(b"now", &own.credential, changed.to_string().as_bytes()), "{field} {value}");
        }
        assert!(!own.verifies(b"now", &own.credential, b"not JSON"));
    }

    #[test]
    fn an_authenticator_signs_for_its_own_site_and_credential_only() {
        let own = Passkey::generate().unwrap();
        let mut options: Value = serde_json::from_str(&own.options(b"now")).unwrap();
        options["rpId"] = "evil.example".into();
        assert_eq!(own.sign(&options), Err(Unsigned::NotMine));
        let others = Passkey::generate().unwrap().options(b"now");
        assert_eq!(own.sign(&serde_json::from_str(&others).unwrap()), Err(Unsigned::NotMine));
        assert_eq!(own.sign(&json!({})), Err(Unsigned::Options));
    }
}
