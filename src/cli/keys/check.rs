//! `keys check`: is the archive whole, what is wrong with its keys, and does it answer for the issuers in the logs and the APIs of
//! a policy?

mod needs;

use crate::cli::args::{KeysCheckArgs, Listing};
use crate::cli::clock;
use crate::cli::console;
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::policy;
use needs::NeedReport;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tokentrail::facts::Context;
use tokentrail::keys::{Archive, KeyHistory, Stretch, sources_of};
use tokentrail::redact;
use tokentrail::rules::{self, Severity};
use tokentrail::sink::{IssuerSeen, add_issuers, counted, visible};
use tokentrail::time::UtcMicros;

/// Everything that `keys check` says. Where every list is empty but that of sources, nothing is wrong.
#[derive(Serialize)]
struct Report {
    archive: String,
    sha256: String,
    sources: Vec<SourceReport>,
    /// What cannot be read, or is not what was captured; `audit` refuses such an archive.
    faults: Vec<String>,
    /// Sources whose beginning was cut off, for a good reason or not.
    cuts: Vec<String>,
    /// What the rules over the archive say.
    findings: Vec<FindingReport>,
    /// Issuers of the results that no source serves, or that the archive has no opinion about for a time.
    issuers: Vec<IssuerReport>,
    /// What the APIs of the policy need, there or not.
    needs: Vec<NeedReport>,
    notices: Vec<String>,
}

#[derive(Serialize)]
struct SourceReport {
    source: String,
    captures: usize,
    failed: usize,
    first_capture: Option<String>,
    last_capture: Option<String>,
    /// Longest time between two complete captures in a row, in seconds.
    longest_gap_s: Option<i64>,
    /// Stretches of the period further than seven days from any capture of this source.
    uncovered: Vec<[String; 2]>,
}

#[derive(Serialize)]
struct FindingReport {
    rule: &'static str,
    severity: &'static str,
    subject: String,
    message: String,
    actual: Option<String>,
}

#[derive(Serialize)]
struct IssuerReport {
    iss: String,
    tokens: u64,
    not_covered: u64,
    /// True if no source serves it.
    missing: bool,
    /// What to capture.
    capture: Vec<String>,
    uncovered: Vec<[String; 2]>,
}

/// Checks an archive.
pub(super) fn run(args: &KeysCheckArgs, console: Console) -> Outcome {
    let (archive, faults) =
        Archive::inspect(&args.keys).map_err(|error| Failure::say(format!("keys: {error}")))?;
    let policy = args.policy.as_deref().map(policy::load).transpose()?;
    let cuts: Vec<String> = archive.cuts.iter().map(ToString::to_string).collect();
    let history = KeyHistory::new(archive);
    let period = period(args)?;
    let mut issuers = BTreeMap::new();
    for result in &args.results {
        add_issuers(result, &mut issuers).map_err(Failure::usage)?;
    }
    let report = Report {
        archive: args.keys.display().to_string(),
        sha256: history.sha256().to_owned(),
        sources: sources(&history, period),
        faults: faults.iter().map(ToString::to_string).collect(),
        findings: findings(&history),
        issuers: issuers.iter().filter_map(|(iss, seen)| issuer(&history, iss, seen, period)).collect(),
        needs: policy.map(|policy| needs::reports(&policy, &history, period)).unwrap_or_default(),
        notices: history.notices().iter().filter(|notice| !cuts.contains(notice)).cloned().collect(),
        cuts,
    };
    match args.listing.format {
        Listing::Json => console::print_json(&report)?,
        Listing::Table => {
            for notice in &report.notices {
                console.note(&format!("note: {}\n", visible(notice)));
            }
            console::print(&report.text(&issuers))?
        }
    };
    Ok(if report.is_clean() { Exit::Clean } else { Exit::Findings })
}

/// The period that is asked for; without a beginning and an end it is that of the captures or of the tokens.
fn period(args: &KeysCheckArgs) -> Result<[Option<UtcMicros>; 2], Failure> {
    let now = clock::now();
    let at = |name: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => {
            clock::instant(text, now).map(Some).map_err(|why| Failure::say(format!("{name} {text}: {why}")))
        }
    };
    let [since, until] = [at("--since", &args.since)?, at("--until", &args.until)?];
    // Whoever asks about the last days wants to hear that nothing was captured in them.
    let until = until.or(since.map(|_| now));
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(Failure::say(format!(
            "--since {since} is not before --until {until}: no time lies between them"
        )));
    }
    Ok([since, until])
}

