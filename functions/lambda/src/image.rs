//! Items as a stream's event carries them: DynamoDB's JSON.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hantar_store::stream::Image;
use serde_json::Value;

/// Reads an image. An error says which attribute cannot be read, not what is in it.
pub(crate) fn image(value: &Value) -> Result<Image, String> {
    let attributes = value.as_object().ok_or("an image is no object")?;
    let read = |(name, value): (&String, &Value)| match attribute(value) {
        Some(value) => Ok((name.clone(), value)),
        None => Err(format!("the attribute `{name}` cannot be read")),
    };
    attributes.iter().map(read).collect()
}

fn attribute(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object().filter(|typed| typed.len() == 1)?.iter().next()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let bytes = |value: &Value| STANDARD.decode(value.as_str()?).ok().map(Blob::new);
    let list = || value.as_array().map(|list| list.iter());
    Some(match kind.as_str() {
        "S" => AttributeValue::S(text(value)?),
        "N" => AttributeValue::N(text(value)?),
        "B" => AttributeValue::B(bytes(value)?),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(value.as_bool()?),
        "SS" => AttributeValue::Ss(list()?.map(text).collect::<Option<_>>()?),
        "NS" => AttributeValue::Ns(list()?.map(text).collect::<Option<_>>()?),
        "BS" => AttributeValue::Bs(list()?.map(bytes).collect::<Option<_>>()?),
        "L" => AttributeValue::L(list()?.map(attribute).collect::<Option<_>>()?),
        "M" => AttributeValue::M(image(value).ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_attribute_is_read() {
        let written = json!({
            "s": { "S": "text" }, "n": { "N": "1.5" }, "b": { "B": "AQI=" }, "yes": { "BOOL": true }, "none": { "NULL": true },
            "ss": { "SS": ["a"] }, "ns": { "NS": ["1"] }, "bs": { "BS": ["AQI="] },
            "l": { "L": [{ "S": "x" }, { "M": { "deep": { "N": "2" } } }] },
        });
        let bytes = || Blob::new([1, 2]);
        let deep = Image::from([("deep".to_owned(), AttributeValue::N("2".into()))]);
        let expected = [
            ("s", AttributeValue::S("text".into())),
            ("n", AttributeValue::N("1.5".into())),
            ("b", AttributeValue::B(bytes())),
            ("yes", AttributeValue::Bool(true)),
            ("none", AttributeValue::Null(true)),
            ("ss", AttributeValue::Ss(vec!["a".into()])),
            ("ns", AttributeValue::Ns(vec!["1".into()])),
            ("bs", AttributeValue::Bs(vec![bytes()])),
            ("l", AttributeValue::L(vec![AttributeValue::S("x".into()), AttributeValue::M(deep)])),
        ];
        let expected: Image = expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(image(&written), Ok(expected));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_not_shown() {
        for wrong in [
            json!("secret"),
            json!({ "S": 1 }),
            json!({ "S": "secret", "N": "1" }),
            json!({ "B": "secret!" }),
            json!({ "L": [{ "N": 1 }] }),
            json!({ "X": "secret" }),
            json!({}),
        ] {
            assert_eq!(image(&json!({ "body": wrong })), Err("the attribute `body` cannot be read".into()), "{wrong}");
        }
        assert!(image(&json!([])).is_err());
    }
}
