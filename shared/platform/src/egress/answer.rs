//! What is kept of an answer: foreign bytes, of which only a bounded, printable part goes on.

use std::time::{Duration, UNIX_EPOCH};

use hantar_domain::time::Timestamp;
use hantar_domain::webhook::{KEPT_ANSWER_BYTES, MAX_ANSWER_BYTES};
use hantar_usecases::ports::Clock as _;
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::RETRY_AFTER;

use crate::clock::SystemClock;

/// An answer that came whole, or up to the size that is read.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// Reads until the end, or until enough was read; the rest is left to the closing of the connection.
    pub(super) async fn read(response: Response<Incoming>) -> hyper::Result<Self> {
        let code = response.status().as_u16();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = asked.and_then(|value| retry_after(value, SystemClock.now()));
        let mut body = response.into_body();
        let mut read = Vec::new();
        while read.len() < MAX_ANSWER_BYTES {
            let Some(frame) = body.frame().await else { break };
            let Ok(data) = frame?.into_data() else { continue };
            let room = MAX_ANSWER_BYTES - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
        }
        Ok(Self { code, retry_after, body: read })
    }
}

/// Printable text of at most `KEPT_ANSWER_BYTES`. A character that the limit cut in two is left out.
pub(super) fn excerpt(body: &[u8]) -> String {
    let bytes = &body[..body.len().min(KEPT_ANSWER_BYTES)];
    let text = String::from_utf8_lossy(bytes);
    let whole = if bytes.len() < KEPT_ANSWER_BYTES { &text } else { text.trim_end_matches('\u{fffd}') };
    let spaced = whole.chars().map(|c| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c });
    let mut printable: String = spaced.filter(|c| !c.is_control()).collect();
    // Each broken byte has become three.
    printable.truncate(printable.floor_char_boundary(KEPT_ANSWER_BYTES));
    printable
}

/// What a `Retry-After` asks for: seconds, or an HTTP date (RFC 9110, 10.2.3). A date that has passed asks for nothing.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((Timestamp::default() + at).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = Timestamp::from_seconds(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sunday, 06-Nov-94 08:51:37 GMT", Some(120)),
            ("Sun Nov  6 08:51:37 1994", Some(120)),
            ("Sun, 06 Nov 1994 08:40:00 GMT", Some(0)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn an_excerpt_is_printable_and_bounded() {
        assert_eq!(excerpt(b"plain"), "plain");
        assert_eq!(excerpt("sudah diterima \u{2713}".as_bytes()), "sudah diterima \u{2713}");
        assert_eq!(excerpt(b"a\x00b\x1b[31mc\r\nd\te\x7f"), "ab[31mc  d e");
        assert_eq!(excerpt(b"broken \xff byte"), "broken \u{fffd} byte");
        assert_eq!(excerpt(&[0xff; KEPT_ANSWER_BYTES]), "");
        let mut broken = [0xff; KEPT_ANSWER_BYTES];
        broken[KEPT_ANSWER_BYTES - 1] = b'x';
        assert!(excerpt(&broken).len() <= KEPT_ANSWER_BYTES);
    }

    #[test]
    fn a_character_cut_by_the_limit_is_left_out() {
        let text = format!("{}\u{2713}", "a".repeat(KEPT_ANSWER_BYTES - 1));
        assert_eq!(excerpt(&text.as_bytes()[..KEPT_ANSWER_BYTES]), "a".repeat(KEPT_ANSWER_BYTES - 1));
    }
}
