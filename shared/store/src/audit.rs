//! The audit log: entries of an account in the order in which they were made, kept for 400 days.

use std::time::Duration;

use hantar_domain::audit::{Actor, AuditEntry};
use hantar_domain::ids::AuditId;
use hantar_usecases::ports::PortError;

use crate::items::{Fields, Item, NewItem, TTL, expiry, number, text, time};
use crate::places::{AUDIT, Place, Table, audit_of};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::writing::{Write, Written};

/// For how long an entry is kept.
const KEPT: Duration = Duration::from_hours(400 * 24);
/// How many numbers are tried: entries of one microsecond are few.
const TRIES: u64 = 100;

fn read(item: &Item) -> Result<AuditEntry, PortError> {
    let fields = Fields(item);
    Ok(AuditEntry {
        id: fields.word("sk", |sk| sk.strip_prefix(AUDIT)?.parse().ok())?,
        actor: Actor {
            user: fields.maybe_number("us")?,
            token: fields.maybe_number("tk")?,
            address: fields.owned("ip")?,
        },
        action: fields.text("do")?.to_owned(),
        at: fields.time("t")?,
        status: fields.maybe_number("st")?,
    })
}

impl TenantStore {
    /// The first free number from the entry's on: other processes may make one at the same microsecond.
    pub(crate) async fn put_audit(&self, entry: &AuditEntry) -> Result<AuditId, PortError> {
        let mark = self.store.fresh_token();
        for id in (entry.id.0..).take(usize::try_from(TRIES).unwrap_or(usize::MAX)).map(AuditId) {
            let place = Place::audit(self.account, id);
            let item = NewItem::at(&place)
                .maybe("us", entry.actor.user.map(number))
                .maybe("tk", entry.actor.token.map(number))
                .maybe("ip", entry.actor.address.as_deref().map(text))
                .with("do", text(&entry.action))
                .with("t", time(entry.at))
                .maybe("st", entry.status.map(number))
                .with("r", text(&mark))
                .with(TTL, expiry(entry.at + KEPT));
            match self.store.write(Write::put(&place, item.done()).if_new()).await? {
                Written::Done(_) => return Ok(id),
                Written::Refused(Some(item)) if Fields(&item).maybe_text("r")? == Some(&mark) => return Ok(id),
                Written::Refused(_) => {}
            }
        }
        Err(PortError::Conflict)
    }

    pub(crate) async fn note_outcome(&self, id: AuditId, status: u16) -> Result<(), PortError> {
        let outcome = Write::update(&Place::audit(self.account, id), "SET st = :st").when("attribute_exists(pk)");
        self.store.write(outcome.with(":st", number(status))).await.map(drop)
    }

    pub(crate) async fn own_audit(&self, before: Option<AuditId>, limit: usize) -> Result<Vec<AuditEntry>, PortError> {
        let partition = audit_of(self.account);
        // Templates are in the same partition, behind it.
        let query = match before {
            Some(before) => Query::before(Table::Business, partition, Place::audit(self.account, before).sk),
            None => Query::beginning(Table::Business, partition, AUDIT),
        };
        self.store.first(&query.backwards(), limit).await?.iter().map(read).collect()
    }
}
