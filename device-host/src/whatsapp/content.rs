//! What a message says, between our words and the protocol's.

use wacore::proto_helpers::MessageExt as _;
use waproto::codec::{message_decode, message_to_vec};
use waproto::whatsapp::Message;

/// A plain text.
pub(crate) fn text_message(text: &str) -> Message {
    Message { conversation: Some(text.to_owned()), ..Message::default() }
}

/// The same, as the protocol encodes it.
pub(crate) fn encoded_text(text: &str) -> Vec<u8> {
    message_to_vec(&text_message(text))
}

/// The text of a received message: its caption, or empty, where it is of another kind that a person sends. `None` for
/// what no person wrote (key distribution, edits, revocations, reactions, votes) and for what cannot be decoded.
pub(crate) fn text_of(encoded: &[u8]) -> Option<String> {
    let message = message_decode(encoded).ok()?;
    let base = message.get_base_message();
    let text = base.text_content().or_else(|| base.get_caption());
    text.map(str::to_owned).or_else(|| is_of_a_person(base).then(String::new))
}

fn is_of_a_person(base: &Message) -> bool {
    base.image_message.is_set()
        || base.video_message.is_set()
        || base.audio_message.is_set()
        || base.document_message.is_set()
        || base.sticker_message.is_set()
        || base.contact_message.is_set()
        || base.contacts_array_message.is_set()
        || base.location_message.is_set()
        || base.live_location_message.is_set()
}

#[cfg(test)]
mod tests {
    use buffa::MessageField;
    use waproto::whatsapp::message::{ExtendedTextMessage, ImageMessage, ProtocolMessage, ReactionMessage};

    use super::*;

    fn read(message: &Message) -> Option<String> {
        text_of(&message_to_vec(message))
    }

    #[test]
    fn texts_and_captions_are_read_and_other_kinds_are_empty() {
        assert_eq!(text_of(&encoded_text("hello")), Some("hello".into()));
        let extended = ExtendedTextMessage { text: Some("with a link".into()), ..Default::default() };
        let extended = Message { extended_text_message: MessageField::some(extended), ..Default::default() };
        assert_eq!(read(&extended), Some("with a link".into()));
        let image = |caption: Option<&str>| Message {
            image_message: MessageField::some(ImageMessage {
                caption: caption.map(str::to_owned),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(read(&image(Some("look"))), Some("look".into()));
        assert_eq!(read(&image(None)), Some(String::new()));
    }

    #[test]
    fn what_nobody_wrote_is_no_message() {
        let protocol =
            Message { protocol_message: MessageField::some(ProtocolMessage::default()), ..Default::default() };
        let reaction =
            Message { reaction_message: MessageField::some(ReactionMessage::default()), ..Default::default() };
        for message in [&protocol, &reaction, &Message::default()] {
            assert_eq!(read(message), None);
        }
        assert_eq!(text_of(&[0xff, 0xff, 0xff]), None);
    }
}
