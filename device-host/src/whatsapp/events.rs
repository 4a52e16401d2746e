//! The library's events as values of our own.
//!
//! The handler runs inside the receive path and only hands over: the library's own ordered delivery drops events when its
//! channel is full. Our channels have no bound of their own, but what goes through them does: notices are a handful per
//! connection, and answers and receipts come only for what was sent, 16 messages at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hantar_domain::ids::StanzaId;
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::record_receipt::Receipt;
use tokio::sync::mpsc;
use wacore::types::events::{ConnectFailureReason, Event, EventHandler, EventInterest, EventKind};
use wacore::types::presence::ReceiptType;
use whatsapp_rust::Jid;

use super::ending::Ending;
use super::store::Store;

/// News of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The log-in was answered, and what waited offline is in.
    Connected,
    /// This connection is over.
    Ended(Ending),
    /// Another connection took this one's place.
    Replaced,
    /// The link is gone.
    LoggedOut {
        /// Why, as a stable code.
        reason: String,
        /// Whether WhatsApp said so in plain words, so that the keys are worth nothing any more.
        certain: bool,
    },
    /// This client version is refused.
    Outdated,
    /// The number is restricted.
    Banned {
        /// Why, as a stable code.
        reason: String,
    },
    /// The log-in was refused for another reason.
    Refused {
        /// Why, as a stable code.
        reason: String,
    },
    /// A QR code to show.
    PairingCode {
        /// Its text.
        text: String,
        /// How long WhatsApp takes it.
        valid_for: Duration,
    },
    /// No more QR codes will come on this connection.
    CodesExhausted,
    /// The phone linked this device.
    Paired {
        /// Its number.
        phone: PhoneNumber,
        /// Its hidden id, without the server.
        lid: Option<String>,
    },
}

/// News of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The server's answer to a message.
    Answer {
        /// Which.
        stanza: StanzaId,
        /// The code of a refusal.
        error: Option<String>,
    },
    /// A receipt of a recipient's phone.
    Receipt {
        /// For which.
        stanzas: Vec<StanzaId>,
        /// What it says.
        receipt: Receipt,
    },
}

/// Where news goes.
#[derive(Debug, Clone)]
pub(crate) struct News {
    notices: mpsc::UnboundedSender<Notice>,
    heard: mpsc::UnboundedSender<Heard>,
    frames: Arc<AtomicBool>,
}

impl News {
    /// News for these receivers; `frames` is set whenever anything comes.
    pub(crate) fn new(
        notices: mpsc::UnboundedSender<Notice>,
        heard: mpsc::UnboundedSender<Heard>,
        frames: Arc<AtomicBool>,
    ) -> Self {
        Self { notices, heard, frames }
    }

    pub(super) fn tell(&self, notice: Notice) {
        // Nobody listens any more: the driver is gone, and with it the need to know.
        let _ = self.notices.send(notice);
    }

    fn hear(&self, heard: Heard) {
        // As above.
        let _ = self.heard.send(heard);
    }
}

/// The handler.
pub(super) struct Listener {
    store: Arc<Store>,
    news: News,
    /// Set at the first QR code: from there on the library mends the connection itself, since pairing ends with a restart
    /// of the stream. Before, a connection that fails is for the machine to make again, more and more slowly.
    mends: Arc<OnceLock<Arc<AtomicBool>>>,
}

impl Listener {
    pub(super) fn new(store: Arc<Store>, news: News, mends: Arc<OnceLock<Arc<AtomicBool>>>) -> Self {
        Self { store, news, mends }
    }
}

