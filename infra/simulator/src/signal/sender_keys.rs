//! Sender keys: how a phone writes to a group once for all its devices, and reads what others wrote that way.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::FutureExt as _;
use wacore_libsignal::protocol::{
    ProtocolAddress, SenderKeyDistributionMessage, SenderKeyName, SenderKeyRecord, SenderKeyStore, SignalProtocolError,
    create_sender_key_distribution_message, group_decrypt, group_encrypt, process_sender_key_distribution_message,
};

use super::{SignalEndpoint, SignalError, StoreResult};
use crate::entropy::key_rng;

/// By group and sender, as the library names them.
#[derive(Default)]
pub(super) struct SenderKeys(HashMap<String, SenderKeyRecord>);

impl SignalEndpoint {
    /// What a peer needs to read this phone's next messages in a group; makes the key when there is none.
    pub(crate) fn distribute(&mut self, group: &str, own: &ProtocolAddress) -> Result<Vec<u8>, SignalError> {
        let (name, mut rng) = (name(group, own), key_rng());
        let work = create_sender_key_distribution_message(&name, &mut self.sender_keys, &mut rng);
        let message = work.now_or_never().ok_or(SignalError::Pending)?.map_err(SignalError::Keys)?;
        Ok(message.serialized().to_vec())
    }

    /// Forgets the own key, so that the next message begins a new one: somebody left the group.
    pub(crate) fn renew_sender_key(&mut self, group: &str, own: &ProtocolAddress) {
        self.sender_keys.0.remove(name(group, own).cache_key());
    }

    pub(crate) fn group_encrypt(
        &mut self,
        group: &str,
        own: &ProtocolAddress,
        padded: &[u8],
    ) -> Result<Vec<u8>, SignalError> {
        let (name, mut rng) = (name(group, own), key_rng());
        let work = group_encrypt(&mut self.sender_keys, &name, padded, &mut rng);
        let message = work.now_or_never().ok_or(SignalError::Pending)?.map_err(SignalError::Keys)?;
        Ok(message.serialized().to_vec())
    }

    /// Takes a peer's sender key.
    pub(crate) fn learn_sender_key(
        &mut self,
        group: &str,
        peer: &ProtocolAddress,
        distribution: &[u8],
    ) -> Result<(), SignalError> {
        let message = SenderKeyDistributionMessage::try_from(distribution).map_err(SignalError::Undecryptable)?;
        let name = name(group, peer);
        let work = process_sender_key_distribution_message(&name, &message, &mut self.sender_keys);
        work.now_or_never().ok_or(SignalError::Pending)?.map_err(SignalError::Undecryptable)
    }

    pub(crate) fn group_decrypt(
        &mut self,
        group: &str,
        peer: &ProtocolAddress,
        bytes: &[u8],
    ) -> Result<Vec<u8>, SignalError> {
        let name = name(group, peer);
        let work = group_decrypt(bytes, &mut self.sender_keys, &name);
        work.now_or_never().ok_or(SignalError::Pending)?.map_err(|error| match error {
            SignalProtocolError::DuplicatedMessage(..) => SignalError::Repeated,
            error => SignalError::Undecryptable(error),
        })
    }
}

impl SenderKeys {
    pub(super) fn save(&self) -> Result<Vec<(String, Vec<u8>)>, SignalError> {
        let encode = |(name, record): (&String, &SenderKeyRecord)| Ok((name.clone(), record.serialize()?));
        self.0.iter().map(encode).collect::<StoreResult<_>>().map_err(SignalError::Keys)
    }

    pub(super) fn restore(saved: Vec<(String, Vec<u8>)>) -> Result<Self, SignalError> {
        let decode = |(name, record): (String, Vec<u8>)| Ok((name, SenderKeyRecord::deserialize(&record)?));
        saved.into_iter().map(decode).collect::<StoreResult<_>>().map(Self).map_err(SignalError::Keys)
    }
}

fn name(group: &str, sender: &ProtocolAddress) -> SenderKeyName {
    SenderKeyName::from_parts(group, sender.as_str())
}

#[async_trait]
impl SenderKeyStore for SenderKeys {
    async fn store_sender_key(&mut self, name: &SenderKeyName, record: SenderKeyRecord) -> StoreResult<()> {
        self.0.insert(name.cache_key().to_owned(), record);
        Ok(())
    }

    async fn load_sender_key(&self, name: &SenderKeyName) -> StoreResult<Option<SenderKeyRecord>> {
        Ok(self.0.get(name.cache_key()).cloned())
    }
}
