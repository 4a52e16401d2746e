//! The server's half of the Noise handshake. `wacore-noise` only plays the client, so the three responders
//! (XX for a first contact, IK for a client that knows our key, XXfallback for one that knows an old key) are here.
//! Pure: frames in, frames out, no socket.

use buffa::{Message as _, MessageField};
use serde::Serialize;
use wacore_binary::consts::{NOISE_PATTERN_IK, NOISE_PATTERN_XX, NOISE_PATTERN_XXFALLBACK, WA_CONN_HEADER};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::{NoiseCipher, NoiseHandshake};
use waproto::whatsapp::handshake_message::{ClientHello, ServerHello};
use waproto::whatsapp::{ClientPayload, HandshakeMessage};

use crate::certificate::ServerIdentity;
use crate::entropy::key_rng;

/// Why a handshake ended; the connection is closed without an answer, as the real server does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the frame is not a handshake message")]
    Decode(#[from] buffa::DecodeError),
    #[error("the handshake message lacks {0}")]
    Missing(&'static str),
    #[error("the noise exchange failed")]
    Noise(#[from] wacore_noise::HandshakeError),
}

/// Which Noise pattern a connection used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// A first contact: the client learned our key.
    Xx,
    /// The client knew our key.
    Ik,
    /// The client knew another key and learned ours.
    XxFallback,
}

/// A finished handshake.
pub(crate) struct Established {
    pub(crate) pattern: Pattern,
    pub(crate) payload: ClientPayload,
    pub(crate) read: NoiseCipher,
    pub(crate) write: NoiseCipher,
}

/// What follows the client's first frame.
pub(crate) enum Answer {
    /// IK: one round trip.
    Done { server_hello: Vec<u8>, established: Box<Established> },
    /// XX: the client still has to send its static key.
    NeedsFinish { server_hello: Vec<u8>, pending: Box<PendingXx> },
}

/// An XX handshake between server hello and client finish.
pub(crate) struct PendingXx {
    pattern: Pattern,
    noise: NoiseHandshake,
    ephemeral: KeyPair,
}

/// Answers a client hello.
pub(crate) fn answer(identity: &ServerIdentity, frame: &[u8]) -> Result<Answer, HandshakeError> {
    let hello = HandshakeMessage::decode_from_slice(frame)?
        .client_hello
        .into_option()
        .ok_or(HandshakeError::Missing("client hello"))?;
    let ephemeral = hello.ephemeral.clone().ok_or(HandshakeError::Missing("client ephemeral"))?;
    match (&hello.r#static, &hello.payload) {
        (Some(_), Some(_)) => match answer_ik(identity, &hello, &ephemeral) {
            // The client encrypted to a key that is not ours: let it start over with the same ephemeral.
            Err(HandshakeError::Noise(_)) => answer_xx(identity, &ephemeral, Pattern::XxFallback),
            other => other,
        },
        _ => answer_xx(identity, &ephemeral, Pattern::Xx),
    }
}

fn answer_ik(identity: &ServerIdentity, hello: &ClientHello, remote: &[u8]) -> Result<Answer, HandshakeError> {
    let encrypted_static = hello.r#static.as_deref().ok_or(HandshakeError::Missing("client static"))?;
    let encrypted_payload = hello.payload.as_deref().ok_or(HandshakeError::Missing("client payload"))?;
    let own_private = identity.static_key.private_key.serialize();
    let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, &WA_CONN_HEADER)?;
    noise.authenticate(identity.static_key.public_key.public_key_bytes());
    noise.authenticate(remote);
    noise.mix_shared_secret(own_private, remote)?;
    let remote_static = noise.decrypt(encrypted_static)?;
    noise.mix_shared_secret(own_private, &remote_static)?;
    let payload = ClientPayload::decode_from_slice(&noise.decrypt(encrypted_payload)?)?;

    let ephemeral = KeyPair::generate(&mut key_rng());
    noise.authenticate(ephemeral.public_key.public_key_bytes());
    noise.mix_shared_secret(ephemeral.private_key.serialize(), remote)?;
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &remote_static)?;
    let certificate = noise.encrypt(&identity.chain)?;
    let server_hello = encode_server_hello(&ephemeral, None, certificate);
    let established = finish(noise, payload, Pattern::Ik)?;
    Ok(Answer::Done { server_hello, established: Box::new(established) })
}

