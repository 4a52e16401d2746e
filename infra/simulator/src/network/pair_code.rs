//! Linking by a code that the client shows and a person types on the phone. Both sides wrap a fresh key with the
//! code; what they agree on seals the companion's identity and gives the secret that a QR code would have held.

use std::collections::HashMap;

use wacore::crypto::hkdf_sha256_into;
use wacore::libsignal::crypto::aes_256_gcm_decrypt;
use wacore::pair_code::PairCodeUtils;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use wacore_libsignal::protocol::{KeyPair, PublicKey};

use crate::entropy::key_rng;
use crate::network::iq::Answer;
use crate::network::{Network, NetworkError, Outbound, Refusal, State};
use crate::stanza::{self, holding};

const MAX_REQUESTS: usize = 10_000;
/// Salt, initialisation vector and tag around the sealed identity.
const SALT: usize = 32;
const IV: usize = 12;
const KEY: usize = 32;

/// Clients that show a code, by the phone digits they asked for.
#[derive(Default)]
pub(crate) struct CodeRequests(HashMap<String, CodeRequest>);

struct CodeRequest {
    reference: Vec<u8>,
    wrapped: Vec<u8>,
    outbound: Outbound,
    /// What the phone made when the code was typed.
    typed: Option<Typed>,
}

struct Typed {
    ephemeral: KeyPair,
    /// The companion's fresh key, as far as the typed code was the shown one.
    companion: [u8; KEY],
}

impl CodeRequests {
    pub(crate) fn forget(&mut self, outbound: &Outbound) {
        self.0.retain(|_, request| !request.outbound.is_same(outbound));
    }
}

impl Network {
    /// Takes a step of a client that pairs.
    pub(crate) fn pairing_iq(&self, outbound: &Outbound, iq: &Node) -> Answer {
        let Some(step) = iq.get_optional_child("link_code_companion_reg") else {
            return self.passkey_iq(outbound, iq);
        };
        let mut state = self.state();
        let phone = stanza::jid(step, "jid").map(|jid| jid.user.to_string()).unwrap_or_default();
        match stanza::attribute(step, "stage").as_deref() {
            Some("companion_hello") => state.offer_code(phone, step, outbound),
            Some("companion_finish") => state.finish_code(&phone, step, outbound).unwrap_or_else(Answer::Refused),
            _ => Answer::Unknown,
        }
    }

    /// A person types the code a client shows. The companion exists once the client has answered.
    pub fn enter_pair_code(&self, phone: &str, code: &str) -> Result<(), NetworkError> {
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
        if !PairCodeUtils::validate_code(&code) {
            return Err(NetworkError::invalid("code", "must be 8 letters and digits"));
        }
        let not_shown = NetworkError::invalid("code", "is not shown by any client for this phone");
        let wrapped = {
            let state = self.state();
            state.known_phone(phone)?;
            state.pairings.codes.0.get(phone).map(|request| request.wrapped.clone()).ok_or(not_shown)?
        };
        // A key is derived from the code slowly, on purpose: nobody else waits for that.
        let companion = PairCodeUtils::decrypt_primary_ephemeral_pub(&wrapped, &code);
        let companion = companion.map_err(|_| NetworkError::invalid("code", "cannot be used with this client"))?;
        let ephemeral = KeyPair::generate(&mut key_rng());
        let mut public = [0; KEY];
        public.copy_from_slice(ephemeral.public_key.public_key_bytes());
        let own = PairCodeUtils::encrypt_ephemeral_pub(&public, &code);
        self.state().say_hello(phone, &wrapped, own, Typed { ephemeral, companion })
    }
}

