//! One account's records in the small world.

#[path = "nouns.rs"]
mod nouns;

use std::sync::MutexGuard;

use async_trait::async_trait;
use hantar_domain::account::Account;
use hantar_domain::credits::Balance;
use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, CommandId, DeviceId, EndpointId, Epoch, MessageId, StanzaId, UserId};
use hantar_domain::message::{Direction, Fact, Message, State as MessageState, Step, Turn};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_domain::user::User;
use hantar_domain::webhook::{Endpoint, EventId};
use hantar_usecases::ports::{
    Acceptance, Accepted, AccountChange, Applied, Attempt, Bulks, Campaigns, Cancelled, Command, Commands, Consents,
    Contacts, Created, Deleted, Delivery, DeliveryState, DeviceChange, EndpointChange, Files, Idempotency, Inbound,
    Ledger, MessageFilter, MessagePage, OpenTurns, Outcome, People, PortError, Reception, Refusal, StateCounts,
    Templates, Tenant,
};

use super::world::{Books, State, World};

pub(crate) struct Records {
    pub(crate) world: World,
    pub(crate) account: AccountId,
}

impl Records {
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Books) -> T) -> Result<T, PortError> {
        let mut state: MutexGuard<'_, State> = self.world.in_order()?;
        Ok(act(state.books.get_mut(&self.account).unwrap()))
    }
}

/// What a key stands for: nothing yet, this number, or another request.
fn earlier(books: &Books, idempotency: Option<&Idempotency>) -> Option<Result<u64, ()>> {
    let wanted = idempotency?;
    let (request, number) = books.keys.get(&wanted.key)?;
    Some(if *request == wanted.request { Ok(*number) } else { Err(()) })
}

fn keep(books: &mut Books, idempotency: Option<&Idempotency>, number: u64) {
    if let Some(idempotency) = idempotency {
        books.keys.insert(idempotency.key, (idempotency.request, number));
    }
}

fn shows(filter: &MessageFilter, message: &Message) -> bool {
    filter.status.is_none_or(|status| status == message.state)
        && filter.device.is_none_or(|device| device == message.device)
        && filter.direction.is_none_or(|direction| direction == message.direction)
        && filter.phone.as_ref().is_none_or(|phone| message.phone.as_ref() == Some(phone))
        && filter.external_id.as_ref().is_none_or(|id| message.external_id.as_ref() == Some(id))
        && filter.from.is_none_or(|from| message.accepted_at >= from)
        && filter.to.is_none_or(|to| message.accepted_at < to)
}

/// These handlers accept, list, cancel and manage; hosts, the relay and the sweeps do the rest. One that comes here fails
/// its test.
pub(crate) fn no_handler_calls_this() -> ! {
    unreachable!("a handler did what is not its part")
}

#[async_trait]
impl Commands for Records {
    async fn put_command(&self, command: &Command) -> Result<(), PortError> {
        self.world.in_order()?.commands.insert((self.account, command.id), (command.clone(), None));
        Ok(())
    }

    async fn take_command(&self, _: DeviceId, _: CommandId, _: Epoch) -> Result<Option<Command>, PortError> {
        no_handler_calls_this()
    }

    async fn answer_command(&self, _: CommandId, _: Epoch, _: &Outcome) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn answer_of(&self, id: CommandId) -> Result<Option<Outcome>, PortError> {
        let state = self.world.in_order()?;
        Ok(state.commands.get(&(self.account, id)).and_then(|(_, answer)| answer.clone()))
    }
}

