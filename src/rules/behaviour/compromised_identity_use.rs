//! `compromised-identity-use`

use crate::facts::{Facts, Pairing};
use crate::policy::Policy;
use crate::rules::kit::{Check, Evidence, Quiet, rule};
use crate::rules::watched;
use crate::time::Period;

rule! {
    /// Something on the operator's watch list was used in its period.
    ///
    /// Why it matters: a token, session, identity, client, key or address that is known to be in wrong hands did something, and
    /// this is what.
    ///
    /// What to do: undo what the requests did, and see to it that the thing is refused from now on. `trace` shows all that it
    /// did.
    ///
    /// Known false positives: entries without `from` and `to` match every use, those from before the theft among them. Where no
    /// key vouches for the token its claims are the sender's words; the finding is heuristic then.
    "compromised-identity-use", Behaviour, "H/M", Leak, Strong,
    references: ["CWE-287", "ATT&CK T1078.004"],
    needs: [WatchFiles],
    judge: Timed(quiet, check),
}

/// Most tokens are on no list.
fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let list = pairing.context.policy.and_then(Policy::watch_list);
    Quiet::always_if(list.is_some_and(|list| !watched::may_match(list, pairing.token)))
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(list) = facts.context.policy.and_then(Policy::watch_list) else { return Check::Quiet };
    let mut undated = false;
    let in_period = |period: Period| {
        // An entry without a period holds whenever it was.
        undated |= facts.time.is_none() && period != Period::default();
        facts.time.map_or(period == Period::default(), |time| period.contains(time.at))
    };
    let entry = watched::first(list, facts, in_period);
    let Some(entry) = entry else {
        return watched::unseen(facts, undated).map_or(Check::Quiet, Check::NotEvaluable);
    };
    let mut evidence = Evidence::new("Something on the watch list was used in its period.")
        .expected("no use of what the watch list names");
    for (name, bound) in [("from", entry.period.since), ("to", entry.period.until)] {
        if let Some(bound) = bound {
            evidence = evidence.fact(name, bound.to_string());
        }
    }
    Check::fires(watched::describe(evidence, entry, facts))
}
