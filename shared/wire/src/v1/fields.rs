//! Reads the fields of a request, from JSON, a form or a query, so that one wrong field never hides another.
//!
//! Types are Laravel's: a number may come as digits, a truth value as 1 or "true", and an empty text is none.

use std::collections::BTreeMap;

use hantar_domain::time::Timestamp;
use hantar_domain::zone::Moment;
use serde_json::{Map, Value};

use super::error::FieldErrors;
use super::time;

/// How many entries a list or map may have.
const MAX_ENTRIES: usize = 100;
/// How long the name of a map's entry may be, in characters.
const MAX_NAME_CHARS: usize = 64;
/// How long the value of a map's entry may be, in characters.
const MAX_VALUE_CHARS: usize = 4096;

/// A request's fields, and what was found wrong with them so far.
pub struct Fields<'a> {
    values: &'a Map<String, Value>,
    /// Stands before the fields' names in what is said of them.
    path: String,
    /// What was found wrong.
    pub errors: FieldErrors,
}

/// A field's name as texts call it.
pub fn attribute(field: &str) -> String {
    field.replace('_', " ")
}

impl<'a> Fields<'a> {
    /// Reads these.
    pub fn new(values: &'a Map<String, Value>) -> Self {
        Self::within(values, String::new())
    }

    /// Reads these, which stand under a path such as `messages.3.`.
    pub fn within(values: &'a Map<String, Value>, path: String) -> Self {
        Self { values, path, errors: FieldErrors::default() }
    }

    /// Says of a field that it `says`, such as "must be a string".
    pub fn wrong(&mut self, field: &str, says: &str) {
        let field = format!("{}{field}", self.path);
        let text = format!("The {} field {says}.", attribute(&field));
        self.errors.add(field, text);
    }

    /// Says of a field that its value is none of those that exist.
    pub fn not_selectable(&mut self, field: &str) {
        let field = format!("{}{field}", self.path);
        let text = format!("The selected {} is invalid.", attribute(&field));
        self.errors.add(field, text);
    }

    fn value(&self, field: &str) -> Option<&'a Value> {
        self.values.get(field).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// A text.
    pub fn string(&mut self, field: &str) -> Option<String> {
        if let Value::String(text) = self.value(field)? {
            return self.clean(field, text);
        }
        self.wrong(field, "must be a string");
        None
    }

    /// A text of at most `most` characters.
    pub fn string_within(&mut self, field: &str, most: usize) -> Option<String> {
        let text = self.string(field)?;
        if text.chars().count() > most {
            self.wrong(field, &format!("must not be greater than {most} characters"));
            return None;
        }
        Some(text)
    }

    /// Whether a field is there at all, be it empty.
    pub fn has(&self, field: &str) -> bool {
        self.values.contains_key(field)
    }

    /// A text that must be there.
    pub fn required_string(&mut self, field: &str) -> Option<String> {
        if self.value(field).is_none() {
            self.wrong(field, "is required");
        }
        self.string(field)
    }

    /// A text that may be absent, but not empty: a field of a change.
    pub fn filled_string(&mut self, field: &str) -> Option<String> {
        if self.values.contains_key(field) { self.required_string(field) } else { None }
    }

    /// A NUL character ends texts in too many places that a message passes on its way.
    fn clean(&mut self, field: &str, text: &str) -> Option<String> {
        if text.contains('\0') {
            self.wrong(field, "must not contain a NUL character");
            return None;
        }
        Some(text.to_owned())
    }

    /// A whole number from 0 on.
    pub fn number(&mut self, field: &str) -> Option<u64> {
        let number = whole(self.value(field)?);
        if number.is_none() {
            self.wrong(field, "must be an integer");
        }
        number
    }

    /// A whole number that must be there.
    pub fn required_number(&mut self, field: &str) -> Option<u64> {
        if self.value(field).is_none() {
            self.wrong(field, "is required");
        }
        self.number(field)
    }

    /// A whole number between two others.
    pub fn number_within(&mut self, field: &str, least: u64, most: u64) -> Option<u64> {
        let number = self.number(field)?;
        if number < least {
            self.wrong(field, &format!("must be at least {least}"));
        } else if number > most {
            self.wrong(field, &format!("must not be greater than {most}"));
        } else {
            return Some(number);
        }
        None
    }

