//! What belongs to no tenant: founding accounts, numbers, look-ups that lead to an account, due deliveries.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use hantar_domain::ids::{AccountId, DeviceId, Shard, UserId};
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Token, TokenHash};
use hantar_domain::user::{Email, User};
use hantar_domain::webhook::EventId;
use hantar_usecases::ports::{
    DueDelivery, DueWork, Fleet, FoundVersion, Founding, Link, PortError, Sequence, WebSession, Work,
};

use crate::items::{Fields, Item, NewItem, number};
use crate::places::{ACCOUNTS, DUE_LINES, Place, Table, due_line, ordered_time};
use crate::reading::Query;
use crate::store::Store;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::{Write, Written};
use crate::{account, credits, device, login};

/// How many accounts are listed.
const LISTED: usize = 1_000;

#[async_trait]
impl Fleet for Store {
    async fn prepare(&self) -> Result<(), PortError> {
        self.make_tables().await
    }

    async fn shard_count(&self, wanted: u16) -> Result<u16, PortError> {
        self.settle_shards(wanted).await
    }

    async fn reserve(&self, sequence: Sequence, count: u64) -> Result<u64, PortError> {
        let add = Write::update(&Place::sequence(sequence), "ADD n :n").with(":n", number(count));
        let (Written::Done(item) | Written::Refused(item)) = self.write(add).await?;
        let item = item.unwrap_or_default();
        let last: u64 = Fields(&item).number("n")?;
        last.checked_sub(count).map(|before| before + 1).ok_or_else(|| Fields(&item).damaged("n"))
    }

    async fn found(&self, founding: &Founding) -> Result<bool, PortError> {
        let (user, device, id) = (&founding.owner, &founding.device, founding.account.id);
        let listed = Place::listed_account(id);
        let writes = [
            Write::put(&Place::email(&user.email), account::email_item(user)).if_new(),
            Write::put(&Place::account(id), account::item(&founding.account, &founding.wrapped_key)).if_new(),
            credits::first(id, founding.credits),
            Write::put(&Place::user(id, user.id), account::user_item(user)).if_new(),
            Write::put(&Place::device(id, device.id), device::item(device)).if_new(),
            Write::put(&listed, NewItem::at(&listed).done()),
            self.shard_entry(id, device.id).await?,
        ];
        let login = founding.password.as_deref().map(|hash| login::first(id, user.id, hash));
        let transaction = Transaction::new(self, self.fresh_token(), writes.into_iter().chain(login))?;
        match self.transact(&transaction).await? {
            Committed::Done => Ok(true),
            Committed::Refused(refusals) => match refusals.into_iter().next() {
                Some(Refusal::Condition(item)) => leads_to(item.as_ref(), user),
                _ => Err(PortError::Corrupt(format!("account number {id} is taken"))),
            },
        }
    }

    async fn add_user(&self, user: &User) -> Result<bool, PortError> {
        let writes = [
            Write::put(&Place::email(&user.email), account::email_item(user)).if_new(),
            Write::put(&Place::user(user.account, user.id), account::user_item(user)).if_new(),
        ];
        let transaction = Transaction::new(self, self.fresh_token(), writes)?;
        match self.transact(&transaction).await? {
            Committed::Done => Ok(true),
            Committed::Refused(refusals) => match refusals.into_iter().next() {
                Some(Refusal::Condition(item)) => leads_to(item.as_ref(), user),
                _ => Err(PortError::Corrupt(format!("user number {} is taken", user.id))),
            },
        }
    }

    async fn user_by_email(&self, email: &Email) -> Result<Option<(AccountId, UserId)>, PortError> {
        let item = self.get(&Place::email(email)).await?;
        item.map(|item| Ok((Fields(&item).number("ac")?, Fields(&item).number("us")?))).transpose()
    }

    async fn accounts(&self) -> Result<Vec<AccountId>, PortError> {
        let items = self.first(&Query::all(Table::Business, ACCOUNTS.into()), LISTED).await?;
        items.iter().map(|item| Fields(item).word("sk", |sk| sk.parse().ok())).collect()
    }

    async fn put_token(&self, token: &Token, hash: &TokenHash) -> Result<(), PortError> {
        self.store_token(token, hash).await
    }

    async fn token(&self, hash: &TokenHash) -> Result<Option<Token>, PortError> {
        self.find_token(hash).await
    }

    async fn note_token_use(&self, hash: &TokenHash, at: Timestamp, unless_since: Timestamp) -> Result<(), PortError> {
        self.note_use(hash, at, unless_since).await
    }

