//! The Signal half of a simulated phone: a real endpoint with an in-memory store.
//! Its sessions are keyed by the peer's LID and device however a stanza was addressed, as one phone keeps one
//! session per peer device.

mod sender_keys;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use futures::FutureExt as _;
use serde::{Deserialize, Serialize};
use wacore_libsignal::protocol::{
    CiphertextMessage, Direction, GenericSignedPreKey as _, IdentityChange, IdentityKey, IdentityKeyPair,
    IdentityKeyStore, KeyPair, PreKeyBundle, PreKeyId, PreKeyRecord, PreKeySignalMessage, PreKeyStore, ProtocolAddress,
    SessionRecord, SessionStore, SignalMessage, SignalProtocolError, SignedPreKeyId, SignedPreKeyRecord,
    SignedPreKeyStore, Timestamp, UsePQRatchet, message_decrypt, message_encrypt, process_prekey_bundle,
};

use crate::entropy::key_rng;
use sender_keys::SenderKeys;

type StoreResult<T> = Result<T, SignalProtocolError>;

/// One-time keys that were handed out and never used; the oldest go first.
const MAX_ONE_TIME_KEYS: usize = 4_096;
const SIGNED_KEY_ID: u32 = 1;

/// Why a phone could not encrypt or decrypt.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The same ciphertext was decrypted before: a repeat, not a loss.
    #[error("the ciphertext was decrypted before")]
    Repeated,
    /// The ciphertext cannot be decrypted; the sender has to encrypt it again.
    #[error("the ciphertext cannot be decrypted")]
    Undecryptable(#[source] SignalProtocolError),
    /// The peer's keys cannot be used.
    #[error("the peer's keys cannot be used")]
    Keys(#[source] SignalProtocolError),
    /// The in-memory store did not answer at once: a fault of this program.
    #[error("the in-memory store did not answer at once")]
    Pending,
}

/// What a phone publishes so that others can start a session with it.
pub(crate) struct PublishedBundle {
    pub(crate) registration: u32,
    pub(crate) identity: Vec<u8>,
    pub(crate) signed_id: u32,
    pub(crate) signed_key: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) one_time_id: u32,
    pub(crate) one_time_key: Vec<u8>,
}

/// An encrypted payload with the `type` its `<enc>` carries.
pub(crate) struct Ciphertext {
    pub(crate) kind: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// A phone's keys and sessions.
pub(crate) struct SignalEndpoint {
    identities: Identities,
    sessions: Sessions,
    one_time: OneTimeKeys,
    signed: SignedKey,
    sender_keys: SenderKeys,
}

/// What of an endpoint survives a restart: identity, one-time keys, sessions and sender keys.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedEndpoint {
    identity: KeyPair,
    registration: u32,
    signed: KeyPair,
    signature: Vec<u8>,
    known: Vec<(String, Vec<u8>)>,
    sessions: Vec<(String, Vec<u8>)>,
    one_time: Vec<(u32, KeyPair)>,
    next_one_time: u32,
    sender_keys: Vec<(String, Vec<u8>)>,
}

#[derive(Clone)]
struct Identities {
    own: KeyPair,
    registration: u32,
    known: HashMap<String, IdentityKey>,
}

#[derive(Default)]
struct Sessions(HashMap<String, SessionRecord>);

struct OneTimeKeys {
    keys: BTreeMap<u32, KeyPair>,
    next: u32,
}

struct SignedKey {
    pair: KeyPair,
    signature: Vec<u8>,
}

impl SignalEndpoint {
    pub(crate) fn generate(identity: KeyPair, registration: u32) -> Result<Self, SignalError> {
        let pair = KeyPair::generate(&mut key_rng());
        let signature = identity
            .calculate_signature(&pair.public_key.serialize(), &mut key_rng())
            .map_err(|error| SignalError::Keys(error.into()))?
            .to_vec();
        Ok(Self {
            identities: Identities { own: identity, registration, known: HashMap::new() },
            sessions: Sessions::default(),
            one_time: OneTimeKeys { keys: BTreeMap::new(), next: 1 },
            signed: SignedKey { pair, signature },
            sender_keys: SenderKeys::default(),
        })
    }