fn sources(history: &KeyHistory, [since, until]: [Option<UtcMicros>; 2]) -> Vec<SourceReport> {
    let report = |(id, source): (_, &tokentrail::keys::Source)| {
        let complete: Vec<_> = source.captures.iter().filter(|capture| capture.complete).collect();
        let ends = complete.first().zip(complete.last()).map(|(a, b)| (a.time.start, b.time.end));
        let gaps = complete.windows(2).filter_map(|pair| match pair {
            [before, after] => Some(after.time.start.0.saturating_sub(before.time.end.0).max(0)),
            _ => None,
        });
        let period = since.or(ends.map(|ends| ends.0)).zip(until.or(ends.map(|ends| ends.1)));
        let authority = tokentrail::keys::Authority { sources: vec![id] };
        SourceReport {
            source: source.name.clone(),
            captures: complete.len(),
            failed: source.captures.len() - complete.len(),
            first_capture: ends.map(|ends| ends.0.to_string()),
            last_capture: ends.map(|ends| ends.1.to_string()),
            longest_gap_s: gaps.max().map(|gap| gap / tokentrail::time::SECOND),
            uncovered: period.map(|period| texts(&history.uncovered(&authority, period))).unwrap_or_default(),
        }
    };
    history.sources().map(report).collect()
}

fn findings(history: &KeyHistory) -> Vec<FindingReport> {
    let context = Context { policy: None, keys: Some(history), baseline: false };
    let said = rules::RULES.iter().flat_map(|rule| {
        rule.judge_archive(context).into_iter().map(move |statement| FindingReport {
            rule: rule.id,
            severity: rule.cells.accepted.unwrap_or(Severity::Info).name(),
            subject: redact::cell(&statement.subject, &[]).into_owned(),
            message: statement.evidence.message,
            actual: statement.evidence.actual.map(|actual| redact::cell(&actual, &[]).into_owned()),
        })
    });
    said.collect()
}

/// What is to be said of an issuer, if anything is.
fn issuer(
    history: &KeyHistory,
    iss: &str,
    seen: &IssuerSeen,
    [since, until]: [Option<UtcMicros>; 2],
) -> Option<IssuerReport> {
    let authority = history.authority(iss);
    let period =
        since.or(seen.issued.map(|issued| issued.0)).zip(until.or(seen.issued.map(|issued| issued.1)));
    let uncovered = match (&authority, period) {
        (Some(authority), Some(period)) => texts(&history.uncovered(authority, period)),
        _ => Vec::new(),
    };
    let missing = authority.is_none();
    // A made-up issuer is nobody's gap: nothing can be captured for it.
    let capture =
        if missing || !uncovered.is_empty() || seen.not_covered > 0 { sources_of(iss) } else { Vec::new() };
    (!capture.is_empty() || !uncovered.is_empty()).then(|| IssuerReport {
        iss: iss.to_owned(),
        tokens: seen.tokens,
        not_covered: seen.not_covered,
        missing,
        capture,
        uncovered,
    })
}

fn texts(stretches: &[Stretch]) -> Vec<[String; 2]> {
    stretches.iter().map(|(from, to)| [from.to_string(), to.to_string()]).collect()
}

impl Report {
    fn is_clean(&self) -> bool {
        self.faults.is_empty()
            && self.findings.iter().all(|finding| finding.severity == Severity::Info.name())
            && self.cuts.is_empty()
            && self.issuers.is_empty()
            && self.needs.iter().all(NeedReport::is_clean)
            && self.sources.iter().all(|source| source.uncovered.is_empty())
    }

    fn text(&self, issuers: &BTreeMap<String, IssuerSeen>) -> String {
        let mut out = String::new();
        for fault in &self.faults {
            let _ = writeln!(out, "fault     {}", visible(fault));
        }
        for cut in &self.cuts {
            let _ = writeln!(out, "cut       {}", visible(cut));
        }
        for finding in &self.findings {
            let actual = finding.actual.as_deref().map(|actual| format!(" ({actual})")).unwrap_or_default();
            let _ = writeln!(
                out,
                "{:9} {} {}: {}{}",
                finding.severity,
                finding.rule,
                visible(&finding.subject),
                finding.message,
                visible(&actual)
            );
        }
        for source in &self.sources {
            for [from, to] in &source.uncovered {
                let name = visible(&source.source);
                let _ = writeln!(out, "gap       {name}: no capture within seven days, {from} to {to}");
            }
        }
        for issuer in &self.issuers {
            let iss = visible(&issuer.iss);
            let tokens = counted(issuer.tokens, "token");
            let what =
                if issuer.missing { "no source serves it" } else { "its sources do not answer for all" };
            let _ = writeln!(out, "issuer    {iss}: {what} ({tokens}, {} not covered)", issuer.not_covered);
            for [from, to] in &issuer.uncovered {
                let _ = writeln!(out, "          no capture within seven days, {from} to {to}");
            }
            for url in &issuer.capture {
                let _ = writeln!(out, "          capture {}", visible(url));
            }
        }
        self.needs.iter().for_each(|need| need.write(&mut out));
        let captures: usize = self.sources.iter().map(|source| source.captures).sum();
        let whole = if self.is_clean() { "nothing is wrong with" } else { "checked" };
        let count = |number: usize, noun: &str| counted(u64::try_from(number).unwrap_or(u64::MAX), noun);
        let _ = write!(
            out,
            "{whole} {}: {} of {}",
            visible(&self.archive),
            count(captures, "complete capture"),
            count(self.sources.len(), "source")
        );
        if !issuers.is_empty() {
            let _ = write!(out, ", {} in the results", count(issuers.len(), "issuer"));
        }
        out.push('\n');
        out
    }
}
