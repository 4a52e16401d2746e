//! What a phone tells its own companions on request or when they are new: the history of its chats, inside the
//! message or as an uploaded file, and messages a companion could not read.

use std::collections::BTreeMap;
use std::sync::Arc;

use buffa::{Message as _, MessageField};
use waproto::whatsapp::history_sync::HistorySyncType as ChunkType;
use waproto::whatsapp::message::peer_data_operation_request_response_message::PeerDataOperationResult;
use waproto::whatsapp::message::peer_data_operation_request_response_message::peer_data_operation_result::PlaceholderMessageResendResponse;
use waproto::whatsapp::message::{
    HistorySyncNotification, HistorySyncType, PeerDataOperationRequestMessage, PeerDataOperationRequestResponseMessage,
    PeerDataOperationRequestType,
};
use waproto::whatsapp::{
    Conversation, GlobalSettings, HistorySync, HistorySyncMsg, Message, MessageKey, PhoneNumberToLIDMapping, Pushname,
    WebMessageInfo,
};

use crate::content;
use crate::content::media;
use crate::network::chat::Entry;
use crate::network::{Account, Network, State};

/// A longer history than this is uploaded instead of standing in the message.
const MAX_INLINE: usize = 4 << 10;
/// How many of the newest messages a new companion is told.
const MAX_HISTORY: usize = 1_000;
const MAX_ON_DEMAND: usize = 200;

impl Network {
    /// The history a new companion begins with.
    pub(crate) fn first_history(&self, account: usize) -> Message {
        let history = {
            let state = self.state();
            let newest = state.accounts.get(account).map(|own| own.chat.newest(MAX_HISTORY)).unwrap_or_default();
            state.history(account, ChunkType::INITIAL_BOOTSTRAP, &newest)
        };
        self.history_message(&history, HistorySyncType::INITIAL_BOOTSTRAP, None)
    }

    /// Tells a companion of a history: inside the message when it is short, else as an upload.
    fn history_message(&self, history: &HistorySync, kind: HistorySyncType, session: Option<String>) -> Message {
        let packed = content::zlib_stored(&history.encode_to_vec());
        let mut notification = HistorySyncNotification {
            sync_type: Some(kind),
            chunk_order: Some(1),
            progress: Some(100),
            peer_data_request_session_id: session,
            ..Default::default()
        };
        if packed.len() <= MAX_INLINE && kind == HistorySyncType::INITIAL_BOOTSTRAP {
            notification.initial_hist_bootstrap_inline_payload = Some(packed);
        } else if let Some(mut sealed) = media::seal("md-msg-hist", &packed) {
            notification.file_sha256 = Some(sealed.file_sha256.to_vec());
            notification.file_length = Some(packed.len() as u64);
            notification.media_key = Some(sealed.media_key.to_vec());
            notification.file_enc_sha256 = Some(sealed.file_enc_sha256.to_vec());
            let path = self.media().put(std::mem::take(&mut sealed.data_to_upload).into());
            notification.direct_path = Some(path);
        }
        content::history(notification)
    }

    /// A companion asked its phone for something.
    pub(crate) fn answer_data_request(
        &self,
        phone: usize,
        companion: u16,
        id: &str,
        request: &PeerDataOperationRequestMessage,
    ) {
        let kind = request.peer_data_operation_request_type;
        let mut messages = Vec::new();
        let results = match kind {
            Some(PeerDataOperationRequestType::PLACEHOLDER_MESSAGE_RESEND) => self.resent_messages(phone, request),
            Some(PeerDataOperationRequestType::HISTORY_SYNC_ON_DEMAND) => {
                messages.extend(self.history_on_demand(phone, id, request));
                Vec::new()
            }
            _ => Vec::new(),
        };
        messages.push(content::data_response(PeerDataOperationRequestResponseMessage {
            peer_data_operation_request_type: kind,
            stanza_id: Some(id.to_owned()),
            peer_data_operation_result: results,
        }));
        self.tell_companion(phone, companion, messages);
    }

    fn resent_messages(&self, phone: usize, request: &PeerDataOperationRequestMessage) -> Vec<PeerDataOperationResult> {
        let state = self.state();
        let keys = request.placeholder_message_resend_request.iter().filter_map(|asked| asked.message_key.as_option());
        let found = keys.filter_map(|key| {
            let own = state.accounts.get(phone)?;
            let info = state.web_message(own, own.chat.entry(key.id.as_deref()?)?);
            let info = WebMessageInfo { key: MessageField::some(key.clone()), ..info };
            Some(PeerDataOperationResult {
                placeholder_message_resend_response: MessageField::some(PlaceholderMessageResendResponse {
                    web_message_info_bytes: Some(info.encode_to_vec()),
                }),
                ..Default::default()
            })
        });
        found.collect()
    }

