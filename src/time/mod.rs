//! Clock-free time: microseconds since the Unix epoch, UTC. Nothing in the library reads a clock.

pub mod parse;
mod zone;

pub use zone::Zone;

use std::fmt;

/// An instant in UTC, in whole microseconds since 1970-01-01T00:00:00Z; negative before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UtcMicros(pub i64);

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds of an hour.
pub const HOUR: i64 = 3600 * SECOND;
/// Microseconds of a day.
pub const DAY: i64 = 24 * HOUR;

impl UtcMicros {
    /// From whole seconds since the epoch; saturates at the ends of the range.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// The start of the hour that holds this instant.
    pub fn hour(self) -> Self {
        Self(self.0.div_euclid(HOUR).saturating_mul(HOUR))
    }

    /// This instant moved by a number of microseconds; saturates.
    #[must_use]
    pub fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

impl fmt::Display for UtcMicros {
    /// RFC 3339 in UTC, with a fraction only where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// A half-open period `[since, until)`; an absent bound is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Period {
    /// First instant inside.
    pub since: Option<UtcMicros>,
    /// First instant after.
    pub until: Option<UtcMicros>,
}

impl Period {
    /// True if the instant lies inside.
    pub fn contains(&self, at: UtcMicros) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}
