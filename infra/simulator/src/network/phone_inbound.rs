//! What happens when something arrives at a phone: decrypt, show, answer with a receipt, or ask for it again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wacore::poll::{PollVoteCiphertext, compute_option_hash, decrypt_poll_vote_with_secret};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use wacore_libsignal::protocol::ProtocolAddress;
use waproto::whatsapp::message::PeerDataOperationRequestMessage;

use crate::content::{self, Content, Shown};
use crate::network::chat::{Author, Behind};
use crate::network::media::PhoneMedia;
use crate::network::receipts::Receipted;
use crate::network::{Network, PhoneMessage, Session, State, lock, prekeys};
use crate::signal::{PublishedBundle, SignalEndpoint, SignalError};
use crate::stanza;

const MAX_WAITING: usize = 50_000;
/// A real phone gives up asking for a message after five times.
const MAX_RETRIES: u8 = 5;
const MAX_RETRY_RECORDS: usize = 10_000;

/// Something on its way to a phone.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum PhoneDelivery {
    /// From a companion, encrypted.
    Sealed(Sealed),
    /// From another simulated phone, which need not encrypt for a neighbour in the same process.
    Plain(Plain),
}

/// A companion's message, encrypted for the phone.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Sealed {
    pub(crate) id: String,
    pub(crate) sender: usize,
    pub(crate) device: u16,
    pub(crate) by_lid: bool,
    /// The JID of the group it was sent to; absent for a message to the phone alone.
    pub(crate) group: Option<String>,
    /// In a group: what is for this phone alone (the sender's key), then what is for everybody.
    pub(crate) parts: Vec<SealedPart>,
}

/// One `<enc>`.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SealedPart {
    pub(crate) kind: String,
    pub(crate) ciphertext: Vec<u8>,
}

impl PhoneDelivery {
    /// The account it comes from.
    pub(crate) fn sender(&self) -> usize {
        match self {
            Self::Sealed(sealed) => sealed.sender,
            Self::Plain(plain) => plain.sender,
        }
    }

    /// Whether others get it too.
    pub(crate) fn is_in_group(&self) -> bool {
        match self {
            Self::Sealed(sealed) => sealed.group.is_some(),
            Self::Plain(plain) => plain.group.is_some(),
        }
    }
}

impl SealedPart {
    pub(crate) fn new(enc: &Node) -> Self {
        Self { kind: stanza::owned(enc, "type"), ciphertext: stanza::bytes(Some(enc)) }
    }
}

/// A neighbour's message.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Plain {
    pub(crate) id: String,
    pub(crate) sender: usize,
    pub(crate) group: Option<String>,
    pub(crate) shown: Box<Shown>,
}

/// What decryption came to.
enum Outcome {
    Read(Content),
    /// Decrypted before: only the receipt is due again.
    Repeated,
    /// To be asked for again, with keys for a new session.
    Lost(PublishedBundle),
}

/// Where a message stands: its id, author and chat.
pub(crate) struct Place {
    pub(crate) id: String,
    pub(crate) author: Author,
    /// The JID of the group, or the other side's digits for what this account wrote to a person.
    pub(crate) group: Option<String>,
    pub(crate) recipient: Option<String>,
}

/// What a phone has to do after it read a message.
enum FollowUp {
    Nothing,
    ShareKeys(u16),
    AnswerRequest(u16, String, Box<PeerDataOperationRequestMessage>),
}

impl Network {
    /// Hands something to a phone, or keeps it until the phone is on.
    pub(crate) fn hand_to_phone(&self, phone: usize, delivery: PhoneDelivery) {
        let prepared = {
            let mut state = self.state();
            let Some(account) = state.accounts.get_mut(phone) else { return };
            if !account.online {
                if account.waiting.len() >= MAX_WAITING {
                    account.waiting.pop_front();
                }
                account.waiting.push_back(delivery);
                return;
            }
            let endpoint = Arc::clone(&account.endpoint);
            match delivery {
                PhoneDelivery::Plain(plain) => {
                    drop(state);
                    self.show_plain(phone, plain);
                    return;
                }
                PhoneDelivery::Sealed(sealed) => {
                    let peer = state.accounts.get(sealed.sender).map(|sender| sender.companion_address(sealed.device));
                    peer.map(|peer| (endpoint, peer, sealed))
                }
            }
        };
        let Some((endpoint, peer, sealed)) = prepared else { return };
        // Held until the message is shown, so that messages show in the order they were decrypted.
        let mut endpoint = lock(&endpoint);
        let outcome = open(&mut endpoint, &peer, &sealed);
        let media = match &outcome {
            Outcome::Read(Content::Shown(shown) | Content::SentByCompanion { shown, .. }) => self.media_of(shown),
            _ => None,
        };
        let follow_up = self.state().arrived(phone, sealed, outcome, media);
        drop(endpoint);
        match follow_up {
            FollowUp::Nothing => {}
            FollowUp::ShareKeys(companion) => self.share_keys(phone, companion),
            FollowUp::AnswerRequest(companion, id, request) => {
                self.answer_data_request(phone, companion, &id, &request);
            }
        }
    }

