//! Long work that is not done: an entry for each, with the time of its next step. Whoever begins work puts its entry in the
//! transaction that stores it, so that a death right after it forgets nothing.

use futures::future::try_join_all;
use hantar_domain::ids::AccountId;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{DueWork, PortError, Work};

use crate::items::{Fields, Item, NewItem, time};
use crate::places::{DUE_LINES, Place, Table, work_line};
use crate::reading::Query;
use crate::store::Store;
use crate::writing::Write;

/// How many entries of a line are read: far more than there is work at a time.
const READ: usize = 20_000;

/// Notes work.
pub(crate) fn arm(account: AccountId, work: Work, due_at: Timestamp) -> Write {
    let place = Place::work(account, work);
    Write::put(&place, NewItem::at(&place).with("du", time(due_at)).done())
}

fn read(item: &Item) -> Result<DueWork, PortError> {
    let fields = Fields(item);
    let (account, work) =
        fields.word("sk", |sk| sk.split_once('#').and_then(|(a, w)| Some((a.parse().ok()?, w.parse().ok()?))))?;
    Ok(DueWork { account, work, due_at: fields.time("du")? })
}

impl Store {
    pub(crate) async fn note_work(&self, account: AccountId, work: Work, due_at: Timestamp) -> Result<(), PortError> {
        self.write(arm(account, work, due_at)).await.map(drop)
    }

    pub(crate) async fn work_due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueWork>, PortError> {
        let lines = (0..DUE_LINES).map(|line| Query::all(Table::Engine, work_line(line)));
        let lines = try_join_all(lines.map(|query| async move { self.first(&query, READ).await })).await?;
        let mut due = lines.concat().iter().map(read).collect::<Result<Vec<_>, _>>()?;
        due.retain(|one| one.due_at <= now);
        due.sort_unstable_by_key(|one| one.due_at);
        due.truncate(limit);
        Ok(due)
    }

    pub(crate) async fn put_work_off(
        &self,
        account: AccountId,
        work: Work,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, PortError> {
        let claimed = Write::update(&Place::work(account, work), "SET du = :until")
            .when("du <= :now")
            .with(":until", time(until))
            .with(":now", time(now));
        Ok(self.write(claimed).await?.is_done())
    }

    pub(crate) async fn forget_work(&self, account: AccountId, work: Work) -> Result<(), PortError> {
        self.write(Write::delete(&Place::work(account, work))).await.map(drop)
    }
}
