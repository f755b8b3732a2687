//! What became of each input, and whether that is everything.

use super::source::Packing;
use crate::engine::{Concluded, InputCounts};
use crate::verify::Verdict;

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Read to its end.
    Complete,
    /// Read to its end; there was nothing in it.
    Empty,
    /// Not there.
    Missing,
    /// It could not be read, or not to its end.
    Unreadable,
    /// It breaks off or is corrupt; what lies before was audited.
    Truncated,
    /// Known, and nothing that can be read as text.
    Unsupported,
    /// The run was stopped before its end; none of it is in the result.
    Interrupted,
    /// Only its head was looked at (dry run).
    Planned,
    /// A pipe, a socket or a device in a directory: it was not asked for by name, and holds no log to read.
    PassedOver,
}

impl Status {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Empty => "empty",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Truncated => "truncated",
            Self::Unsupported => "unsupported",
            Self::Interrupted => "interrupted",
            Self::Planned => "planned",
            Self::PassedOver => "passed-over",
        }
    }
}

/// What became of one input.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct InputReport {
    /// The source, as it is written to the tables.
    pub source: String,
    /// The policy's gateway that it belongs to.
    pub gateway: Option<String>,
    /// What became of it.
    pub status: Status,
    /// Why it was not read to its end.
    pub error: Option<String>,
    /// Bytes as stored that were read.
    pub bytes: u64,
    /// Bytes after decompression.
    pub bytes_decompressed: u64,
    /// SHA-256 of the bytes as stored, 64 hexadecimal digits; `None` if it is off or not every byte was read.
    pub sha256: Option<String>,
    /// How it is packed; `None` if it was not opened.
    pub packing: Option<Packing>,
    /// Name of its format.
    pub format: Option<String>,
    /// Why it is that.
    pub format_reason: Option<String>,
    /// What would have its gateway log tokens.
    pub hint: Option<String>,
    /// Lines, whether or not they are units.
    pub lines: i64,
    /// What became of its units.
    pub counts: InputCounts,
}

impl InputReport {
    /// A report of an input of which nothing is known yet.
    pub(super) fn new(source: String, status: Status) -> Self {
        Self {
            source,
            gateway: None,
            status,
            error: None,
            bytes: 0,
            bytes_decompressed: 0,
            sha256: None,
            packing: None,
            format: None,
            format_reason: None,
            hint: None,
            lines: 0,
            counts: InputCounts::default(),
        }
    }

    /// True if more than 1 % of what should have been records was rejected.
    fn mostly_rejected(&self) -> bool {
        let rejects = self.counts.rejects.total();
        let units = self.counts.records.saturating_add(self.counts.filtered).saturating_add(rejects);
        rejects.saturating_mul(100) > units
    }
}

/// The end of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Every input that was named, in byte order of the sources.
    pub inputs: Vec<InputReport>,
    /// Tables and totals over the inputs that were finished.
    pub concluded: Concluded,
    /// True if the run was stopped from outside before every input was read.
    pub interrupted: bool,
}

/// Whether everything that was to be looked at was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completeness {
    /// True if so.
    pub complete: bool,
    /// One sentence: that it is, or why it is not.
    pub sentence: String,
}

