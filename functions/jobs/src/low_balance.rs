//! Who is told that an account's credits run low: subscribers by an event, owners by a letter.
//!
//! The relay looks at a balance when messages were charged to it. Letters are work of their own, so that a mail server that
//! is down holds up no stream.

use std::collections::BTreeMap;

use hantar_domain::ids::AccountId;
use hantar_domain::message::Direction;
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::{EventId, EventKind};
use hantar_usecases::low_balance::{LowBalance, look_at_balance, write_letters};
use hantar_usecases::ports::{Change, PortError};
use hantar_wire::webhook as body;

use crate::relay::{Event, Record, Relay};
use crate::work::{Next, Worker};

impl Relay {
    /// Tells of each balance that the batch's messages made low.
    pub(crate) async fn warn(&self, records: &[Record]) -> Result<(), PortError> {
        for (account, at) in charged(records) {
            let tenant = self.tenants.for_account(account);
            let Some(low) = look_at_balance(tenant.as_ref()).await? else { continue };
            self.publish(vec![event(account, low, at)]).await?;
            tenant.ledger().ask_for_letter(at).await?;
            tenant.ledger().note_told(low.number).await?;
        }
        Ok(())
    }
}

/// The accounts to which new messages were charged, each with the time of the last one.
fn charged(records: &[Record]) -> BTreeMap<AccountId, Timestamp> {
    let new = records.iter().filter_map(|record| match &record.change {
        Change::Message { old: None, new } if new.direction == Direction::Outbound && new.credits > 0 => Some(new),
        _ => None,
    });
    new.map(|message| (message.account, message.accepted_at)).collect()
}

fn event(account: AccountId, low: LowBalance, at: Timestamp) -> Event {
    Event {
        account,
        id: EventId::low_balance(account, low.number),
        kind: EventKind::CreditsLow,
        body: body::credits_low(low.available, low.threshold, at),
        at,
    }
}

impl Worker {
    /// Writes to the owners of an account whose balance is low.
    pub(crate) async fn write_letters(&self, account: AccountId) -> Result<Next, PortError> {
        let tenant = self.tenants.for_account(account);
        write_letters(tenant.as_ref(), self.mail.as_ref(), account, self.clock.now()).await?;
        Ok(Next::Never)
    }
}
