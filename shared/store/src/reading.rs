//! Reads: always strongly consistent, always bounded.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use hantar_usecases::ports::PortError;

use crate::errors::{failure, throttled};
use crate::items::{Item, text};
use crate::places::{Place, Table};
use crate::store::Store;

/// How many keys one `BatchGetItem` takes.
const BATCH: usize = 100;
/// How often the unanswered rest of a batch is asked for again.
const ROUNDS: u32 = 8;

/// Items of one partition, in order of their sort keys.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    table: Table,
    pk: String,
    range: Option<(&'static str, String)>,
    /// Where a range ends that has both ends.
    end: Option<String>,
    backwards: bool,
    filter: Option<String>,
    values: HashMap<String, AttributeValue>,
}

/// A part of a query's answer, and where to go on.
pub(crate) struct Page {
    pub(crate) items: Vec<Item>,
    pub(crate) next: Option<Item>,
}

impl Query {
    pub(crate) fn all(table: Table, pk: String) -> Self {
        Self { table, pk, range: None, end: None, backwards: false, filter: None, values: HashMap::new() }
    }

    pub(crate) fn beginning(table: Table, pk: String, prefix: impl Into<String>) -> Self {
        Self { range: Some((" AND begins_with(sk, :sk)", prefix.into())), ..Self::all(table, pk) }
    }

    pub(crate) fn before(table: Table, pk: String, sk: String) -> Self {
        Self { range: Some((" AND sk < :sk", sk)), ..Self::all(table, pk) }
    }

    /// From `first` to `last`, which must not stand before it.
    pub(crate) fn between(table: Table, pk: String, first: String, last: String) -> Self {
        Self { range: Some((" AND sk BETWEEN :sk AND :end", first)), end: Some(last), ..Self::all(table, pk) }
    }

    pub(crate) fn backwards(self) -> Self {
        Self { backwards: true, ..self }
    }

    /// Shows only some of the items read. `filter` is an expression, or empty.
    pub(crate) fn only(self, filter: String, values: HashMap<String, AttributeValue>) -> Self {
        Self { filter: (!filter.is_empty()).then_some(filter), values, ..self }
    }
}

impl Store {
    /// One item.
    pub(crate) async fn get(&self, place: &Place) -> Result<Option<Item>, PortError> {
        let call = self.client().get_item().table_name(self.table(place.table)).consistent_read(true);
        let answer = call.key("pk", text(&place.pk)).key("sk", text(&place.sk)).send().await;
        Ok(answer.map_err(failure)?.item)
    }

    /// Several items of one table, in no order; missing ones are left out.
    pub(crate) async fn get_all(&self, table: Table, places: &[Place]) -> Result<Vec<Item>, PortError> {
        let mut found = Vec::with_capacity(places.len());
        for places in places.chunks(BATCH) {
            let mut keys: Vec<Item> = places
                .iter()
                .map(|place| Item::from([("pk".into(), text(&place.pk)), ("sk".into(), text(&place.sk))]))
                .collect();
            for round in 0.. {
                let wanted = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(keys)).build();
                let wanted = wanted.map_err(unbuilt)?;
                let call = self.client().batch_get_item().request_items(self.table(table), wanted);
                let answer = call.send().await.map_err(failure)?;
                found.extend(answer.responses.unwrap_or_default().into_values().flatten());
                keys = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|rest| rest.keys).collect();
                if keys.is_empty() {
                    break;
                }
                if round == ROUNDS {
                    return Err(throttled());
                }
                self.pause(std::time::Duration::from_millis(20 << round)).await;
            }
        }
        Ok(found)
    }

    /// One page of a query: reads at most `limit` items, shown or not.
    pub(crate) async fn page(&self, query: &Query, start: Option<Item>, limit: usize) -> Result<Page, PortError> {
        let (range, value) = query.range.clone().unzip();
        let call = self
            .client()
            .query()
            .table_name(self.table(query.table))
            .key_condition_expression(format!("pk = :pk{}", range.unwrap_or_default()))
            .set_expression_attribute_values(Some(query.values.clone()))
            .expression_attribute_values(":pk", text(&query.pk))
            .set_filter_expression(query.filter.clone())
            .scan_index_forward(!query.backwards)
            .consistent_read(true)
            .limit(i32::try_from(limit.clamp(1, 100_000)).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let ends = [(":sk", value), (":end", query.end.clone())];
        let call = ends.into_iter().fold(call, |call, (name, value)| match value {
            Some(value) => call.expression_attribute_values(name, text(value)),
            None => call,
        });
        let answer = call.send().await.map_err(failure)?;
        Ok(Page { items: answer.items.unwrap_or_default(), next: answer.last_evaluated_key })
    }

    /// The first items of a query, at most `most`.
    pub(crate) async fn first(&self, query: &Query, most: usize) -> Result<Vec<Item>, PortError> {
        let (mut items, mut start) = (Vec::new(), None);
        while items.len() < most {
            let page = self.page(query, start, most - items.len()).await?;
            items.extend(page.items);
            start = page.next;
            if start.is_none() {
                break;
            }
        }
        Ok(items)
    }
}

/// The SDK's builders refuse what lacks a required field; we always give them all.
pub(crate) fn unbuilt(error: aws_sdk_dynamodb::error::BuildError) -> PortError {
    PortError::Unavailable { what: "table", source: Box::new(error) }
}
