//! What is inside the ciphertexts: building the messages a phone sends and reading the ones it gets.

pub(crate) mod media;
mod reading;

use buffa::MessageField;
use wacore::messages::{MessageUtils, wrap_device_sent};
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waproto::whatsapp::message::{
    AppStateSyncKey, AppStateSyncKeyData, AppStateSyncKeyFingerprint, AppStateSyncKeyId, AppStateSyncKeyShare,
    HistorySyncNotification, PeerDataOperationRequestResponseMessage, ProtocolMessage, ReactionMessage,
    SenderKeyDistributionMessage,
};
use waproto::whatsapp::{
    LIDMigrationMapping, LIDMigrationMappingSyncMessage, LIDMigrationMappingSyncPayload, Message, MessageKey,
};

pub(crate) use reading::{Content, Shown, read, read_plain};

/// The largest block a zlib stream can store without compression.
const STORED_BLOCK: usize = 0xFFFF;

/// The id of the one app-state key a phone of the simulator has.
pub(crate) const APP_STATE_KEY_ID: [u8; 6] = [0, 0, 0, 0, 0, 1];

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
        key_id: MessageField::some(AppStateSyncKeyId { key_id: Some(APP_STATE_KEY_ID.to_vec()) }),
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

/// Where the history is. Some clients hold back new messages until they are told so, be there any or not.
pub(crate) fn history(notification: HistorySyncNotification) -> Message {
    protocol(ProtocolMessage {
        r#type: Some(ProtocolType::HISTORY_SYNC_NOTIFICATION),
        history_sync_notification: MessageField::some(notification),
        ..Default::default()
    })
}

/// Encodes and pads a message for encryption.
pub(crate) fn padded(message: &Message) -> Vec<u8> {
    MessageUtils::encode_and_pad(message)
}

/// A message with the sender's key for a group, so that one stanza brings both.
pub(crate) fn with_distribution(mut message: Message, group: &str, distribution: Vec<u8>) -> Message {
    message.sender_key_distribution_message = MessageField::some(SenderKeyDistributionMessage {
        group_id: Some(group.to_owned()),
        axolotl_sender_key_distribution_message: Some(distribution),
    });
    message
}

/// An emoji on a message; an empty one takes it back.
pub(crate) fn reaction(key: MessageKey, emoji: &str, now_ms: u64) -> Message {
    let reaction = ReactionMessage {
        key: MessageField::some(key),
        text: Some(emoji.to_owned()),
        sender_timestamp_ms: i64::try_from(now_ms).ok(),
        ..Default::default()
    };
    Message { reaction_message: MessageField::some(reaction), ..Default::default() }
}

/// Another text in the place of a sent one.
pub(crate) fn edit(key: MessageKey, text: &str, now_ms: u64) -> Message {
    protocol(ProtocolMessage {
        key: MessageField::some(key),
        r#type: Some(ProtocolType::MESSAGE_EDIT),
        edited_message: MessageField::some(self::text(text)),
        timestamp_ms: i64::try_from(now_ms).ok(),
        ..Default::default()
    })
}

/// A sent message taken back.
pub(crate) fn revoke(key: MessageKey) -> Message {
    protocol(ProtocolMessage { key: MessageField::some(key), r#type: Some(ProtocolType::REVOKE), ..Default::default() })
}

/// What a phone tells its companions when its chats move to LIDs.
pub(crate) fn lid_mappings(mappings: Vec<LIDMigrationMapping>, moved_at: u64) -> Message {
    let payload =
        LIDMigrationMappingSyncPayload { pn_to_lid_mappings: mappings, chat_db_migration_timestamp: Some(moved_at) };
    let encoded = buffa::Message::encode_to_vec(&payload);
    protocol(ProtocolMessage {
        r#type: Some(ProtocolType::LID_MIGRATION_MAPPING_SYNC),
        lid_migration_mapping_sync_message: MessageField::some(LIDMigrationMappingSyncMessage {
            encoded_mapping_payload: Some(encoded),
        }),
        ..Default::default()
    })
}

/// What a phone answers to a companion that asked it for data.
pub(crate) fn data_response(response: PeerDataOperationRequestResponseMessage) -> Message {
    protocol(ProtocolMessage {
        r#type: Some(ProtocolType::PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE),
        peer_data_operation_request_response_message: MessageField::some(response),
        ..Default::default()
    })
}

fn protocol(inner: ProtocolMessage) -> Message {
    Message { protocol_message: MessageField::some(inner), ..Default::default() }
}

/// A zlib stream (RFC 1950) of stored blocks: every reader takes it, and no compressor is needed.
pub(crate) fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(STORED_BLOCK).peekable();
    if blocks.peek().is_none() {
        stream.extend([1, 0, 0, 0xFF, 0xFF]);
    }
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(((b << 16) | a).to_be_bytes());
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(message: &Message) -> Content {
        read(&padded(message)).unwrap().content
    }

    #[test]
    fn a_text_reads_back_as_it_was_written() {
        let Content::Shown(shown) = content(&text("selamat pagi")) else { panic!("shown") };
        assert_eq!((shown.kind.as_str(), shown.text.as_str()), ("text", "selamat pagi"));
    }

    #[test]
    fn a_copy_names_the_destination_of_the_original() {
        let copy = sent_copy(text("hi"), "60123@s.whatsapp.net".into());
        let Content::SentByCompanion { destination, shown } = content(&copy) else { panic!("a copy") };
        assert_eq!((destination.as_str(), shown.text.as_str()), ("60123@s.whatsapp.net", "hi"));
    }

    #[test]
    fn what_a_companion_asks_its_phone_for_is_understood_in_a_copy_too() {
        let asked = protocol(ProtocolMessage {
            peer_data_operation_request_message: MessageField::some(
                waproto::whatsapp::message::PeerDataOperationRequestMessage::default(),
            ),
            ..Default::default()
        });
        for message in [asked.clone(), sent_copy(asked, "60123@s.whatsapp.net".into())] {
            assert!(matches!(content(&message), Content::DataRequest(_)));
        }
    }

    #[test]
    fn traffic_between_devices_is_not_shown() {
        assert_eq!(content(&key_share(&[7; 32], 1)), Content::Silent);
        assert_eq!(content(&history(HistorySyncNotification::default())), Content::Silent);
        assert_eq!(content(&with_distribution(Message::default(), "g", vec![1])), Content::Silent);
    }

    #[test]
    fn what_is_about_another_message_names_it() {
        let key = || MessageKey { id: Some("A".into()), ..Default::default() };
        let table = [
            (reaction(key(), "👍", 1), "reaction", "👍"),
            (edit(key(), "new", 1), "edit", "new"),
            (revoke(key()), "revoke", ""),
        ];
        for (message, kind, text) in table {
            let Content::Shown(shown) = content(&message) else { panic!("{kind} is shown") };
            assert_eq!((shown.kind.as_str(), shown.text.as_str(), shown.about.as_deref()), (kind, text, Some("A")));
        }
    }

    #[test]
    fn a_payload_that_is_not_padded_is_refused() {
        assert_eq!(read(&[1, 2, 3, 0]), None);
        assert_eq!(read(&[]), None);
    }
}
