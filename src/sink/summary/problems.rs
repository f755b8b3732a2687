//! The problems that want a look first.

use super::{LISTED, View, colour_of, indented, more, paint};
use crate::facts::Outcome;
use crate::findings::{ProblemRow, ranked};
use crate::sink::manifest::Manifest;
use crate::sink::parts::SystemicReport;
use crate::sink::text::{counted, grouped, visible};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// One line for each and one for its cause; new ones before known ones, and last what is only observed. A rule that fires
/// nearly everywhere at an API is one of them, in the place of its first problem.
pub(super) fn lines(manifest: &Manifest, problems: &[ProblemRow], view: View<'_>) -> String {
    let mut shown = BTreeSet::new();
    let is_first = |problem: &&ProblemRow| {
        systemic_of(manifest, problem).is_none_or(|systemic| shown.insert((&systemic.rule, &systemic.api)))
    };
    let open: Vec<&ProblemRow> = problems.iter().filter(|problem| problem.accepted_by.is_none()).collect();
    let mut first = ranked(open.iter().copied());
    first.sort_by_key(|problem| (is_observed(problem), state_rank(problem)));
    first.retain(is_first);
    if first.is_empty() {
        return states(&open);
    }
    let mut out = format!("{}\nLook at these problems first\n", states(&open));
    for problem in first.iter().take(LISTED) {
        out.push_str(&line(problem, systemic_of(manifest, problem), view));
    }
    out.push_str(&indented(&more(first.len(), "problem", "problems.parquet")));
    out
}

/// How many problems the baseline knows, and how many it does not; nothing without one.
fn states(problems: &[&ProblemRow]) -> String {
    if problems.iter().all(|problem| problem.state.is_none()) {
        return String::new();
    }
    let of = |state: &str| {
        let number = problems.iter().filter(|problem| problem.state.as_deref() == Some(state)).count();
        grouped(u64::try_from(number).unwrap_or(u64::MAX))
    };
    format!("\nProblems: {} new, {} returned, {} ongoing\n", of("new"), of("returned"), of("ongoing"))
}

fn is_observed(problem: &ProblemRow) -> bool {
    problem.stage == "observe"
}

fn state_rank(problem: &ProblemRow) -> usize {
    match problem.state.as_deref() {
        None | Some("new") => 0,
        Some("returned") => 1,
        Some(_) => 2,
    }
}

fn line(problem: &ProblemRow, systemic: Option<&SystemicReport>, view: View<'_>) -> String {
    let severity =
        paint(view, colour_of(problem.severity.name()), &format!("{:<8}", problem.severity.name()));
    let state = problem.state.as_ref().map_or_else(String::new, |state| format!("{state}  "));
    let observed = if is_observed(problem) { "  (observed only)" } else { "" };
    if let Some(systemic) = systemic {
        return format!(
            "  {severity}  {state}{}  {}  everywhere: {} of {}, {} identities{observed}\n",
            visible(&systemic.rule),
            visible(systemic.api.as_str()),
            grouped(systemic.tokens),
            counted(systemic.of_tokens, "token"),
            grouped(systemic.identities),
        );
    }
    let outcome = problem.outcome.map_or("", Outcome::name);
    let api = problem.api.as_deref().unwrap_or("(no api)");
    let place =
        problem.gateway.as_ref().map_or_else(|| api.to_owned(), |gateway| format!("{api} at {gateway}"));
    let (rule, place) = (visible(&problem.rule), visible(&place));
    let requests = counted(u64::try_from(problem.count).unwrap_or(0), "request");
    let tokens = counted(u64::try_from(problem.tokens).unwrap_or(0), "token");
    let mut out =
        format!("  {severity}  {state}{rule}  {place}  {outcome}  {requests}, {tokens}{observed}\n");
    if !problem.cause.is_empty() {
        let _ = writeln!(out, "            {}", visible(&problem.cause));
    }
    out
}

