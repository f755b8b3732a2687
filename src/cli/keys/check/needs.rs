//! What a policy's APIs need of the archive, and whether it is there.

use super::texts;
use serde::Serialize;
use std::fmt::Write as _;
use tokentrail::keys::{Authority, KeyHistory};
use tokentrail::policy::Policy;
use tokentrail::redact;
use tokentrail::sink::visible;
use tokentrail::time::UtcMicros;

/// APIs and sources that are named in a line of text; more are counted.
const NAMED_MAX: usize = 3;

#[derive(Serialize)]
pub(super) struct NeedReport {
    /// Whose keys, in words.
    need: String,
    /// The APIs that need them, by name; none where the policy says it of all.
    apis: Vec<String>,
    /// True if no source has them.
    missing: bool,
    /// The sources that have them.
    sources: Vec<String>,
    /// What to capture, if they are missing.
    capture: Vec<String>,
    /// Stretches of the stated period further than seven days from any capture of these sources.
    uncovered: Vec<[String; 2]>,
}

/// Everything that the policy needs, there or not.
pub(super) fn reports(
    policy: &Policy,
    history: &KeyHistory,
    [since, until]: [Option<UtcMicros>; 2],
) -> Vec<NeedReport> {
    let needs = policy.key_needs();
    let report = |(need, apis): (&tokentrail::keys::KeyNeed, &std::collections::BTreeSet<&str>)| {
        let sources = history.meeting(need);
        let missing = sources.is_empty();
        let capture = if missing { need.sources() } else { Vec::new() };
        let names = sources.iter().map(|id| history.source_name(*id).to_owned()).collect();
        let uncovered = match since.zip(until).filter(|_| !missing) {
            Some(period) => texts(&history.uncovered(&Authority { sources }, period)),
            None => Vec::new(),
        };
        NeedReport {
            need: redact::cell(&need.to_string(), &[]).into_owned(),
            apis: apis.iter().map(|api| (*api).to_owned()).collect(),
            missing,
            sources: names,
            capture,
            uncovered,
        }
    };
    needs.iter().map(report).collect()
}

impl NeedReport {
    pub(super) fn is_clean(&self) -> bool {
        !self.missing && self.uncovered.is_empty()
    }

    pub(super) fn write(&self, out: &mut String) {
        let by = match self.apis.as_slice() {
            [] => String::new(),
            apis => format!(" for {}", first_of(apis)),
        };
        let need = visible(&self.need);
        let _ = if self.missing {
            writeln!(out, "missing   {need}{by}: no source has these keys")
        } else {
            writeln!(out, "has       {need}{by}: {}", first_of(&self.sources))
        };
        for [from, to] in &self.uncovered {
            let _ = writeln!(out, "          no capture within seven days, {from} to {to}");
        }
        for url in &self.capture {
            let _ = writeln!(out, "          capture {}", visible(url));
        }
    }
}

/// `a, b, c and 4 more`
fn first_of(names: &[String]) -> String {
    let shown = |name: &String| {
        let name = if name.is_empty() { "the archive's own directory" } else { name };
        visible(name).into_owned()
    };
    let listed = names.iter().take(NAMED_MAX).map(shown).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        Some(more) => format!("{listed} and {more} more"),
        None => listed,
    }
}
