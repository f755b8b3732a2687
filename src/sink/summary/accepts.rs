//! What the policy's exceptions did: an expired one is told first, because what it covered counts again.

use super::{LISTED, count, indented, more};
use crate::rules;
use crate::sink::manifest::Manifest;
use crate::sink::parts::AcceptReport;
use crate::sink::text::{counted, visible};
use std::fmt::Write as _;

/// What is to be said of an exception, if anything.
type Told = fn(&AcceptReport) -> Option<String>;

/// The exceptions that were asked, one line each, then those that nothing matched.
pub(super) fn lines(manifest: &Manifest) -> String {
    if manifest.accepts.is_empty() {
        return String::new();
    }
    let told: [Told; 4] = [expired, undated, unverified, accepted];
    let all: Vec<String> = told.iter().flat_map(|told| manifest.accepts.iter().filter_map(told)).collect();
    let mut out = String::new();
    for line in all.iter().take(LISTED) {
        let _ = writeln!(out, "{}", visible(line));
    }
    out.push_str(&more(all.len(), "line", "run.json"));
    let unused: Vec<&str> =
        manifest.accepts.iter().filter(|it| is_unused(it, manifest)).map(|it| it.place.as_str()).collect();
    if !unused.is_empty() {
        let places = unused.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        let dots = if unused.len() > LISTED { ", …" } else { "" };
        let unused = counted(count(unused.len()), "exception");
        let _ = writeln!(out, "{unused} matched nothing: {}{dots}", visible(&places));
    }
    format!("\nAccepted exceptions\n{}", indented(&out))
}

/// True if it could have been asked and was not; one whose rule did not run could not.
fn is_unused(report: &AcceptReport, manifest: &Manifest) -> bool {
    let (rule, count) = (report.rule.as_str(), report.count);
    let could_be = manifest.rules.run.contains(&rule) || rules::find(rule).is_none();
    could_be && count.accepted + count.expired + count.undated + count.unverified == 0
}

fn expired(report: &AcceptReport) -> Option<String> {
    let requests = Some(report.count.expired).filter(|requests| *requests > 0)?;
    let ended = report.expires.as_deref().unwrap_or_default();
    let requests = counted(requests, "request");
    Some(format!("EXPIRED after {ended} and no longer covers {requests}: {}", named(report)))
}

fn undated(report: &AcceptReport) -> Option<String> {
    let requests = Some(report.count.undated).filter(|requests| *requests > 0)?;
    let requests = counted(requests, "request");
    Some(format!("{requests} without a time not accepted, since it expires: {}", named(report)))
}

fn unverified(report: &AcceptReport) -> Option<String> {
    let requests = Some(report.count.unverified).filter(|requests| *requests > 0)?;
    let requests = counted(requests, "request");
    Some(format!("{requests} not accepted, since no key vouches for the claims: {}", named(report)))
}

fn accepted(report: &AcceptReport) -> Option<String> {
    let requests = Some(report.count.accepted).filter(|requests| *requests > 0)?;
    Some(format!("{} accepted: {}", counted(requests, "request"), named(report)))
}

fn named(report: &AcceptReport) -> String {
    let owner = report.owner.as_ref().map_or_else(String::new, |owner| format!(", {}", owner.as_str()));
    format!("{}, {}{owner} ({})", report.rule.as_str(), report.reason.as_str(), report.place.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::AcceptCount;
    use crate::pipeline::Outcome;
    use crate::sink::manifest::{Given, Written};

    #[test]
    fn what_has_expired_comes_first_and_what_is_unused_last() {
        let report = |reason: &str, place: &str, count| AcceptReport {
            rule: "wrong-aud".into(),
            reason: reason.into(),
            owner: Some("team".into()),
            expires: Some("2027-01-31".to_owned()),
            place: place.into(),
            count,
        };
        let none = AcceptCount::default();
        let accepts = vec![
            report("unused", "p.toml:1:1", none),
            report("one\u{1b}", "p.toml:2:1", AcceptCount { accepted: 1, ..none }),
            report("two", "p.toml:3:1", AcceptCount { accepted: 5, expired: 3, undated: 1, unverified: 2 }),
        ];
        let mut manifest = Manifest::new(&Given::default(), &Outcome::default(), Written::default());
        assert_eq!(lines(&manifest), "");
        manifest.rules.run = vec!["wrong-aud"];
        assert_eq!(
            lines(&Manifest { accepts, ..manifest }).lines().collect::<Vec<_>>(),
            [
                "",
                "Accepted exceptions",
                "  EXPIRED after 2027-01-31 and no longer covers 3 requests: wrong-aud, two, team (p.toml:3:1)",
                "  1 request without a time not accepted, since it expires: wrong-aud, two, team (p.toml:3:1)",
                "  2 requests not accepted, since no key vouches for the claims: wrong-aud, two, team (p.toml:3:1)",
                r"  1 request accepted: wrong-aud, one\u{1b}, team (p.toml:2:1)",
                "  5 requests accepted: wrong-aud, two, team (p.toml:3:1)",
                "  1 exception matched nothing: p.toml:1:1",
            ]
        );
    }
}
