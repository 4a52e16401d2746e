//! An account's people in the small world: the audit log alone. The routes about people are asked over the real store
//! (`tests/acts`).

use async_trait::async_trait;
use hantar_domain::audit::AuditEntry;
use hantar_domain::ids::{AuditId, InvitationId, TokenId, UserId};
use hantar_domain::invitation::Invitation;
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Token, TokenHash};
use hantar_domain::user::{Role, User};
use hantar_usecases::ports::{
    Closing, Created, Deleted, Idempotency, Joined, Keep, Login, NewPassword, People, PortError, SealedToken, Stands,
};

use super::tenant::{Records, no_handler_calls_this};

#[async_trait]
impl People for Records {
    async fn begin_audit(&self, entry: &AuditEntry) -> Result<AuditId, PortError> {
        self.with(|books| {
            books.audit.push((entry.action.clone(), entry.status));
            AuditId(books.audit.len() as u64)
        })
    }

    async fn end_audit(&self, id: AuditId, status: u16) -> Result<(), PortError> {
        self.with(|books| books.audit[usize::try_from(id.0).unwrap() - 1].1 = Some(status))
    }

    async fn users(&self) -> Result<Vec<User>, PortError> {
        no_handler_calls_this()
    }

    async fn login(&self, _: UserId) -> Result<Option<Login>, PortError> {
        no_handler_calls_this()
    }

    async fn stands_for(&self, _: &Idempotency, _: Timestamp) -> Result<Stands, PortError> {
        no_handler_calls_this()
    }

    async fn keep(&self, _: &Keep) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn set_password(&self, _: UserId, _: &NewPassword, _: Option<&Keep>) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn verify_email(&self, _: UserId, _: Timestamp) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn want_second_factor(&self, _: UserId, _: &[u8], _: Option<&Keep>) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn confirm_second_factor(
        &self,
        _: UserId,
        _: &[u8],
        _: u64,
        _: &[[u8; 32]],
        _: Option<&Keep>,
    ) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn drop_second_factor(&self, _: UserId, _: Option<&Keep>) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn use_step(&self, _: UserId, _: u64) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn change_recovery(
        &self,
        _: UserId,
        _: &[[u8; 32]],
        _: &[[u8; 32]],
        _: Option<&Keep>,
    ) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn change_role(&self, _: UserId, _: Role, _: Role, _: Option<&Keep>) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn hand_over(&self, _: UserId, _: UserId, _: Option<&Keep>) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn remove_user(&self, _: UserId, _: Option<&Idempotency>, _: Timestamp) -> Result<Deleted, PortError> {
        no_handler_calls_this()
    }

    async fn invitations(&self) -> Result<Vec<Invitation>, PortError> {
        no_handler_calls_this()
    }

    async fn invitation(&self, _: InvitationId) -> Result<Option<Invitation>, PortError> {
        no_handler_calls_this()
    }

    async fn add_invitation(
        &self,
        _: &Invitation,
        _: usize,
        _: Option<&Idempotency>,
    ) -> Result<Created<Invitation>, PortError> {
        no_handler_calls_this()
    }

    async fn delete_invitation(
        &self,
        _: InvitationId,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Deleted, PortError> {
        no_handler_calls_this()
    }

    async fn accept_invitation(&self, _: InvitationId, _: &User, _: &str) -> Result<Joined, PortError> {
        no_handler_calls_this()
    }

    async fn tokens(&self) -> Result<Vec<Token>, PortError> {
        no_handler_calls_this()
    }

    async fn add_token(
        &self,
        _: &Token,
        _: &TokenHash,
        _: usize,
        _: Option<(&Idempotency, &[u8])>,
    ) -> Result<Created<SealedToken>, PortError> {
        no_handler_calls_this()
    }

    async fn delete_token(
        &self,
        _: TokenId,
        _: Option<UserId>,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Deleted, PortError> {
        no_handler_calls_this()
    }

    async fn audit(&self, _: Option<AuditId>, _: usize) -> Result<Vec<AuditEntry>, PortError> {
        no_handler_calls_this()
    }

    async fn closing(&self) -> Result<Option<Closing>, PortError> {
        no_handler_calls_this()
    }

    async fn close(&self, _: &Closing, _: Option<&Idempotency>) -> Result<Closing, PortError> {
        no_handler_calls_this()
    }

    async fn reopen(&self, _: Option<&Keep>) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn begin_erasing(&self, _: Timestamp) -> Result<Option<Timestamp>, PortError> {
        no_handler_calls_this()
    }

    async fn shut_out(&self) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn erase_some(&self, _: usize) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn erase_account(&self) -> Result<(), PortError> {
        no_handler_calls_this()
    }
}
