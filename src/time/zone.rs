//! Zones of log times that name none.

use super::UtcMicros;

/// How a civil time without an offset becomes an instant.
#[derive(Clone, Debug)]
pub enum Zone {
    /// UTC, because the format says so.
    Utc,
    /// UTC, because nothing says otherwise; the run reports it as `time_zone=assumed`.
    Assumed,
    /// A zone of the built-in IANA table, or a fixed offset.
    Named(jiff::tz::TimeZone),
}

impl Zone {
    /// A zone by its IANA name (`Europe/Berlin`), `UTC`, or an offset (`+01:00`); `None` if there is no such zone.
    pub fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") || name == "Z" {
            return Some(Self::Utc);
        }
        if let Some(seconds) = super::parse::offset_seconds(name.as_bytes()) {
            let offset = jiff::tz::Offset::from_seconds(i32::try_from(seconds).ok()?).ok()?;
            return Some(Self::Named(jiff::tz::TimeZone::fixed(offset)));
        }
        jiff::tz::TimeZone::get(name).ok().map(Self::Named)
    }

    /// The instant of a civil time, given as microseconds as if it were UTC. In the hour that a zone repeats the earlier
    /// instant is taken, in the hour that it skips the later one.
    pub fn instant(&self, civil: i64) -> Option<UtcMicros> {
        let Self::Named(zone) = self else { return Some(UtcMicros(civil)) };
        let as_utc = jiff::Timestamp::from_microsecond(civil).ok()?;
        let civil = jiff::tz::TimeZone::UTC.to_datetime(as_utc);
        let instant = zone.to_ambiguous_timestamp(civil).compatible().ok()?;
        Some(UtcMicros(instant.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::HOUR;

    #[test]
    fn a_zone_moves_civil_time() {
        let noon = 1_795_348_800_000_000;
        assert_eq!(Zone::Utc.instant(noon), Some(UtcMicros(noon)));
        assert_eq!(Zone::named("Europe/Berlin").unwrap().instant(noon), Some(UtcMicros(noon - HOUR)));
        assert_eq!(Zone::named("-02:00").unwrap().instant(noon), Some(UtcMicros(noon + 2 * HOUR)));
        assert!(Zone::named("Europe/Nowhere").is_none());
    }
}
