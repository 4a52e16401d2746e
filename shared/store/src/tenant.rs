//! One account's records: every method leads to the file of its noun.

use async_trait::async_trait;
use hantar_domain::account::Account;
use hantar_domain::credits::Balance;
use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, DeviceId, EndpointId, Epoch, MessageId, StanzaId, UserId};
use hantar_domain::message::{Direction, Fact, Message, State, Turn};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_domain::user::User;
use hantar_domain::webhook::{Endpoint, EventId};
use hantar_usecases::ports::{
    Acceptance, Accepted, AccountChange, Applied, Attempt, Bulks, Campaigns, Cancelled, Consents, Contacts, Created,
    Deleted, Delivery, DeliveryState, DeviceChange, EndpointChange, Files, Idempotency, Inbound, Ledger, MessageFilter,
    MessagePage, OpenTurns, People, PortError, Reception, Refusal, StateCounts, Templates, Tenant,
};

use crate::store::Store;

/// The records of one account: every place that it reads or writes is made from `account`.
pub(crate) struct TenantStore {
    pub(crate) store: Store,
    pub(crate) account: AccountId,
}

#[async_trait]
impl Tenant for TenantStore {
    fn contacts(&self) -> &dyn Contacts {
        self
    }

    fn consents(&self) -> &dyn Consents {
        self
    }

    fn templates(&self) -> &dyn Templates {
        self
    }

    fn bulks(&self) -> &dyn Bulks {
        self
    }

    fn campaigns(&self) -> &dyn Campaigns {
        self
    }

    fn files(&self) -> &dyn Files {
        self
    }

    fn ledger(&self) -> &dyn Ledger {
        self
    }

    fn people(&self) -> &dyn People {
        self
    }

    async fn account(&self) -> Result<Option<Account>, PortError> {
        self.own_account().await
    }

