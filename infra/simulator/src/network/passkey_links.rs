//! Linking with a passkey: an account can want its owner's passkey before a companion is linked. After the QR code or
//! the code was given, the client is asked for an answer of the passkey, commits itself to a nonce, learns the
//! phone's fresh key, shows a code the phone shows too, and sends its keys sealed with what both agreed on. From
//! there it goes on as ever.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use buffa::Message as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wacore::libsignal::crypto::aes_256_gcm_decrypt;
use wacore::shortcake::ShortcakeUtils;
use wacore_binary::Node;
use wacore_libsignal::protocol::{KeyPair, PublicKey};
use waproto::whatsapp::device_props::PlatformType;
use waproto::whatsapp::{
    CompanionEphemeralIdentity, EncryptedPairingRequest, PairingRequest, PrimaryEphemeralIdentity, ProloguePayload,
};

use crate::entropy::key_rng;
use crate::network::iq::Answer;
use crate::network::pairing::Offer;
use crate::network::{Network, NetworkError, Outbound, Refusal, State};
use crate::passkey::{Passkey, Unsigned};
use crate::stanza::{self, holding};
use crate::time;

const MAX_LINKS: usize = 10_000;
const MAX_SECRETS: usize = 16;
const KEY: usize = 32;
/// A client is ready for the phone's next step only after it took the answer to its own; a real phone is never faster.
const THINKING: Duration = Duration::from_millis(80);

/// What an account wants before it links a companion.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Gate {
    required: bool,
    passkey: Option<Passkey>,
    /// The secrets of the companions it linked last: who knows one was linked before.
    secrets: VecDeque<Vec<u8>>,
}

/// How an account stands to passkeys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PasskeyView {
    /// Whether linking a companion takes the passkey.
    pub required: bool,
    /// The code the phone shows while a companion is being linked; the client shows the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Whether that companion showed that it was linked before, so that nobody has to compare codes.
    pub recognised: bool,
}

/// Clients that are being linked, by their connection.
#[derive(Default)]
pub(crate) struct PasskeyLinks(HashMap<u64, PasskeyLink>);

struct PasskeyLink {
    account: usize,
    number: u16,
    offer: Offer,
    /// What the client's ephemeral identity has to name.
    reference: String,
    challenge: [u8; KEY],
    stage: Stage,
}

enum Stage {
    /// The client is to show an answer of the passkey.
    Asked,
    /// It did, and committed itself to a nonce it has not shown yet.
    Committed(Box<Committed>),
    /// It showed the nonce: both sides show the code.
    Revealed(Box<Committed>, String),
}

struct Committed {
    /// The client's ephemeral identity, encoded, and the hash of it and its nonce.
    identity: Vec<u8>,
    commitment: Vec<u8>,
    companion: [u8; KEY],
    device_type: PlatformType,
    /// The phone's fresh key and nonce.
    own: KeyPair,
    nonce: [u8; KEY],
    recognised: bool,
}

impl Gate {
    pub(crate) fn is_closed(&self) -> bool {
        self.required && self.passkey.is_some()
    }

    pub(crate) fn remember(&mut self, secret: &[u8]) {
        if self.secrets.len() >= MAX_SECRETS {
            self.secrets.pop_front();
        }
        self.secrets.push_back(secret.to_vec());
    }

    /// A new phone knows nothing of who was linked before; the passkey is the person's and comes along.
    pub(crate) fn forget_companions(&mut self) {
        self.secrets.clear();
    }

    /// Whether a proof was made with the secret of a companion that was linked before.
    fn recognises(&self, proof: &[u8], payload: &[u8]) -> bool {
        self.secrets.iter().any(|secret| {
            let Ok(secret) = secret.as_slice().try_into() else { return false };
            let key = ShortcakeUtils::derive_pairing_handoff_hmac_key(secret);
            key.is_ok_and(|key| ShortcakeUtils::compute_pairing_handoff_proof(&key, payload) == proof)
        })
    }
}

impl PasskeyLinks {
    pub(crate) fn forget(&mut self, connection: u64) {
        self.0.remove(&connection);
    }

    fn of(&mut self, outbound: &Outbound) -> Option<(u64, &mut PasskeyLink)> {
        let found = self.0.iter_mut().find(|(_, link)| link.offer.outbound.is_same(outbound));
        found.map(|(connection, link)| (*connection, link))
    }
}

