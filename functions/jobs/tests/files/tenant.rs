//! The account's records, as far as files have to do with them.

use async_trait::async_trait;
use hantar_domain::account::Account;
use hantar_domain::credits::Balance;
use hantar_domain::device::Device;
use hantar_domain::ids::*;
use hantar_domain::message::{Direction, Fact, Message, State, Turn};
use hantar_domain::phone::{PhoneNumber, Region};
use hantar_domain::time::Timestamp;
use hantar_domain::user::User;
use hantar_domain::webhook::{Endpoint, EventId};
use hantar_domain::zone::Zone;
use hantar_usecases::ports::*;

use crate::office::{ACCOUNT, Office, nobody_asks_this};

#[async_trait]
impl Tenant for Office {
    fn contacts(&self) -> &dyn Contacts {
        self
    }

    fn files(&self) -> &dyn Files {
        self
    }

    async fn account(&self) -> Result<Option<Account>, PortError> {
        let regions = vec![Region::MALAYSIA];
        Ok(Some(Account {
            id: ACCOUNT,
            name: "Kedai".into(),
            regions,
            time_zone: Zone::default(),
            created_at: Timestamp(0),
        }))
    }

    fn consents(&self) -> &dyn Consents {
        nobody_asks_this()
    }

    fn templates(&self) -> &dyn Templates {
        nobody_asks_this()
    }

    fn bulks(&self) -> &dyn Bulks {
        nobody_asks_this()
    }

    fn campaigns(&self) -> &dyn Campaigns {
        nobody_asks_this()
    }

    fn ledger(&self) -> &dyn Ledger {
        nobody_asks_this()
    }

    fn people(&self) -> &dyn People {
        nobody_asks_this()
    }

    async fn change_account(
        &self,
        _: &AccountChange,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn accepted_before(&self, _: &Idempotency, _: Timestamp) -> Result<Option<Message>, PortError> {
        nobody_asks_this()
    }

    async fn wrapped_key(&self) -> Result<Option<Vec<u8>>, PortError> {
        nobody_asks_this()
    }

    async fn user(&self, _: UserId) -> Result<Option<User>, PortError> {
        nobody_asks_this()
    }

    async fn sending_from(
        &self,
        _: Option<DeviceId>,
        _: Option<UserId>,
    ) -> Result<(Option<Account>, Option<Device>, Option<User>), PortError> {
        nobody_asks_this()
    }

    async fn balance(&self) -> Result<Balance, PortError> {
        nobody_asks_this()
    }

    async fn grant(&self, _: i64, _: &str, _: Timestamp) -> Result<Balance, PortError> {
        nobody_asks_this()
    }

    async fn accept(&self, _: &Acceptance) -> Result<Accepted, PortError> {
        nobody_asks_this()
    }

    async fn message(&self, _: MessageId) -> Result<Option<Message>, PortError> {
        nobody_asks_this()
    }

    async fn messages(&self, _: &[MessageId]) -> Result<Vec<Message>, PortError> {
        nobody_asks_this()
    }

    async fn list_messages(&self, _: &MessageFilter, _: Option<MessageId>, _: usize) -> Result<MessagePage, PortError> {
        nobody_asks_this()
    }

    async fn state_counts(&self) -> Result<StateCounts, PortError> {
        nobody_asks_this()
    }

    async fn counted_through(&self, _: &str) -> Result<Option<u128>, PortError> {
        nobody_asks_this()
    }

    async fn add_counts(
        &self,
        _: &str,
        _: Option<u128>,
        _: u128,
        _: &[(Direction, State, i64)],
    ) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn dispatch(&self, _: MessageId, _: Epoch, _: Timestamp) -> Result<Applied, PortError> {
        nobody_asks_this()
    }

    async fn attach(&self, _: MessageId, _: &[u8]) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn hold(&self, _: MessageId, _: Timestamp, _: &str, _: Timestamp) -> Result<Applied, PortError> {
        nobody_asks_this()
    }

    async fn record(&self, _: MessageId, _: Fact, _: Timestamp) -> Result<Applied, PortError> {
        nobody_asks_this()
    }

    async fn refuse(&self, _: MessageId, _: &Refusal, _: Timestamp) -> Result<Applied, PortError> {
        nobody_asks_this()
    }

    async fn cancel(&self, _: MessageId, _: Option<&Idempotency>, _: Timestamp) -> Result<Cancelled, PortError> {
        nobody_asks_this()
    }

    async fn refund_unknown(&self, _: MessageId, _: Timestamp) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn receive(&self, _: &[Inbound]) -> Result<Vec<Reception>, PortError> {
        nobody_asks_this()
    }

    async fn wrote_since(&self, _: DeviceId, _: &PhoneNumber, _: Timestamp) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn open_turns(&self, _: DeviceId, _: Timestamp, _: usize) -> Result<OpenTurns, PortError> {
        nobody_asks_this()
    }

    async fn forget_turn(&self, _: DeviceId, _: Turn) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn unknown_messages(&self, _: DeviceId, _: usize) -> Result<Vec<MessageId>, PortError> {
        nobody_asks_this()
    }

    async fn devices(&self) -> Result<Vec<Device>, PortError> {
        nobody_asks_this()
    }

    async fn device(&self, _: DeviceId) -> Result<Option<Device>, PortError> {
        nobody_asks_this()
    }

    async fn add_device(&self, _: &Device) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn change_device(
        &self,
        _: DeviceId,
        _: &DeviceChange,
        _: Option<Epoch>,
    ) -> Result<Option<Device>, PortError> {
        nobody_asks_this()
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, PortError> {
        nobody_asks_this()
    }

    async fn endpoint(&self, _: EndpointId) -> Result<Option<Endpoint>, PortError> {
        nobody_asks_this()
    }

    async fn add_endpoint(
        &self,
        _: &Endpoint,
        _: usize,
        _: Option<&Idempotency>,
    ) -> Result<Created<Endpoint>, PortError> {
        nobody_asks_this()
    }

    async fn change_endpoint(
        &self,
        _: &Endpoint,
        _: &Endpoint,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<EndpointChange, PortError> {
        nobody_asks_this()
    }

    async fn delete_endpoint(
        &self,
        _: EndpointId,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Deleted, PortError> {
        nobody_asks_this()
    }

    async fn disable_endpoint(&self, _: EndpointId, _: &str) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn add_delivery(&self, _: &Delivery) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn delivery(&self, _: EndpointId, _: &EventId) -> Result<Option<Delivery>, PortError> {
        nobody_asks_this()
    }

    async fn record_attempt(
        &self,
        _: &Delivery,
        _: usize,
        _: &Attempt,
        _: DeliveryState,
        _: Timestamp,
    ) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn claim_delivery(&self, _: &Delivery, _: Timestamp) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn received(&self, _: DeviceId, _: &str, _: &str, _: &StanzaId) -> Result<Option<MessageId>, PortError> {
        nobody_asks_this()
    }
}
