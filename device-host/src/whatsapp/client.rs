//! One connection of one device: a client of the library that is built from the stored keys, lives for one connection,
//! and tells what it sees as values of our own.
//!
//! The library's own reconnecting is switched off once a number is linked: when to try again is the machine's decision.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::ids::StanzaId;
use hantar_domain::media::Kind;
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::Person;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use wacore::iq::usync::IsOnWhatsAppResult;
use wacore::store::DevicePropsOverride;
use waproto::whatsapp::device_props::PlatformType;
use whatsapp_rust::anyhow;
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::types::durability_hook::InboundMessage;
use whatsapp_rust::upload::UploadOptions;
use whatsapp_rust::{
    CacheConfig, Client, ContactError, InboundDurabilityHook, IqError, Jid, MsgSecretPolicy, RawNodeLease, SendOptions,
};

use super::content;
use super::ending::Progress;
use super::events::{Listener, News, Notice};
use super::http::MediaRoad;
use super::runtime::InOrder;
use super::store::Store;
use super::transport::{Guard, Server, Sockets};
use super::version::Version;

/// The library waits up to 5 s for stanzas under way and 5 s for batches; then the socket is just dropped.
const CLOSE_LIMIT: Duration = Duration::from_secs(8);
/// The library gives up a question to the server after 75 s.
const SEND_LIMIT: Duration = Duration::from_secs(30);
/// How long a file may take on its way up, all of WhatsApp's servers tried.
const UPLOAD_LIMIT: Duration = Duration::from_secs(90);

/// How to be a device.
pub(crate) struct Identity {
    /// What the phone's list of linked devices shows.
    pub(crate) name: String,
    /// How many one-time pre-keys to make; the library's own number when absent.
    pub(crate) pre_keys: Option<usize>,
}

/// A connection could not be begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    /// The keys cannot be read: try again later.
    #[error("the client cannot be built: {0}")]
    Build(String),
    /// A number is linked, says the device, but there are no keys.
    #[error("the keys of a linked device are missing")]
    KeysMissing,
}

/// A file to upload.
pub(crate) struct File {
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// As what it is shown.
    pub(crate) kind: Kind,
    /// What it is.
    pub(crate) mime: String,
    /// What a document is called.
    pub(crate) filename: Option<String>,
}

/// A message did not reach the socket.
#[derive(Debug, thiserror::Error)]
#[error("not sent: {0}")]
pub(crate) struct NotSent(String);

/// WhatsApp did not answer a question.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAnswered {
    /// The connection was lost over it.
    #[error("the connection is over")]
    Lost,
    /// WhatsApp refused, by a code of ours.
    #[error("refused: {0}")]
    Refused(String),
}

/// A connection under way or open. Dropping it closes the socket at once and forgets what is not stored.
pub(crate) struct Connection {
    client: Arc<Client>,
    running: AbortHandle,
    cut: watch::Sender<bool>,
    _raw_nodes: RawNodeLease,
}