    fn show_plain(&self, phone: usize, plain: Plain) {
        let media = self.media_of(&plain.shown);
        let place = Place { id: plain.id, author: Some(plain.sender), group: plain.group, recipient: None };
        self.state().show(phone, place, *plain.shown, media, None);
    }

    pub(crate) fn media_of(&self, shown: &Shown) -> Option<PhoneMedia> {
        shown.media.as_ref().map(|pointer| self.open_for_phone(pointer))
    }
}

fn open(endpoint: &mut SignalEndpoint, peer: &ProtocolAddress, sealed: &Sealed) -> Outcome {
    let mut outcome = None;
    for part in &sealed.parts {
        let plaintext = match &sealed.group {
            Some(group) if part.kind == "skmsg" => endpoint.group_decrypt(group, peer, &part.ciphertext),
            _ => endpoint.decrypt(peer, &part.kind, &part.ciphertext),
        };
        let opened = match plaintext {
            Ok(plaintext) => content::read(&plaintext),
            Err(SignalError::Repeated) => {
                outcome.get_or_insert(Outcome::Repeated);
                continue;
            }
            Err(error) => {
                tracing::debug!(error = ?error, message.id = %sealed.id, "a phone asks for a message again");
                None
            }
        };
        let Some(opened) = opened else { return Outcome::Lost(endpoint.publish()) };
        if let (Some(group), Some(key)) = (&sealed.group, &opened.distribution)
            && endpoint.learn_sender_key(group, peer, key).is_err()
        {
            return Outcome::Lost(endpoint.publish());
        }
        // The key alone is silent; the message beside it is what counts.
        if opened.content != Content::Silent || outcome.is_none() {
            outcome = Some(Outcome::Read(opened.content));
        }
    }
    outcome.unwrap_or(Outcome::Read(Content::Silent))
}

impl State {
    /// Books what arrived.
    fn arrived(&mut self, phone: usize, sealed: Sealed, outcome: Outcome, media: Option<PhoneMedia>) -> FollowUp {
        let Sealed { id, sender, device, by_lid, group, .. } = sealed;
        let own = sender == phone;
        let about = Receipted { id: id.clone(), sender, device, by_lid, group: group.clone() };
        let content = match outcome {
            Outcome::Read(content) => content,
            Outcome::Repeated => {
                self.phone_receipt(phone, &about, None);
                return FollowUp::Nothing;
            }
            Outcome::Lost(bundle) => {
                self.ask_again(phone, &about, &bundle);
                return FollowUp::Nothing;
            }
        };
        match content {
            Content::KeyRequest if own => return FollowUp::ShareKeys(device),
            Content::DataRequest(request) if own => return FollowUp::AnswerRequest(device, id, request),
            Content::SentByCompanion { destination, shown } if own => {
                let place = self.own_place(id, &destination);
                self.show(phone, place, *shown, media, None);
            }
            // Own-device traffic out of a foreign hand is nothing to show.
            Content::KeyRequest | Content::DataRequest(_) | Content::SentByCompanion { .. } | Content::Silent => {}
            Content::Shown(shown) => {
                let author = (!own).then_some(sender);
                let place = Place { id, author, group, recipient: None };
                self.show(phone, place, *shown, media, (!own).then(|| about.clone()));
                if !own {
                    self.phone_receipt(phone, &about, None);
                }
            }
        }
        FollowUp::Nothing
    }

    /// The place of what this account sent to `destination`, a JID.
    fn own_place(&self, id: String, destination: &str) -> Place {
        let jid: Option<Jid> = destination.parse().ok();
        let recipient = jid.as_ref().and_then(|jid| self.account_by_jid(jid));
        let digits = recipient.and_then(|account| self.accounts.get(account)).map(|account| account.phone.to_string());
        let group = jid.filter(|_| digits.is_none()).map(|jid| jid.to_string());
        Place { id, author: None, group, recipient: Some(digits.unwrap_or_else(|| destination.to_owned())) }
    }

