//! `key-compromised`

use super::VerifyingKey;
use crate::facts::{Facts, Pairing};
use crate::policy::CompromisedKey;
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};
use crate::time::Period;

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
    let Ok(key) = VerifyingKey::of(pairing.token, pairing.context) else { return Quiet::NEVER };
    let entries = pairing.context.policy.map_or(&[][..], |policy| &policy.keys().compromised);
    Quiet::always_if(!entries.iter().any(|entry| names(entry, &key)))
}

fn check(facts: &Facts<'_>) -> Check {
    let key = match VerifyingKey::of(facts.token, facts.context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let Some(policy) = facts.context.policy else { return Check::Quiet };
    let named: Vec<_> = policy.keys().compromised.iter().filter(|entry| names(entry, &key)).collect();
    let holds = |entry: &CompromisedKey| match facts.time {
        Some(time) => entry.period.contains(time.at),
        None => entry.period == Period::default(),
    };
    let Some(entry) = named.iter().find(|entry| holds(entry)) else {
        return match facts.time {
            None if !named.is_empty() => Check::NotEvaluable(Reason::NO_TIME),
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

/// True if everything that the entry gives matches the key.
fn names(entry: &CompromisedKey, verifying: &VerifyingKey<'_>) -> bool {
    let key = verifying.keys.key(verifying.id);
    let same = |given: &Option<String>, found: &Option<String>| given.is_none() || given == found;
    let listed = |source: &str| {
        key.listings.iter().any(|listing| {
            verifying.keys.source_name(listing.source).trim_end_matches('/') == source.trim_end_matches('/')
        })
    };
    let thumbprint = |x5t: &String| {
        key.x5t.as_ref() == Some(x5t)
            || key.certificates.iter().any(|certificate| certificate.thumbprint == *x5t)
    };
    same(&entry.kid, &key.kid)
        && entry.x5t.as_ref().is_none_or(thumbprint)
        && same(&entry.spki, &key.spki_sha256)
        && entry.source.as_deref().is_none_or(listed)
}
