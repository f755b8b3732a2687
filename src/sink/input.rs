//! What became of each input, as `run.json` tells it.

use crate::engine::InputCounts;
use crate::pipeline::{InputReport, Packing};
use crate::sink::manifest;
use crate::sink::manifest::Text;
use crate::time::UtcMicros;
use serde::Serialize;

/// What became of one input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// Its name; see contract section 3.
    pub source: Text,
    /// `complete`, `empty`, `missing`, `unreadable`, `truncated`, `unsupported` or `interrupted`.
    pub status: &'static str,
    /// Why it is not complete.
    pub error: Option<Text>,
    /// Bytes as stored that were read.
    pub bytes: u64,
    /// Bytes after decompression.
    pub bytes_decompressed: u64,
    /// `plain`, `gzip` or `zstd`.
    pub packing: Option<Packing>,
    /// SHA-256 of the bytes as stored.
    pub sha256: Option<String>,
    /// Its gateway.
    pub gateway: Option<Text>,
    /// Its format.
    pub format: Option<InputFormat>,
    /// Lines, whether or not they are units.
    pub lines: i64,
    /// What became of its units.
    #[serde(flatten)]
    pub counts: Counts,
    /// The line of configuration that would log tokens, where none was found.
    pub hint: Option<Text>,
}

/// How an input is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputFormat {
    /// Name of the format.
    pub name: Text,
    /// Why that format was taken.
    pub reason: Text,
}

impl From<&InputReport> for Input {
    fn from(report: &InputReport) -> Self {
        let text = |text: &Option<String>| text.as_ref().map(Text::from);
        Self {
            source: Text::from(&report.source),
            status: report.status.name(),
            error: text(&report.error),
            bytes: report.bytes,
            bytes_decompressed: report.bytes_decompressed,
            packing: report.packing,
            sha256: report.sha256.clone(),
            gateway: text(&report.gateway),
            format: report.format.as_ref().map(|name| InputFormat {
                name: Text::from(name),
                reason: Text::from(report.format_reason.as_deref().unwrap_or_default()),
            }),
            lines: report.lines,
            counts: Counts::from(&report.counts),
            hint: text(&report.hint),
        }
    }
}

/// What became of units; see [`InputCounts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Lines, or elements of an envelope.
    pub units: u64,
    /// Records that were audited.
    pub records: u64,
    /// Records outside the time window or the filters.
    pub filtered: u64,
    /// Blank lines, comments, headers.
    pub ignored: u64,
    /// Records in which bytes had to be replaced.
    pub repaired: u64,
    /// Records by what they say about tokens.
    pub tokens: TokenCounts,
    /// Uses of tokens; a record may carry several.
    pub uses: u64,
    /// Rejected units by reason.
    pub rejects: RejectCounts,
    /// First time of its records.
    #[serde(serialize_with = "manifest::rfc3339")]
    pub first_time: Option<UtcMicros>,
    /// Last time of its records.
    #[serde(serialize_with = "manifest::rfc3339")]
    pub last_time: Option<UtcMicros>,
}

/// Records by what they say about tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TokenCounts {
    /// With a token.
    pub present: u64,
    /// With a masked token.
    pub masked: u64,
    /// Without.
    pub absent: u64,
    /// With a credential of another scheme.
    pub other_scheme: u64,
}

/// Rejected units by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RejectCounts {
    /// Not JSON.
    pub json: u64,
    /// The format's template does not match.
    pub no_match: u64,
    /// Longer than `--max-line`.
    pub too_long: u64,
    /// Cut off by the end of a broken input.
    pub truncated_input: u64,
}

impl RejectCounts {
    /// All together.
    pub fn total(&self) -> u64 {
        self.json + self.no_match + self.too_long + self.truncated_input
    }
}

impl From<&InputCounts> for Counts {
    fn from(counts: &InputCounts) -> Self {
        Self {
            units: counts.units,
            records: counts.records,
            filtered: counts.filtered,
            ignored: counts.ignored,
            repaired: counts.repaired,
            tokens: TokenCounts {
                present: counts.present,
                masked: counts.masked,
                absent: counts.absent,
                other_scheme: counts.other_scheme,
            },
            uses: counts.uses,
            rejects: RejectCounts {
                json: counts.rejects.json,
                no_match: counts.rejects.no_match,
                too_long: counts.rejects.too_long,
                truncated_input: counts.rejects.truncated_input,
            },
            first_time: counts.first_time,
            last_time: counts.last_time,
        }
    }
}