    /// True or false.
    pub fn boolean(&mut self, field: &str) -> Option<bool> {
        let value = match self.value(field)? {
            Value::Bool(value) => Some(*value),
            Value::Number(number) => number.as_u64().and_then(truth),
            Value::String(text) => match text.as_str() {
                "1" | "true" => Some(true),
                "0" | "false" => Some(false),
                _ => None,
            },
            _ => None,
        };
        if value.is_none() {
            self.wrong(field, "must be true or false");
        }
        value
    }

    /// A moment.
    pub fn time(&mut self, field: &str) -> Option<Timestamp> {
        self.moment(field, time::parse)
    }

    /// The end of a range of time.
    pub fn end_time(&mut self, field: &str) -> Option<Timestamp> {
        self.moment(field, time::parse_end)
    }

    /// A moment, or a time on the account's clocks.
    pub fn local_time(&mut self, field: &str) -> Option<Moment> {
        self.moment(field, time::parse_moment)
    }

    fn moment<T>(&mut self, field: &str, read: fn(&str) -> Option<T>) -> Option<T> {
        let at = self.string(field).map(|text| read(&text))?;
        if at.is_none() {
            self.wrong(field, "must be a valid date");
        }
        at
    }

    /// A list of texts. Wrong entries are named by their place: `events.0`.
    pub fn strings(&mut self, field: &str) -> Option<Vec<String>> {
        let Value::Array(entries) = self.value(field)? else {
            self.wrong(field, "must be an array");
            return None;
        };
        if entries.len() > MAX_ENTRIES {
            self.wrong(field, &format!("must not have more than {MAX_ENTRIES} items"));
            return None;
        }
        let mut texts = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let path = format!("{field}.{index}");
            match entry {
                Value::String(text) => texts.extend(self.clean(&path, text)),
                _ => self.wrong(&path, "must be a string"),
            }
        }
        (texts.len() == entries.len()).then_some(texts)
    }

    /// A list of anything.
    pub fn list(&mut self, field: &str, most: usize) -> Option<&'a [Value]> {
        let Value::Array(entries) = self.value(field)? else {
            self.wrong(field, "must be an array");
            return None;
        };
        if entries.len() > most {
            self.wrong(field, &format!("must not have more than {most} items"));
            return None;
        }
        Some(entries)
    }

    /// A list of objects, at most `most`. Wrong entries are named by their place: `messages.0`.
    pub fn objects(&mut self, field: &str, most: usize) -> Option<Vec<&'a Map<String, Value>>> {
        let entries = self.list(field, most)?;
        let mut objects = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            match entry {
                Value::Object(object) => objects.push(object),
                _ => self.wrong(&format!("{field}.{index}"), "must be an object"),
            }
        }
        (objects.len() == entries.len()).then_some(objects)
    }

    /// A list of whole numbers. Wrong entries are named by their place.
    pub fn numbers(&mut self, field: &str, most: usize) -> Option<Vec<u64>> {
        let entries = self.list(field, most)?;
        let mut numbers = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            match whole(entry) {
                Some(number) => numbers.push(number),
                None => self.wrong(&format!("{field}.{index}"), "must be an integer"),
            }
        }
        (numbers.len() == entries.len()).then_some(numbers)
    }

    /// An object.
    pub fn object(&mut self, field: &str) -> Option<&'a Map<String, Value>> {
        let object = self.value(field)?.as_object();
        if object.is_none() {
            self.wrong(field, "must be an object");
        }
        object
    }

    /// What is read of an object; its fields are named by their path: `media.url`.
    pub fn nested<T>(&mut self, field: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let values = self.object(field)?;
        let mut inner = Self::within(values, format!("{}{field}.", self.path));
        let found = read(&mut inner);
        self.errors.append(inner.errors);
        Some(found)
    }

    /// Whether a field is there and not empty.
    pub fn is_given(&self, field: &str) -> bool {
        self.value(field).is_some()
    }

    /// The same, which must be there and not be empty.
    pub fn required_numbers(&mut self, field: &str, most: usize) -> Option<Vec<u64>> {
        match self.value(field) {
            None => self.wrong(field, "is required"),
            Some(Value::Array(entries)) if entries.is_empty() => self.wrong(field, "is required"),
            Some(_) => return self.numbers(field, most),
        }
        None
    }

    /// A map of plain values, each as its text. Wrong entries are named by their path: `attributes.plan`.
    pub fn plain_map(&mut self, field: &str) -> Option<BTreeMap<String, String>> {
        let Value::Object(entries) = self.value(field)? else {
            self.wrong(field, "must be an object of plain values");
            return None;
        };
        if entries.len() > MAX_ENTRIES {
            self.wrong(field, &format!("must not have more than {MAX_ENTRIES} items"));
            return None;
        }
        let mut map = BTreeMap::new();
        for (name, value) in entries {
            if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.contains('\0') {
                self.wrong(field, &format!("must have names of 1 to {MAX_NAME_CHARS} characters"));
                continue;
            }
            let path = format!("{field}.{name}");
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                Value::Bool(value) => value.to_string(),
                Value::Number(number) => number.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    self.wrong(&path, "must be a string");
                    continue;
                }
            };
            if text.chars().count() > MAX_VALUE_CHARS {
                self.wrong(&path, &format!("must not be greater than {MAX_VALUE_CHARS} characters"));
            } else if let Some(text) = self.clean(&path, &text) {
                map.insert(name.clone(), text);
            }
        }
        Some(map)
    }
}