impl EventHandler for Listener {
    fn handle_event(&self, event: Arc<Event>) {
        match event.as_ref() {
            Event::RawNode(node) => {
                self.news.frames.store(true, Ordering::Relaxed);
                match node.tag() {
                    "message" => self.store.arrives(node.get()),
                    // The log-in was answered, and what waited for this device is delivered. The library's own
                    // `Connected` may come much later: it waits for the phone's name, ten seconds and more where the
                    // phone sends none, and sending needs none of that.
                    "ib" if node.get().get_optional_child("offline").is_some() => self.news.tell(Notice::Connected),
                    _ => {}
                }
            }
            // Acknowledged are stanzas of many kinds; only messages of ours are looked for.
            Event::ServerAck(ack) if ack.class.as_deref().is_none_or(|class| class == "message") => {
                self.news.hear(Heard::Answer { stanza: StanzaId(ack.id.clone()), error: ack.error.clone() });
            }
            Event::Receipt(receipt) if !receipt.source.is_from_me => {
                if let Some(kind) = receipt_kind(&receipt.r#type) {
                    let stanzas = receipt.message_ids.iter().cloned().map(StanzaId).collect();
                    self.news.hear(Heard::Receipt { stanzas, receipt: kind });
                }
            }
            Event::PairSuccess(paired) => {
                self.store.set_own(paired.id.clone(), Some(paired.lid.clone()));
                self.paired(&paired.id, &paired.lid);
            }
            event => {
                if let (Event::PairingQrCode(_), Some(mends)) = (event, self.mends.get()) {
                    mends.store(true, Ordering::Relaxed);
                }
                if let Event::UndecryptableMessage(message) = event {
                    self.store.undecryptable(&message.info);
                }
                if let Some(notice) = notice(event) {
                    self.news.tell(notice);
                }
            }
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[
            EventKind::RawNode,
            EventKind::ServerAck,
            EventKind::Receipt,
            EventKind::StreamReplaced,
            EventKind::LoggedOut,
            EventKind::ClientOutdated,
            EventKind::TemporaryBan,
            EventKind::ConnectFailure,
            EventKind::PairingQrCode,
            EventKind::PairingQrCodesExhausted,
            EventKind::PairSuccess,
            EventKind::UndecryptableMessage,
        ])
    }
}

impl Listener {
    fn paired(&self, phone: &Jid, lid: &Jid) {
        let Some(phone) = PhoneNumber::from_e164(&phone.user) else {
            tracing::warn!("a phone linked a device, but its number is none");
            return;
        };
        let lid = (!lid.user.is_empty()).then(|| lid.user.to_string());
        self.news.tell(Notice::Paired { phone, lid });
    }
}

fn receipt_kind(kind: &ReceiptType) -> Option<Receipt> {
    match kind {
        ReceiptType::Delivered => Some(Receipt::Delivered),
        ReceiptType::Read => Some(Receipt::Read),
        ReceiptType::Played => Some(Receipt::Played),
        // Of our own other devices, about retries, or about calls.
        _ => None,
    }
}

fn notice(event: &Event) -> Option<Notice> {
    Some(match event {
        Event::StreamReplaced(_) => Notice::Replaced,
        Event::LoggedOut(out) => logged_out(out.reason),
        Event::ClientOutdated(_) => Notice::Outdated,
        Event::TemporaryBan(_) => Notice::Banned { reason: "banned".into() },
        Event::ConnectFailure(failure) if failure.reason == ConnectFailureReason::TempBanned => {
            Notice::Banned { reason: "banned".into() }
        }
        Event::ConnectFailure(failure) => Notice::Refused { reason: format!("whatsapp_{}", failure.reason.code()) },
        Event::PairingQrCode(qr) => Notice::PairingCode { text: qr.code.clone(), valid_for: qr.timeout },
        Event::PairingQrCodesExhausted(_) => Notice::CodesExhausted,
        _ => return None,
    })
}

/// A locked account and an unexplained refusal may pass: only a plain log-out makes the keys worthless.
fn logged_out(reason: ConnectFailureReason) -> Notice {
    match reason {
        ConnectFailureReason::LoggedOut => Notice::LoggedOut { reason: "logged_out".into(), certain: true },
        ConnectFailureReason::AccountLocked => Notice::Banned { reason: "account_locked".into() },
        other => Notice::LoggedOut { reason: format!("whatsapp_{}", other.code()), certain: false },
    }
}
