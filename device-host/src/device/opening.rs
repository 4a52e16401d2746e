//! Beginning a connection: the keys, the key store, the client.

use std::sync::Arc;

use hantar_usecases::ports::PortError;
use tokio::sync::mpsc;

use super::desk::Desk;
use crate::whatsapp::client::{BeginError, Connection};
use crate::whatsapp::events::{News, Notice};
use crate::whatsapp::inbound::Inbox;
use crate::whatsapp::outbox::Outbox;
use crate::whatsapp::store::{DeviceKeys, Fence, Store};
use crate::whatsapp::transport::Guard;
use crate::whatsapp::version::Version;

/// A connection and its news.
pub(super) struct Open {
    pub(super) connection: Connection,
    pub(super) notices: mpsc::UnboundedReceiver<Notice>,
    /// The client version that was said.
    pub(super) version: Version,
}

/// Waits for its turn, then begins a connection with the stored keys.
#[tracing::instrument(
    name = "connect",
    level = "debug",
    skip_all,
    fields(account.id = %desk.account, device.id = %desk.device, pairing)
)]
pub(super) async fn open(
    desk: Arc<Desk>,
    fence: Fence,
    (news, notices): (News, mpsc::UnboundedReceiver<Notice>),
    pairing: bool,
) -> Result<Open, BeginError> {
    let shared = &desk.shared;
    shared.connects.turn().await;
    let unread = |error: PortError| BeginError::Build(error.to_string());
    let key = shared.account_keys.of(desk.account).await.map_err(unread)?;
    let device = desk.tenant.device(desk.device).await.map_err(unread)?;
    let stanza_key = device.ok_or_else(|| BeginError::Build("the device is gone".into()))?.stanza_key;
    let version = shared.versions.current().await;
    let (table, entropy) = (Arc::clone(&shared.keys), Arc::clone(&shared.entropy));
    let (fence_of_keys, metrics) = (fence.clone(), Arc::clone(&shared.metrics));
    let keys =
        DeviceKeys { table, device: desk.device, epoch: desk.epoch, key, entropy, fence: fence_of_keys, metrics };
    let (numbers, clock) = (Arc::clone(&shared.numbers), Arc::clone(&desk.clock));
    let inbox = Inbox::new(Arc::clone(&desk.tenant), numbers, Arc::clone(&clock), desk.account, desk.device);
    let outbox = Outbox { tenant: Arc::clone(&desk.tenant), device: desk.device, stanza_key };
    let store = Store::new(keys, inbox, outbox, clock);
    let guard = guard(&desk, &fence);
    let begun = Connection::begin(store, shared.server.clone(), guard, &shared.identity, version, pairing, news).await;
    begun.map(|connection| Open { connection, notices, version })
}

/// Right before each write: the shard is ours, and the keys do not say otherwise.
fn guard(desk: &Desk, fence: &Fence) -> Guard {
    let (ours, fence) = (desk.ours.clone(), fence.clone());
    Arc::new(move || ours.holds() && !fence.is_tripped())
}
