//! Invitations into an account, from their making to their end.

use hantar_domain::ids::InvitationId;
use hantar_domain::invitation::Invitation;
use hantar_domain::time::Timestamp;
use hantar_domain::user::{Email, Role, User};
use hantar_usecases::ports::{Created, Deleted, Idempotency, Joined, PortError};

use crate::account::{email_item, user_item};
use crate::fleet::leads_to;
use crate::idempotency::stands_for;
use crate::items::{Fields, Item, NewItem, number, text, time};
use crate::login;
use crate::places::{INVITATION, Place, Table, of_account};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::Write;

/// What an idempotency key of one stands for.
const KIND: &str = "iv";
/// How many are listed: more than an account may have.
const LISTED: usize = 1_000;

fn read(item: &Item) -> Result<Invitation, PortError> {
    let fields = Fields(item);
    Ok(Invitation {
        id: fields.word("sk", |sk| sk.strip_prefix(INVITATION)?.parse().ok())?,
        email: fields.word("em", |email| Email::parse(email).ok())?,
        role: fields.word("ro", Role::from_word)?,
        by: fields.number("us")?,
        created_at: fields.time("t")?,
        expires_at: fields.time("ex")?,
    })
}

impl TenantStore {
    fn invitation_item(&self, invitation: &Invitation) -> Item {
        NewItem::at(&Place::invitation(self.account, invitation.id))
            .with("em", text(invitation.email.as_str()))
            .with("ro", text(invitation.role.word()))
            .with("us", number(invitation.by))
            .with("t", time(invitation.created_at))
            .with("ex", time(invitation.expires_at))
            .done()
    }

    pub(crate) async fn own_invitations(&self) -> Result<Vec<Invitation>, PortError> {
        let query = Query::beginning(Table::Business, of_account(self.account), INVITATION);
        self.store.first(&query, LISTED).await?.iter().map(read).collect()
    }

    pub(crate) async fn own_invitation(&self, id: InvitationId) -> Result<Option<Invitation>, PortError> {
        self.store.get(&Place::invitation(self.account, id)).await?.as_ref().map(read).transpose()
    }

    pub(crate) async fn store_invitation(
        &self,
        invitation: &Invitation,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Invitation>, PortError> {
        let now = invitation.created_at;
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, now).await?
        {
            return self.invitation_again(&taken, wanted).await;
        }
        if self.clear_ended(now).await? >= most {
            return Ok(Created::Full);
        }
        let place = Place::invitation(self.account, invitation.id);
        let put = Write::put(&place, self.invitation_item(invitation)).if_new();
        let key = idempotency.map(|key| self.put_key(key, KIND, invitation.id.0, now));
        let writes = [Some(put), key].into_iter().flatten();
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let Committed::Refused(refusals) = self.store.transact(&transaction).await? else { return Ok(Created::New) };
        match (refusals.into_iter().nth(1), idempotency) {
            (Some(Refusal::Condition(Some(taken))), Some(wanted)) => self.invitation_again(&taken, wanted).await,
            _ => Err(PortError::Corrupt(format!("invitation number {} is taken", invitation.id))),
        }
    }

    async fn invitation_again(&self, taken: &Item, wanted: &Idempotency) -> Result<Created<Invitation>, PortError> {
        let Some(id) = stands_for(taken, wanted, KIND)? else { return Ok(Created::KeyReused) };
        let earlier = self.own_invitation(InvitationId(id)).await?;
        Ok(earlier.map_or(Created::KeyReused, |earlier| Created::Replayed(Box::new(earlier))))
    }

    /// Deletes those that have ended, and answers how many others there are.
    async fn clear_ended(&self, now: Timestamp) -> Result<usize, PortError> {
        let (ended, open): (Vec<_>, Vec<_>) =
            self.own_invitations().await?.into_iter().partition(|invitation| invitation.expires_at <= now);
        for invitation in ended {
            self.store.write(Write::delete(&Place::invitation(self.account, invitation.id))).await?;
        }
        Ok(open.len())
    }

    pub(crate) async fn remove_invitation(
        &self,
        id: InvitationId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        let delete = Write::delete(&Place::invitation(self.account, id)).when("attribute_exists(pk)");
        self.delete_once(vec![delete], KIND, id.0, idempotency, at).await
    }

    pub(crate) async fn join(&self, id: InvitationId, user: &User, password: &str) -> Result<Joined, PortError> {
        let writes = [
            Write::put(&Place::email(&user.email), email_item(user)).if_new(),
            Write::delete(&Place::invitation(self.account, id)).when("attribute_exists(pk)"),
            Write::put(&Place::user(self.account, user.id), user_item(user)).if_new(),
            login::first(self.account, user.id, password),
        ];
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let Committed::Refused(refusals) = self.store.transact(&transaction).await? else { return Ok(Joined::Done) };
        match refusals.into_iter().next() {
            Some(Refusal::Condition(item)) if leads_to(item.as_ref(), user)? => Ok(Joined::Done),
            Some(Refusal::Condition(_)) => Ok(Joined::Taken),
            _ => Ok(Joined::Gone),
        }
    }
}
