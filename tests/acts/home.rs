//! An account with one device, and what the tests have it do.

use std::sync::Arc;

use hantar_domain::ids::{AccountId, DeviceId, EndpointId, Epoch, MessageId, StanzaId, UserId};
use hantar_domain::message::{Fact, Message};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::webhook::{Endpoint, EventId, SigningSecret};
use hantar_usecases::manage_endpoints::{EndpointError, EndpointParts, NewEndpoint, create_endpoint};
use hantar_usecases::ports::{Applied, Clock as _, Delivery, Tenant};
use hantar_usecases::receive_messages::{Incoming, receive_messages};
use hantar_usecases::send_message::{Draft, SendError, send_message};

use crate::world::{LOOPBACK, Process};

/// Whom the tests write to.
const ALI: &str = "+60123456789";

/// An account with one device, as one process sees it.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) process: Process,
    pub(crate) account: AccountId,
    pub(crate) owner: UserId,
    pub(crate) device: DeviceId,
}

impl Home {
    pub(crate) fn tenant(&self) -> Arc<dyn Tenant> {
        self.process.tenants.for_account(self.account)
    }

    /// The same account in another process.
    pub(crate) fn seen_by(&self, process: Process) -> Self {
        Self { process, account: self.account, owner: self.owner, device: self.device }
    }

    pub(crate) async fn try_send(&self, draft: Draft) -> Result<Message, SendError> {
        let Process { numbers, clock, .. } = &self.process;
        send_message(self.tenant().as_ref(), numbers, clock, self.account, draft).await
    }

    pub(crate) async fn send(&self, text: &str) -> Message {
        self.try_send(draft(text)).await.unwrap()
    }

    pub(crate) async fn message(&self, id: MessageId) -> Message {
        self.tenant().message(id).await.unwrap().unwrap()
    }

    /// Whose turns they are, in order.
    pub(crate) async fn line(&self) -> Vec<MessageId> {
        let line = self.tenant().open_turns(self.device, self.process.clock.now(), 100).await.unwrap();
        line.turns.into_iter().map(|turn| turn.message).collect()
    }

    /// Takes a message to the wire.
    pub(crate) async fn dispatch(&self, id: MessageId) -> Applied {
        self.tenant().dispatch(id, Epoch(1), self.process.clock.now()).await.unwrap()
    }

    pub(crate) async fn learn(&self, id: MessageId, fact: Fact) -> Applied {
        self.tenant().record(id, fact, self.process.clock.now()).await.unwrap()
    }

    /// Ali writes; answers the number of his message.
    pub(crate) async fn hears(&self, stanza: &str, text: &str) -> MessageId {
        let (tenant, process) = (self.tenant(), &self.process);
        let said = vec![incoming(stanza, text)];
        receive_messages(tenant.as_ref(), &process.numbers, &process.clock, self.account, self.device, said)
            .await
            .unwrap();
        let incoming = incoming(stanza, text);
        let known = tenant.received(self.device, &incoming.chat, &incoming.sender, &incoming.stanza).await;
        known.unwrap().unwrap()
    }

    /// Ali writes so many times.
    pub(crate) async fn receive(&self, count: usize) {
        let Process { numbers, clock, .. } = &self.process;
        let all = (0..count).map(|number| incoming(&format!("IN{number}"), "hi")).collect();
        receive_messages(self.tenant().as_ref(), numbers, clock, self.account, self.device, all).await.unwrap();
    }

    /// A message that was called `unknown`.
    pub(crate) async fn unknown_message(&self, text: &str) -> Message {
        let id = self.send(text).await.id;
        self.dispatch(id).await;
        match self.learn(id, Fact::Silence).await {
            Applied::Moved(message) => *message,
            other => panic!("{other:?}"),
        }
    }

    /// A subscriber's endpoint with its secret.
    pub(crate) async fn try_subscribe(
        &self,
        url: &str,
        events: &[&str],
    ) -> Result<(Endpoint, SigningSecret), EndpointError> {
        self.subscribe_listed(url, events, LOOPBACK).await
    }

    /// The same, where the operator has listed these networks.
    pub(crate) async fn subscribe_listed(
        &self,
        url: &str,
        events: &[&str],
        listed: &str,
    ) -> Result<(Endpoint, SigningSecret), EndpointError> {
        let tenant = self.tenant();
        let Process { numbers, keys, entropy, clock, .. } = &self.process;
        let allowed = listed.parse().unwrap();
        let with = EndpointParts { tenant: tenant.as_ref(), numbers, keys, entropy, clock, allowed: &allowed };
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        create_endpoint(&with, self.account, NewEndpoint { url: url.into(), events, idempotency: None }).await
    }

    /// The number and the shown secret of a new endpoint.
    pub(crate) async fn subscribe(&self, url: &str, events: &[&str]) -> (EndpointId, String) {
        let (endpoint, secret) = self.try_subscribe(url, events).await.unwrap();
        (endpoint.id, secret.shown())
    }

    pub(crate) async fn delivery(&self, endpoint: EndpointId, event: &EventId) -> Delivery {
        self.tenant().delivery(endpoint, event).await.unwrap().unwrap()
    }
}

/// A message that nothing is wrong with.
pub(crate) fn draft(text: &str) -> Draft {
    Draft { phone: ALI.into(), body: text.into(), ..Draft::default() }
}

/// A message under an idempotency key.
pub(crate) fn keyed(text: &str, key: &str) -> Draft {
    Draft { idempotency: Some((key.into(), text.into())), ..draft(text) }
}

/// A message from Ali's phone.
pub(crate) fn incoming(stanza: &str, text: &str) -> Incoming {
    Incoming {
        chat: "60123456789@s.whatsapp.net".into(),
        sender: "60123456789@s.whatsapp.net".into(),
        stanza: StanzaId(stanza.into()),
        phone: PhoneNumber::from_e164(ALI),
        lid: None,
        push_name: Some("Ali".into()),
        text: text.into(),
    }
}

/// The message that moved.
pub(crate) fn moved(applied: Applied) -> Message {
    match applied {
        Applied::Moved(message) => *message,
        other => panic!("not moved: {other:?}"),
    }
}

/// The message that a late or repeated fact left as it was.
pub(crate) fn unchanged(applied: Applied) -> Message {
    match applied {
        Applied::Unchanged(message) => *message,
        other => panic!("not unchanged: {other:?}"),
    }
}
