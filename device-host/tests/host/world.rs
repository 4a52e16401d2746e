//! A shop, its tables, and the simulated network that its number is on.

use std::sync::Arc;
use std::time::Duration;

use hantar_device_host::{DeviceHost, HostConfig, HostParts, WhatsAppServer};
use hantar_domain::device::{Device, PAIRING_WANTED, Status};
use hantar_domain::ids::{MessageId, Shard};
use hantar_domain::lease::Terms;
use hantar_domain::message::{Direction, Message, State};
use hantar_domain::pacing::Pacing;
use hantar_simulator::{LoggedStanza, Network, Simulator, SimulatorConfig, StanzaDirection, StanzaFilter};
use hantar_usecases::ports::{DeviceChange, Job, MessageFilter, Queue};
use hantar_usecases::send_message::{Draft, send_message};

use crate::tables::{SHARDS, Shop, Tables};

/// The shop's number.
pub(crate) const SHOP: &str = "60111111111";
/// A customer's number.
pub(crate) const ALI: &str = "60123456789";
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Short terms, so that a take-over takes two seconds and not ten.
pub(crate) fn terms() -> Terms {
    Terms { term: Duration::from_secs(2), margin: Duration::from_millis(400), renew_every: Duration::from_millis(300) }
}

pub(crate) struct World {
    pub(crate) tables: Tables,
    pub(crate) shop: Shop,
    pub(crate) simulator: Simulator,
}

impl World {
    pub(crate) async fn new() -> Self {
        let tables = Tables::new().await;
        let shop = tables.shop("owner@example.com").await;
        let listen = "127.0.0.1:0".parse().unwrap();
        let simulator = Simulator::start(SimulatorConfig { listen, seed: 1, state_file: None }).await.unwrap();
        simulator.network().create_phone(SHOP, "Shop").unwrap();
        simulator.network().create_phone(ALI, "Ali").unwrap();
        Self { tables, shop, simulator }
    }

    /// A world with a host on which the shop's number is linked.
    pub(crate) async fn linked() -> (Self, DeviceHost) {
        let world = Self::new().await;
        let host = world.host().await;
        world.link().await;
        (world, host)
    }

    pub(crate) fn network(&self) -> &Network {
        self.simulator.network()
    }

    pub(crate) async fn host(&self) -> DeviceHost {
        self.host_on(&self.tables).await
    }

    /// A host on `tables`, perhaps those of another process.
    pub(crate) async fn host_on(&self, tables: &Tables) -> DeviceHost {
        let parts = HostParts {
            fleet: Arc::clone(&tables.fleet),
            tenants: Arc::clone(&tables.tenants),
            leases: Arc::clone(&tables.leases),
            keys: Arc::clone(&tables.keys),
            queue: Arc::clone(&tables.queue),
            blobs: Arc::clone(&tables.blobs),
            download: Arc::clone(&tables.download),
            account_keys: Arc::clone(&tables.account_keys),
            clock: Arc::clone(&tables.clock),
            entropy: Arc::clone(&tables.entropy),
        };
        let url = self.simulator.websocket_url();
        let extra_root_pem = Some(self.simulator.tls_certificate().as_bytes().to_vec());
        let config = HostConfig {
            shards: SHARDS,
            terms: terms(),
            server: WhatsAppServer { url, version: Some((2, 3000, 1)), extra_root_pem },
            pacing: Pacing { campaign_gap: Duration::from_millis(200) },
            pre_keys: Some(30),
            connects_per_second: 100,
            device_name: "Hantar".into(),
        };
        DeviceHost::start(parts, config).await.unwrap()
    }

    /// Rings for the device, as the relay does.
    pub(crate) async fn ring(&self) {
        let job = Job::Device { account: self.shop.account, device: self.shop.device };
        let shard = Queue::Shard(Shard::of(self.shop.device, SHARDS));
        self.tables.queue.send(shard, &[job], Duration::ZERO).await.unwrap();
    }

    /// Asks for a QR code, scans it with the shop's phone, and waits until the device is connected.
    pub(crate) async fn link(&self) {
        let device = self.want_code().await;
        self.network().scan_qr(&device.pairing_code.unwrap().text, Some(SHOP)).unwrap();
        self.device_until("connected", |device| device.status == Status::Connected).await;
    }

    /// Asks for a QR code.
    pub(crate) async fn want_pairing(&self) {
        let until = self.tables.clock.now() + PAIRING_WANTED;
        self.shop.tenant.change_device(self.shop.device, &DeviceChange::PairingWanted(until), None).await.unwrap();
        self.ring().await;
    }

    /// Asks for a QR code, and waits until one is shown.
    pub(crate) async fn want_code(&self) -> Device {
        self.want_pairing().await;
        self.device_until("showing a code", |device| device.pairing_code.is_some()).await
    }

    /// Accepts a message and rings.
    pub(crate) async fn send(&self, to: &str, body: &str) -> MessageId {
        let id = self.accept(to, body, false).await;
        self.ring().await;
        id
    }

    pub(crate) async fn accept(&self, to: &str, body: &str, campaign: bool) -> MessageId {
        let draft = Draft { phone: format!("+{to}"), body: body.into(), campaign, ..Draft::default() };
        let (tenant, clock) = (self.shop.tenant.as_ref(), self.tables.clock.as_ref());
        send_message(tenant, &self.tables.numbers, clock, self.shop.account, draft).await.unwrap().id
    }

    pub(crate) async fn message(&self, id: MessageId) -> Message {
        self.shop.tenant.message(id).await.unwrap().unwrap()
    }

    pub(crate) async fn message_until(&self, id: MessageId, state: State) -> Message {
        self.until(&format!("the message to be {state}"), async || {
            Some(self.message(id).await).filter(|message| message.state == state)
        })
        .await
    }

    pub(crate) async fn device_until(&self, what: &str, is: impl Fn(&Device) -> bool) -> Device {
        self.until(&format!("the device to be {what}"), async || Some(self.shop.device().await).filter(&is)).await
    }

    /// All that came in, newest first.
    pub(crate) async fn received(&self) -> Vec<Message> {
        let filter = MessageFilter { direction: Some(Direction::Inbound), ..MessageFilter::default() };
        let (mut messages, mut before) = (Vec::new(), None);
        loop {
            let page = self.shop.tenant.list_messages(&filter, before, 100).await.unwrap();
            messages.extend(page.messages);
            before = page.older;
            if before.is_none() {
                return messages;
            }
        }
    }

    /// Waits until `look` finds something; it looks again whenever something was written to the tables, and four times
    /// a second for what shows elsewhere.
    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let mut changed = self.tables.engines.dynamo.changed();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                if let Some(found) = look().await {
                    return found;
                }
                let _changed_or_not = tokio::time::timeout(Duration::from_millis(250), changed.changed()).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("waited in vain for {what}; the device is {:?}", self.shop.device().await),
        }
    }

    /// What Ali's phone shows once so many messages came.
    pub(crate) async fn shown(&self, count: usize) -> Vec<String> {
        let shown = self.network().wait_for_messages(ALI, count, Duration::from_secs(30)).await.unwrap();
        shown.into_iter().filter(|message| !message.from_me).map(|message| message.text).collect()
    }

    /// The message stanzas that went out from the shop's device under an id.
    pub(crate) async fn stanzas_of(&self, id: MessageId) -> Vec<LoggedStanza> {
        let stanza = self.message(id).await.stanza.0;
        let (tag, direction) = (Some("message".into()), Some(StanzaDirection::In));
        self.network().stanzas(&StanzaFilter { id: Some(stanza), tag, direction, ..StanzaFilter::default() })
    }
}
