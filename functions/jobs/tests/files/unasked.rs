//! What the steps of imports and exports never ask for, though it belongs to an account.

use async_trait::async_trait;
use hantar_domain::contact::Group;
use hantar_domain::erasure::Erasure;
use hantar_domain::ids::*;
use hantar_domain::message::Message;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::*;

use crate::office::{Office, nobody_asks_this};

#[async_trait]
impl Groups for Office {
    async fn groups(&self) -> Result<Vec<Group>, PortError> {
        nobody_asks_this()
    }

    async fn group(&self, _: GroupId) -> Result<Option<Group>, PortError> {
        nobody_asks_this()
    }

    async fn add_group(&self, _: &Group, _: usize, _: Option<&Idempotency>) -> Result<Named, PortError> {
        nobody_asks_this()
    }

    async fn rename_group(
        &self,
        _: GroupId,
        _: &str,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Named, PortError> {
        nobody_asks_this()
    }

    async fn delete_group(&self, _: GroupId, _: Option<&Idempotency>, _: Timestamp) -> Result<Deleted, PortError> {
        nobody_asks_this()
    }

    async fn move_contacts(
        &self,
        _: GroupId,
        _: &[ContactId],
        _: bool,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Moved, PortError> {
        nobody_asks_this()
    }

    async fn clear_group(&self, _: GroupId, _: Timestamp) -> Result<bool, PortError> {
        nobody_asks_this()
    }
}

#[async_trait]
impl Erasures for Office {
    async fn erasure_under(&self, _: &Idempotency, _: Timestamp) -> Result<Option<Created<Erasure>>, PortError> {
        nobody_asks_this()
    }

    async fn add_erasure(
        &self,
        _: &Erasure,
        _: &PhoneNumber,
        _: Option<&Idempotency>,
    ) -> Result<Created<Erasure>, PortError> {
        nobody_asks_this()
    }

    async fn erasure(&self, _: ErasureId) -> Result<Option<Erasure>, PortError> {
        nobody_asks_this()
    }

    async fn erasures(&self, _: Option<ErasureId>, _: usize) -> Result<Vec<Erasure>, PortError> {
        nobody_asks_this()
    }

    async fn erasing(&self, _: ErasureId) -> Result<Option<Erasing>, PortError> {
        nobody_asks_this()
    }

    async fn note_erasing(&self, _: &Erasing) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn messages_of_person(
        &self,
        _: &PhoneNumber,
        _: ErasureId,
        _: Option<MessageId>,
    ) -> Result<PersonMessages, PortError> {
        nobody_asks_this()
    }

    async fn blank_message(&self, _: &Message, _: ErasureId) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn forget_peer(&self, _: &PhoneNumber) -> Result<(), PortError> {
        nobody_asks_this()
    }
}

#[async_trait]
impl Commands for Office {
    async fn put_command(&self, _: &Command) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn take_command(&self, _: DeviceId, _: CommandId, _: Epoch) -> Result<Option<Command>, PortError> {
        nobody_asks_this()
    }

    async fn answer_command(&self, _: CommandId, _: Epoch, _: &Outcome) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn answer_of(&self, _: CommandId) -> Result<Option<Outcome>, PortError> {
        nobody_asks_this()
    }
}