    /// Puts a message on a phone's screen.
    pub(crate) fn show(
        &mut self,
        phone: usize,
        place: Place,
        shown: Shown,
        media: Option<PhoneMedia>,
        receipt: Option<Receipted>,
    ) {
        let digits = |account: usize| self.accounts.get(account).map(|account| account.phone.to_string());
        let Some(from) = digits(place.author.unwrap_or(phone)) else { return };
        let to = place.group.clone().or(place.recipient).or_else(|| digits(phone)).unwrap_or_default();
        let options = match &shown.vote {
            Some(_) => self.read_vote(phone, &place.id, place.author, &shown),
            None => shown.options.into_values().collect(),
        };
        let message = PhoneMessage {
            id: place.id,
            from,
            to,
            text: shown.text,
            from_me: place.author.is_none(),
            received_at: self.now_ms(),
            kind: shown.kind,
            chat: place.group,
            about: shown.about,
            media,
            options,
            view_once: shown.view_once,
            expires_s: shown.expires_s,
            ..PhoneMessage::default()
        };
        let behind = Behind { receipt, secret: shown.secret, file: shown.media, original: shown.original };
        let (author, in_group, id, text) =
            (place.author, message.chat.is_some(), message.id.clone(), message.text.clone());
        let account = self.accounts.get_mut(phone);
        let is_new = account.is_some_and(|account| account.chat.add(author, message, behind));
        // People answer what is said to them, not what a group hears.
        if let Some(sender) = author.filter(|_| is_new && !in_group) {
            self.begin_script(phone, sender, &id, &text);
        }
    }

    /// What somebody chose in a poll that this phone shows; nothing when the vote does not open.
    fn read_vote(&self, phone: usize, id: &str, voter: Author, shown: &Shown) -> Vec<String> {
        let (Some(vote), Some(poll)) = (&shown.vote, &shown.about) else { return Vec::new() };
        let ballot = self.accounts.get(phone).and_then(|account| account.chat.ballot(poll));
        let Some(ballot) = ballot else { return Vec::new() };
        let accounts = (self.accounts.get(ballot.author.unwrap_or(phone)), self.accounts.get(voter.unwrap_or(phone)));
        let (Some(creator), Some(voter)) = accounts else { return Vec::new() };
        // Both sides name themselves by LID or by number, as the chat does.
        let chosen = [true, false].into_iter().find_map(|by_lid| {
            let (creator, voter) = (creator.jid(0, by_lid).to_string(), voter.jid(0, by_lid).to_string());
            let sealed = PollVoteCiphertext { enc_payload: &vote.payload, enc_iv: &vote.iv };
            decrypt_poll_vote_with_secret(sealed, &ballot.secret, poll, &creator, &voter).ok()
        });
        if chosen.is_none() {
            tracing::debug!(message.id = %id, "a vote does not open with the secret of its poll");
        }
        let is_chosen = |name: &String| chosen.iter().flatten().any(|hash| *hash == compute_option_hash(name));
        ballot.options.into_iter().filter(is_chosen).collect()
    }

    /// A retry receipt with keys, so that the companion can encrypt the message anew.
    fn ask_again(&mut self, phone: usize, about: &Receipted, bundle: &PublishedBundle) {
        let now = self.now_seconds();
        let Some(account) = self.accounts.get_mut(phone) else { return };
        if account.retries.len() >= MAX_RETRY_RECORDS {
            account.retries.clear();
        }
        let asked = account.retries.entry((about.sender, about.device, about.id.clone())).or_default();
        if *asked >= MAX_RETRIES {
            return;
        }
        *asked += 1;
        let retry =
            NodeBuilder::new("retry").attr("v", "1").attr("count", *asked).attr("id", about.id.as_str()).attr("t", now);
        let keys = prekeys::phone_keys(bundle);
        let registration = stanza::holding("registration", bundle.registration.to_be_bytes());
        let receipt = about.receipt_from(account).attr("t", now).attr("type", "retry").children([
            retry.build(),
            registration,
            NodeBuilder::new("keys").children(keys).build(),
        ]);
        self.push(about.sender, about.device, receipt.build());
    }
}

impl Session {
    /// The device a session belongs to, as the target of a phone's stanza.
    pub(crate) fn target(self) -> (usize, u16) {
        (self.account, self.device)
    }
}