fn answer_xx(identity: &ServerIdentity, remote: &[u8], pattern: Pattern) -> Result<Answer, HandshakeError> {
    let name = if pattern == Pattern::XxFallback { NOISE_PATTERN_XXFALLBACK } else { NOISE_PATTERN_XX };
    let mut noise = NoiseHandshake::new(name, &WA_CONN_HEADER)?;
    let ephemeral = KeyPair::generate(&mut key_rng());
    noise.authenticate(remote);
    noise.authenticate(ephemeral.public_key.public_key_bytes());
    noise.mix_shared_secret(ephemeral.private_key.serialize(), remote)?;
    let encrypted_static = noise.encrypt(identity.static_key.public_key.public_key_bytes())?;
    noise.mix_shared_secret(identity.static_key.private_key.serialize(), remote)?;
    let certificate = noise.encrypt(&identity.chain)?;
    let server_hello = encode_server_hello(&ephemeral, Some(encrypted_static), certificate);
    Ok(Answer::NeedsFinish { server_hello, pending: Box::new(PendingXx { pattern, noise, ephemeral }) })
}

impl PendingXx {
    /// Takes the client's last handshake frame.
    pub(crate) fn finish(self, frame: &[u8]) -> Result<Established, HandshakeError> {
        let Self { pattern, mut noise, ephemeral } = self;
        let message = HandshakeMessage::decode_from_slice(frame)?
            .client_finish
            .into_option()
            .ok_or(HandshakeError::Missing("client finish"))?;
        let remote_static = noise.decrypt(&message.r#static.ok_or(HandshakeError::Missing("client static"))?)?;
        noise.mix_shared_secret(ephemeral.private_key.serialize(), &remote_static)?;
        let payload = noise.decrypt(&message.payload.ok_or(HandshakeError::Missing("client payload"))?)?;
        finish(noise, ClientPayload::decode_from_slice(&payload)?, pattern)
    }
}

fn encode_server_hello(ephemeral: &KeyPair, encrypted_static: Option<Vec<u8>>, certificate: Vec<u8>) -> Vec<u8> {
    let hello = ServerHello {
        ephemeral: Some(ephemeral.public_key.public_key_bytes().to_vec()),
        r#static: encrypted_static,
        payload: Some(certificate),
        ..Default::default()
    };
    HandshakeMessage { server_hello: MessageField::some(hello), ..Default::default() }.encode_to_vec()
}

/// `NoiseHandshake::finish` names the ciphers as the initiator sees them; we are the responder.
fn finish(noise: NoiseHandshake, payload: ClientPayload, pattern: Pattern) -> Result<Established, HandshakeError> {
    let (read, write) = noise.finish()?;
    Ok(Established { pattern, payload, read, write })
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};
    use wacore_noise::{IkHandshakeState, XxHandshakeState};

    use super::*;

    const CASES: usize = 600;

    /// The bytes with one of them changed, taken out or doubled, or cut off.
    fn bent(rng: &mut StdRng, mut bytes: Vec<u8>) -> Vec<u8> {
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..4) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, rng.random()),
            _ => {
                bytes.remove(at);
            }
        }
        bytes
    }

    #[test]
    fn a_handshake_that_was_bent_on_the_way_is_refused_or_leads_to_no_common_key() {
        let seed: u64 = rand::make_rng::<StdRng>().random();
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let identity = ServerIdentity::generate().unwrap();
        let server: [u8; 32] = identity.static_key.public_key.public_key_bytes().try_into().unwrap();
        let mut finished = 0;
        for case in 0..CASES {
            let key = KeyPair::generate(&mut rng);
            let payload = buffa::Message::encode_to_vec(&ClientPayload::default());
            let mut xx = XxHandshakeState::new(key.clone(), payload.clone(), &WA_CONN_HEADER).unwrap();
            // Every second one knows the server's key.
            let hello = if case % 2 == 0 {
                xx.build_client_hello().unwrap()
            } else {
                IkHandshakeState::new(key, server, payload, &WA_CONN_HEADER).unwrap().build_client_hello().unwrap()
            };
            let bends_hello = rng.random_bool(0.7);
            let hello = if bends_hello { bent(&mut rng, hello) } else { hello };
            let Ok(answer) = answer(&identity, &hello) else {
                assert!(bends_hello, "case {case}: what was not bent is taken");
                continue;
            };
            let Answer::NeedsFinish { server_hello, pending } = answer else {
                finished += 1;
                continue;
            };
            let Ok(finish) = xx.read_server_hello_and_build_client_finish(&server_hello) else { continue };
            let bends_finish = rng.random_bool(0.7);
            let finish = if bends_finish { bent(&mut rng, finish) } else { finish };
            match pending.finish(&finish) {
                Ok(_) => finished += 1,
                Err(_) => assert!(bends_hello || bends_finish, "case {case}: what was not bent is taken"),
            }
        }
        assert!(finished > CASES / 20, "{finished}");
    }
}
