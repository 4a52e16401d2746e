//! Time zones: where an account lives, and what moment a local time there is.

use std::fmt;

use jiff::civil;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::time::Timestamp;

/// A time zone, by its IANA name: `Asia/Kuala_Lumpur`. What is known of it is compiled in, the same on every target.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// Where an account lives that says nothing else.
const HOME: &str = "Asia/Kuala_Lumpur";

impl Zone {
    /// The zone with this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        if name.len() > 64 {
            return None;
        }
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        zone.iana_name().is_some().then_some(Self(zone))
    }

    /// Its name, as IANA writes it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The moment of a local time. One that a change of clocks passes over is taken as if they had not been changed yet, of
    /// one that comes twice the first.
    pub fn at(&self, local: LocalTime) -> Timestamp {
        let ambiguous = self.0.to_ambiguous_zoned(local.0);
        // Beyond the calendar's ends no offset can be applied: then the end itself.
        let zoned = ambiguous.compatible().or_else(|_| local.0.to_zoned(TimeZone::UTC));
        zoned.map_or(Timestamp(i64::MAX), |zoned| Timestamp(zoned.timestamp().as_microsecond()))
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::from_name(HOME).unwrap_or(Self(TimeZone::UTC))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

/// A time on a clock at the wall, wherever it hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime(civil::DateTime);

impl LocalTime {
    /// Reads ISO 8601 without an offset; a bare date is that day's beginning.
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().map(Self)
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Then.
    At(Timestamp),
    /// When the account's clocks show this.
    Local(LocalTime),
}

impl Moment {
    /// The moment, where local times are those of `zone`.
    pub fn in_zone(self, zone: &Zone) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Local(local) => zone.at(local),
        }
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self::At(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(zone: &str, local: &str) -> String {
        let moment = Zone::from_name(zone).unwrap().at(LocalTime::parse(local).unwrap());
        jiff::Timestamp::from_microsecond(moment.0).unwrap().to_string()
    }

    #[test]
    fn a_local_time_is_a_moment_in_its_zone() {
        for (zone, local, moment) in [
            ("Asia/Kuala_Lumpur", "2026-11-20T18:00:00", "2026-11-20T10:00:00Z"),
            ("Asia/Kuala_Lumpur", "2026-11-20", "2026-11-19T16:00:00Z"),
            ("Europe/Berlin", "2026-07-01 12:00", "2026-07-01T10:00:00Z"),
            ("Europe/Berlin", "2026-12-01 12:00", "2026-12-01T11:00:00Z"),
            // Passed over when the clocks went forward, and come twice when they went back.
            ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29T01:30:00Z"),
            ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30:00Z"),
            ("UTC", "2026-11-20T10:00", "2026-11-20T10:00:00Z"),
        ] {
            assert_eq!(at(zone, local), moment, "{zone} {local}");
        }
    }

    #[test]
    fn zones_are_known_by_their_names() {
        assert_eq!(Zone::from_name("asia/singapore").unwrap().name(), "Asia/Singapore");
        for name in ["", "Mars/Olympus", "+08:00", "../etc/passwd", "KL"] {
            assert_eq!(Zone::from_name(name), None, "{name}");
        }
        assert_eq!(Zone::default().name(), HOME);
    }

    #[test]
    fn what_is_no_local_time_is_not_read() {
        for text in ["", "soon", "2026-13-01", "18:00"] {
            assert_eq!(LocalTime::parse(text), None, "{text}");
        }
    }
}
