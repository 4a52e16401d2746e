//! The ledger of an account, page by page: what was noted by itself and what is read off the messages, as one list.
//!
//! Each of the two keeps its own order, and they are merged by time. Numbers of messages are drawn in blocks, so that the
//! times of neighbours may be a little out of order; each movement is shown once all the same.

use std::collections::VecDeque;

use hantar_domain::ids::MessageId;
use hantar_domain::ledger::{Movement, of_message};
use hantar_domain::message::Message;

use crate::ports::{MessageFilter, PortError, Tenant};

/// How many messages are read at a time.
const STRIDE: usize = 100;
/// How often messages are read for a page: of an account that receives far more than it sends a page may be short.
const STRIDES: usize = 10;

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerPlace {
    /// Behind this message; `None` at the beginning.
    pub message: Option<MessageId>,
    /// Of the next message the refund was shown, and what it had cost is still to be.
    pub half: bool,
    /// Behind this noted movement; `None` at the beginning.
    pub noted: Option<Movement>,
}

/// A part of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerPage {
    /// The movements, the latest first.
    pub movements: Vec<Movement>,
    /// Where the next page begins. `None` at the end.
    pub next: Option<LedgerPlace>,
}

/// The messages of an account from some place on.
struct Messages<'a> {
    tenant: &'a dyn Tenant,
    read: VecDeque<Message>,
    older: Option<MessageId>,
    is_end: bool,
    strides: usize,
}

impl Messages<'_> {
    /// The next message, if one is left and it may still be looked for.
    async fn next(&mut self) -> Result<Option<&Message>, PortError> {
        while self.read.is_empty() && !self.is_end && self.strides > 0 {
            let page = self.tenant.list_messages(&MessageFilter::default(), self.older, STRIDE).await?;
            self.strides -= 1;
            self.is_end = page.older.is_none();
            self.older = page.older;
            self.read = page.messages.into();
        }
        Ok(self.read.front())
    }
}

/// A page of at most `limit` movements.
pub async fn list_ledger(tenant: &dyn Tenant, from: LedgerPlace, limit: usize) -> Result<LedgerPage, PortError> {
    let mut noted: VecDeque<_> = tenant.ledger().noted(from.noted.as_ref(), limit + 1).await?.into();
    let older = from.message;
    let mut messages = Messages { tenant, read: VecDeque::new(), older, is_end: false, strides: STRIDES };
    let (mut place, mut movements) = (from, Vec::with_capacity(limit));
    while movements.len() < limit {
        let accepted_at = messages.next().await?.map(|message| message.accepted_at);
        let is_noted = match (accepted_at, noted.front()) {
            (Some(accepted_at), Some(movement)) => movement.at > accepted_at,
            (None, Some(_)) if messages.is_end => true,
            (Some(_), None) => false,
            (None, _) => break,
        };
        if is_noted {
            place.noted = noted.pop_front();
            movements.extend(place.noted.clone());
        } else if let Some(message) = messages.read.pop_front() {
            let mut of_it = of_message(&message);
            let behind_it = Some(MessageId(message.id.0 + 1));
            if place.half && place.message == behind_it && of_it.len() > 1 {
                of_it.remove(0);
            }
            place.half = of_it.len() > limit - movements.len();
            place.message = if place.half { behind_it } else { Some(message.id) };
            of_it.truncate(limit - movements.len());
            movements.extend(of_it);
        }
    }
    let looked = messages.next().await?.is_none() && messages.is_end;
    let is_end = looked && noted.is_empty() && !place.half;
    if messages.read.is_empty() && !messages.is_end && !place.half {
        // Nothing was left of what was read, whether it was shown or not.
        place.message = messages.older;
    }
    Ok(LedgerPage { movements, next: (!is_end).then_some(place) })
}