#[async_trait]
impl Tenant for Records {
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
        no_handler_calls_this()
    }

    fn campaigns(&self) -> &dyn Campaigns {
        no_handler_calls_this()
    }

    fn files(&self) -> &dyn Files {
        no_handler_calls_this()
    }

    fn ledger(&self) -> &dyn Ledger {
        no_handler_calls_this()
    }

    fn people(&self) -> &dyn People {
        self
    }

    async fn account(&self) -> Result<Option<Account>, PortError> {
        self.with(|books| Some(books.account.clone()))
    }

    async fn change_account(
        &self,
        _: &AccountChange,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn wrapped_key(&self) -> Result<Option<Vec<u8>>, PortError> {
        Ok(Some(vec![7; 32]))
    }

    /// Also while the tables are busy: the gates are passed, and the handlers find out.
    async fn user(&self, id: UserId) -> Result<Option<User>, PortError> {
        let state = self.world.state();
        Ok(state.books[&self.account].users.iter().find(|user| user.id == id).cloned())
    }

    async fn sending_from(
        &self,
        device: Option<DeviceId>,
        sender: Option<UserId>,
    ) -> Result<(Option<Account>, Option<Device>, Option<User>), PortError> {
        self.with(|books| {
            let wanted = |one: &&Device| device.map_or(one.is_default, |id| one.id == id);
            let device = books.devices.values().find(wanted).cloned();
            let sender = books.users.iter().find(|user| Some(user.id) == sender).cloned();
            (Some(books.account.clone()), device, sender)
        })
    }

    async fn balance(&self) -> Result<Balance, PortError> {
        self.with(|books| books.balance)
    }

    async fn grant(&self, _: i64, _: &str, _: Timestamp) -> Result<Balance, PortError> {
        no_handler_calls_this()
    }

    async fn accept(&self, acceptance: &Acceptance) -> Result<Accepted, PortError> {
        let message = &acceptance.message;
        self.with(|books| match earlier(books, acceptance.idempotency.as_ref()) {
            Some(Err(())) => Accepted::KeyReused,
            Some(Ok(number)) => Accepted::Replayed(Box::new(books.messages[&MessageId(number)].clone())),
            None => match books.balance.charge(message.credits) {
                None => Accepted::Refused { balance: books.balance.available },
                Some(balance) => {
                    books.balance = balance;
                    books.messages.insert(message.id, message.clone());
                    keep(books, acceptance.idempotency.as_ref(), message.id.0);
                    Accepted::Stored
                }
            },
        })
    }

    async fn accepted_before(&self, idempotency: &Idempotency, _: Timestamp) -> Result<Option<Message>, PortError> {
        self.with(|books| {
            let number = earlier(books, Some(idempotency))?.ok()?;
            books.messages.get(&MessageId(number)).cloned()
        })
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, PortError> {
        self.with(|books| books.messages.get(&id).cloned())
    }

    async fn messages(&self, _: &[MessageId]) -> Result<Vec<Message>, PortError> {
        no_handler_calls_this()
    }

    async fn list_messages(
        &self,
        filter: &MessageFilter,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<MessagePage, PortError> {
        let look = self.world.state().looked_at;
        self.with(|books| {
            let end = before.unwrap_or(MessageId(u64::MAX));
            let (mut messages, mut last) = (vec![], None);
            for (seen, message) in books.messages.range(..end).rev().map(|(_, message)| message).enumerate() {
                if messages.len() == limit || seen == look {
                    return MessagePage { messages, older: last };
                }
                if shows(filter, message) {
                    messages.push(message.clone());
                }
                last = Some(message.id);
            }
            MessagePage { messages, older: None }
        })
    }

    async fn state_counts(&self) -> Result<StateCounts, PortError> {
        self.with(|books| {
            let mut counts = StateCounts::default();
            for message in books.messages.values() {
                match message.direction {
                    Direction::Inbound => counts.inbound += 1,
                    Direction::Outbound => *counts.outbound.entry(message.state).or_default() += 1,
                }
            }
            counts
        })
    }

    async fn counted_through(&self, _: &str) -> Result<Option<u128>, PortError> {
        no_handler_calls_this()
    }

    async fn add_counts(
        &self,
        _: &str,
        _: Option<u128>,
        _: u128,
        _: &[(Direction, MessageState, i64)],
    ) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn dispatch(&self, _: MessageId, _: Epoch, _: Timestamp) -> Result<Applied, PortError> {
        no_handler_calls_this()
    }

    async fn attach(&self, _: MessageId, _: &[u8]) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn hold(&self, _: MessageId, _: Timestamp, _: &str, _: Timestamp) -> Result<Applied, PortError> {
        no_handler_calls_this()
    }

    async fn record(&self, _: MessageId, _: Fact, _: Timestamp) -> Result<Applied, PortError> {
        no_handler_calls_this()
    }

    async fn refuse(&self, _: MessageId, _: &Refusal, _: Timestamp) -> Result<Applied, PortError> {
        no_handler_calls_this()
    }

    async fn cancel(
        &self,
        id: MessageId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Cancelled, PortError> {
        self.with(|books| match earlier(books, idempotency) {
            Some(Err(())) => Cancelled::KeyReused,
            Some(Ok(number)) => Cancelled::Done(Box::new(books.messages[&MessageId(number)].clone())),
            None => {
                let Some(message) = books.messages.get_mut(&id) else { return Cancelled::Missing };
                let Some(state) = Fact::Cancelled.applied_to(message.state) else {
                    return Cancelled::TooLate(Box::new(message.clone()));
                };
                message.state = state;
                message.updated_at = at;
                message.refunded = true;
                message.history.push(Step { state, at, code: None });
                books.balance = books.balance.refund(message.credits);
                let done = Box::new(message.clone());
                keep(books, idempotency, id.0);
                Cancelled::Done(done)
            }
        })
    }

    async fn refund_unknown(&self, _: MessageId, _: Timestamp) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn receive(&self, _: &[Inbound]) -> Result<Vec<Reception>, PortError> {
        no_handler_calls_this()
    }

    async fn wrote_since(&self, _: DeviceId, _: &PhoneNumber, _: Timestamp) -> Result<bool, PortError> {
        Ok(false)
    }

    async fn open_turns(&self, _: DeviceId, _: Timestamp, _: usize) -> Result<OpenTurns, PortError> {
        no_handler_calls_this()
    }

    async fn forget_turn(&self, _: DeviceId, _: Turn) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn unknown_messages(&self, _: DeviceId, _: usize) -> Result<Vec<MessageId>, PortError> {
        no_handler_calls_this()
    }

    async fn devices(&self) -> Result<Vec<Device>, PortError> {
        self.with(|books| books.devices.values().cloned().collect())
    }

    async fn device(&self, id: DeviceId) -> Result<Option<Device>, PortError> {
        self.with(|books| books.devices.get(&id).cloned())
    }

    async fn add_device(&self, _: &Device) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn change_device(
        &self,
        id: DeviceId,
        change: &DeviceChange,
        _: Option<Epoch>,
    ) -> Result<Option<Device>, PortError> {
        let DeviceChange::PairingWanted(until) = change else { no_handler_calls_this() };
        self.with(|books| {
            let device = books.devices.get_mut(&id)?;
            device.pairing_wanted_until = Some(*until);
            Some(device.clone())
        })
    }

    async fn endpoints(&self) -> Result<Vec<Endpoint>, PortError> {
        self.with(|books| books.endpoints.values().cloned().collect())
    }

    async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>, PortError> {
        self.with(|books| books.endpoints.get(&id).cloned())
    }

    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Endpoint>, PortError> {
        self.with(|books| match earlier(books, idempotency) {
            Some(Err(())) => Created::KeyReused,
            Some(Ok(number)) => {
                let earlier = books.endpoints.get(&EndpointId(number)).cloned();
                earlier.map_or(Created::KeyReused, |earlier| Created::Replayed(Box::new(earlier)))
            }
            None if books.endpoints.len() >= most => Created::Full,
            None => {
                books.endpoints.insert(endpoint.id, endpoint.clone());
                keep(books, idempotency, endpoint.id.0);
                Created::New
            }
        })
    }

    async fn change_endpoint(
        &self,
        seen: &Endpoint,
        endpoint: &Endpoint,
        idempotency: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<EndpointChange, PortError> {
        self.with(|books| match earlier(books, idempotency) {
            Some(Err(())) => EndpointChange::KeyReused,
            Some(Ok(_)) => EndpointChange::Before,
            None => match books.endpoints.get(&endpoint.id) {
                None => EndpointChange::Missing,
                Some(there) if there != seen => EndpointChange::Moved,
                Some(_) => {
                    books.endpoints.insert(endpoint.id, endpoint.clone());
                    keep(books, idempotency, endpoint.id.0);
                    EndpointChange::Done
                }
            },
        })
    }

    async fn delete_endpoint(
        &self,
        id: EndpointId,
        idempotency: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Deleted, PortError> {
        self.with(|books| match earlier(books, idempotency) {
            Some(Err(())) => Deleted::KeyReused,
            Some(Ok(_)) => Deleted::Done,
            None if books.endpoints.remove(&id).is_none() => Deleted::Missing,
            None => {
                keep(books, idempotency, id.0);
                Deleted::Done
            }
        })
    }

    async fn disable_endpoint(&self, _: EndpointId, _: &str) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn add_delivery(&self, _: &Delivery) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn delivery(&self, _: EndpointId, _: &EventId) -> Result<Option<Delivery>, PortError> {
        no_handler_calls_this()
    }

    async fn record_attempt(
        &self,
        _: &Delivery,
        _: usize,
        _: &Attempt,
        _: DeliveryState,
        _: Timestamp,
    ) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn claim_delivery(&self, _: &Delivery, _: Timestamp) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn received(&self, _: DeviceId, _: &str, _: &str, _: &StanzaId) -> Result<Option<MessageId>, PortError> {
        no_handler_calls_this()
    }
}
