//! What happens when something arrives at a phone: decrypt, show, answer with a receipt, or ask for it again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wacore_binary::Jid;
use wacore_binary::builder::NodeBuilder;

use crate::content::{self, Content};
use crate::network::chat::Author;
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
    Plain { id: String, sender: usize, text: String },
}

/// A companion's message, encrypted for the phone.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Sealed {
    pub(crate) id: String,
    pub(crate) sender: usize,
    pub(crate) device: u16,
    pub(crate) by_lid: bool,
    pub(crate) kind: String,
    pub(crate) ciphertext: Vec<u8>,
}

impl PhoneDelivery {
    /// The account it comes from.
    pub(crate) fn sender(&self) -> usize {
        match self {
            Self::Sealed(sealed) => sealed.sender,
            Self::Plain { sender, .. } => *sender,
        }
    }
}

/// What decryption came to.
enum Opened {
    Content(Content),
    /// Decrypted before: only the receipt is due again.
    Repeated,
    /// To be asked for again, with keys for a new session.
    Lost(PublishedBundle),
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
                PhoneDelivery::Plain { id, sender, text } => {
                    state.show(phone, Some(sender), &id, text, None);
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
        let opened = open(&mut endpoint, &peer, &sealed);
        let asks_for_keys = self.state().arrived(phone, sealed, opened);
        drop(endpoint);
        if let Some(companion) = asks_for_keys {
            self.share_keys(phone, companion);
        }
    }
}

fn open(endpoint: &mut SignalEndpoint, peer: &wacore_libsignal::protocol::ProtocolAddress, sealed: &Sealed) -> Opened {
    match endpoint.decrypt(peer, &sealed.kind, &sealed.ciphertext) {
        Ok(plaintext) => match content::read(&plaintext) {
            Some(content) => Opened::Content(content),
            None => Opened::Lost(endpoint.publish()),
        },
        Err(SignalError::Repeated) => Opened::Repeated,
        Err(error) => {
            tracing::debug!(error = ?error, message.id = %sealed.id, "a phone asks for a message again");
            Opened::Lost(endpoint.publish())
        }
    }
}

impl State {
    /// Books what arrived. Gives the companion that asked for app-state keys, if it did.
    fn arrived(&mut self, phone: usize, sealed: Sealed, opened: Opened) -> Option<u16> {
        let Sealed { id, sender, device, by_lid, .. } = sealed;
        let about = Receipted { id, sender, device, by_lid };
        match opened {
            Opened::Lost(bundle) => self.ask_again(phone, &about, &bundle),
            Opened::Repeated => self.phone_receipt(phone, &about, None),
            Opened::Content(Content::KeyRequest) if sender == phone => return Some(device),
            Opened::Content(Content::SentByCompanion { destination, text }) if sender == phone => {
                self.show_own(phone, &about.id, &destination, text);
            }
            // Own-device traffic out of a foreign hand is nothing to show.
            Opened::Content(Content::KeyRequest | Content::SentByCompanion { .. } | Content::Silent) => {}
            Opened::Content(Content::Chat { text }) => {
                self.show(phone, Some(sender), &about.id, text, Some(about.clone()));
                self.phone_receipt(phone, &about, None);
            }
        }
        None
    }

    pub(crate) fn show(&mut self, phone: usize, author: Author, id: &str, text: String, receipt: Option<Receipted>) {
        let digits = |account: usize| self.accounts.get(account).map(|account| account.phone.to_string());
        let (Some(from), Some(to)) = (digits(author.unwrap_or(phone)), digits(phone)) else { return };
        let said = text.clone();
        if self.add_message(phone, author, id, from, to, text, receipt)
            && let Some(sender) = author
        {
            self.begin_script(phone, sender, id, &said);
        }
    }

    /// Shows what this account sent to `destination`, a JID.
    fn show_own(&mut self, phone: usize, id: &str, destination: &str, text: String) {
        let jid: Option<Jid> = destination.parse().ok();
        let recipient = jid.and_then(|jid| self.account_by_jid(&jid));
        let digits = |account: usize| self.accounts.get(account).map(|account| account.phone.to_string());
        let to = recipient.and_then(digits).unwrap_or_else(|| destination.to_owned());
        let Some(from) = digits(phone) else { return };
        self.add_message(phone, None, id, from, to, text, None);
    }

    /// Shows a message; false when it was shown before.
    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    pub(crate) fn add_message(
        &mut self,
        phone: usize,
        author: Author,
        id: &str,
        from: String,
        to: String,
        text: String,
        receipt: Option<Receipted>,
    ) -> bool {
        let message = PhoneMessage {
            id: id.to_owned(),
            from,
            to,
            text,
            from_me: author.is_none(),
            received_at: self.now_ms(),
            read: false,
        };
        self.accounts.get_mut(phone).is_some_and(|account| account.chat.add(author, message, receipt))
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
        let receipt = NodeBuilder::new("receipt")
            .attr("id", about.id.as_str())
            .attr("from", account.jid(0, about.by_lid))
            .attr("t", now)
            .attr("type", "retry")
            .children([retry.build(), registration, NodeBuilder::new("keys").children(keys).build()]);
        self.push(about.sender, about.device, receipt.build());
    }
}

impl Session {
    /// The device a session belongs to, as the target of a phone's stanza.
    pub(crate) fn target(self) -> (usize, u16) {
        (self.account, self.device)
    }
}