impl Connection {
    /// Begins to connect. What happens is told to `news`; the end is always [`Notice::Ended`].
    pub(crate) async fn begin(
        store: Store,
        server: Server,
        guard: Guard,
        identity: &Identity,
        version: Version,
        pairing: bool,
        news: News,
    ) -> Result<Self, BeginError> {
        let store = Arc::new(store);
        let (cut, cut_seen) = watch::channel(false);
        let (mends, progress) = (Arc::default(), Progress::default());
        let listener = Listener::new(Arc::clone(&store), news.clone(), Arc::clone(&mends));
        let device = DevicePropsOverride::new().with_os(&identity.name).with_platform_type(PlatformType::DESKTOP);
        let mut builder = Bot::builder()
            .with_backend_arc(Arc::clone(&store) as _)
            .with_http_client(MediaRoad(server.tls()))
            .with_transport_factory(Sockets::new(server, guard, cut_seen, progress.clone()))
            .with_runtime(InOrder::new())
            .with_version(version)
            .with_device_props(device)
            .with_cache_config(caches())
            .with_inbound_durability_hook(Stored)
            .with_event_handler(listener)
            .skip_history_sync();
        if let Some(count) = identity.pre_keys {
            builder = builder.with_wanted_pre_key_count(count);
        }
        let bot = builder.build().await.map_err(|error| BeginError::Build(error.to_string()))?;
        let client = bot.client();
        match client.pn() {
            Some(phone) => store.set_own(phone, client.lid()),
            None if !pairing => return Err(BeginError::KeysMissing),
            None => {}
        }
        // What came in is stored before it is acknowledged, whether or not the business is looking: two ticks are true.
        client.set_force_active_delivery_receipts(true);
        client.enable_auto_reconnect.store(false, Ordering::Relaxed);
        if pairing {
            // New: nobody has set it.
            let _ = mends.set(Arc::clone(&client.enable_auto_reconnect));
        }
        let raw_nodes = client.acquire_raw_node_forwarding();
        let running = tokio::spawn(run(bot.spawn(), news, progress)).abort_handle();
        Ok(Self { client, running, cut, _raw_nodes: raw_nodes })
    }

    /// Pairing is through: from now on a lost connection is told and not mended by the library.
    pub(crate) fn settle(&self) {
        self.client.enable_auto_reconnect.store(false, Ordering::Relaxed);
    }

    /// To send with.
    pub(crate) fn line(&self) -> Line {
        Line { client: Arc::clone(&self.client), cut: self.cut.subscribe() }
    }

    /// The socket is gone: who still waits for it need not.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Ends the connection in order: what is under way is finished, what is to be stored is stored.
    pub(crate) async fn close(self) {
        if tokio::time::timeout(CLOSE_LIMIT, self.client.disconnect()).await.is_err() {
            tracing::debug!("a connection did not close in time and was dropped");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.running.abort();
        self.client.signal_shutdown_sync();
    }
}

/// Lets the client run; dropping this aborts it.
async fn run(bot: BotHandle, news: News, progress: Progress) {
    bot.await;
    news.tell(Notice::Ended(progress.ending()));
}

/// An open connection, as the sender sees it.
#[derive(Clone)]
pub(crate) struct Line {
    client: Arc<Client>,
    cut: watch::Receiver<bool>,
}

impl Line {
    /// Whether somebody at this number uses WhatsApp. Asked once per number: the answer leaves a hidden id behind.
    pub(crate) async fn is_on_whatsapp(&self, phone: &PhoneNumber) -> Result<bool, NotSent> {
        let jid = Jid::pn(phone.digits());
        if matches!(self.client.get_lid_pn_entry(&jid).await, Ok(Some(_))) {
            return Ok(true);
        }
        let asked = self.client.contacts();
        let answers = self.while_open(asked.is_on_whatsapp(std::slice::from_ref(&jid))).await?;
        // No answer about the number is no answer: only a plain "no" counts as one.
        Ok(!answers.iter().any(|answer| answer.contact_error.is_none() && !answer.is_registered))
    }

    /// Who is at this number now, as WhatsApp says when it is asked.
    pub(crate) async fn person_at(&self, phone: &PhoneNumber) -> Result<Option<Person>, NotAnswered> {
        let jid = Jid::pn(phone.digits());
        let asked = self.client.contacts();
        let mut cut = self.cut.clone();
        let answers = tokio::select! {
            answers = asked.is_on_whatsapp(std::slice::from_ref(&jid)) => answers.map_err(|error| not_answered(&error))?,
            _ = cut.wait_for(|cut| *cut) => return Err(NotAnswered::Lost),
        };
        let answer = answers.into_iter().next().ok_or_else(|| NotAnswered::Refused("whatsapp_silent".into()))?;
        match answer.contact_error {
            Some(error) => Err(NotAnswered::Refused(refusal(error.code))),
            None => Ok(person(&answer, &jid)),
        }
    }

