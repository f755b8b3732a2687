//! What a reader must know of the results that this one was compared with, before "new" is believed.

use super::count;
use crate::sink::manifest::{Manifest, Text};
use crate::sink::parts::BaselineReport;
use crate::sink::text::{counted, visible};

/// Names that are listed.
const LISTED: usize = 5;

/// A warning for each result that did not look at all that this run did.
pub(super) fn warnings(manifest: &Manifest) -> impl Iterator<Item = String> {
    manifest.baselines.iter().flatten().filter_map(warning)
}

fn warning(baseline: &BaselineReport) -> Option<String> {
    let mut why = Vec::new();
    if baseline.completeness.as_str() != "complete" {
        why.push("it is partial".to_owned());
    }
    let filters: Vec<&str> = baseline.other_filters.iter().map(Text::as_str).collect();
    if !filters.is_empty() {
        why.push(format!("it was made with another {}", filters.join(", ")));
    }
    let rules = &baseline.rules_not_run;
    if !rules.is_empty() {
        let listed: Vec<&str> = rules.iter().take(LISTED).map(String::as_str).collect();
        let more = if rules.len() > LISTED { ", …" } else { "" };
        why.push(format!(
            "{} did not run there ({}{more})",
            counted(count(rules.len()), "rule"),
            listed.join(", ")
        ));
    }
    (!why.is_empty()).then(|| {
        format!(
            "THE BASELINE {} DID NOT LOOK AT ALL THAT THIS RUN DID: {}. What it missed counts as new here.",
            visible(baseline.path.as_str()),
            why.join("; ")
        )
    })
}