impl Network {
    /// Says whether linking a companion to this account takes its owner's passkey. The passkey is made at the first
    /// time and stays the same.
    pub fn require_passkey(&self, phone: &str, required: bool) -> Result<(), NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        let Some(account) = state.accounts.get_mut(account) else { return Ok(()) };
        if required && account.gate.passkey.is_none() {
            account.gate.passkey = Some(Passkey::generate()?);
        }
        account.gate.required = required;
        Ok(())
    }

    /// How an account stands to passkeys, and the code its phone shows now.
    pub fn passkey(&self, phone: &str) -> Result<PasskeyView, NetworkError> {
        let state = self.state();
        let index = state.known_phone(phone)?;
        let required = state.accounts.get(index).is_some_and(|account| account.gate.is_closed());
        let shown = state.pairings.passkeys.0.values().find_map(|link| match &link.stage {
            Stage::Revealed(committed, code) if link.account == index => Some((code.clone(), committed.recognised)),
            _ => None,
        });
        let (code, recognised) = shown.map_or((None, false), |(code, recognised)| (Some(code), recognised));
        Ok(PasskeyView { required, code, recognised })
    }

    /// The person touches the sensor: what the authenticator answers to the options a client was asked with.
    pub fn sign_with_passkey(&self, phone: &str, options: &Value) -> Result<Value, NetworkError> {
        let state = self.state();
        let account = state.known_phone(phone)?;
        let passkey = state.accounts.get(account).and_then(|account| account.gate.passkey.as_ref());
        let passkey = passkey.ok_or(NetworkError::invalid("phone", "has no passkey"))?;
        passkey.sign(options).map_err(|why| match why {
            Unsigned::Options => NetworkError::invalid("challenge", "must be there"),
            Unsigned::NotMine => NetworkError::invalid("allowCredentials", "must be of this phone's passkey"),
            Unsigned::Key => NetworkError::invalid("phone", "has a passkey that cannot be used"),
        })
    }

    /// Takes a step of a client that is being linked with a passkey.
    pub(crate) fn passkey_iq(&self, outbound: &Outbound, iq: &Node) -> Answer {
        let Some(step) = iq.children().and_then(<[Node]>::first) else { return Answer::Empty };
        let mut state = self.state();
        let done = match step.tag.as_ref() {
            "ref" => state.passkey_reference(outbound),
            "passkey_request_options" => state.passkey_options(outbound),
            "passkey_prologue" => {
                let continued = state.commit(outbound, step);
                continued.map(|continuation| {
                    let outbound = outbound.clone();
                    self.after_thinking(move |_| outbound.send(continuation));
                    Answer::Empty
                })
            }
            "companion_nonce" => state.reveal(outbound, step),
            "encrypted_pairing_request" => state.unseal(outbound, step).map(|(link, request)| {
                self.after_thinking(move |network| network.state().link_unsealed(link, &request));
                Answer::Empty
            }),
            _ => Ok(Answer::Empty),
        };
        done.unwrap_or_else(Answer::Refused)
    }

    /// Does something a moment after the client's request was answered.
    fn after_thinking(&self, work: impl FnOnce(&Self) + Send + 'static) {
        let network = self.clone();
        tokio::spawn(async move {
            time::pause(THINKING).await;
            work(&network);
        });
    }
}

impl State {
    /// Asks the client behind an offer for an answer of the account's passkey.
    pub(crate) fn ask_for_passkey(&mut self, account: usize, number: u16, offer: Offer) -> Result<(), NetworkError> {
        let passkey = self.accounts.get(account).and_then(|account| account.gate.passkey.clone());
        let passkey = passkey.ok_or(NetworkError::Qr("its account is gone"))?;
        if self.pairings.passkeys.0.len() >= MAX_LINKS {
            return Err(Refusal::TOO_MANY.into());
        }
        let challenge: [u8; KEY] = rand::RngExt::random(&mut key_rng());
        let options = holding("passkey_request_options", passkey.options(&challenge).into_bytes());
        let request = self.notification("passkey_prologue_request", &stanza::server(), options);
        offer.outbound.send(request);
        let reference = self.ids.pairing_reference();
        let connection = offer.connection;
        let link = PasskeyLink { account, number, offer, reference, challenge, stage: Stage::Asked };
        self.pairings.passkeys.0.insert(connection, link);
        Ok(())
    }

    fn passkey_link(&mut self, outbound: &Outbound) -> Result<(u64, &mut PasskeyLink), Refusal> {
        self.pairings.passkeys.of(outbound).ok_or(Refusal::NOT_FOUND)
    }

    fn passkey_reference(&mut self, outbound: &Outbound) -> Result<Answer, Refusal> {
        let (_, link) = self.passkey_link(outbound)?;
        Ok(Answer::With(holding("ref", link.reference.as_bytes())))
    }

    /// What the client was asked with, for one that asks again.
    fn passkey_options(&mut self, outbound: &Outbound) -> Result<Answer, Refusal> {
        let (_, link) = self.passkey_link(outbound)?;
        let (account, challenge) = (link.account, link.challenge);
        let passkey = self.accounts.get(account).and_then(|account| account.gate.passkey.as_ref());
        let options = passkey.ok_or(Refusal::NOT_FOUND)?.options(&challenge);
        Ok(Answer::With(holding("passkey_request_options", options.into_bytes())))
    }

