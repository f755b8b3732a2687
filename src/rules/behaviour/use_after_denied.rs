//! `use-after-denied`

use crate::facts::Outcome;
use crate::policy::Behaviour;
use crate::rules::kit::{Confidence, Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, Step, Trail, TrailRule, overlaps};
use crate::time::UtcMicros;

rule! {
    /// A token that was refused for good reason was accepted later.
    ///
    /// Why it matters: signature, audience and issuer of a token do not change. If one gateway refuses it for these and
    /// another, or the same one later, lets it in, somebody found the door that does not check.
    ///
    /// What to do: compare the validation of the two places, and look at what was obtained.
    ///
    /// Known false positives: a gateway that had not fetched a new key yet; where the first refusal was for an unknown key and
    /// the same gateway accepts within ten minutes, nothing is reported. Refusals because of time do not count. A client
    /// that took the wrong API first, and then the one that its token is for: where the audience was all that was wrong, and
    /// it is the accepting API's, the confidence is heuristic and `misdirected` is true.
    "use-after-denied", Behaviour, "H/-", Leak, Strong,
    references: ["CWE-436", "ATT&CK T1550.001"],
    needs: [],
    judge: Trails(TrailRule { by: By::Token, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    for trail in group.trails() {
        let refused = |step: &Step<'_>| step.outcome == Outcome::DeniedAuthn && step.marks.any(Marks::CAUSES);
        // Steps come in the order of their first use.
        let Some(denied) = trail.steps.iter().find(|step| refused(step)) else { continue };
        let Some(since) = denied.first.time() else {
            trail.count_lacking(Reason::NO_TIME, refused, conclusion);
            continue;
        };
        let later = |step: &Step<'_>| {
            step.outcome == Outcome::Accepted && step.last().is_some_and(|last| last > since)
        };
        if !trail.steps.iter().any(later) || is_key_fetch(&trail, denied, since, group.behaviour) {
            continue;
        }
        let for_audience = |step: &Step<'_>| !step.marks.without(Marks::WRONG_AUDIENCE).any(Marks::CAUSES);
        let steps = || trail.steps.iter();
        let misdirected = steps().filter(|step| refused(step)).all(for_audience)
            && steps().filter(|step| later(step)).all(|step| step.marks.any(Marks::OWN_AUDIENCE));
        let mut evidence = Evidence::new("A token that was refused for good reason was accepted later.")
            .expected("no acceptance after the refusal")
            .actual(format!("refused at {}", UtcMicros(since)))
            .fact("refused_for", cause(denied.marks))
            .fact("refused_by", denied.gateway)
            .fact("refused_api", denied.api);
        if misdirected {
            evidence = evidence.fact("misdirected", true);
            evidence.confidence = Some(Confidence::Heuristic);
        }
        trail.tell(rule, None, &evidence, later, conclusion);
    }
}

/// True if the gateway fetched the key that it lacked and then accepted.
fn is_key_fetch(trail: &Trail<'_>, denied: &Step<'_>, since: i64, behaviour: &Behaviour) -> bool {
    let until = since.saturating_add(behaviour.use_after_denied_quiet).saturating_add(1);
    denied.marks.any(Marks::UNKNOWN_KEY)
        && trail.steps.iter().any(|step| {
            let soon = |span| overlaps(span, (since, until));
            step.outcome == Outcome::Accepted
                && step.gateway == denied.gateway
                && step.spans.as_slice().iter().any(|span| soon(*span))
        })
}

fn cause(marks: Marks) -> &'static str {
    let causes = [
        (Marks::FORGED, "signature"),
        (Marks::UNKNOWN_KEY, "unknown key"),
        (Marks::WRONG_AUDIENCE, "audience"),
        (Marks::FOREIGN_TENANT, "tenant"),
    ];
    causes.iter().find(|(mark, _)| marks.any(*mark)).map_or("issuer", |(_, cause)| cause)
}
