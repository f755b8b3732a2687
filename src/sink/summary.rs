//! The summary on standard error: first what makes the result worth less than it seems, then what was found.

mod accepts;
mod baselines;
mod problems;

use crate::findings::ProblemRow;
use crate::rules::Severity;
use crate::sink::input::Input;
use crate::sink::manifest::Manifest;
use crate::sink::text::{Align, counted, grouped, table, visible};
use crate::verify::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Inputs, problems and names that are listed before the rest is only counted.
const LISTED: usize = 10;

/// How a summary is shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'v> {
    /// Whether colours may be used.
    pub colour: bool,
    /// Where the result lies; `None` if it was not kept.
    pub place: Option<&'v Path>,
}

/// The text of the summary. `problems` are all of the run, in any order.
pub fn summary(manifest: &Manifest, problems: &[ProblemRow], view: View<'_>) -> String {
    let mut out = String::new();
    for warning in warnings(manifest) {
        out.push_str(&paint(view, "1;31", &format!("!! {}", visible(&warning))));
        out.push('\n');
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&read(manifest));
    out.push_str(&tokens(manifest));
    out.push_str(&findings(manifest, view));
    out.push_str(&problems::lines(manifest, problems, view));
    out.push_str(&accepts::lines(manifest));
    out.push_str(&not_looked_at(manifest));
    if let Some(place) = view.place {
        out.push_str(&where_it_lies(manifest, place));
    }
    out
}

/// What a reader must know before anything else.
fn warnings(manifest: &Manifest) -> Vec<String> {
    let mut warnings = Vec::new();
    let counts = &manifest.counts;
    if counts.records > 0 && counts.tokens.present == 0 {
        let records = counted(counts.records, "record");
        warnings.push(match counts.tokens.masked {
            0 => format!("NO TOKEN WAS FOUND in {records}: nothing could be judged."),
            masked => {
                format!("EVERY TOKEN IS MASKED ({} of {records}): nothing could be judged.", grouped(masked))
            }
        });
        warnings.extend(hints(&manifest.inputs));
    } else if counts.records == 0 {
        warnings.push("NO RECORD WAS READ: nothing could be judged.".to_owned());
    }
    if !manifest.completeness.is_complete() {
        warnings.push(manifest.completeness.sentence.as_str().to_owned());
    }
    warnings.extend(unverified(manifest));
    warnings.extend(baselines::warnings(manifest));
    warnings.extend(searched(&manifest.inputs));
    warnings
}

/// Inputs of no known format: their tokens are judged, but hardly what was done with them.
fn searched(inputs: &[Input]) -> Option<String> {
    let scanned: Vec<&Input> = inputs
        .iter()
        .filter(|input| input.counts.tokens.present > 0)
        .filter(|input| input.format.as_ref().is_some_and(|format| format.name.as_str() == "scan"))
        .collect();
    let first = scanned.first()?;
    let others = match scanned.len() - 1 {
        0 => String::new(),
        others => format!(" and {}", counted(count(others), "other input")),
    };
    let why = first.format.as_ref().map_or("", |format| format.reason.as_str());
    Some(format!(
        "NO FORMAT FITS {}{others} ({why}): without status, host and path the outcomes are unknown and API rules cannot look.",
        visible(first.source.as_str())
    ))
}

/// One line of configuration for each gateway that logs no tokens.
fn hints(inputs: &[Input]) -> Vec<String> {
    let hints: BTreeSet<(&str, &str)> = inputs
        .iter()
        .filter_map(|input| Some((input.format.as_ref()?.name.as_str(), input.hint.as_ref()?.as_str())))
        .collect();
    hints.into_iter().map(|(format, hint)| format!("To log tokens ({format}): {hint}")).collect()
}

fn unverified(manifest: &Manifest) -> Option<String> {
    let all = manifest.distinct_tokens;
    if manifest.keys.is_none() && manifest.counts.tokens.present > 0 {
        return Some(
            "NO KEYS WERE GIVEN (--keys DIR): no signature was verified, so no token is known to be genuine."
                .to_owned(),
        );
    }
    let open = manifest.verdicts.tokens.get("not-covered").copied().unwrap_or(0);
    (all > 0 && open.saturating_mul(2) > all).then(|| {
        let all = counted(all, "token");
        format!(
            "MOST SIGNATURES WERE NOT CHECKED: the key archive has no answer for {} of {all}.",
            grouped(open)
        )
    })
}

