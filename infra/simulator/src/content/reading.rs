//! Reading a decrypted message: what a phone makes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wacore::messages::decode_plaintext;
use wacore::proto_helpers::MessageExt as _;
use waproto::whatsapp::Message;
use waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use waproto::whatsapp::message::{PeerDataOperationRequestMessage, PollCreationMessage, ProtocolMessage};

use super::media::{self, MediaPointer};

/// The version in `<enc v="2">`, which says how the payload is padded.
const PADDING_VERSION: u8 = 2;

/// A decrypted payload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opened {
    /// The sender's key for a group, which may come with a message or alone.
    pub(crate) distribution: Option<Vec<u8>>,
    pub(crate) content: Content,
}

/// A message, reduced to what a phone does with it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Something for the chat.
    Shown(Box<Shown>),
    /// A copy of what one of the account's own companions sent, with the destination's JID.
    SentByCompanion { destination: String, shown: Box<Shown> },
    /// A companion asks its phone for app-state keys.
    KeyRequest,
    /// A companion asks its phone for data: history, or a message it could not read.
    DataRequest(Box<PeerDataOperationRequestMessage>),
    /// Traffic between devices that no chat shows.
    Silent,
}

/// What a chat shows of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// A word for the kind, such as `text`, `image` or `reaction`.
    pub(crate) kind: String,
    /// The text, caption, question or emoji; empty when there is none.
    pub(crate) text: String,
    /// The id of the message this one is about: reacted to, edited, revoked, voted on.
    pub(crate) about: Option<String>,
    pub(crate) media: Option<MediaPointer>,
    /// A poll's options, by the hash a vote names.
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) vote: Option<SealedVote>,
    /// What votes on this message are sealed with.
    pub(crate) secret: Option<Vec<u8>>,
    pub(crate) view_once: bool,
    /// Seconds after which it disappears; zero when it stays.
    pub(crate) expires_s: u32,
    /// The message itself, encoded, when the text does not say all of it and it may be told to companions again.
    #[serde(default)]
    pub(crate) original: Option<Arc<[u8]>>,
}

/// A vote, readable only with the poll's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealedVote {
    pub(crate) payload: Vec<u8>,
    pub(crate) iv: Vec<u8>,
}

/// Reads a decrypted payload; `None` when it is not a message.
pub(crate) fn read(plaintext: &[u8]) -> Option<Opened> {
    read_message(decode_plaintext(plaintext, PADDING_VERSION).ok()?)
}

/// Reads a message that is not encrypted, as in newsletters.
pub(crate) fn read_plain(message: &[u8]) -> Option<Shown> {
    let message = <Message as buffa::Message>::decode_from_slice(message).ok()?;
    Some(shown(&message))
}

fn read_message(mut message: Message) -> Option<Opened> {
    let distribution = message.sender_key_distribution_message.take();
    let distribution = distribution.and_then(|key| key.axolotl_sender_key_distribution_message);
    if let Some(mut copy) = message.device_sent_message.take() {
        let destination = copy.destination_jid.take().unwrap_or_default();
        let inner = copy.message.take()?;
        // Some clients wrap what they ask of their own phone as if it were a copy.
        let content = inner.protocol_message.as_option().and_then(request);
        let content =
            content.unwrap_or_else(|| Content::SentByCompanion { destination, shown: Box::new(shown(&inner)) });
        return Some(Opened { distribution, content });
    }
    let base = message.get_base_message();
    let content = match base.protocol_message.as_option() {
        Some(protocol) => match request(protocol) {
            Some(request) => request,
            None if is_for_chats(protocol) => Content::Shown(Box::new(shown(&message))),
            None => Content::Silent,
        },
        None if distribution.is_some() && kind(base) == "other" => Content::Silent,
        None => Content::Shown(Box::new(shown(&message))),
    };
    Some(Opened { distribution, content })
}

/// What a companion asks its phone for.
fn request(protocol: &ProtocolMessage) -> Option<Content> {
    if protocol.app_state_sync_key_request.is_set() {
        return Some(Content::KeyRequest);
    }
    let request = protocol.peer_data_operation_request_message.as_option()?;
    Some(Content::DataRequest(Box::new(request.clone())))
}

