//! Single writes, with a condition or without. The same description becomes a plain call or a part of a transaction.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem,
    Update,
};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use hantar_usecases::ports::PortError;

use crate::errors::{Failure, failure};
use crate::items::{Item, TTL, text};
use crate::places::Place;
use crate::reading::unbuilt;
use crate::store::Store;

/// How often a call that met a transaction is tried again, and the longest pauses before each try: 1.3 s in all at most.
pub(crate) const PAUSES: [Duration; 7] = [
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(40),
    Duration::from_millis(80),
    Duration::from_millis(150),
    Duration::from_millis(400),
    Duration::from_millis(600),
];

/// How many calls of one request run side by side.
const SIDE_BY_SIDE: usize = 16;

/// Runs works side by side, a bounded number at a time; their answers in order, or the first error.
pub(crate) async fn side_by_side<T, E>(works: Vec<BoxFuture<'_, Result<T, E>>>) -> Result<Vec<T>, E> {
    stream::iter(works).buffered(SIDE_BY_SIDE).try_collect().await
}

/// A write to one item. Expressions name attributes as they are; `#ttl` alone stands for `ttl`, a reserved word.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    place: Place,
    act: Act,
    condition: Option<String>,
    values: HashMap<String, AttributeValue>,
}

#[derive(Clone, Debug)]
enum Act {
    Put(Item),
    Update(String),
    Delete,
}

/// What became of a write.
#[derive(Debug)]
pub(crate) enum Written {
    /// It happened. After an update the item as it is, after a deletion as it was.
    Done(Option<Item>),
    /// Its condition did not hold; the item as it is.
    Refused(Option<Item>),
}

impl Written {
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

impl Write {
    pub(crate) fn put(place: &Place, item: Item) -> Self {
        Self::new(place, Act::Put(item))
    }

    pub(crate) fn update(place: &Place, expression: impl Into<String>) -> Self {
        Self::new(place, Act::Update(expression.into()))
    }

    pub(crate) fn delete(place: &Place) -> Self {
        Self::new(place, Act::Delete)
    }

    fn new(place: &Place, act: Act) -> Self {
        Self { place: place.clone(), act, condition: None, values: HashMap::new() }
    }

    /// Only if this holds.
    pub(crate) fn when(mut self, condition: impl Into<String>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    /// And only if this holds, too.
    pub(crate) fn and(self, condition: &str) -> Self {
        let whole =
            self.condition.as_ref().map_or_else(|| condition.into(), |first| format!("{first} AND {condition}"));
        self.when(whole)
    }

    /// Only if the item is not there.
    pub(crate) fn if_new(self) -> Self {
        self.when("attribute_not_exists(pk)")
    }

    /// A value that an expression names.
    pub(crate) fn with(mut self, name: impl Into<String>, value: AttributeValue) -> Self {
        self.values.insert(name.into(), value);
        self
    }

    /// Whether it puts exactly this.
    pub(crate) fn puts(&self, item: &Item) -> bool {
        matches!(&self.act, Act::Put(own) if own == item)
    }

    fn key(&self) -> Item {
        Item::from([("pk".into(), text(&self.place.pk)), ("sk".into(), text(&self.place.sk))])
    }

    fn names(&self) -> Option<HashMap<String, String>> {
        let named = |text: &String| text.contains("#ttl");
        let in_update = matches!(&self.act, Act::Update(expression) if named(expression));
        (in_update || self.condition.as_ref().is_some_and(named)).then(|| [("#ttl".into(), TTL.into())].into())
    }

    fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }

    /// The write as a part of a transaction; if its condition fails, the answer shows the item as it is.
    pub(crate) fn in_transaction(self, store: &Store) -> Result<TransactWriteItem, PortError> {
        let table = store.table(self.place.table);
        let (names, values, key) = (self.names(), self.values(), self.key());
        let action = TransactWriteItem::builder();
        let action = match self.act {
            Act::Put(item) => action.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(item))
                    .set_condition_expression(self.condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .return_values_on_condition_check_failure(OnFailure::AllOld)
                    .build()
                    .map_err(unbuilt)?,
            ),
            Act::Update(expression) => action.update(
                Update::builder()
                    .table_name(table)
                    .set_key(Some(key))
                    .update_expression(expression)
                    .set_condition_expression(self.condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .return_values_on_condition_check_failure(OnFailure::AllOld)
                    .build()
                    .map_err(unbuilt)?,
            ),
            Act::Delete => action.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(key))
                    .set_condition_expression(self.condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .return_values_on_condition_check_failure(OnFailure::AllOld)
                    .build()
                    .map_err(unbuilt)?,
            ),
        };
        Ok(action.build())
    }
}

impl Store {
    /// Carries out one write. The SDK repeats it after a lost answer, so "refused" may be the answer to the second try
    /// of a write that happened: whoever has a condition must recognise its own work.
    pub(crate) async fn write(&self, write: Write) -> Result<Written, PortError> {
        for pause in PAUSES {
            match self.try_write(&write).await {
                Err(Failure::Conflict) => self.pause(pause).await,
                other => return Ok(other?),
            }
        }
        Ok(self.try_write(&write).await?)
    }

    async fn try_write(&self, write: &Write) -> Result<Written, Failure> {
        match &write.act {
            Act::Put(item) => self.try_put(write, item.clone()).await,
            Act::Update(expression) => self.try_update(write, expression).await,
            Act::Delete => self.try_delete(write).await,
        }
    }

    async fn try_put(&self, write: &Write, item: Item) -> Result<Written, Failure> {
        let call = self
            .client()
            .put_item()
            .table_name(self.table(write.place.table))
            .set_item(Some(item))
            .set_condition_expression(write.condition.clone())
            .set_expression_attribute_names(write.names())
            .set_expression_attribute_values(write.values())
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        match call.send().await {
            Ok(_) => Ok(Written::Done(None)),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                let PutItemError::ConditionalCheckFailedException(refusal) = error.into_err() else {
                    return Ok(Written::Refused(None));
                };
                Ok(Written::Refused(refusal.item))
            }
            Err(error) => Err(failure(error)),
        }
    }

    async fn try_update(&self, write: &Write, expression: &str) -> Result<Written, Failure> {
        let call = self
            .client()
            .update_item()
            .table_name(self.table(write.place.table))
            .set_key(Some(write.key()))
            .update_expression(expression)
            .set_condition_expression(write.condition.clone())
            .set_expression_attribute_names(write.names())
            .set_expression_attribute_values(write.values())
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        match call.send().await {
            Ok(answer) => Ok(Written::Done(answer.attributes)),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                let UpdateItemError::ConditionalCheckFailedException(refusal) = error.into_err() else {
                    return Ok(Written::Refused(None));
                };
                Ok(Written::Refused(refusal.item))
            }
            Err(error) => Err(failure(error)),
        }
    }

    async fn try_delete(&self, write: &Write) -> Result<Written, Failure> {
        let call = self
            .client()
            .delete_item()
            .table_name(self.table(write.place.table))
            .set_key(Some(write.key()))
            .set_condition_expression(write.condition.clone())
            .set_expression_attribute_names(write.names())
            .set_expression_attribute_values(write.values())
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        match call.send().await {
            Ok(answer) => Ok(Written::Done(answer.attributes)),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                let DeleteItemError::ConditionalCheckFailedException(refusal) = error.into_err() else {
                    return Ok(Written::Refused(None));
                };
                Ok(Written::Refused(refusal.item))
            }
            Err(error) => Err(failure(error)),
        }
    }
}
