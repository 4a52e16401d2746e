//! What is inside the ciphertexts: building the messages a phone sends and reading the ones it gets.

use buffa::MessageField;
use wacore::messages::{MessageUtils, decode_plaintext, wrap_device_sent};
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waproto::whatsapp::message::{
    AppStateSyncKey, AppStateSyncKeyData, AppStateSyncKeyFingerprint, AppStateSyncKeyId, AppStateSyncKeyShare,
    HistorySyncNotification, HistorySyncType, ProtocolMessage,
};
use waproto::whatsapp::{HistorySync, Message};

/// The version in `<enc v="2">`, which says how the payload is padded.
const PADDING_VERSION: u8 = 2;

/// A decrypted message, reduced to what a phone would show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Something for the chat; the text is empty when it has none (a reaction, say).
    Chat { text: String },
    /// A copy of what one of the account's own companions sent, with the destination's JID.
    SentByCompanion { destination: String, text: String },
    /// A companion asks its phone for app-state keys.
    KeyRequest,
    /// Traffic between devices that no chat shows.
    Silent,
}

/// A plain text.
pub(crate) fn text(text: &str) -> Message {
    Message { conversation: Some(text.to_owned()), ..Default::default() }
}

/// The copy of a sent message for the account's own companions.
pub(crate) fn sent_copy(message: Message, destination: String) -> Message {
    wrap_device_sent(message, destination)
}

/// The app-state key a phone gives every new companion; without it a companion waits 10 s at each start.
pub(crate) fn key_share(key: &[u8], now_ms: u64) -> Message {
    let key = AppStateSyncKey {
        key_id: MessageField::some(AppStateSyncKeyId { key_id: Some(vec![0, 0, 0, 0, 0, 1]) }),
        key_data: MessageField::some(AppStateSyncKeyData {
            key_data: Some(key.to_vec()),
            fingerprint: MessageField::some(AppStateSyncKeyFingerprint {
                raw_id: Some(1),
                current_index: Some(1),
                device_indexes: vec![0, 1],
            }),
            timestamp: i64::try_from(now_ms).ok(),
        }),
    };
    protocol(ProtocolMessage {
        r#type: Some(ProtocolType::APP_STATE_SYNC_KEY_SHARE),
        app_state_sync_key_share: MessageField::some(AppStateSyncKeyShare { keys: vec![key] }),
        ..Default::default()
    })
}

/// "There is no history": some clients hold back new messages until they are told so.
pub(crate) fn empty_history() -> Message {
    let nothing = buffa::Message::encode_to_vec(&HistorySync::default());
    protocol(ProtocolMessage {
        r#type: Some(ProtocolType::HISTORY_SYNC_NOTIFICATION),
        history_sync_notification: MessageField::some(HistorySyncNotification {
            sync_type: Some(HistorySyncType::INITIAL_BOOTSTRAP),
            chunk_order: Some(1),
            progress: Some(100),
            initial_hist_bootstrap_inline_payload: Some(zlib_stored(&nothing)),
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// Encodes and pads a message for encryption.
pub(crate) fn padded(message: &Message) -> Vec<u8> {
    MessageUtils::encode_and_pad(message)
}

/// Reads a decrypted payload; `None` when it is not a message.
pub(crate) fn read(plaintext: &[u8]) -> Option<Content> {
    let mut message = decode_plaintext(plaintext, PADDING_VERSION).ok()?;
    if let Some(mut copy) = message.device_sent_message.take() {
        let destination = copy.destination_jid.take().unwrap_or_default();
        return Some(match copy.message.take().map(|inner| classify(&inner)) {
            Some(Content::Chat { text }) => Content::SentByCompanion { destination, text },
            _ => Content::Silent,
        });
    }
    Some(classify(&message))
}

fn classify(message: &Message) -> Content {
    if let Some(inner) = message.protocol_message.as_option() {
        let is_request = inner.r#type == Some(ProtocolType::APP_STATE_SYNC_KEY_REQUEST);
        return if is_request { Content::KeyRequest } else { Content::Silent };
    }
    Content::Chat { text: shown_text(message).unwrap_or_default().to_owned() }
}

fn shown_text(message: &Message) -> Option<&str> {
    message
        .conversation
        .as_deref()
        .or_else(|| message.extended_text_message.as_option()?.text.as_deref())
        .or_else(|| message.image_message.as_option()?.caption.as_deref())
        .or_else(|| message.video_message.as_option()?.caption.as_deref())
        .or_else(|| message.document_message.as_option()?.caption.as_deref())
}

fn protocol(inner: ProtocolMessage) -> Message {
    Message { protocol_message: MessageField::some(inner), ..Default::default() }
}

/// A zlib stream (RFC 1950) of one stored block: enough for a payload of a few bytes, without a compressor.
fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend(length.to_le_bytes());
    stream.extend((!length).to_le_bytes());
    stream.extend(data);
    stream.extend(((b << 16) | a).to_be_bytes());
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_reads_back_as_it_was_written() {
        assert_eq!(read(&padded(&text("selamat pagi"))), Some(Content::Chat { text: "selamat pagi".into() }));
    }

    #[test]
    fn a_copy_names_the_destination_of_the_original() {
        let copy = sent_copy(text("hi"), "60123@s.whatsapp.net".into());
        let expected = Content::SentByCompanion { destination: "60123@s.whatsapp.net".into(), text: "hi".into() };
        assert_eq!(read(&padded(&copy)), Some(expected));
    }

    #[test]
    fn traffic_between_devices_is_not_shown() {
        assert_eq!(read(&padded(&key_share(&[7; 32], 1))), Some(Content::Silent));
        assert_eq!(read(&padded(&empty_history())), Some(Content::Silent));
    }

    #[test]
    fn a_payload_that_is_not_padded_is_refused() {
        assert_eq!(read(&[1, 2, 3, 0]), None);
        assert_eq!(read(&[]), None);
    }
}
