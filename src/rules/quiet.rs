//! When a rule is known beforehand to say nothing: a use of a known token costs less the fewer rules it asks.

use crate::time::UtcMicros;

/// The requests, by their time, at which a rule says nothing about a token at an API, whatever else they are. There may be
/// more of them: that is found out by asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    first: i64,
    last: i64,
}

impl Quiet {
    /// Every request with a time.
    pub const ALWAYS: Self = Self { first: i64::MIN, last: i64::MAX };
    /// None that is known of.
    pub const NEVER: Self = Self { first: i64::MAX, last: i64::MIN };

    /// From an instant on.
    pub fn from(first: UtcMicros) -> Self {
        Self { first: first.0, ..Self::ALWAYS }
    }

    /// Up to an instant, with it.
    pub fn until(last: UtcMicros) -> Self {
        Self { last: last.0, ..Self::ALWAYS }
    }

    /// [`Self::ALWAYS`] where something holds, else [`Self::NEVER`].
    pub fn always_if(holds: bool) -> Self {
        if holds { Self::ALWAYS } else { Self::NEVER }
    }

    /// Where both are quiet.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { first: self.first.max(other.first), last: self.last.min(other.last) }
    }

    /// True if there is no such request.
    pub fn is_never(self) -> bool {
        self.first > self.last
    }

    /// True if a request at this instant is one.
    pub fn contains(self, at: UtcMicros) -> bool {
        (self.first..=self.last).contains(&at.0)
    }
}