    /// Puts a file on WhatsApp's servers, encrypted under a key of its own. Answers what a message says of it.
    pub(crate) async fn upload(&self, file: File) -> Result<Vec<u8>, NotSent> {
        let File { bytes, kind, mime, filename } = file;
        let uploading = self.client.upload(bytes, content::media_type(kind), UploadOptions::new());
        let uploaded = self.within(UPLOAD_LIMIT, uploading).await?;
        Ok(content::attached(uploaded, kind, mime, filename))
    }

    /// Writes a message to the socket under this id: a text, or the file that was `attached` with the text under it. `Ok`
    /// says only that it was written.
    pub(crate) async fn send(
        &self,
        phone: &PhoneNumber,
        text: &str,
        attached: Option<&[u8]>,
        stanza: &StanzaId,
    ) -> Result<(), NotSent> {
        let options = SendOptions::default().with_message_id(stanza.0.clone());
        let message = content::message(text, attached).ok_or_else(|| NotSent("what it carries is damaged".into()))?;
        let sent = self.client.send_message_with_options(Jid::pn(phone.digits()), message, options);
        self.while_open(sent).await.map(drop)
    }

    /// Whether the connection stands, as far as is known.
    pub(crate) fn is_open(&self) -> bool {
        !*self.cut.borrow()
    }

    /// Does something on this connection, not longer than it lives: on a lost one the library may wait for good, and the
    /// next connection would wait with it.
    async fn while_open<T, E: Display>(&self, doing: impl Future<Output = Result<T, E>>) -> Result<T, NotSent> {
        self.within(SEND_LIMIT, doing).await
    }

    async fn within<T, E: Display>(
        &self,
        limit: Duration,
        doing: impl Future<Output = Result<T, E>>,
    ) -> Result<T, NotSent> {
        let mut cut = self.cut.clone();
        tokio::select! {
            done = tokio::time::timeout(limit, doing) => done.map_err(failed)?.map_err(failed),
            _ = cut.wait_for(|cut| *cut) => Err(NotSent("the connection is over".into())),
        }
    }
}

fn failed(error: impl Display) -> NotSent {
    NotSent(error.to_string())
}

/// The answer may name the person by the hidden id, by the number asked for, or by the one that it really is.
fn person(answer: &IsOnWhatsAppResult, asked: &Jid) -> Option<Person> {
    let phone = [Some(&answer.jid), answer.pn_jid.as_ref()].into_iter().flatten().find(|jid| jid.is_pn());
    let lid = [answer.lid.as_ref(), Some(&answer.jid)].into_iter().flatten().find(|jid| jid.is_lid());
    answer.is_registered.then(|| Person {
        jid: phone.unwrap_or(asked).to_non_ad().to_string(),
        lid: lid.map(|lid| lid.user.to_string()),
    })
}

fn not_answered(error: &ContactError) -> NotAnswered {
    match error {
        ContactError::Iq(IqError::ServerError { code, .. }) => NotAnswered::Refused(refusal(Some(*code))),
        ContactError::Iq(IqError::ParseError(_)) => NotAnswered::Refused("whatsapp_unreadable".into()),
        _ => NotAnswered::Lost,
    }
}

fn refusal(code: Option<u16>) -> String {
    code.map_or_else(|| "whatsapp_unknown".to_owned(), |code| format!("whatsapp_{code}"))
}

/// Nothing more to do: [`Store`] made the messages durable when they were handed to it.
struct Stored;

#[async_trait]
impl InboundDurabilityHook for Stored {
    async fn on_messages(&self, _client: Arc<Client>, _batch: &[InboundMessage]) -> Result<(), anyhow::Error> {
        Ok(())
    }
}

fn caches() -> CacheConfig {
    CacheConfig {
        // Nothing here reads what secrets decrypt; see `store/secrets.rs`.
        msg_secret_policy: MsgSecretPolicy::Disabled,
        // Our own items are the store of sent messages; nothing is to be swept.
        sent_message_ttl_secs: 0,
        ..CacheConfig::default()
    }
}
