//! What the business table's stream says, read back into the domain.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use hantar_usecases::ports::{Change, PortError};

use crate::places::DEVICE;
use crate::{device, message};

/// An item's image, as a stream record carries it.
pub type Image = HashMap<String, AttributeValue>;

/// Reads a record's images. `None` for a deletion, and for anything that is neither a message nor a device.
/// A damaged image is an error: park the record, a repeat will not help.
pub fn change(old: Option<&Image>, new: Option<&Image>) -> Result<Option<Change>, PortError> {
    let Some(new) = new else { return Ok(None) };
    let key = |name: &str| new.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).unwrap_or_default();
    if is_message(key("pk")) {
        let old = old.map(message::read).transpose()?.map(Box::new);
        return Ok(Some(Change::Message { old, new: Box::new(message::read(new)?) }));
    }
    if key("pk").starts_with("A#") && key("sk").starts_with(DEVICE) {
        let old = old.map(device::read).transpose()?.map(Box::new);
        return Ok(Some(Change::Device { old, new: Box::new(device::read(new)?) }));
    }
    Ok(None)
}

fn is_message(pk: &str) -> bool {
    pk.starts_with("A#") && pk.ends_with("#M")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::text;

    #[test]
    fn messages_and_devices_are_changes_and_nothing_else_is() {
        let (one, two) = (message::item(&message::tests::message()), device::item(&device::tests::device()));
        let message = Box::new(message::tests::message());
        let expected = Change::Message { old: None, new: message.clone() };
        assert_eq!(change(None, Some(&one)).unwrap(), Some(expected));
        let expected = Change::Message { old: Some(message.clone()), new: message };
        assert_eq!(change(Some(&one), Some(&one)).unwrap(), Some(expected));
        let expected = Change::Device { old: None, new: Box::new(device::tests::device()) };
        assert_eq!(change(None, Some(&two)).unwrap(), Some(expected));
        assert_eq!(change(Some(&one), None).unwrap(), None);
        let balance = Image::from([("pk".into(), text("A#1")), ("sk".into(), text("BALANCE"))]);
        assert_eq!(change(None, Some(&balance)).unwrap(), None);
        let damaged = Image::from([("pk".into(), text("A#1#M")), ("sk".into(), text("0000000000000001"))]);
        assert!(change(None, Some(&damaged)).is_err());
    }
}
