//! Whether everything that was asked for was looked at, and if not, what was missed.

use crate::pipeline::Outcome;
use crate::sink::manifest::{Given, Text};
use crate::sink::text::{counted, grouped};
use serde::Serialize;

/// `completeness` of `run.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// `complete` or `partial`
    pub status: &'static str,
    /// One sentence.
    pub sentence: Text,
}

impl Completeness {
    /// What a run missed of its inputs, and of what `--require-tokens` and `--require-keys` demand.
    pub(super) fn of(given: &Given, outcome: &Outcome) -> Self {
        let read = outcome.completeness();
        let mut demands = Vec::new();
        let bare = outcome.inputs_without_tokens().count();
        if given.require_tokens && bare > 0 {
            let first = outcome.inputs_without_tokens().next().map_or("", |input| input.source.as_str());
            let inputs = counted(u64::try_from(outcome.inputs.len()).unwrap_or(u64::MAX), "input");
            demands
                .push(format!("{bare} of {inputs} had no token, which --require-tokens demands ({first})"));
        }
        let open = outcome.uses_not_covered();
        if given.require_keys && open > 0 {
            let uses = grouped(open);
            demands.push(format!(
                "the key archive does not cover {uses} uses of tokens, which --require-keys demands"
            ));
        }
        let complete = read.complete && demands.is_empty();
        let sentence = match demands.as_slice() {
            [] => read.sentence,
            demands if read.complete => format!("Coverage is incomplete: {}.", demands.join("; ")),
            demands => format!("{}; {}.", read.sentence.trim_end_matches('.'), demands.join("; ")),
        };
        Self { status: if complete { "complete" } else { "partial" }, sentence: sentence.into() }
    }

    /// True if nothing was missed.
    pub fn is_complete(&self) -> bool {
        self.status == "complete"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Concluded, Totals};

    #[test]
    fn demands_are_part_of_the_sentence() {
        let totals = Totals { verdicts: [("not-covered", 7)].into(), ..Totals::default() };
        let outcome =
            Outcome { concluded: Concluded { totals, ..Concluded::default() }, ..Outcome::default() };
        let given = Given::default();
        assert!(Completeness::of(&given, &outcome).is_complete());
        let strict = Completeness::of(&Given { require_keys: true, ..given }, &outcome);
        assert_eq!(strict.status, "partial");
        let sentence = "Coverage is incomplete: the key archive does not cover 7 uses of tokens, which --require-keys demands.";
        assert_eq!(strict.sentence.as_str(), sentence);
    }
}
