//! People of an account, and what they did: every method leads to the file of its noun.

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

use crate::account::read_user;
use crate::items::{Fields, Item, text};
use crate::places::{Place, Table, USER, of_account};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal};
use crate::writing::Write;

/// How many people are listed.
const LISTED: usize = 1_000;
/// What an idempotency key of a removed person stands for.
const KIND: &str = "us";

impl TenantStore {
    async fn own_users(&self) -> Result<Vec<User>, PortError> {
        let query = Query::beginning(Table::Business, of_account(self.account), USER);
        let read = |item: &Item| {
            let id = Fields(item).word("sk", |sk| sk.strip_prefix(USER)?.parse().ok())?;
            read_user(self.account, id, item)
        };
        self.store.first(&query, LISTED).await?.iter().map(read).collect()
    }

    fn set_role(&self, user: UserId, role: Role) -> Write {
        Write::update(&Place::user(self.account, user), "SET ro = :ro").with(":ro", text(role.word()))
    }

    async fn set_own_role(&self, user: UserId, seen: Role, role: Role, keep: Option<&Keep>) -> Result<bool, PortError> {
        if seen == Role::Owner || role == Role::Owner {
            return Ok(false);
        }
        let change = self.set_role(user, role).when("ro = :seen").with(":seen", text(seen.word()));
        let Committed::Refused(refusals) = self.write_keeping([change], keep).await? else { return Ok(true) };
        match refusals.first() {
            Some(Refusal::Condition(Some(item))) => Ok(Fields(item).maybe_word("ro", Role::from_word)? == Some(role)),
            _ => Ok(false),
        }
    }

    async fn give_away(&self, from: UserId, to: UserId, keep: Option<&Keep>) -> Result<bool, PortError> {
        let owner = text(Role::Owner.word());
        let writes = [
            self.set_role(from, Role::Admin).when("ro = :seen").with(":seen", owner.clone()),
            self.set_role(to, Role::Owner).when("attribute_exists(pk) AND ro <> :seen").with(":seen", owner),
        ];
        if matches!(self.write_keeping(writes, keep).await?, Committed::Done) {
            return Ok(true);
        }
        let role = async |user| Ok::<_, PortError>(self.own_user(user).await?.map(|user| user.role));
        Ok(role(from).await? == Some(Role::Admin) && role(to).await? == Some(Role::Owner))
    }

    async fn remove_person(
        &self,
        id: UserId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        let Some(user) = self.own_user(id).await? else {
            return Ok(self.deleted_before(idempotency, at).await?.unwrap_or(Deleted::Missing));
        };
        let person = Write::delete(&Place::user(self.account, id)).when("attribute_exists(pk) AND ro <> :owner");
        let writes = vec![
            person.with(":owner", text(Role::Owner.word())),
            Write::delete(&Place::email(&user.email)),
            Write::delete(&Place::login(self.account, id)),
        ];
        let deleted = self.delete_once(writes, KIND, id.0, idempotency, at).await?;
        if deleted == Deleted::Done {
            // Nobody is let in by them any more; they only stand in the list still.
            for token in self.own_tokens().await?.into_iter().filter(|token| token.user == id) {
                self.remove_token(token.id, None, None, at).await?;
            }
        }
        Ok(deleted)
    }
}

#[async_trait]
impl People for TenantStore {
    async fn users(&self) -> Result<Vec<User>, PortError> {
        self.own_users().await
    }

    async fn login(&self, user: UserId) -> Result<Option<Login>, PortError> {
        self.own_login(user).await
    }

    async fn stands_for(&self, key: &Idempotency, at: Timestamp) -> Result<Stands, PortError> {
        self.key_stands_for(key, at).await
    }

    async fn keep(&self, keep: &Keep) -> Result<(), PortError> {
        self.keep_key(keep).await
    }

    async fn set_password(&self, user: UserId, password: &NewPassword, keep: Option<&Keep>) -> Result<bool, PortError> {
        self.store_password(user, password, keep).await
    }

    async fn verify_email(&self, user: UserId, at: Timestamp) -> Result<(), PortError> {
        self.note_verified(user, at).await
    }

