//! Whether everything that was asked for was looked at, and if not, what was missed.

use crate::engine::Totals;
use crate::sink::manifest::{Given, GatewayReport, Input, Text};
use crate::sink::text::{counted, grouped};
use serde::Serialize;

/// Reasons that the sentence names; all of them are listed beside it.
const NAMED: usize = 3;

/// `completeness` of `run.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// `complete` or `partial`
    pub status: &'static str,
    /// One sentence.
    pub sentence: Text,
    /// Everything that was missed.
    pub reasons: Vec<Text>,
}

impl Completeness {
    /// What a run missed.
    pub(super) fn of(
        given: &Given,
        inputs: &[Input],
        gateways: &[GatewayReport],
        totals: &Totals,
        interrupted: bool,
    ) -> Self {
        let mut reasons = Vec::new();
        if interrupted {
            reasons.push("the run was interrupted".to_owned());
        }
        reasons.extend(inputs.iter().flat_map(|input| missed_in(input, given.require_tokens)));
        for gateway in gateways {
            reasons.extend(gateway.unmet.iter().map(|unmet| unmet.as_str().to_owned()));
        }
        let uncovered = totals.token_verdicts.get("not-covered").copied().unwrap_or(0);
        if given.require_keys && uncovered > 0 {
            reasons.push(format!("the key archive does not cover {}", counted(uncovered, "token")));
        }
        Self::new(&reasons, inputs.len(), totals.counts.records)
    }

    fn new(reasons: &[String], inputs: usize, records: u64) -> Self {
        let read = format!("{} in {}", counted(records, "record"), counted(u64::try_from(inputs).unwrap_or(0), "input"));
        let sentence = match reasons {
            [] => format!("Every input was read to its end: {read}."),
            reasons => {
                let named = reasons.get(..NAMED.min(reasons.len())).unwrap_or_default().join("; ");
                let more = match reasons.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                };
                format!("Coverage is incomplete ({read} were looked at): {named}{more}.")
            }
        };
        let status = if reasons.is_empty() { "complete" } else { "partial" };
        Self { status, sentence: sentence.into(), reasons: reasons.iter().map(Text::from).collect() }
    }

    /// True if nothing was missed.
    pub fn is_complete(&self) -> bool {
        self.status == "complete"
    }
}

/// What was missed in one input.
fn missed_in(input: &Input, require_tokens: bool) -> Vec<String> {
    let name = input.source.as_str();
    let mut missed = Vec::new();
    if !matches!(input.status, "complete" | "empty") {
        let why = input.error.as_ref().map_or(String::new(), |error| format!(" ({})", error.as_str()));
        missed.push(format!("{name} is {}{why}", input.status));
    }
    let counts = &input.counts;
    if counts.rejects.too_long > 0 {
        missed.push(format!("{name} has {} too long to read", counted(counts.rejects.too_long, "line")));
    }
    let rejects = counts.rejects.total();
    let candidates = rejects + counts.records + counts.filtered;
    if rejects.saturating_mul(100) > candidates {
        missed.push(format!("{} of {} units of {name} gave no record", grouped(rejects), grouped(candidates)));
    }
    if require_tokens && counts.tokens.present == 0 {
        missed.push(format!("{name} has no token"));
    }
    missed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::manifest::{Counts, RejectCounts};

    fn input(status: &'static str, records: u64, json: u64) -> Input {
        Input {
            source: "logs/a.log".into(),
            status,
            error: None,
            bytes: None,
            sha256: None,
            gateway: None,
            format: None,
            format_reason: None,
            counts: Counts { records, rejects: RejectCounts { json, ..Default::default() }, ..Default::default() },
            hint: None,
        }
    }

    fn status(given: &Given, inputs: &[Input]) -> &'static str {
        Completeness::of(given, inputs, &[], &Totals::default(), false).status
    }

    #[test]
    fn one_reject_in_a_hundred_is_allowed() {
        let given = Given::default();
        assert_eq!(status(&given, &[input("complete", 99, 1)]), "complete");
        assert_eq!(status(&given, &[input("complete", 98, 2)]), "partial");
        assert_eq!(status(&given, &[input("empty", 0, 0)]), "complete");
        assert_eq!(status(&given, &[input("truncated", 5, 0)]), "partial");
        assert_eq!(status(&Given { require_tokens: true, ..given }, &[input("complete", 5, 0)]), "partial");
    }

    #[test]
    fn the_sentence_names_what_was_missed() {
        let inputs = [input("missing", 0, 0), input("complete", 1, 1)];
        let found = Completeness::of(&Given::default(), &inputs, &[], &Totals::default(), true);
        let sentence = "Coverage is incomplete (0 records in 2 inputs were looked at): the run was interrupted; \
                        logs/a.log is missing; 1 of 2 units of logs/a.log gave no record.";
        assert_eq!(found.sentence.as_str(), sentence);
        assert_eq!(found.reasons.len(), 3);
    }
}