impl Outcome {
    /// Whether everything was read (contract section 3, exit 3).
    pub fn completeness(&self) -> Completeness {
        let reasons = self.reasons();
        if reasons.is_empty() {
            return Completeness { complete: true, sentence: "Every input was read to its end.".to_owned() };
        }
        Completeness { complete: false, sentence: format!("Coverage is incomplete: {}.", reasons.join("; ")) }
    }

    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for (status, one, several) in [
            (Status::Missing, "is missing", "are missing"),
            (Status::Unreadable, "could not be read to the end", "could not be read to the end"),
            (Status::Truncated, "breaks off or is corrupt", "break off or are corrupt"),
            (Status::Unsupported, "is of a kind that cannot be read", "are of a kind that cannot be read"),
            (Status::Interrupted, "is left out after an interruption", "are left out after an interruption"),
        ] {
            reasons.extend(self.complain(one, several, |input| input.status == status));
        }
        let too_long = |input: &InputReport| input.counts.rejects.too_long > 0;
        reasons.extend(self.complain("has over-long lines", "have over-long lines", too_long));
        let rejected = "more than 1 % rejected records";
        let (one, several) = (format!("has {rejected}"), format!("have {rejected}"));
        reasons.extend(self.complain(&one, &several, InputReport::mostly_rejected));
        for (gateway, totals) in &self.concluded.totals.gateways {
            reasons.extend(
                totals
                    .unmet
                    .iter()
                    .map(|unmet| format!("gateway {gateway}: {}", unmet.trim_end_matches('.'))),
            );
        }
        reasons
    }

    /// `2 of 7 inputs are missing (a.log, b.log)`
    fn complain(&self, one: &str, several: &str, concerns: impl Fn(&InputReport) -> bool) -> Option<String> {
        const NAMED: usize = 3;
        let concerned: Vec<&str> =
            self.inputs.iter().filter(|input| concerns(input)).map(|input| input.source.as_str()).collect();
        if concerned.is_empty() {
            return None;
        }
        let complaint = if concerned.len() == 1 { one } else { several };
        let inputs = if self.inputs.len() == 1 { "input" } else { "inputs" };
        let mut names = concerned.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        if concerned.len() > NAMED {
            names = format!("{names} and {} more", concerned.len() - NAMED);
        }
        Some(format!("{} of {} {inputs} {complaint} ({names})", concerned.len(), self.inputs.len()))
    }

    /// True if there was nothing to audit: every input is missing (exit 2).
    pub fn every_input_missing(&self) -> bool {
        self.inputs.iter().all(|input| matches!(input.status, Status::Missing | Status::PassedOver))
    }

    /// Inputs without any token (`--require-tokens`).
    pub fn inputs_without_tokens(&self) -> impl Iterator<Item = &InputReport> {
        let inputs = self.inputs.iter().filter(|input| input.status != Status::PassedOver);
        inputs.filter(|input| input.counts.present == 0)
    }

    /// Uses of tokens whose signature no capture could decide (`--require-keys`).
    pub fn uses_not_covered(&self) -> u64 {
        self.concluded.totals.verdicts.get(Verdict::NotCovered.name()).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{GatewayTotals, Rejects};

    fn outcome(inputs: &[(&str, Status)]) -> Outcome {
        let inputs =
            inputs.iter().map(|(source, status)| InputReport::new((*source).to_owned(), *status)).collect();
        Outcome { inputs, ..Outcome::default() }
    }

    #[test]
    fn everything_read_is_complete() {
        let mut outcome = outcome(&[("a", Status::Complete), ("b", Status::Empty)]);
        outcome.inputs[0].counts.records = 99;
        outcome.inputs[0].counts.rejects = Rejects { json: 1, ..Rejects::default() };
        let complete = outcome.completeness();
        assert_eq!(
            (complete.complete, complete.sentence.as_str()),
            (true, "Every input was read to its end.")
        );
        assert!(!outcome.every_input_missing());
        assert_eq!(outcome.inputs_without_tokens().count(), 2);
    }

    #[test]
    fn every_reason_is_named() {
        let mut outcome = outcome(&[
            ("a", Status::Missing),
            ("b", Status::Truncated),
            ("c", Status::Complete),
            ("d", Status::Missing),
            ("e", Status::Missing),
            ("f", Status::Missing),
        ]);
        outcome.inputs[2].counts.records = 98;
        outcome.inputs[2].counts.rejects = Rejects { too_long: 1, ..Rejects::default() };
        let unmet = vec!["no record for 3 h.".to_owned()];
        let gateways = &mut outcome.concluded.totals.gateways;
        gateways.insert("edge".to_owned(), GatewayTotals { unmet, ..GatewayTotals::default() });
        let sentence = "Coverage is incomplete: 4 of 6 inputs are missing (a, d, e and 1 more); 1 of 6 inputs breaks off \
                        or is corrupt (b); 1 of 6 inputs has over-long lines (c); 1 of 6 inputs has more than 1 % \
                        rejected records (c); gateway edge: no record for 3 h.";
        let partial = outcome.completeness();
        assert_eq!((partial.complete, partial.sentence.as_str()), (false, sentence));
    }

    #[test]
    fn nothing_but_missing_inputs_is_nothing_audited() {
        assert!(outcome(&[("a", Status::Missing), ("b", Status::Missing)]).every_input_missing());
        assert!(!outcome(&[("a", Status::Missing), ("b", Status::Unreadable)]).every_input_missing());
    }
}