fn is_for_chats(protocol: &ProtocolMessage) -> bool {
    matches!(protocol.r#type, Some(ProtocolType::REVOKE | ProtocolType::MESSAGE_EDIT | ProtocolType::EPHEMERAL_SETTING))
}

fn shown(message: &Message) -> Shown {
    let base = message.get_base_message();
    let secret = [message, base]
        .into_iter()
        .find_map(|message| message.message_context_info.as_option()?.message_secret.clone());
    let kind = kind(base);
    let is_told_again = kind != "text" && !message.is_view_once();
    let mut shown = Shown {
        original: is_told_again.then(|| buffa::Message::encode_to_vec(message).into()),
        kind: kind.to_owned(),
        text: text(base).unwrap_or_default(),
        about: about(base),
        media: media::pointer(base),
        options: poll(base).map(options).unwrap_or_default(),
        vote: vote(base),
        secret,
        view_once: message.is_view_once(),
        expires_s: message.get_ephemeral_expiration().unwrap_or_default(),
    };
    if let Some(protocol) = base.protocol_message.as_option() {
        read_protocol(protocol, &mut shown);
    }
    shown
}

fn read_protocol(protocol: &ProtocolMessage, shown: &mut Shown) {
    match protocol.r#type {
        Some(ProtocolType::REVOKE) => "revoke".clone_into(&mut shown.kind),
        Some(ProtocolType::MESSAGE_EDIT) => {
            "edit".clone_into(&mut shown.kind);
            let edited = protocol.edited_message.as_option().map(Message::get_base_message);
            shown.text = edited.and_then(text).unwrap_or_default();
        }
        Some(ProtocolType::EPHEMERAL_SETTING) => {
            "ephemeral_setting".clone_into(&mut shown.kind);
            shown.text = protocol.ephemeral_expiration.unwrap_or_default().to_string();
        }
        _ => {}
    }
}

fn kind(message: &Message) -> &'static str {
    let is_voice = message.audio_message.as_option().is_some_and(|audio| audio.ptt == Some(true));
    let kinds = [
        ("text", message.conversation.is_some() || message.extended_text_message.is_set()),
        ("image", message.image_message.is_set()),
        ("video", message.video_message.is_set()),
        ("video_note", message.ptv_message.is_set()),
        ("voice", is_voice),
        ("audio", message.audio_message.is_set()),
        ("document", message.document_message.is_set()),
        ("sticker", message.sticker_message.is_set()),
        ("contact", message.contact_message.is_set()),
        ("contacts", message.contacts_array_message.is_set()),
        ("location", message.location_message.is_set()),
        ("live_location", message.live_location_message.is_set()),
        ("reaction", message.reaction_message.is_set() || message.enc_reaction_message.is_set()),
        ("poll", poll(message).is_some()),
        ("vote", message.poll_update_message.is_set()),
        ("event", message.event_message.is_set()),
        ("group_invite", message.group_invite_message.is_set()),
        ("list", message.list_message.is_set()),
        ("buttons", message.buttons_message.is_set()),
        ("template", message.template_message.is_set()),
        ("interactive", message.interactive_message.is_set()),
        ("album", message.album_message.is_set()),
        ("pin", message.pin_in_chat_message.is_set()),
        ("keep", message.keep_in_chat_message.is_set()),
        ("product", message.product_message.is_set()),
        ("order", message.order_message.is_set()),
        ("comment", message.comment_message.is_set() || message.enc_comment_message.is_set()),
        ("secret_edit", message.secret_encrypted_message.is_set()),
    ];
    kinds.into_iter().find_map(|(name, is_it)| is_it.then_some(name)).unwrap_or("other")
}

fn text(message: &Message) -> Option<String> {
    let extended = || message.extended_text_message.as_option()?.text.as_deref();
    let reaction = || message.reaction_message.as_option()?.text.as_deref();
    let place = || message.location_message.as_option()?.name.as_deref();
    let contact = || message.contact_message.as_option()?.display_name.as_deref();
    let found = message
        .conversation
        .as_deref()
        .or_else(extended)
        .or_else(|| message.get_caption())
        .or_else(reaction)
        .or_else(|| poll(message)?.name.as_deref())
        .or_else(place)
        .or_else(contact);
    found.map(str::to_owned)
}

fn about(message: &Message) -> Option<String> {
    let reaction = || message.reaction_message.as_option()?.key.as_option();
    let protocol = || message.protocol_message.as_option()?.key.as_option();
    let vote = || message.poll_update_message.as_option()?.poll_creation_message_key.as_option();
    let pin = || message.pin_in_chat_message.as_option()?.key.as_option();
    reaction().or_else(protocol).or_else(vote).or_else(pin)?.id.clone()
}

fn poll(message: &Message) -> Option<&PollCreationMessage> {
    message
        .poll_creation_message
        .as_option()
        .or_else(|| message.poll_creation_message_v2.as_option())
        .or_else(|| message.poll_creation_message_v3.as_option())
        .or_else(|| message.poll_creation_message_v5.as_option())
}

fn options(poll: &PollCreationMessage) -> BTreeMap<String, String> {
    let names = poll.options.iter().filter_map(|option| option.option_name.clone());
    names.map(|name| (hex::encode(wacore::poll::compute_option_hash(&name)), name)).collect()
}

fn vote(message: &Message) -> Option<SealedVote> {
    let vote = message.poll_update_message.as_option()?.vote.as_option()?;
    Some(SealedVote { payload: vote.enc_payload.clone()?, iv: vote.enc_iv.clone()? })
}
