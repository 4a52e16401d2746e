//! Walking down a list of messages, newest first, to the page that was asked for.
//!
//! The store reads a bounded number of items at a time, so that what it gives may be short although more follows. The
//! walk goes on until the page is full, the list ends, or it has asked often enough for one request.

use hantar_domain::ids::MessageId;
use hantar_domain::message::Message;
use hantar_usecases::ports::{MessageFilter, PortError, Tenant};

/// How many messages are asked for at a time.
const STRIDE: usize = 100;
/// How often one request asks.
const MAX_STRIDES: usize = 150;
/// How often one request asks by a filter. The store may make ten calls to its table for each such question, and a Worker
/// may make a thousand for a request.
const MAX_FILTERED_STRIDES: usize = 80;

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
    let strides = if *filter == MessageFilter::default() { MAX_STRIDES } else { MAX_FILTERED_STRIDES };
    for _ in 0..strides {
        // One more than asked for says whether a next page exists.
        let missing = skip + count + 1 - found.len();
        let page = tenant.list_messages(filter, before, missing.min(STRIDE)).await?;
        let passed = skip.min(page.messages.len());
        skip -= passed;
        found.extend(page.messages.into_iter().skip(passed));
        if found.len() > count {
            found.truncate(count);
            let next = found.last().map(|message| message.id);
            return Ok(Found::Messages(found, next));
        }
        if page.older.is_none() {
            return Ok(Found::Messages(found, None));
        }
        before = page.older;
    }
    Ok(if skip > 0 { Found::TooDeep } else { Found::Messages(found, before) })
}