    /// A bundle with a one-time key made for this request: a phone of the simulator never runs out.
    pub(crate) fn publish(&mut self) -> PublishedBundle {
        let pair = KeyPair::generate(&mut key_rng());
        let one_time_key = pair.public_key.public_key_bytes().to_vec();
        let one_time_id = self.one_time.add(pair);
        PublishedBundle {
            registration: self.identities.registration,
            identity: self.identities.own.public_key.public_key_bytes().to_vec(),
            signed_id: SIGNED_KEY_ID,
            signed_key: self.signed.pair.public_key.public_key_bytes().to_vec(),
            signature: self.signed.signature.clone(),
            one_time_id,
            one_time_key,
        }
    }

    pub(crate) fn has_session(&self, peer: &ProtocolAddress) -> bool {
        self.sessions.0.contains_key(peer.as_str())
    }

    /// Starts a session, also over an existing one (which is archived, as after a retry receipt).
    pub(crate) fn start_session(&mut self, peer: &ProtocolAddress, bundle: &PreKeyBundle) -> Result<(), SignalError> {
        let mut rng = key_rng();
        let work =
            process_prekey_bundle(peer, &mut self.sessions, &mut self.identities, bundle, &mut rng, UsePQRatchet::No);
        work.now_or_never().ok_or(SignalError::Pending)?.map_err(SignalError::Keys)?;
        Ok(())
    }

    /// Encrypts a padded payload on an existing session.
    pub(crate) fn encrypt(&mut self, peer: &ProtocolAddress, padded: &[u8]) -> Result<Ciphertext, SignalError> {
        let work = message_encrypt(padded, peer, &mut self.sessions, &mut self.identities);
        let message = work.now_or_never().ok_or(SignalError::Pending)?.map_err(SignalError::Keys)?;
        let kind = if matches!(message, CiphertextMessage::PreKeySignalMessage(_)) { "pkmsg" } else { "msg" };
        Ok(Ciphertext { kind, bytes: message.serialize().to_vec() })
    }

    /// Decrypts the content of an `<enc>`; `kind` is its `type`.
    pub(crate) fn decrypt(&mut self, peer: &ProtocolAddress, kind: &str, bytes: &[u8]) -> Result<Vec<u8>, SignalError> {
        let message = match kind {
            "pkmsg" => PreKeySignalMessage::try_from(bytes).map(CiphertextMessage::PreKeySignalMessage),
            _ => SignalMessage::try_from(bytes).map(CiphertextMessage::SignalMessage),
        }
        .map_err(SignalError::Undecryptable)?;
        let mut rng = key_rng();
        let work = message_decrypt(
            &message,
            peer,
            &mut self.sessions,
            &mut self.identities,
            &mut self.one_time,
            &self.signed,
            &mut rng,
            UsePQRatchet::No,
        );
        let done = work.now_or_never().ok_or(SignalError::Pending)?.map_err(|error| match error {
            SignalProtocolError::DuplicatedMessage(..) => SignalError::Repeated,
            error => SignalError::Undecryptable(error),
        })?;
        if let Some(used) = done.consumed_prekey_id {
            self.one_time.keys.remove(&used.into());
        }
        Ok(done.plaintext)
    }

    pub(crate) fn save(&self) -> Result<SavedEndpoint, SignalError> {
        let mut sessions = Vec::with_capacity(self.sessions.0.len());
        for (peer, record) in &self.sessions.0 {
            sessions.push((peer.clone(), record.serialize().map_err(SignalError::Keys)?));
        }
        Ok(SavedEndpoint {
            identity: self.identities.own.clone(),
            registration: self.identities.registration,
            signed: self.signed.pair.clone(),
            signature: self.signed.signature.clone(),
            known: self.identities.known.iter().map(|(peer, key)| (peer.clone(), key.serialize().to_vec())).collect(),
            sessions,
            one_time: self.one_time.keys.iter().map(|(id, pair)| (*id, pair.clone())).collect(),
            next_one_time: self.one_time.next,
            sender_keys: self.sender_keys.save()?,
        })
    }

