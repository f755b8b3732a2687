//! `key-compromised`

use super::VerifyingKey;
use crate::facts::{Facts, Pairing, compromised, holds_at};
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};

rule! {
    /// The key that verifies the token is on the operator's list of compromised keys.
    ///
    /// Why it matters: whoever holds the private key can mint any claim, `iat` included. The period of the entry is
    /// therefore compared with the time of the request, never with what the token says about itself.
    ///
    /// What to do: treat the claims as the sender's own; revoke what the requests obtained, and make sure that the gateway
    /// no longer accepts the key.
    ///
    /// Known false positives: entries without `since` match every use of the key, genuine ones from before the theft among
    /// them.
    "key-compromised", Signature, "C/H", Leak, Proven,
    references: ["CWE-321", "CWE-324", "ATT&CK T1552.004", "ATT&CK T1606"],
    needs: [Keys, CompromisedKeys],
    judge: Timed(quiet, check),
}

fn quiet(pairing: &Pairing<'_>) -> Quiet {
    if VerifyingKey::of(pairing.token, pairing.context).is_err() {
        return Quiet::NEVER;
    }
    Quiet::always_if(compromised(pairing.token, pairing.context).next().is_none())
}

fn check(facts: &Facts<'_>) -> Check {
    let key = match VerifyingKey::of(facts.token, facts.context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let named = || compromised(facts.token, facts.context);
    let Some(entry) = named().find(|entry| holds_at(entry, facts.time) == Some(true)) else {
        return match facts.time {
            None if named().next().is_some() => Check::NotEvaluable(Reason::NO_TIME),
            _ => Check::Quiet,
        };
    };
    let mut evidence =
        Evidence::new("The key that verifies the token is listed as compromised at the time of the request.")
            .expected("a key that is not listed under keys.compromised");
    let given = [("kid", &entry.kid), ("x5t", &entry.x5t), ("spki", &entry.spki), ("source", &entry.source)];
    for (name, value) in given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))) {
        evidence.actual.get_or_insert_with(|| value.to_owned());
        evidence = evidence.fact(name, value);
    }
    for (name, bound) in [("since", entry.period.since), ("until", entry.period.until)] {
        if let Some(bound) = bound {
            evidence = evidence.fact(name, bound.to_string());
        }
    }
    Check::fires(key.describe(evidence, None))
}
