//! Pages of messages, newest first: the base table in order, with what a filter asks for picked out on the way.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use hantar_domain::ids::MessageId;
use hantar_domain::message::Direction;
use hantar_usecases::ports::{MessageFilter, MessagePage, PortError};

use crate::items::{Fields, number, text, time};
use crate::message::read;
use crate::places::{Table, messages_of, ordered};
use crate::reading::Query;
use crate::tenant::TenantStore;

/// How many items one page may cost, shown or not. Whoever wants more goes on from where it ended.
const MOST_READ: usize = 1_000;

impl TenantStore {
    pub(crate) async fn page_of_messages(
        &self,
        filter: &MessageFilter,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<MessagePage, PortError> {
        let partition = messages_of(self.account);
        let query = match (filter.within, before) {
            (Some((first, end)), before) => {
                let end = before.map_or(end, |before| before.min(end));
                if end <= first {
                    return Ok(MessagePage { messages: Vec::new(), older: None });
                }
                Query::between(Table::Business, partition, ordered(first.0), ordered(end.0 - 1))
            }
            (None, Some(before)) => Query::before(Table::Business, partition, ordered(before.0)),
            (None, None) => Query::all(Table::Business, partition),
        };
        let (expression, values) = expression(filter);
        let stride = if expression.is_empty() { limit + 1 } else { MOST_READ };
        let query = query.backwards().only(expression, values);
        let (mut messages, mut start, mut left) = (Vec::new(), None, MOST_READ);
        let older = loop {
            let page = self.store.page(&query, start, stride.min(left)).await?;
            left = left.saturating_sub(stride);
            for item in &page.items {
                messages.push(read(item)?);
            }
            if messages.len() > limit {
                messages.truncate(limit);
                break messages.last().map(|message| message.id).or(before);
            }
            match page.next {
                Some(last) if left == 0 => break Some(Fields(&last).word("sk", |sk| sk.parse().ok())?),
                Some(last) => start = Some(last),
                None => break None,
            }
        };
        Ok(MessagePage { messages, older })
    }
}

fn expression(filter: &MessageFilter) -> (String, HashMap<String, AttributeValue>) {
    let mut parts = Vec::new();
    let mut values = HashMap::new();
    let mut only = |part: &'static str, name: &'static str, value: AttributeValue| {
        parts.push(part);
        values.insert(name.to_owned(), value);
    };
    if let Some(state) = filter.status {
        only("s = :s", ":s", text(state.word()));
    }
    if let Some(device) = filter.device {
        only("d = :d", ":d", number(device));
    }
    if let Some(phone) = &filter.phone {
        only("p = :p", ":p", text(phone.digits()));
    }
    if let Some(reference) = &filter.external_id {
        only("x = :x", ":x", text(reference));
    }
    if let Some(from) = filter.from {
        only("t >= :from", ":from", time(from));
    }
    if let Some(to) = filter.to {
        only("t < :to", ":to", time(to));
    }
    parts.extend(filter.direction.map(|direction| match direction {
        Direction::Outbound => "attribute_not_exists(o)",
        Direction::Inbound => "attribute_exists(o)",
    }));
    (parts.join(" AND "), values)
}
