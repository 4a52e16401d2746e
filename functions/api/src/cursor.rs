//! Where a page of the ledger begins, as one word in a link. Whoever bends it gets another page of their own ledger.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hantar_domain::ids::MessageId;
use hantar_domain::ledger::{Cause, Movement};
use hantar_domain::time::Timestamp;
use hantar_usecases::list_ledger::LedgerPlace;

/// The longest that is read: the name of a grant is the longest part.
const MAX_CHARS: usize = 1024;

/// `{message}.{half}[.{at}.{cause}.{reference}]`, wrapped.
pub(crate) fn text(place: &LedgerPlace) -> String {
    let message = place.message.map_or(0, |message| message.0);
    let mut text = format!("{message}.{}", u8::from(place.half));
    if let Some(Movement { at, cause, .. }) = &place.noted {
        text = format!("{text}.{}.{}.{}", at.0, cause.word(), cause.reference());
    }
    URL_SAFE_NO_PAD.encode(text)
}

/// The place that [`text`] wrote.
pub(crate) fn read(text: &str) -> Option<LedgerPlace> {
    if text.len() > MAX_CHARS {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let mut parts = text.splitn(5, '.');
    let message = parts.next()?.parse().ok()?;
    let half = match parts.next()? {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    let noted = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => None,
        (Some(at), Some(word), Some(reference)) => {
            let cause = Cause::read(word, reference)?;
            Some(Movement { at: Timestamp(at.parse().ok()?), credits: 0, cause })
        }
        _ => return None,
    };
    Some(LedgerPlace { message: (message > 0).then_some(MessageId(message)), half, noted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_as_it_was_written() {
        let noted = |cause| Some(Movement { at: Timestamp(1_752_000_000_123_456), credits: 0, cause });
        for place in [
            LedgerPlace::default(),
            LedgerPlace { message: Some(MessageId(7)), half: true, noted: noted(Cause::Opening) },
            LedgerPlace { message: None, half: false, noted: noted(Cause::Grant("a.b#c".into())) },
        ] {
            assert_eq!(read(&text(&place)), Some(place));
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for inner in ["", "1", "x.0", "1.2", "1.0.5", "1.0.5.grant", "1.0.x.grant.y", "1.0.5.nonsense.y"] {
            assert_eq!(read(&URL_SAFE_NO_PAD.encode(inner)), None, "{inner}");
        }
        assert_eq!(read("%%%"), None);
        assert_eq!(read(&"A".repeat(MAX_CHARS + 4)), None);
    }
}
