//! `use-after-revocation`

use crate::facts::{Facts, Pairing};
use crate::policy::{Policy, WatchEntry};
use crate::record::TimeIs;
use crate::rules::kit::{Cells, Check, Evidence, Quiet, rule};
use crate::rules::watched;
use crate::time::{SECOND, UtcMicros};

rule! {
    /// A token was used after the session, identity or client behind it was revoked.
    ///
    /// Why it matters: access tokens outlive a revocation for as long as they last, unless the API listens to continuous access
    /// evaluation. That is by design, and it is what a thief has left. The finding is critical where the reason of the revocation
    /// speaks of a compromise.
    ///
    /// What to do: look at what was done after the revocation; let APIs that matter use continuous access evaluation, or
    /// shorter tokens.
    ///
    /// Known false positives: uses within the time that a revocation takes to arrive (`use-after-revocation-grace`, 15 min) are
    /// not reported. A user who signs in again gets tokens that were issued later; these are not reported either, unless the
    /// entry names the token or the session, or no key vouches for the token.
    "use-after-revocation", Behaviour, "H/I", Leak, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation",
        "RFC 7009 section 2.1", "OWASP API2:2023", "CWE-613", "ATT&CK T1550.001", "ATT&CK T1078.004",
    ],
    needs: [Revocations],
    judge: Timed(quiet, check),
}

/// Seconds by which Entra dates tokens back (rules.md section 8).
const BACK_DATING: i64 = 300;
/// Parts of words that tell a theft from a routine.
const COMPROMISE: [&str; 7] = ["compromis", "stolen", "theft", "leak", "breach", "phish", "malware"];

/// Most tokens are on no list.
fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let list = pairing.context.policy.and_then(Policy::revocation_list);
    Quiet::always_if(list.is_some_and(|list| !watched::may_match(list, pairing.token)))
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(policy) = facts.context.policy else { return Check::Quiet };
    let Some(list) = policy.revocation_list() else { return Check::Quiet };
    let grace = policy.behaviour().use_after_revocation_grace;
    let mut undated = false;
    let found = watched::first_entry(list, facts, |entry| {
        let Some(revoked) = entry.period.since.filter(|revoked| !is_issued_anew(facts, entry, *revoked))
        else {
            return false;
        };
        undated |= facts.time.is_none();
        facts.time.is_some_and(|time| time.at > revoked.plus(grace) && entry.period.contains(time.at))
    });
    let (Some(entry), Some(time)) = (found, facts.time) else {
        return watched::unseen(facts, undated).map_or(Check::Quiet, Check::NotEvaluable);
    };
    let revoked = entry.period.since.unwrap_or(time.at);
    let mut evidence = Evidence::new("A token was used after what stands behind it was revoked.")
        .expected(format!("no use after {}", revoked.plus(grace)))
        .fact("revoked", revoked.to_string())
        .fact("late_by_s", time.at.0.saturating_sub(revoked.0).div_euclid(SECOND));
    if time.is == TimeIs::End {
        evidence = evidence.fact("time", "end");
    }
    if entry.reason.as_deref().is_some_and(speaks_of_compromise) {
        evidence = evidence.cells(Cells::new('C', 'I'));
    }
    Check::fires(watched::describe(evidence, entry, facts))
}

/// True for a token that was rightly issued after the revocation to somebody who signed in again.
fn is_issued_anew(facts: &Facts<'_>, entry: &WatchEntry, revoked: UtcMicros) -> bool {
    let names_the_token = entry.token_sha256.is_some() || entry.uti.is_some() || entry.sid.is_some();
    let issued =
        facts.token.claims().and_then(|claims| claims.iat).map(|iat| iat.saturating_add(BACK_DATING));
    let vouched = facts.is_vouched() || facts.context.keys.is_none();
    !names_the_token && vouched && issued.is_some_and(|issued| UtcMicros::from_seconds(issued) > revoked)
}

fn speaks_of_compromise(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    COMPROMISE.iter().any(|word| reason.contains(word))
}
