//! Attributes in and out of items. A damaged item is named in the error, and never shown as if it were whole;
//! attributes that this release does not know are passed over, missing optional ones have their defaults.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::PortError;

use crate::places::Place;

/// The attribute by which both tables forget items: seconds since 1970. DynamoDB deletes late, so readers look, too.
pub(crate) const TTL: &str = "ttl";

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

#[expect(clippy::needless_pass_by_value, reason = "numbers are small, and calls read better")]
pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn time(value: Timestamp) -> AttributeValue {
    number(value.0)
}

pub(crate) fn bytes(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

pub(crate) fn texts(values: impl IntoIterator<Item = String>) -> AttributeValue {
    AttributeValue::L(values.into_iter().map(AttributeValue::S).collect())
}

/// The value of [`TTL`] for something that ends at `end`: not a moment earlier.
pub(crate) fn expiry(end: Timestamp) -> AttributeValue {
    number(end.0.div_euclid(1_000_000) + 1)
}

/// An item being written.
pub(crate) struct NewItem(Item);

impl NewItem {
    pub(crate) fn at(place: &Place) -> Self {
        Self(Item::from([("pk".into(), text(&place.pk)), ("sk".into(), text(&place.sk))]))
    }

    /// Goes on from an item as read, so that attributes of other releases stay.
    pub(crate) fn from(item: Item) -> Self {
        Self(item)
    }

    pub(crate) fn with(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.insert(name.into(), value);
        self
    }

    /// Sets the attribute, or takes it away.
    pub(crate) fn maybe(mut self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.0.insert(name.into(), value),
            None => self.0.remove(name),
        };
        self
    }

    /// There when true, absent when false.
    pub(crate) fn flag(self, name: &str, value: bool) -> Self {
        self.maybe(name, value.then_some(AttributeValue::Bool(true)))
    }

    pub(crate) fn done(self) -> Item {
        self.0
    }
}

/// An item being read.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Item);

impl<'a> Fields<'a> {
    pub(crate) fn sk(self) -> Result<&'a str, PortError> {
        self.text("sk")
    }

    pub(crate) fn text(self, name: &str) -> Result<&'a str, PortError> {
        self.maybe_text(name)?.ok_or_else(|| self.damaged(name))
    }

    pub(crate) fn maybe_text(self, name: &str) -> Result<Option<&'a str>, PortError> {
        self.read(name, |value| value.as_s().ok().map(String::as_str))
    }

    pub(crate) fn owned(self, name: &str) -> Result<Option<String>, PortError> {
        Ok(self.maybe_text(name)?.map(str::to_owned))
    }

    /// A text that stands for something.
    pub(crate) fn word<T>(self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, PortError> {
        parse(self.text(name)?).ok_or_else(|| self.damaged(name))
    }

    pub(crate) fn maybe_word<T>(
        self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, PortError> {
        let text = self.maybe_text(name)?;
        text.map(|text| parse(text).ok_or_else(|| self.damaged(name))).transpose()
    }

    pub(crate) fn number<T: FromStr>(self, name: &str) -> Result<T, PortError> {
        self.maybe_number(name)?.ok_or_else(|| self.damaged(name))
    }

    pub(crate) fn maybe_number<T: FromStr>(self, name: &str) -> Result<Option<T>, PortError> {
        self.read(name, |value| value.as_n().ok()?.parse().ok())
    }

    pub(crate) fn time(self, name: &str) -> Result<Timestamp, PortError> {
        self.number(name).map(Timestamp)
    }

    pub(crate) fn maybe_time(self, name: &str) -> Result<Option<Timestamp>, PortError> {
        Ok(self.maybe_number(name)?.map(Timestamp))
    }

    pub(crate) fn bytes(self, name: &str) -> Result<&'a [u8], PortError> {
        self.maybe_bytes(name)?.ok_or_else(|| self.damaged(name))
    }

    pub(crate) fn maybe_bytes(self, name: &str) -> Result<Option<&'a [u8]>, PortError> {
        self.read(name, |value| value.as_b().ok().map(AsRef::as_ref))
    }

    pub(crate) fn list(self, name: &str) -> Result<&'a [AttributeValue], PortError> {
        Ok(self.read(name, |value| value.as_l().ok().map(Vec::as_slice))?.unwrap_or_default())
    }

    pub(crate) fn map(self, name: &str) -> Result<Option<&'a HashMap<String, AttributeValue>>, PortError> {
        self.read(name, |value| value.as_m().ok())
    }

    pub(crate) fn texts(self, name: &str) -> Result<Vec<String>, PortError> {
        let texts = self.list(name)?.iter().map(|value| value.as_s().ok().cloned());
        texts.collect::<Option<_>>().ok_or_else(|| self.damaged(name))
    }

    pub(crate) fn flag(self, name: &str) -> Result<bool, PortError> {
        Ok(self.read(name, |value| value.as_bool().ok().copied())?.unwrap_or(false))
    }

    /// Whether it has ended by its own account.
    pub(crate) fn expired(self, now: Timestamp) -> Result<bool, PortError> {
        Ok(self.maybe_number::<i64>(TTL)?.is_some_and(|end| end <= now.seconds()))
    }

    /// The error that names this item.
    pub(crate) fn damaged(self, what: impl Display) -> PortError {
        let key = |name| self.0.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
        PortError::Corrupt(format!("item {} / {}: attribute `{what}`", key("pk"), key("sk")))
    }

    fn read<T>(self, name: &str, read: impl FnOnce(&'a AttributeValue) -> Option<T>) -> Result<Option<T>, PortError> {
        self.0.get(name).map(|value| read(value).ok_or_else(|| self.damaged(name))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_attribute_names_its_item_and_a_missing_optional_one_is_none() {
        let item = Item::from([("pk".into(), text("A#1")), ("sk".into(), text("X")), ("n".into(), text("no number"))]);
        let error = Fields(&item).number::<u64>("n").unwrap_err();
        assert_eq!(error.to_string(), "stored data is damaged: item A#1 / X: attribute `n`");
        assert_eq!(Fields(&item).maybe_number::<u64>("m").unwrap(), None);
        assert!(Fields(&item).number::<u64>("m").is_err());
    }

    #[test]
    fn what_ends_is_over_at_its_end_and_not_before() {
        let item = Item::from([(TTL.into(), expiry(Timestamp(5_500_000)))]);
        assert!(!Fields(&item).expired(Timestamp(5_400_000)).unwrap());
        assert!(Fields(&item).expired(Timestamp(6_500_000)).unwrap());
    }
}
