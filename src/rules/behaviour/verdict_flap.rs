//! `verdict-flap`

use crate::facts::Outcome;
use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, Span, Step, TrailRule};
use std::collections::BTreeMap;

rule! {
    /// One route now accepted and now refused the same token.
    ///
    /// Why it matters: a token that has not expired is good or it is not. Answers that change back and forth show that
    /// several validators stand behind one route, and that the laxest of them decides.
    ///
    /// What to do: compare the instances behind the route; requests that were refused may only have to be repeated.
    ///
    /// Known false positives: a roll-out of another validation and a revocation change the answer once, which is not reported;
    /// instances of different versions side by side are. A token's first eight routes by hash are compared.
    "verdict-flap", Behaviour, "M/M", Leak, Heuristic,
    references: ["CWE-436"],
    needs: [],
    judge: Trails(TrailRule { by: By::Token, check }),
}

/// When a route accepted and when it refused.
#[derive(Default)]
struct Answers {
    accepted: Option<Span>,
    refused: Option<Span>,
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let answers_in_time = |step: &Step<'_>| {
        matches!(step.outcome, Outcome::Accepted | Outcome::DeniedAuthn) && !step.marks.any(Marks::EXPIRED)
    };
    for trail in group.trails() {
        trail.count_lacking(Reason::NO_TIME, |step| step.seen().is_none(), conclusion);
        trail.count_lacking(Reason::NO_PATH, |step| answers_in_time(step) && step.lacks_route(), conclusion);
        let mut routes: BTreeMap<u32, Answers> = BTreeMap::new();
        let refused = |step: &Step<'_>| step.outcome == Outcome::DeniedAuthn;
        if !trail.steps.iter().any(|step| answers_in_time(step) && refused(step)) {
            continue;
        }
        for step in trail.steps.iter().filter(|step| answers_in_time(step)) {
            for (route, span) in step.routes.as_slice() {
                let answers = routes.entry(*route).or_default();
                let mine = if refused(step) { &mut answers.refused } else { &mut answers.accepted };
                let known = mine.unwrap_or(*span);
                *mine = Some((known.0.min(span.0), known.1.max(span.1)));
            }
        }
        routes.retain(|_, answers| {
            // One change at most, if all of one kind come before all of the other. Many logs know whole seconds only, and
            // clients that are refused try again at once, so within one of them the order is unknown.
            let both = answers.accepted.zip(answers.refused);
            both.is_some_and(|(yes, no)| !(yes.1 <= no.0 || no.1 <= yes.0))
        });
        if routes.is_empty() {
            continue;
        }
        let evidence = Evidence::new("One route now accepted and now refused the same token.")
            .expected("one answer while the token lives")
            .actual(format!("{} routes with changing answers", routes.len()));
        let flaps = |step: &Step<'_>| {
            answers_in_time(step)
                && step.routes.as_slice().iter().any(|(route, _)| routes.contains_key(route))
        };
        trail.tell(rule, None, &evidence, flaps, conclusion);
    }
}