    async fn change_account(
        &self,
        change: &AccountChange,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<bool, PortError> {
        self.change_own_account(change, idempotency, at).await
    }

    async fn wrapped_key(&self) -> Result<Option<Vec<u8>>, PortError> {
        self.own_wrapped_key().await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, PortError> {
        self.own_user(id).await
    }

    async fn sending_from(
        &self,
        device: Option<DeviceId>,
        sender: Option<UserId>,
    ) -> Result<(Option<Account>, Option<Device>, Option<User>), PortError> {
        self.read_for_sending(device, sender).await
    }

    fn price(&self) -> i64 {
        self.store.price()
    }

    async fn balance(&self) -> Result<Balance, PortError> {
        self.read_balance().await
    }

    async fn grant(&self, credits: i64, movement: &str, at: Timestamp) -> Result<Balance, PortError> {
        self.put_in(credits, movement, at).await
    }

    async fn accept(&self, acceptance: &Acceptance) -> Result<Accepted, PortError> {
        self.accept_one(acceptance).await
    }

    async fn accepted_before(&self, idempotency: &Idempotency, now: Timestamp) -> Result<Option<Message>, PortError> {
        self.message_of_key(idempotency, now).await
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, PortError> {
        self.one_message(id).await
    }

    async fn messages(&self, ids: &[MessageId]) -> Result<Vec<Message>, PortError> {
        self.some_messages(ids).await
    }

    async fn list_messages(
        &self,
        filter: &MessageFilter,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<MessagePage, PortError> {
        self.page_of_messages(filter, before, limit).await
    }

    async fn state_counts(&self) -> Result<StateCounts, PortError> {
        self.read_counts().await
    }

    async fn counted_through(&self, stream: &str) -> Result<Option<u128>, PortError> {
        self.read_mark(stream).await
    }

    async fn add_counts(
        &self,
        stream: &str,
        seen: Option<u128>,
        through: u128,
        differences: &[(Direction, State, i64)],
    ) -> Result<bool, PortError> {
        self.count(stream, seen, through, differences).await
    }

    async fn dispatch(&self, id: MessageId, epoch: Epoch, at: Timestamp) -> Result<Applied, PortError> {
        self.to_the_wire(id, epoch, at).await
    }

    async fn attach(&self, id: MessageId, attached: &[u8]) -> Result<bool, PortError> {
        self.keep_attached(id, attached).await
    }

    async fn hold(&self, id: MessageId, until: Timestamp, code: &str, at: Timestamp) -> Result<Applied, PortError> {
        self.put_on_hold(id, until, code, at).await
    }

    async fn record(&self, id: MessageId, fact: Fact, at: Timestamp) -> Result<Applied, PortError> {
        self.learn(id, fact, at).await
    }

    async fn refuse(&self, id: MessageId, refusal: &Refusal, at: Timestamp) -> Result<Applied, PortError> {
        self.fail(id, refusal, at).await
    }

    async fn cancel(
        &self,
        id: MessageId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Cancelled, PortError> {
        self.take_back(id, idempotency, at).await
    }

    async fn refund_unknown(&self, id: MessageId, at: Timestamp) -> Result<bool, PortError> {
        self.give_up_waiting(id, at).await
    }

    async fn receive(&self, messages: &[Inbound]) -> Result<Vec<Reception>, PortError> {
        self.store_received(messages).await
    }

    async fn wrote_since(&self, device: DeviceId, phone: &PhoneNumber, since: Timestamp) -> Result<bool, PortError> {
        self.peer_wrote_since(device, phone, since).await
    }

    async fn open_turns(&self, device: DeviceId, now: Timestamp, limit: usize) -> Result<OpenTurns, PortError> {
        self.line(device, now, limit).await
    }

    async fn forget_turn(&self, device: DeviceId, turn: Turn) -> Result<(), PortError> {
        self.leave(device, turn).await
    }

    async fn unknown_messages(&self, device: DeviceId, limit: usize) -> Result<Vec<MessageId>, PortError> {
        self.unknown(device, limit).await
    }

    async fn devices(&self) -> Result<Vec<Device>, PortError> {
        self.own_devices().await
    }

    async fn device(&self, id: DeviceId) -> Result<Option<Device>, PortError> {
        self.own_device(id).await
    }

    async fn add_device(&self, device: &Device) -> Result<(), PortError> {
        self.store_device(device).await
    }

    async fn change_device(
        &self,
        id: DeviceId,
        change: &DeviceChange,
        epoch: Option<Epoch>,
    ) -> Result<Option<Device>, PortError> {
        self.change_own_device(id, change, epoch).await
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, PortError> {
        self.own_endpoints().await
    }

    async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>, PortError> {
        self.own_endpoint(id).await
    }

    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Endpoint>, PortError> {
        self.store_endpoint(endpoint, most, idempotency).await
    }

    async fn change_endpoint(
        &self,
        seen: &Endpoint,
        endpoint: &Endpoint,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<EndpointChange, PortError> {
        self.replace_endpoint(seen, endpoint, idempotency, at).await
    }

    async fn delete_endpoint(
        &self,
        id: EndpointId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        self.remove_endpoint(id, idempotency, at).await
    }

    async fn disable_endpoint(&self, id: EndpointId, reason: &str) -> Result<(), PortError> {
        self.switch_off_endpoint(id, reason).await
    }

    async fn add_delivery(&self, delivery: &Delivery) -> Result<bool, PortError> {
        self.store_delivery(delivery).await
    }

    async fn delivery(&self, endpoint: EndpointId, event: &EventId) -> Result<Option<Delivery>, PortError> {
        self.one_delivery(endpoint, event).await
    }

    async fn record_attempt(
        &self,
        delivery: &Delivery,
        made: usize,
        attempt: &Attempt,
        state: DeliveryState,
        due_at: Timestamp,
    ) -> Result<bool, PortError> {
        self.note_attempt(delivery, made, attempt, state, due_at).await
    }

    async fn claim_delivery(&self, delivery: &Delivery, due_at: Timestamp) -> Result<bool, PortError> {
        self.put_off(delivery, due_at).await
    }

    async fn received(
        &self,
        device: DeviceId,
        chat: &str,
        sender: &str,
        stanza: &StanzaId,
    ) -> Result<Option<MessageId>, PortError> {
        self.marked(device, chat, sender, stanza).await
    }
}