    pub(crate) fn restore(saved: SavedEndpoint) -> Result<Self, SignalError> {
        let mut known = HashMap::new();
        for (peer, key) in saved.known {
            known.insert(peer, IdentityKey::decode(&key).map_err(SignalError::Keys)?);
        }
        let mut sessions = HashMap::new();
        for (peer, record) in saved.sessions {
            sessions.insert(peer, SessionRecord::deserialize(&record).map_err(SignalError::Keys)?);
        }
        Ok(Self {
            identities: Identities { own: saved.identity, registration: saved.registration, known },
            sessions: Sessions(sessions),
            one_time: OneTimeKeys { keys: saved.one_time.into_iter().collect(), next: saved.next_one_time },
            signed: SignedKey { pair: saved.signed, signature: saved.signature },
            sender_keys: SenderKeys::restore(saved.sender_keys)?,
        })
    }
}

impl OneTimeKeys {
    fn add(&mut self, pair: KeyPair) -> u32 {
        // Ids are 24 bits on the wire; zero is avoided because some clients read it as "none".
        let id = self.next;
        self.next = if id >= 0x00FF_FFFE { 1 } else { id + 1 };
        if self.keys.len() >= MAX_ONE_TIME_KEYS {
            self.keys.pop_first();
        }
        self.keys.insert(id, pair);
        id
    }
}

#[async_trait]
impl IdentityKeyStore for Identities {
    async fn get_identity_key_pair(&self) -> StoreResult<IdentityKeyPair> {
        Ok(IdentityKeyPair::from(self.own.clone()))
    }

    async fn get_local_registration_id(&self) -> StoreResult<u32> {
        Ok(self.registration)
    }

    async fn save_identity(&mut self, peer: &ProtocolAddress, key: &IdentityKey) -> StoreResult<IdentityChange> {
        let before = self.known.insert(peer.as_str().to_owned(), *key);
        Ok(IdentityChange::from_changed(before.is_some_and(|before| before != *key)))
    }

    /// Phones trust a changed identity and only show a notice.
    async fn is_trusted_identity(&self, _: &ProtocolAddress, _: &IdentityKey, _: Direction) -> StoreResult<bool> {
        Ok(true)
    }

    async fn get_identity(&self, peer: &ProtocolAddress) -> StoreResult<Option<IdentityKey>> {
        Ok(self.known.get(peer.as_str()).copied())
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn load_session(&self, peer: &ProtocolAddress) -> StoreResult<Option<SessionRecord>> {
        Ok(self.0.get(peer.as_str()).cloned())
    }

    async fn has_session(&self, peer: &ProtocolAddress) -> StoreResult<bool> {
        Ok(self.0.contains_key(peer.as_str()))
    }

    async fn store_session(&mut self, peer: &ProtocolAddress, record: SessionRecord) -> StoreResult<()> {
        self.0.insert(peer.as_str().to_owned(), record);
        Ok(())
    }
}

#[async_trait]
impl PreKeyStore for OneTimeKeys {
    async fn get_pre_key(&self, id: PreKeyId) -> StoreResult<PreKeyRecord> {
        let pair = self.keys.get(&id.into()).ok_or(SignalProtocolError::InvalidPreKeyId)?;
        Ok(PreKeyRecord::new(id, pair))
    }

    async fn save_pre_key(&mut self, id: PreKeyId, record: &PreKeyRecord) -> StoreResult<()> {
        self.keys.insert(id.into(), record.key_pair()?);
        Ok(())
    }

    async fn remove_pre_key(&mut self, id: PreKeyId) -> StoreResult<()> {
        self.keys.remove(&id.into());
        Ok(())
    }
}

#[async_trait]
impl SignedPreKeyStore for SignedKey {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> StoreResult<SignedPreKeyRecord> {
        if u32::from(id) != SIGNED_KEY_ID {
            return Err(SignalProtocolError::InvalidSignedPreKeyId);
        }
        Ok(SignedPreKeyRecord::new(id, Timestamp::from_epoch_millis(0), &self.pair, &self.signature))
    }

    async fn save_signed_pre_key(&mut self, _: SignedPreKeyId, _: &SignedPreKeyRecord) -> StoreResult<()> {
        Ok(())
    }
}