    async fn put_sign_in(&self, hash: &TokenHash, session: &WebSession) -> Result<(), PortError> {
        self.store_session(&Place::sign_in(hash), session).await
    }

    async fn take_sign_in(&self, hash: &TokenHash) -> Result<Option<WebSession>, PortError> {
        self.use_up_session(&Place::sign_in(hash)).await
    }

    async fn put_web_session(&self, hash: &TokenHash, session: &WebSession) -> Result<(), PortError> {
        self.store_session(&Place::web_session(hash), session).await
    }

    async fn web_session(&self, hash: &TokenHash) -> Result<Option<WebSession>, PortError> {
        self.find_session(&Place::web_session(hash)).await
    }

    async fn put_link(&self, hash: &TokenHash, link: &Link) -> Result<(), PortError> {
        self.store_link(hash, link).await
    }

    async fn link(&self, hash: &TokenHash) -> Result<Option<Link>, PortError> {
        self.find_link(hash).await
    }

    async fn take_link(&self, hash: &TokenHash) -> Result<Option<Link>, PortError> {
        self.use_up_link(hash).await
    }

    async fn count_guess(
        &self,
        what: &[u8; 32],
        most: u32,
        window: Duration,
        now: Timestamp,
    ) -> Result<Option<Duration>, PortError> {
        self.count_one_guess(what, most, window, now).await
    }

    async fn forget_guesses(&self, what: &[u8; 32]) -> Result<(), PortError> {
        self.write(Write::delete(&Place::guesses(what))).await.map(drop)
    }

    async fn devices_of(&self, shard: Shard) -> Result<Vec<(AccountId, DeviceId)>, PortError> {
        self.in_shard(shard).await
    }

    async fn due_deliveries(&self, now: Timestamp, limit: usize) -> Result<Vec<DueDelivery>, PortError> {
        let end = ordered_time(Timestamp(now.0.saturating_add(1)));
        let lines = (0..DUE_LINES).map(|line| Query::before(Table::Engine, due_line(line), end.clone()));
        let lines = try_join_all(lines.map(|query| async move { self.first(&query, limit).await })).await?;
        let mut entries = lines.concat();
        entries.sort_by(|one, two| sort_key(one).cmp(sort_key(two)));
        entries.truncate(limit);
        entries.iter().map(|item| Fields(item).word("sk", due_entry)).collect()
    }

    async fn forget_due(&self, due: &DueDelivery) -> Result<(), PortError> {
        let place = Place::due(due.due_at, due.account, due.endpoint, &due.event);
        self.write(Write::delete(&place)).await.map(drop)
    }

    async fn arm_work(&self, account: AccountId, work: Work, due_at: Timestamp) -> Result<(), PortError> {
        self.note_work(account, work, due_at).await
    }

    async fn due_work(&self, now: Timestamp, limit: usize) -> Result<Vec<DueWork>, PortError> {
        self.work_due(now, limit).await
    }

    async fn claim_work(
        &self,
        account: AccountId,
        work: Work,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, PortError> {
        self.put_work_off(account, work, now, until).await
    }

    async fn end_work(&self, account: AccountId, work: Work) -> Result<(), PortError> {
        self.forget_work(account, work).await
    }

    async fn client_version(&self) -> Result<Option<FoundVersion>, PortError> {
        self.found_version().await
    }

    async fn claim_version_look(&self, now: Timestamp, apart: Duration) -> Result<bool, PortError> {
        self.claim_look(now, apart).await
    }

    async fn keep_client_version(&self, found: &FoundVersion) -> Result<(), PortError> {
        self.keep_version(found).await
    }
}

fn sort_key(item: &Item) -> &str {
    Fields(item).sk().unwrap_or_default()
}

/// `{due}#{account}#{endpoint}#{event}`.
fn due_entry(sk: &str) -> Option<DueDelivery> {
    let mut parts = sk.splitn(4, '#');
    Some(DueDelivery {
        due_at: Timestamp(parts.next()?.parse().ok()?),
        account: parts.next()?.parse().ok()?,
        endpoint: parts.next()?.parse().ok()?,
        event: EventId(parts.next()?.to_owned()),
    })
}

/// Whether an address that is taken is taken by this very user: then this is a repeat.
pub(crate) fn leads_to(item: Option<&Item>, user: &User) -> Result<bool, PortError> {
    let Some(fields) = item.map(Fields) else { return Ok(false) };
    Ok(fields.number::<AccountId>("ac")? == user.account && fields.number::<UserId>("us")? == user.id)
}