fn read(manifest: &Manifest) -> String {
    let counts = &manifest.counts;
    let mut out = format!(
        "Read {}: {}",
        counted(count(manifest.inputs.len()), "input"),
        counted(counts.records, "record")
    );
    if let (Some(first), Some(last)) = (counts.first_time, counts.last_time) {
        let _ = write!(out, " from {first} to {last}");
    }
    let _ = write!(
        out,
        "\n  {} with a token, {} masked, {} without, {} with another scheme; {} filtered, {} rejected, {} repaired\n",
        grouped(counts.tokens.present),
        grouped(counts.tokens.masked),
        grouped(counts.tokens.absent),
        grouped(counts.tokens.other_scheme),
        grouped(counts.filtered),
        grouped(counts.rejects.total()),
        grouped(counts.repaired),
    );
    out.push_str(&indented(&inputs(&manifest.inputs)));
    for note in manifest.keys.iter().flat_map(|keys| &keys.notes) {
        let _ = writeln!(out, "  keys: {}", visible(note.as_str()));
    }
    out
}

/// The inputs that need attention first, then the rest.
fn inputs(inputs: &[Input]) -> String {
    let mut shown: Vec<&Input> = inputs.iter().collect();
    shown.sort_by_key(|input| matches!(input.status, "complete" | "empty"));
    let row = |input: &&Input| {
        vec![
            input.source.as_str().to_owned(),
            input.status.to_owned(),
            input.format.as_ref().map_or("-", |format| format.name.as_str()).to_owned(),
            grouped(input.counts.records),
            grouped(input.counts.tokens.present),
            grouped(input.counts.tokens.masked),
            grouped(input.counts.rejects.total()),
        ]
    };
    let rows: Vec<Vec<String>> = shown.iter().take(LISTED).map(row).collect();
    let headings = [
        ("input", Align::Left),
        ("status", Align::Left),
        ("format", Align::Left),
        ("records", Align::Right),
        ("tokens", Align::Right),
        ("masked", Align::Right),
        ("rejects", Align::Right),
    ];
    table(&headings, &rows) + &more(shown.len(), "input", "run.json")
}

fn tokens(manifest: &Manifest) -> String {
    let verdicts: Vec<String> = Verdict::ALL
        .iter()
        .filter_map(|verdict| Some((verdict.name(), *manifest.verdicts.tokens.get(verdict.name())?)))
        .filter(|(_, tokens)| *tokens > 0)
        .map(|(name, tokens)| format!("{} {name}", grouped(tokens)))
        .collect();
    if verdicts.is_empty() {
        return String::new();
    }
    let tokens = counted(manifest.distinct_tokens, "distinct token");
    format!("\nSignatures of {tokens}: {}\n", verdicts.join(", "))
}

fn findings(manifest: &Manifest, view: View<'_>) -> String {
    let least = manifest.filters.min_severity.unwrap_or("info");
    if manifest.findings.is_empty() {
        let requests = counted(manifest.counts.tokens.present, "request");
        return format!("\nNo finding at or above {least} in {requests} with a token.\n");
    }
    let mut rows = Vec::new();
    for severity in Severity::ALL.iter().rev() {
        for (rule, by_severity) in &manifest.findings {
            let of = |counts: &BTreeMap<&'static str, u64>| counts.get(severity.name()).copied().unwrap_or(0);
            let problems = manifest.problems.get(rule).map_or(0, of);
            if of(by_severity) > 0 {
                let name = severity.name().to_owned();
                rows.push(vec![name, rule.clone(), grouped(of(by_severity)), grouped(problems)]);
            }
        }
    }
    let headings = [
        ("severity", Align::Left),
        ("rule", Align::Left),
        ("findings", Align::Right),
        ("problems", Align::Right),
    ];
    let lines = table(&headings, &rows);
    let painted: Vec<String> = lines.lines().map(|line| paint(view, colour_of(line), line)).collect();
    format!("\nFindings\n{}", indented(&painted.join("\n")))
}

