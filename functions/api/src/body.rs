//! Reading what a request carries: its body as JSON or a form, its query, its idempotency key.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use hantar_usecases::idempotency::MAX_KEY_CHARS;
use hantar_wire::v1::error::FieldErrors;
use http_body_util::{BodyExt as _, LengthLimitError};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::MAX_BODY_BYTES;
use crate::errors::ApiError;

/// The field that errors name a wrong idempotency key by.
pub(crate) const KEY_FIELD: &str = "idempotency_key";

/// How much of a body that is too large is read past: beyond this the connection is just closed.
const READ_PAST: usize = 8 * MAX_BODY_BYTES;

enum Format {
    Json,
    Form,
}

/// The fields of a body. None at all where the body is empty.
pub(crate) async fn fields(request: Request) -> Result<Map<String, Value>, ApiError> {
    let format = format(request.headers());
    let bytes =
        to_bytes(request.into_body(), MAX_BODY_BYTES).await.map_err(|error| unreadable(error.into_inner().as_ref()))?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    match format.ok_or(ApiError::UnsupportedMediaType)? {
        Format::Form => Ok(pairs(&bytes)),
        Format::Json => match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(ApiError::Malformed("The request body must be a JSON object.".to_owned())),
            Err(error) => Err(ApiError::Malformed(format!("The request body is not valid JSON: {error}."))),
        },
    }
}

/// Reads past a body that nobody looks at: whoever is still sending does not read the answer, and a connection closed on
/// unread bytes takes the answer with it.
pub(crate) async fn read_past(mut body: Body) {
    let mut left = READ_PAST;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, axum::body::Bytes::len));
        if left == 0 {
            return;
        }
    }
}

/// `None` for a kind that is not read, for none at all, and for two.
fn format(headers: &HeaderMap) -> Option<Format> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding.as_bytes() != b"identity") {
        return None;
    }
    let mut all = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let kind = value.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Some(Format::Json),
        "application/x-www-form-urlencoded" => Some(Format::Form),
        other => (other.starts_with("application/") && other.ends_with("+json")).then_some(Format::Json),
    }
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> ApiError {
    if error.is::<LengthLimitError>() {
        return ApiError::TooLarge;
    }
    ApiError::Malformed("The request body ended before it was complete.".to_owned())
}

/// The fields of a query.
pub(crate) fn query(request: &Request) -> Map<String, Value> {
    pairs(request.uri().query().unwrap_or_default().as_bytes())
}

/// How deep a form's names may go: more than any body that is read here.
const FORM_DEPTH: usize = 8;

/// Fields as PHP reads them: the last of a name counts, `a[]` and `a[0]` make a list, `a[b]` a map, and so on inside.
fn pairs(bytes: &[u8]) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(bytes) {
        let value = Value::String(value.into_owned());
        match path(&name) {
            Some((first, steps)) => put(fields.entry(first).or_insert(Value::Null), &steps, value),
            None => _ = fields.insert(name.into_owned(), value),
        }
    }
    fields.values_mut().for_each(lists);
    fields
}

/// A name and what stands in its brackets: `a[0][b]` is `a` with `0` and `b`.
fn path(name: &str) -> Option<(&str, Vec<&str>)> {
    let (first, rest) = name.split_once('[')?;
    let steps: Vec<&str> = rest.strip_suffix(']')?.split("][").collect();
    (steps.len() <= FORM_DEPTH).then_some((first, steps))
}

/// Everything bracketed is a map at first; what has no name of its own gets the next number.
fn put(place: &mut Value, steps: &[&str], value: Value) {
    let Some((step, further)) = steps.split_first() else {
        *place = value;
        return;
    };
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    if let Value::Object(map) = place {
        let step = if step.is_empty() { map.len().to_string() } else { (*step).to_owned() };
        put(map.entry(step).or_insert(Value::Null), further, value);
    }
}

/// Maps whose names are 0, 1, 2 and so on, in this order, are the lists that were meant.
fn lists(value: &mut Value) {
    let Value::Object(map) = value else { return };
    map.values_mut().for_each(lists);
    if !map.is_empty() && (0..map.len()).all(|number| map.contains_key(&number.to_string())) {
        let numbers = 0..map.len();
        *value = Value::Array(numbers.filter_map(|number| map.remove(&number.to_string())).collect());
    }
}

/// The caller's idempotency key, if there is one. What is wrong with it goes to `errors`.
pub(crate) fn idempotency_key(headers: &HeaderMap, errors: &mut FieldErrors) -> Option<String> {
    let mut all = headers.get_all("idempotency-key").iter();
    let value = all.next()?;
    let wrong = match value.to_str() {
        _ if all.next().is_some() => "must be given once",
        Err(_) => "must be a string of visible ASCII characters",
        Ok(key) if key.trim().is_empty() => "must not be empty",
        Ok(key) if key.len() > MAX_KEY_CHARS => "must not be greater than 255 characters",
        Ok(key) => return Some(key.trim().to_owned()),
    };
    errors.add(KEY_FIELD, format!("The idempotency key field {wrong}."));
    None
}

/// The caller's idempotency key where a request has nothing else to be wrong.
pub(crate) fn only_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut errors = FieldErrors::default();
    let key = idempotency_key(headers, &mut errors);
    if errors.is_empty() { Ok(key) } else { Err(ApiError::Invalid(errors)) }
}

/// The answer where a key stands for another request.
pub(crate) fn key_reused() -> ApiError {
    ApiError::field(KEY_FIELD, "The idempotency key was used for another request within the last 24 hours.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_read_as_php_reads_it() {
        let fields = pairs(b"phone=0123&events[]=a&events[]=b&attributes[plan]=gold&phone=0124&odd[=1&body=a+b%20c");
        let expected = json!({
            "phone": "0124", "events": ["a", "b"], "attributes": {"plan": "gold"}, "odd[": "1", "body": "a b c"
        });
        assert_eq!(Value::Object(fields), expected);
    }

    #[test]
    fn rows_of_a_form_are_read_as_php_writes_them() {
        let fields = pairs(
            b"events[0]=*&messages[0][phone]=012&messages[0][attributes][plan]=gold&messages[1][phone]=013&odd[1]=x&id[]=5&id[]=6",
        );
        let expected = json!({
            "events": ["*"],
            "messages": [{"phone": "012", "attributes": {"plan": "gold"}}, {"phone": "013"}],
            "odd": {"1": "x"},
            "id": ["5", "6"],
        });
        assert_eq!(Value::Object(fields), expected);
    }

    #[test]
    fn a_form_with_bottomless_names_is_read_no_deeper_than_any_body() {
        let name = format!("a{}", "[x]".repeat(100_000));
        let fields = pairs(format!("{name}=1").as_bytes());
        assert_eq!(fields.into_iter().collect::<Vec<_>>(), [(name, json!("1"))]);
    }

    #[test]
    fn a_form_that_contradicts_itself_ends_in_one_shape() {
        let fields = pairs(b"a=1&a[]=2&b[]=1&b[x]=2&c[x]=1&c=2&d=%ff%00");
        let expected = json!({"a": ["2"], "b": {"0": "1", "x": "2"}, "c": "2", "d": "\u{fffd}\0"});
        assert_eq!(Value::Object(fields), expected);
    }
}
