//! What a message says, between our words and the protocol's.

use hantar_domain::media::Kind;
use wacore::download::MediaType;
use wacore::proto_helpers::MessageExt as _;
use waproto::codec::{message_decode, message_to_vec};
use waproto::whatsapp::Message;
use whatsapp_rust::media::{
    AudioOptions, DocumentOptions, ImageOptions, VideoOptions, audio_message, document_message, image_message,
    video_message,
};
use whatsapp_rust::upload::UploadResponse;

/// What a voice message is said to be: phones play it with its wave, and others they do not.
const SPOKEN: &str = "audio/ogg; codecs=opus";
/// What a document without a name is called.
const NAMELESS: &str = "file";

/// A plain text, or what was `attached` with the text under it. `None` when that is damaged.
pub(crate) fn message(text: &str, attached: Option<&[u8]>) -> Option<Message> {
    let Some(attached) = attached else {
        return Some(Message { conversation: Some(text.to_owned()), ..Message::default() });
    };
    let mut message = message_decode(attached).ok()?;
    let caption = (!text.is_empty()).then(|| text.to_owned());
    if let Some(image) = message.image_message.as_option_mut() {
        image.caption = caption;
    } else if let Some(video) = message.video_message.as_option_mut() {
        video.caption = caption;
    } else if let Some(document) = message.document_message.as_option_mut() {
        document.caption = caption;
    }
    Some(message)
}

/// The same, as the protocol encodes it.
pub(crate) fn encoded(text: &str, attached: Option<&[u8]>) -> Option<Vec<u8>> {
    message(text, attached).as_ref().map(message_to_vec)
}

/// Among what a file is on WhatsApp's servers.
pub(crate) const fn media_type(kind: Kind) -> MediaType {
    match kind {
        Kind::Image => MediaType::Image,
        Kind::Video => MediaType::Video,
        Kind::Audio | Kind::Voice => MediaType::Audio,
        Kind::Document => MediaType::Document,
    }
}

/// What a message says of an uploaded file, as the protocol encodes it, without the text under it.
pub(crate) fn attached(uploaded: UploadResponse, kind: Kind, mime: String, filename: Option<String>) -> Vec<u8> {
    let mimetype = Some(mime);
    let message = match kind {
        Kind::Image => image_message(uploaded, ImageOptions { mimetype, ..Default::default() }),
        Kind::Video => video_message(uploaded, VideoOptions { mimetype, ..Default::default() }),
        Kind::Audio => audio_message(uploaded, AudioOptions { mimetype, ..Default::default() }),
        Kind::Voice => {
            let mimetype = Some(SPOKEN.to_owned());
            audio_message(uploaded, AudioOptions { mimetype, ptt: Some(true), ..Default::default() })
        }
        Kind::Document => {
            let file_name = Some(filename.unwrap_or_else(|| NAMELESS.to_owned()));
            let title = file_name.clone();
            document_message(uploaded, DocumentOptions { mimetype, file_name, title, ..Default::default() })
        }
    };
    message_to_vec(&message)
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
        assert_eq!(text_of(&encoded("hello", None).unwrap()), Some("hello".into()));
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
        let attached = message_to_vec(&image(None));
        assert_eq!(text_of(&encoded("under it", Some(&attached)).unwrap()), Some("under it".into()));
        assert_eq!(encoded("", Some(&attached)), Some(attached));
        assert_eq!(encoded("", Some(&[0xff, 0xff, 0xff])), None);
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