/// What a problem is a part of.
fn systemic_of<'m>(manifest: &'m Manifest, problem: &ProblemRow) -> Option<&'m SystemicReport> {
    let is_part = |systemic: &&SystemicReport| {
        systemic.rule == problem.rule && problem.api.as_deref() == Some(systemic.api.as_str())
    };
    manifest.systemic.iter().find(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Outcome as Run;
    use crate::rules::{Confidence, Severity};
    use crate::sink::manifest::{Given, Written};

    const PLAIN: View<'_> = View { colour: false, place: None };

    fn manifest() -> Manifest {
        Manifest::new(&Given::default(), &Run::default(), Written::default())
    }

    fn problem(rule: &str, severity: Severity, count: i64) -> ProblemRow {
        ProblemRow {
            problem_id: rule.to_owned(),
            rule: rule.to_owned(),
            category: "audience",
            severity,
            lane: "overreach",
            confidence: Confidence::Strong,
            gateway: None,
            api: Some("orders".to_owned()),
            outcome: Some(Outcome::Accepted),
            cause: "aud=\u{1b}[31mx".to_owned(),
            count,
            tokens: 1,
            identities: 1,
            clients: 1,
            first_seen: None,
            last_seen: None,
            accepted_by: None,
            stage: "enforce",
            state: None,
            example_finding_id: String::new(),
        }
    }

    #[test]
    fn problems_are_shown_worst_first_and_harmless() {
        let problems = [problem("low-one", Severity::Low, 99), problem("bad-one", Severity::Critical, 1)];
        let text = lines(&manifest(), &problems, PLAIN);
        assert!(text.find("bad-one").unwrap() < text.find("low-one").unwrap(), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("Problems:"), "{text:?}");
        let coloured = lines(&manifest(), &problems, View { colour: true, place: None });
        assert!(coloured.contains("\u{1b}[1;31mcritical"), "{coloured:?}");
    }

    #[test]
    fn what_is_everywhere_is_shown_once() {
        let everywhere = SystemicReport {
            rule: "low-one".to_owned(),
            api: "orders".into(),
            tokens: 40,
            of_tokens: 100,
            identities: 30,
        };
        let one = problem("low-one", Severity::Low, 99);
        let same = ProblemRow { problem_id: "another".to_owned(), ..one.clone() };
        let manifest = Manifest { systemic: vec![everywhere], ..manifest() };
        let text = lines(&manifest, &[one, same], PLAIN);
        assert_eq!(text.matches("low-one").count(), 1, "{text}");
        assert!(text.contains("low-one  orders  everywhere: 40 of 100 tokens, 30 identities"), "{text}");
    }

    #[test]
    fn accepted_ones_are_left_out_and_observed_ones_come_last() {
        let accepted = ProblemRow {
            accepted_by: Some("known".into()),
            ..problem("accepted-one", Severity::Critical, 1)
        };
        let observed = ProblemRow { stage: "observe", ..problem("observed-one", Severity::Critical, 1) };
        let text = lines(&manifest(), &[accepted, observed, problem("low-one", Severity::Low, 1)], PLAIN);
        assert!(!text.contains("accepted-one"), "{text}");
        assert!(text.find("low-one").unwrap() < text.find("observed-one").unwrap(), "{text}");
        assert_eq!(text.matches("(observed only)").count(), 1, "{text}");
    }

    #[test]
    fn new_ones_lead_and_are_counted() {
        let with = |rule: &str, severity, state: &str| ProblemRow {
            state: Some(state.to_owned()),
            ..problem(rule, severity, 1)
        };
        let problems = [
            with("known-one", Severity::Critical, "ongoing"),
            with("back-one", Severity::Low, "returned"),
            with("new-one", Severity::Info, "new"),
        ];
        let text = lines(&manifest(), &problems, PLAIN);
        assert!(text.starts_with("\nProblems: 1 new, 1 returned, 1 ongoing\n"), "{text}");
        let at = |rule| text.find(rule).unwrap();
        assert!(at("new  new-one") < at("returned  back-one"), "{text}");
        assert!(at("returned  back-one") < at("ongoing  known-one"), "{text}");
    }
}