/// A number, or its digits.
fn whole(value: &Value) -> Option<u64> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX));
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => digits(text.trim()),
        _ => None,
    }
}

const fn truth(number: u64) -> Option<bool> {
    match number {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read<T>(value: &Value, read: impl FnOnce(&mut Fields<'_>) -> T) -> (T, Value) {
        let mut fields = Fields::new(value.as_object().unwrap());
        let result = read(&mut fields);
        (result, serde_json::to_value(&fields.errors).unwrap())
    }

    #[test]
    fn an_empty_text_and_null_are_none() {
        for value in [json!({}), json!({"phone": null}), json!({"phone": ""})] {
            assert_eq!(read(&value, |fields| fields.string("phone")), (None, json!({})), "{value}");
            let errors = json!({"phone": ["The phone field is required."]});
            assert_eq!(read(&value, |fields| fields.required_string("phone")), (None, errors), "{value}");
        }
    }

    #[test]
    fn a_wrong_type_is_named_and_not_bent() {
        let errors = json!({"phone": ["The phone field must be a string."]});
        for value in [json!(5), json!(true), json!([]), json!({"a": 1})] {
            let request = json!({"phone": value});
            assert_eq!(read(&request, |fields| fields.required_string("phone")), (None, errors.clone()), "{value}");
        }
        let errors = json!({"phone": ["The phone field must not contain a NUL character."]});
        assert_eq!(read(&json!({"phone": "a\0b"}), |fields| fields.string("phone")), (None, errors));
    }

    #[test]
    fn numbers_may_come_as_digits() {
        for value in [json!(3), json!("3"), json!(" 3 ")] {
            assert_eq!(read(&json!({"device": value}), |fields| fields.number("device")).0, Some(3), "{value}");
        }
        for value in [json!(-1), json!(1.5), json!("x"), json!([3]), json!(true)] {
            let errors = json!({"device": ["The device field must be an integer."]});
            assert_eq!(read(&json!({"device": value}), |fields| fields.number("device")), (None, errors), "{value}");
        }
        let over = json!({"per_page": ["The per page field must not be greater than 100."]});
        assert_eq!(read(&json!({"per_page": "101"}), |fields| fields.number_within("per_page", 1, 100)), (None, over));
    }

    #[test]
    fn wrong_entries_of_lists_and_maps_are_named_by_their_path() {
        let request = json!({"events": ["*", 5], "attributes": {"plan": "gold", "n": 5, "deep": {}}});
        let (events, errors) = read(&request, |fields| fields.strings("events"));
        assert_eq!((events, errors), (None, json!({"events.1": ["The events.1 field must be a string."]})));
        let (map, errors) = read(&request, |fields| fields.plain_map("attributes"));
        assert_eq!(errors, json!({"attributes.deep": ["The attributes.deep field must be a string."]}));
        let map = map.unwrap();
        assert_eq!((map["plan"].as_str(), map["n"].as_str()), ("gold", "5"));
    }
}
