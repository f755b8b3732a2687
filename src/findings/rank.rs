//! The order in which people should look at problems.

use super::ProblemRow;
use crate::facts::Outcome;
use std::cmp::Reverse;

/// Problems, those first that want a look first: by lane, new before known, accepted before denied, then by severity,
/// confidence and identities; what is equal so far by the id, so that no two runs differ.
pub fn ranked<'p>(problems: impl IntoIterator<Item = &'p ProblemRow>) -> Vec<&'p ProblemRow> {
    let mut ranked: Vec<&ProblemRow> = problems.into_iter().collect();
    ranked.sort_by_cached_key(|problem| {
        (
            lane(problem.lane),
            problem.state.as_deref().is_some_and(|state| state != "new"),
            problem.outcome != Some(Outcome::Accepted),
            Reverse(problem.severity),
            Reverse(problem.confidence),
            Reverse(problem.identities),
            problem.problem_id.clone(),
        )
    });
    ranked
}

/// Somebody attacks, somebody uses what is not theirs, the API accepts too much, something cannot be seen.
fn lane(name: &str) -> usize {
    ["attack", "leak", "overreach", "blind-spot"].iter().position(|lane| *lane == name).unwrap_or(usize::MAX)
}