fn not_looked_at(manifest: &Manifest) -> String {
    let mut lines = Vec::new();
    let passed: Vec<&Input> = manifest.inputs.iter().filter(|input| input.status == "passed-over").collect();
    if !passed.is_empty() {
        let names: Vec<&str> = passed.iter().take(LISTED).map(|input| input.source.as_str()).collect();
        let dots = if passed.len() > LISTED { ", …" } else { "" };
        lines.push(format!(
            "{} in directories not read, being pipes, sockets or devices: {}{dots}",
            counted(count(passed.len()), "input"),
            names.join(", ")
        ));
    }
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (rule, input) in &manifest.rules.skipped {
        missing.entry(input).or_default().push(rule);
    }
    for (input, rules) in missing {
        let names = rules.get(..LISTED.min(rules.len())).unwrap_or_default().join(", ");
        let dots = if rules.len() > LISTED { ", …" } else { "" };
        lines.push(format!(
            "{} skipped for want of {input}: {names}{dots}",
            counted(count(rules.len()), "rule")
        ));
    }
    let mut reasons: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for by_reason in manifest.rules.not_evaluable.values() {
        for (reason, records) in by_reason {
            let entry = reasons.entry(reason).or_default();
            *entry = (entry.0 + 1, entry.1.max(*records));
        }
    }
    for (reason, (rules, records)) in reasons {
        let rules = counted(rules, "rule");
        lines.push(format!("{rules} could not judge up to {} ({reason})", counted(records, "record")));
    }
    if manifest.uncovered > 0 {
        lines.push(format!("{} match no API of the policy", counted(manifest.uncovered, "record")));
    }
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = lines.iter().map(|line| visible(line).into_owned()).collect();
    format!("\nWhat could not be looked at\n{}", indented(&lines.join("\n")))
}

fn where_it_lies(manifest: &Manifest, place: &Path) -> String {
    let place = place.display().to_string();
    let rows: Vec<String> = manifest
        .output
        .files
        .iter()
        .filter(|file| file.rows > 0)
        .map(|file| format!("{} {}", grouped(file.rows), file.table))
        .collect();
    let rows = if rows.is_empty() { "no rows".to_owned() } else { rows.join(", ") };
    let file = format!("{place}/problems.parquet").replace('\'', "''");
    let query = format!(
        "SELECT severity, rule, api, outcome, cause, count FROM '{file}' ORDER BY severity_id DESC, count DESC"
    );
    format!("\nResult in {} ({rows})\n  duckdb -c \"{}\"\n", visible(&place), visible(&query))
}

fn more(all: usize, noun: &str, file: &str) -> String {
    match all.saturating_sub(LISTED) {
        0 => String::new(),
        rest => format!("and {} in {file}\n", counted(count(rest), &format!("more {noun}"))),
    }
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |out, line| out + "  " + line + "\n")
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn colour_of(line: &str) -> &'static str {
    match line.split(' ').next() {
        Some("critical") => "1;31",
        Some("high") => "31",
        Some("medium") => "33",
        _ => "",
    }
}

fn paint(view: View<'_>, colour: &str, text: &str) -> String {
    if view.colour && !colour.is_empty() {
        format!("\u{1b}[{colour}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Concluded, InputCounts, Totals};
    use crate::pipeline::Outcome as Run;
    use crate::sink::input::{Counts, InputFormat};
    use crate::sink::manifest::{Given, Written};

    const PLAIN: View<'_> = View { colour: false, place: None };

    fn input(hint: Option<&str>) -> Input {
        Input {
            source: "logs/a\u{1b}.log".into(),
            status: "complete",
            error: None,
            bytes: 10,
            bytes_decompressed: 10,
            packing: None,
            sha256: None,
            gateway: None,
            format: Some(InputFormat { name: "nginx".into(), reason: "named".into() }),
            lines: 5,
            counts: Counts { records: 5, ..Counts::default() },
            hint: hint.map(Into::into),
        }
    }

    fn manifest(counts: InputCounts) -> Manifest {
        let concluded = Concluded { totals: Totals { counts, ..Totals::default() }, ..Concluded::default() };
        let run = Run { concluded, ..Run::default() };
        let manifest = Manifest::new(&Given::default(), &run, Written::default());
        Manifest { inputs: vec![input(Some("log_format …"))], ..manifest }
    }

    #[test]
    fn it_begins_with_what_is_missing() {
        let text =
            summary(&manifest(InputCounts { records: 5, absent: 5, ..InputCounts::default() }), &[], PLAIN);
        assert!(text.starts_with("!! NO TOKEN WAS FOUND in 5 records"), "{text}");
        assert!(text.contains("To log tokens (nginx): log_format …"), "{text}");
        let masked = InputCounts { records: 5, masked: 5, ..InputCounts::default() };
        assert!(
            summary(&manifest(masked), &[], PLAIN).starts_with("!! EVERY TOKEN IS MASKED (5 of 5 records)")
        );
        let present = InputCounts { records: 5, present: 5, ..InputCounts::default() };
        let text = summary(&manifest(present), &[], PLAIN);
        assert!(text.starts_with("!! NO KEYS WERE GIVEN"), "{text}");
        assert!(text.contains("No finding at or above info in 5 requests with a token."), "{text}");
    }
}