impl State {
    /// The phone's answer to the client that shows a code: `own` is its fresh key, wrapped.
    fn say_hello(
        &mut self,
        phone: &str,
        wrapped: &[u8],
        own: impl Into<Vec<u8>>,
        typed: Typed,
    ) -> Result<(), NetworkError> {
        let account = self.known_phone(phone)?;
        let identity = self.accounts.get(account).map(|account| account.identity.public_key);
        let identity = identity.ok_or_else(|| NetworkError::UnknownPhone(phone.to_owned()))?;
        let (id, now) = (self.ids.stanza_id(), self.now_seconds());
        let request = self.pairings.codes.0.get_mut(phone).filter(|request| request.wrapped == wrapped);
        let request = request.ok_or(NetworkError::invalid("code", "is not shown by any client for this phone"))?;
        request.typed = Some(typed);
        let step = NodeBuilder::new("link_code_companion_reg").attr("stage", "primary_hello").children([
            holding("link_code_pairing_wrapped_primary_ephemeral_pub", own),
            holding("primary_identity_pub", identity.public_key_bytes()),
            holding("link_code_pairing_ref", request.reference.as_slice()),
        ]);
        let hello = NodeBuilder::new("notification")
            .attr("from", stanza::server())
            .attr("type", "link_code_companion_reg")
            .attr("id", id)
            .attr("t", now)
            .children([step.build()]);
        request.outbound.send(hello.build());
        Ok(())
    }

    /// A client shows a code; what it sealed waits until the code is typed.
    fn offer_code(&mut self, phone: String, step: &Node, outbound: &Outbound) -> Answer {
        let wrapped = stanza::bytes(step.get_optional_child("link_code_pairing_wrapped_companion_ephemeral_pub"));
        if self.account_by_phone(&phone).is_none() {
            return Answer::Refused(Refusal::NOT_FOUND);
        }
        if wrapped.is_empty() || self.pairings.codes.0.len() >= MAX_REQUESTS {
            return Answer::Refused(Refusal::BAD_REQUEST);
        }
        let reference = self.ids.pairing_reference().into_bytes();
        let answer = NodeBuilder::new("link_code_companion_reg")
            .attr("stage", "companion_hello")
            .children([holding("link_code_pairing_ref", reference.as_slice())]);
        let request = CodeRequest { reference, wrapped, outbound: outbound.clone(), typed: None };
        self.pairings.codes.0.insert(phone, request);
        Answer::With(answer.build())
    }

    /// The client answers the phone: with its identity, sealed with what both agreed on.
    fn finish_code(&mut self, phone: &str, step: &Node, outbound: &Outbound) -> Result<Answer, Refusal> {
        let account = self.account_by_phone(phone).ok_or(Refusal::NOT_FOUND)?;
        let request = self.pairings.codes.0.remove(phone).ok_or(Refusal::NOT_FOUND)?;
        let typed = request.typed.ok_or(Refusal::BAD_REQUEST)?;
        let sealed = stanza::bytes(step.get_optional_child("link_code_pairing_wrapped_key_bundle"));
        let own = self.accounts.get(account).map(|account| account.identity.clone()).ok_or(Refusal::NOT_FOUND)?;
        let opened = open_bundle(&typed, &own, &sealed).ok_or(Refusal::NOT_AUTHORIZED)?;
        self.link_by_code(account, outbound, &opened.identity, &opened.secret).map_err(|_| Refusal::NOT_AUTHORIZED)?;
        Ok(Answer::Empty)
    }
}

/// What the client sealed: its identity, and what the secret is derived from.
struct Bundle {
    identity: [u8; KEY],
    secret: [u8; KEY],
}

/// `None` when the typed code was another than the shown one, or the client seals in another way.
fn open_bundle(typed: &Typed, own: &KeyPair, sealed: &[u8]) -> Option<Bundle> {
    let companion = PublicKey::from_djb_public_key_bytes(&typed.companion).ok()?;
    let agreed = typed.ephemeral.private_key.calculate_agreement(&companion).ok()?;
    let (salt, rest) = sealed.split_at_checked(SALT)?;
    let (iv, ciphertext) = rest.split_at_checked(IV)?;
    let mut key = [0; KEY];
    hkdf_sha256_into(&agreed, Some(salt), b"link_code_pairing_key_bundle_encryption_key", &mut key).ok()?;
    let mut plain = Vec::new();
    aes_256_gcm_decrypt(&key, iv.try_into().ok()?, b"", ciphertext, &mut plain).ok()?;
    let identity: [u8; KEY] = plain.get(..KEY)?.try_into().ok()?;
    let random = plain.get(2 * KEY..3 * KEY)?;
    let theirs = PublicKey::from_djb_public_key_bytes(&identity).ok()?;
    let between = own.private_key.calculate_agreement(&theirs).ok()?;
    let mut secret = [0; KEY];
    hkdf_sha256_into(&[&agreed[..], &between[..], random].concat(), None, b"adv_secret", &mut secret).ok()?;
    Some(Bundle { identity, secret })
}
