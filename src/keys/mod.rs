//! Issuers' keys through time: an archive of captured key sets, joined into a history that tells which keys an issuer
//! had, when, and that verifies with them (contract section 4).
//!
//! ```text
//! directory or packed file -> Archive (captures, metadata) -> KeyHistory -> candidates -> PreparedKey
//! ```

mod archive;
mod authorities;
mod candidates;
mod capture;
mod chain;
mod coverage;
mod der;
mod difference;
mod document;
mod error;
mod files;
mod history;
mod import;
mod jwk;
mod key;
mod lanes;
mod listing;
mod needs;
mod numbered;
mod pack;
mod picture;
mod prepared;
mod show;
mod source;
mod statement;
mod stored;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;
mod when;
mod writer;

pub use archive::{Archive, Tampering};
pub use capture::Capture;
pub use capture::Metadata;
pub use chain::Cut;
pub use coverage::{Stretch, sources_of};
pub use difference::{ComparedSource, Difference, KeyChange, KeySets};
pub use document::Document;
pub use error::KeysError;
pub use history::KeyHistory;
pub use history::Sighting;
pub use history::Source;
pub use import::{Import, Imported, import};
pub use jwk::Certificate;
pub use jwk::Curve;
pub use jwk::Jwk;
pub use jwk::Material;
pub use jwk::Unusable;
pub use jwk::certificate_key;
pub use key::Key;
pub use key::Listing;
pub use lanes::{LANES_MAX, LaneJob, LaneKernel, LaneKey, Width};
pub use listing::CertificateRow;
pub use listing::KeyRow;
pub use listing::SourceRow;
pub use needs::KeyNeed;
pub use pack::{Packed, pack};
pub use prepared::Fit;
pub use prepared::PreparedKey;
pub use show::{KeyDetail, KeySource, Life};
pub use source::EntraSource;
pub use source::EntraTenant;
pub use source::SourceKind;
pub use when::CaptureTime;
pub use writer::Added;
pub use writer::Writer;

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
    /// The latest capture with another one six hours or more behind it, both complete, without the key and before
    /// `first_seen`: a use at or before this instant lies in a confirmed-absent stretch.
    pub absent_before_until: Option<UtcMicros>,
    /// The capture that completes the proof of its retirement (rules.md 2.11), if it is retired.
    pub retired_at: Option<UtcMicros>,
}