    /// The client shows an answer of the passkey and commits itself. Gives what the phone says then.
    fn commit(&mut self, outbound: &Outbound, prologue: &Node) -> Result<Node, Refusal> {
        let part = |name: &str| stanza::bytes(prologue.get_optional_child(name));
        let (_, link) = self.passkey_link(outbound)?;
        let (account, challenge, reference) = (link.account, link.challenge, link.reference.clone());
        if !matches!(link.stage, Stage::Asked) {
            return Err(Refusal::CONFLICT);
        }
        let gate = self.accounts.get(account).map(|account| &account.gate).ok_or(Refusal::NOT_FOUND)?;
        let passkey = gate.passkey.as_ref().ok_or(Refusal::NOT_FOUND)?;
        if !passkey.verifies(&challenge, &part("credential_id"), &part("webauthn_assertion")) {
            return Err(Refusal::NOT_AUTHORIZED);
        }
        let payload = part("prologue_payload");
        let recognised = gate.recognises(&part("pairing_handoff_proof"), &payload);
        let committed = read_prologue(&payload, &reference, recognised).ok_or(Refusal::BAD_REQUEST)?;
        let primary = PrimaryEphemeralIdentity {
            public_key: Some(committed.own.public_key.public_key_bytes().to_vec()),
            nonce: Some(committed.nonce.to_vec()),
        };
        let (_, link) = self.passkey_link(outbound)?;
        link.stage = Stage::Committed(Box::new(committed));
        let identity = holding("primary_ephemeral_identity", primary.encode_to_vec());
        Ok(self.notification("crsc_continuation", &stanza::server(), identity))
    }

    /// The client shows the nonce it committed itself to: now the phone can show the code.
    fn reveal(&mut self, outbound: &Outbound, node: &Node) -> Result<Answer, Refusal> {
        let nonce: [u8; KEY] = stanza::bytes(Some(node)).try_into().map_err(|_| Refusal::BAD_REQUEST)?;
        let (connection, link) = self.passkey_link(outbound)?;
        let Stage::Committed(committed) = std::mem::replace(&mut link.stage, Stage::Asked) else {
            self.pairings.passkeys.forget(connection);
            return Err(Refusal::CONFLICT);
        };
        if ShortcakeUtils::commitment_hash(&committed.identity, &nonce) != committed.commitment.as_slice() {
            self.pairings.passkeys.forget(connection);
            return Err(Refusal::NOT_AUTHORIZED);
        }
        let mut own = [0; KEY];
        own.copy_from_slice(committed.own.public_key.public_key_bytes());
        let code = ShortcakeUtils::derive_verification_code(&nonce, &own, &committed.nonce);
        let (first, second) = code.split_at(code.len() / 2);
        link.stage = Stage::Revealed(committed, format!("{first}-{second}"));
        Ok(Answer::Empty)
    }

    /// The client's keys, sealed with what both sides agreed on.
    fn unseal(&mut self, outbound: &Outbound, node: &Node) -> Result<(PasskeyLink, PairingRequest), Refusal> {
        let sealed = stanza::bytes(Some(node));
        let (connection, link) = self.passkey_link(outbound)?;
        let request = match &link.stage {
            Stage::Revealed(committed, _) => committed.open(&link.reference, &sealed).ok_or(Refusal::NOT_AUTHORIZED),
            _ => Err(Refusal::CONFLICT),
        };
        let link = self.pairings.passkeys.0.remove(&connection).ok_or(Refusal::NOT_FOUND)?;
        Ok((link, request?))
    }

    fn link_unsealed(&mut self, link: PasskeyLink, request: &PairingRequest) {
        let identity = request.companion_identity_key.as_deref().and_then(|key| key.try_into().ok());
        let (Some(identity), Some(secret)) = (identity, &request.adv_secret) else { return };
        let PasskeyLink { account, number, offer, .. } = link;
        if let Err(error) = self.vouch(account, number, offer, &identity, secret) {
            tracing::warn!(error = &error as &dyn std::error::Error, "a companion could not be linked by a passkey");
        }
    }
}

/// What the client committed itself to; `None` when it is not for this linking.
fn read_prologue(payload: &[u8], reference: &str, recognised: bool) -> Option<Committed> {
    let prologue = ProloguePayload::decode_from_slice(payload).ok()?;
    let identity = prologue.companion_ephemeral_identity?;
    let commitment = prologue.commitment.into_option()?.hash?;
    let read = CompanionEphemeralIdentity::decode_from_slice(&identity).ok()?;
    if read.r#ref.as_deref() != Some(reference) {
        return None;
    }
    Some(Committed {
        identity,
        commitment,
        companion: read.public_key?.try_into().ok()?,
        device_type: read.device_type?,
        own: KeyPair::generate(&mut key_rng()),
        nonce: rand::RngExt::random(&mut key_rng()),
        recognised,
    })
}

impl Committed {
    fn open(&self, reference: &str, sealed: &[u8]) -> Option<PairingRequest> {
        let companion = PublicKey::from_djb_public_key_bytes(&self.companion).ok()?;
        let agreed = self.own.private_key.calculate_agreement(&companion).ok()?;
        let key = ShortcakeUtils::derive_encryption_key_from_shared_secret(&agreed, self.device_type, reference);
        let sealed = EncryptedPairingRequest::decode_from_slice(sealed).ok()?;
        let iv = sealed.iv?;
        let mut plain = Vec::new();
        aes_256_gcm_decrypt(&key.ok()?, iv.as_slice().try_into().ok()?, b"", &sealed.encrypted_payload?, &mut plain)
            .ok()?;
        PairingRequest::decode_from_slice(&plain).ok()
    }
}
