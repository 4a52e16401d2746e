//! Errors as Laravel writes them, with a stable code beside the text.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What is wrong, in words.
    pub message: String,
    /// What is wrong, as a stable code.
    pub code: &'static str,
    /// Each wrong field with its texts, for 422.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, Vec<String>>>)]
    pub errors: Option<FieldErrors>,
    /// What the request costs, for 402.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<i64>,
    /// What is left, for 402.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<i64>,
    /// The id of a command that nobody answered, for 504. Hosts log it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl ErrorBody {
    /// An error that is all said by its text and code.
    pub fn new(message: impl Into<String>, code: &'static str) -> Self {
        Self { message: message.into(), code, errors: None, required: None, balance: None, command: None }
    }

    /// A request with wrong fields.
    pub fn invalid(errors: FieldErrors) -> Self {
        let message = errors.message();
        Self { errors: Some(errors), ..Self::new(message, "validation_failed") }
    }
}

/// How many fields are named when many things are wrong.
const MAX_APPENDED: usize = 100;

/// Wrong fields, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(String, Vec<String>)>);

impl FieldErrors {
    /// Says what is wrong with a field.
    pub fn add(&mut self, field: impl Into<String>, text: impl Into<String>) {
        let field = field.into();
        match self.0.iter_mut().find(|(known, _)| *known == field) {
            Some((_, texts)) => texts.push(text.into()),
            None => self.0.push((field, vec![text.into()])),
        }
    }

    /// Takes in what is wrong with other fields. Only of the first hundred more is said: a list may hold a thousand.
    pub fn append(&mut self, more: Self) {
        let room = MAX_APPENDED.saturating_sub(self.0.len());
        self.0.extend(more.0.into_iter().take(room));
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this field was found wrong.
    pub fn names(&self, field: &str) -> bool {
        self.0.iter().any(|(known, _)| known == field)
    }

    /// The first text, and how many more there are.
    pub fn message(&self) -> String {
        let count: usize = self.0.iter().map(|(_, texts)| texts.len()).sum();
        let first = self.0.first().and_then(|(_, texts)| texts.first()).map_or("", String::as_str);
        match count {
            0 | 1 => first.to_owned(),
            2 => format!("{first} (and 1 more error)"),
            _ => format!("{first} (and {} more errors)", count - 1),
        }
    }
}

impl Serialize for FieldErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, texts) in &self.0 {
            map.serialize_entry(field, texts)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_text_stands_for_all_with_their_number() {
        let mut errors = FieldErrors::default();
        errors.add("phone", "The phone field is required.");
        assert_eq!(errors.message(), "The phone field is required.");
        errors.add("body", "The body field is required.");
        assert_eq!(errors.message(), "The phone field is required. (and 1 more error)");
        errors.add("body", "Another.");
        assert_eq!(errors.message(), "The phone field is required. (and 2 more errors)");
    }
}