    fn history_on_demand(&self, phone: usize, id: &str, request: &PeerDataOperationRequestMessage) -> Option<Message> {
        let asked = request.history_sync_on_demand_request.as_option()?;
        let count = asked.on_demand_msg_count.and_then(|count| usize::try_from(count).ok()).unwrap_or(50);
        let history = {
            let state = self.state();
            let own = state.accounts.get(phone)?;
            let chat = state.chat_named(asked.chat_jid.as_deref()?)?;
            let before = asked.oldest_msg_id.as_deref().unwrap_or_default();
            let older = own.chat.older(&chat, before, count.min(MAX_ON_DEMAND));
            state.history(phone, ChunkType::ON_DEMAND, &older)
        };
        Some(self.history_message(&history, HistorySyncType::ON_DEMAND, Some(id.to_owned())))
    }
}

impl State {
    /// How a phone's messages name the chat with this JID: by digits, or by the JID of a group.
    fn chat_named(&self, jid: &str) -> Option<String> {
        let parsed: wacore_binary::Jid = jid.parse().ok()?;
        match self.account_by_jid(&parsed) {
            Some(account) => self.accounts.get(account).map(|account| account.phone.to_string()),
            None => Some(jid.to_owned()),
        }
    }

    fn history(&self, account: usize, kind: ChunkType, messages: &[Entry]) -> HistorySync {
        let Some(own) = self.accounts.get(account) else { return HistorySync::default() };
        let mut chats: BTreeMap<String, Vec<HistorySyncMsg>> = BTreeMap::new();
        let mut people = BTreeMap::new();
        for (order, told) in messages.iter().enumerate() {
            let message = &told.message;
            let info = self.web_message(own, told);
            let chat = info.key.as_option().and_then(|key| key.remote_jid.clone()).unwrap_or_default();
            let entry = HistorySyncMsg { message: MessageField::some(info), msg_order_id: Some(order as u64 + 1) };
            chats.entry(chat).or_default().push(entry);
            if let Some(other) = self.account_by_phone(message.other()).and_then(|other| self.accounts.get(other)) {
                people.insert(Arc::clone(&other.phone), other);
            }
        }
        let conversation = |(id, mut messages): (String, Vec<HistorySyncMsg>)| {
            // The newest message comes first.
            messages.reverse();
            Conversation { id, messages, end_of_history_transfer: Some(true), ..Default::default() }
        };
        HistorySync {
            sync_type: kind,
            conversations: chats.into_iter().map(conversation).collect(),
            chunk_order: Some(1),
            progress: Some(100),
            pushnames: people.values().map(|person| pushname(person)).collect(),
            phone_number_to_lid_mappings: people.values().map(|person| mapping(person)).collect(),
            nct_salt: Some(own.profile.salt.clone()).filter(|_| own.profile.salt_by.0),
            global_settings: own.migrated_at.map_or_else(MessageField::none, |at| {
                MessageField::some(GlobalSettings {
                    chat_db_lid_migration_timestamp: i64::try_from(at).ok(),
                    ..Default::default()
                })
            }),
            ..Default::default()
        }
    }

    /// A shown message as histories carry it.
    fn web_message(&self, own: &Account, told: &Entry) -> WebMessageInfo {
        let message = &told.message;
        let jid = |phone: &str| {
            let account = self.account_by_phone(phone).and_then(|account| self.accounts.get(account));
            account.map(|account| account.jid(0, true).to_string())
        };
        let in_chat = message.chat.is_some();
        let author =
            if message.from_me { own.jid(0, true).to_string() } else { jid(&message.from).unwrap_or_default() };
        let participant = in_chat.then(|| author.clone());
        WebMessageInfo {
            key: MessageField::some(MessageKey {
                remote_jid: message.chat.clone().or_else(|| jid(message.other())),
                from_me: Some(message.from_me),
                id: Some(message.id.clone()),
                participant: participant.clone(),
            }),
            message: MessageField::some(told.content()),
            message_timestamp: Some(message.received_at / 1000),
            participant,
            ..Default::default()
        }
    }
}

fn pushname(person: &Account) -> Pushname {
    Pushname { id: Some(person.jid(0, true).to_string()), pushname: Some(person.name.clone()) }
}

fn mapping(person: &Account) -> PhoneNumberToLIDMapping {
    PhoneNumberToLIDMapping {
        pn_jid: Some(person.jid(0, false).to_string()),
        lid_jid: Some(person.jid(0, true).to_string()),
    }
}
