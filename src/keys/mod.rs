//! Issuers' keys through time.

use crate::time::UtcMicros;

/// A key of the history: one kid with one material. Different materials under one kid are different keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

/// A source of captures within the history, in byte order of the source's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// The sources that serve one issuer (contract section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// In order.
    pub sources: Vec<SourceId>,
}

/// What may be concluded about a key at an instant (rules.md 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A capture at that instant holds it.
    Known,
    /// Between two consecutive captures that both hold it.
    Presumed,
    /// Between a capture with it and one without, or beside a failed fetch.
    Gap,
    /// Earlier than at least two consecutive complete captures, six hours or more apart, all without it.
    AbsentBefore,
    /// Later than at least three consecutive complete captures over a day or more without it in any source of the
    /// authority that ever had it, and it never returns.
    AbsentAfter,
    /// No complete capture within seven days.
    NoCoverage,
}

/// How a key stood at an instant, with the bounds that findings carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What may be concluded.
    pub presence: Presence,
    /// First capture that holds the key.
    pub first_seen: UtcMicros,
    /// Last capture that holds it.
    pub last_seen: UtcMicros,
    /// Last complete capture without it before `first_seen`, if any.
    pub last_absent_before: Option<UtcMicros>,
    /// First complete capture without it after `last_seen`, if any.
    pub first_absent_after: Option<UtcMicros>,
    /// The capture from which its absence before publication is confirmed until `first_seen`: the instant before which
    /// (and at which) a use lies in a confirmed-absent stretch.
    pub absent_before_until: Option<UtcMicros>,
    /// The capture that completes the proof of its retirement (rules.md 2.11), if it is retired.
    pub retired_at: Option<UtcMicros>,
}

mod history;

pub use history::{Key, KeyHistory, Listing};
