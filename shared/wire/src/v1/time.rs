//! Moments as text: `2026-11-20T10:04:13.000000Z`, as Laravel writes them; read in any ISO 8601 form.

use std::time::Duration;

use hantar_domain::time::Timestamp;
use hantar_domain::zone::{LocalTime, Moment};
use jiff::civil;
use jiff::tz::TimeZone;

/// Writes a moment. One beyond the calendar (year 9999) is written as the calendar's end.
pub fn text(at: Timestamp) -> String {
    let end = if at.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(end);
    format!("{at:.6}")
}

/// Reads a moment. Without an offset it is taken as UTC; a bare date is that day's beginning.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp(at.as_microsecond()));
    }
    let civil = text.parse::<civil::DateTime>().ok()?;
    let at = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp(at.timestamp().as_microsecond()))
}

/// Reads a moment. Without an offset it is one on the account's clocks; a bare date is that day's beginning there.
pub fn parse_moment(text: &str) -> Option<Moment> {
    if let Ok(at) = text.trim().parse::<jiff::Timestamp>() {
        return Some(Moment::At(Timestamp(at.as_microsecond())));
    }
    LocalTime::parse(text).map(Moment::Local)
}

/// Writes what [`parse_moment`] reads.
pub fn moment_text(moment: Moment) -> String {
    match moment {
        Moment::At(at) => text(at),
        Moment::Local(local) => local.to_string(),
    }
}

/// Reads the end of a range: as [`parse`], but a bare date means that day's end.
pub fn parse_end(text: &str) -> Option<Timestamp> {
    let at = parse(text)?;
    let bare = text.trim().parse::<civil::Date>().is_ok() && !text.contains(':');
    Some(if bare { at + Duration::from_hours(24) } else { at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_with_six_digits_and_read_back() {
        let at = Timestamp(1_795_169_053_000_000);
        assert_eq!(text(at), "2026-11-20T10:04:13.000000Z");
        assert_eq!(parse(&text(at)), Some(at));
        assert_eq!(text(Timestamp(i64::MAX)), text(Timestamp(i64::MAX - 1)), "the calendar's end");
    }

    #[test]
    fn any_iso_8601_spelling_is_read() {
        let at = Some(Timestamp(1_795_169_053_000_000));
        for text in [
            "2026-11-20T10:04:13Z",
            "2026-11-20T18:04:13+08:00",
            "2026-11-20 10:04:13",
            "2026-11-20T10:04:13",
            " 2026-11-20T10:04:13.000Z ",
        ] {
            assert_eq!(parse(text), at, "{text}");
        }
        for text in ["", "tomorrow", "2026-13-01", "2026-11-20T25:00:00Z", "1795169053"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_without_an_offset_is_one_on_the_accounts_clocks() {
        for (text, read) in [
            ("2026-11-20T18:04:13+08:00", "2026-11-20T10:04:13.000000Z"),
            ("2026-11-20 18:04", "2026-11-20T18:04:00"),
            ("2026-11-20", "2026-11-20T00:00:00"),
        ] {
            assert_eq!(parse_moment(text).map(moment_text).as_deref(), Some(read), "{text}");
        }
        assert_eq!(parse_moment("soon"), None);
    }

    #[test]
    fn a_bare_date_is_the_days_beginning_or_as_an_end_its_end() {
        assert_eq!(parse("2026-11-20").map(text), Some("2026-11-20T00:00:00.000000Z".into()));
        assert_eq!(parse_end("2026-11-20").map(text), Some("2026-11-21T00:00:00.000000Z".into()));
        assert_eq!(parse_end("2026-11-20T01:00:00Z").map(text), Some("2026-11-20T01:00:00.000000Z".into()));
    }
}