    async fn want_second_factor(&self, user: UserId, sealed: &[u8], keep: Option<&Keep>) -> Result<bool, PortError> {
        self.want_factor(user, sealed, keep).await
    }

    async fn confirm_second_factor(
        &self,
        user: UserId,
        sealed: &[u8],
        step: u64,
        recovery: &[[u8; 32]],
        keep: Option<&Keep>,
    ) -> Result<bool, PortError> {
        self.confirm_factor(user, sealed, step, recovery, keep).await
    }

    async fn drop_second_factor(&self, user: UserId, keep: Option<&Keep>) -> Result<bool, PortError> {
        self.drop_factor(user, keep).await
    }

    async fn use_step(&self, user: UserId, step: u64) -> Result<bool, PortError> {
        self.use_up_step(user, step).await
    }

    async fn change_recovery(
        &self,
        user: UserId,
        seen: &[[u8; 32]],
        recovery: &[[u8; 32]],
        keep: Option<&Keep>,
    ) -> Result<bool, PortError> {
        self.swap_recovery(user, seen, recovery, keep).await
    }

    async fn change_role(&self, user: UserId, seen: Role, role: Role, keep: Option<&Keep>) -> Result<bool, PortError> {
        self.set_own_role(user, seen, role, keep).await
    }

    async fn hand_over(&self, from: UserId, to: UserId, keep: Option<&Keep>) -> Result<bool, PortError> {
        self.give_away(from, to, keep).await
    }

    async fn remove_user(
        &self,
        user: UserId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        self.remove_person(user, idempotency, at).await
    }

    async fn invitations(&self) -> Result<Vec<Invitation>, PortError> {
        self.own_invitations().await
    }

    async fn invitation(&self, id: InvitationId) -> Result<Option<Invitation>, PortError> {
        self.own_invitation(id).await
    }

    async fn add_invitation(
        &self,
        invitation: &Invitation,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Invitation>, PortError> {
        self.store_invitation(invitation, most, idempotency).await
    }

    async fn delete_invitation(
        &self,
        id: InvitationId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        self.remove_invitation(id, idempotency, at).await
    }

    async fn accept_invitation(&self, id: InvitationId, user: &User, password: &str) -> Result<Joined, PortError> {
        self.join(id, user, password).await
    }

    async fn tokens(&self) -> Result<Vec<Token>, PortError> {
        self.own_tokens().await
    }

    async fn add_token(
        &self,
        token: &Token,
        hash: &TokenHash,
        most: usize,
        idempotency: Option<(&Idempotency, &[u8])>,
    ) -> Result<Created<SealedToken>, PortError> {
        self.store_own_token(token, hash, most, idempotency).await
    }

    async fn delete_token(
        &self,
        id: TokenId,
        owner: Option<UserId>,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        self.remove_token(id, owner, idempotency, at).await
    }

    async fn begin_audit(&self, entry: &AuditEntry) -> Result<AuditId, PortError> {
        self.put_audit(entry).await
    }

    async fn end_audit(&self, id: AuditId, status: u16) -> Result<(), PortError> {
        self.note_outcome(id, status).await
    }

    async fn audit(&self, before: Option<AuditId>, limit: usize) -> Result<Vec<AuditEntry>, PortError> {
        self.own_audit(before, limit).await
    }

    async fn closing(&self) -> Result<Option<Closing>, PortError> {
        self.own_closing().await
    }

    async fn close(&self, closing: &Closing, key: Option<&Idempotency>) -> Result<Closing, PortError> {
        self.note_closing(closing, key).await
    }

    async fn reopen(&self, keep: Option<&Keep>) -> Result<bool, PortError> {
        self.take_closing_back(keep).await
    }

    async fn begin_erasing(&self, at: Timestamp) -> Result<Option<Timestamp>, PortError> {
        self.begin_end(at).await
    }

    async fn shut_out(&self) -> Result<(), PortError> {
        self.let_nobody_in().await
    }

    async fn erase_some(&self, most: usize) -> Result<bool, PortError> {
        self.delete_some(most).await
    }

    async fn erase_account(&self) -> Result<(), PortError> {
        self.delete_itself().await
    }
}
