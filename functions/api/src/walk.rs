//! Walking down a list of messages, newest first, to the page that was asked for.
//!
//! The store reads a bounded number of items at a time, so that what it gives may be short although more follows. The
//! walk goes on until the page is full, the list ends, or it has read enough for one request.

use hantar_domain::ids::MessageId;
use hantar_domain::message::Message;
use hantar_usecases::ports::{MessageFilter, PortError, Tenant};

/// How many messages are asked for at a time.
const STRIDE: usize = 100;
/// How often one request asks.
const MAX_STRIDES: usize = 150;

/// Which part of the list is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Only messages older than this one.
    pub(crate) before: Option<MessageId>,
    /// How many to pass over.
    pub(crate) skip: usize,
    /// How many to give.
    pub(crate) count: usize,
}

/// What was found.
pub(crate) enum Found {
    /// The messages, and where the next page begins: after this one.
    Messages(Vec<Message>, Option<MessageId>),
    /// The page lies deeper than one request walks.
    TooDeep,
}

/// Walks to the wanted part.
pub(crate) async fn walk(tenant: &dyn Tenant, filter: &MessageFilter, wanted: Wanted) -> Result<Found, PortError> {
    let Wanted { mut before, mut skip, count } = wanted;
    let mut found = Vec::with_capacity(count + 1);
    for _ in 0..MAX_STRIDES {
        // One more than asked for says whether a next page exists.
        let missing = skip + count + 1 - found.len();
        let page = tenant.list_messages(filter, before, missing.min(STRIDE)).await?;
        let mut messages = page.messages;
        let mut reached = messages.last().map(|message| message.id);
        if messages.is_empty() && page.more {
            // The store looked through a whole stretch and found nothing: step over a stretch of the plain list, so
            // that the walk gets on.
            let plain = tenant.list_messages(&MessageFilter::default(), before, STRIDE).await?;
            reached = plain.messages.last().map(|message| message.id);
            messages = plain.messages.into_iter().filter(|message| matches(filter, message)).collect();
        }
        let passed = skip.min(messages.len());
        skip -= passed;
        found.extend(messages.into_iter().skip(passed));
        if found.len() > count {
            found.truncate(count);
            let next = found.last().map(|message| message.id);
            return Ok(Found::Messages(found, next));
        }
        if !page.more || reached.is_none() {
            return Ok(Found::Messages(found, None));
        }
        before = reached;
    }
    Ok(if skip > 0 { Found::TooDeep } else { Found::Messages(found, before) })
}

/// Whether a list with this filter shows the message.
fn matches(filter: &MessageFilter, message: &Message) -> bool {
    filter.status.is_none_or(|status| status == message.state)
        && filter.device.is_none_or(|device| device == message.device)
        && filter.direction.is_none_or(|direction| direction == message.direction)
        && filter.phone.as_ref().is_none_or(|phone| Some(phone) == message.phone.as_ref())
        && filter.external_id.as_ref().is_none_or(|id| Some(id) == message.external_id.as_ref())
        && filter.from.is_none_or(|from| from <= message.accepted_at)
        && filter.to.is_none_or(|to| message.accepted_at < to)
}
