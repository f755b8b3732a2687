//! `mutable-id-collision`

use crate::facts::Outcome;
use crate::rules::kit::{Cells, Evidence, Reason, Rule, Severity, rule};
use crate::rules::run::{Conclusion, Raise};
use crate::rules::trails::{By, Group, Marks, Step, TrailRule, listed};
use std::collections::BTreeSet;

rule! {
    /// One changeable identifier gave several identities the same account.
    ///
    /// Why it matters: this is what a takeover by a copied address looks like (nOAuth): an application that keys its accounts
    /// on `email`, `upn` or the like let two identities into one of them.
    ///
    /// What to do: find out which identity the account belongs to, end the sessions of the other, and let the application key
    /// on `tid` with `oid`.
    ///
    /// Known false positives: a guest and the home account of one person, if they use the same API (each API is looked at by
    /// itself); an account that was created anew in the same tenant is reported as low. Only requests that were accepted
    /// under a claim that can change hands count, and only tokens that a key vouches for.
    "mutable-id-collision", Authorization, "C/M", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "OWASP API2:2023", "CWE-290", "CWE-694",
        "ATT&CK T1078.004",
    ],
    needs: [AuthorizesOn],
    judge: Trails(TrailRule { by: By::Principal, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let Some((api, principal)) = group.principal else {
        for trail in group.trails() {
            trail.count_lacking(Reason::NO_PRINCIPAL, |_| true, conclusion);
        }
        return;
    };
    let collides = |step: &Step<'_>| {
        step.outcome == Outcome::Accepted
            && step.marks.any(Marks::MUTABLE_PRINCIPAL)
            && (step.api, step.principal) == (api, Some(principal))
    };
    let mut identities: BTreeSet<(String, String)> = BTreeSet::new();
    for trail in group.trails() {
        if let (Some(tid), Some(oid)) = (trail.tid, trail.oid) {
            identities.insert((tid.to_owned(), oid.to_owned()));
        } else {
            trail.count_lacking(Reason::CLAIM_ABSENT, collides, conclusion);
        }
    }
    if u64::try_from(identities.len()).unwrap_or(u64::MAX) < group.behaviour.mutable_id_collision_identities {
        return;
    }
    let tenants: BTreeSet<&str> = identities.iter().map(|(tid, _)| tid.as_str()).collect();
    let shown: BTreeSet<String> = identities.iter().map(|(tid, oid)| format!("{tid}/{oid}")).collect();
    let mut evidence = Evidence::new("One changeable identifier gave several identities the same account.")
        .expected("one identity behind an identifier")
        .actual(principal)
        .fact("identities", listed(&shown))
        .fact("tenants", tenants.len());
    if tenants.len() == 1 {
        evidence = evidence.cells(Cells::new('L', 'L')).fact("reason", "account created anew");
    }
    let subject = format!("principal:{principal}");
    for trail in group.trails().filter(|trail| trail.tid.is_some() && trail.oid.is_some()) {
        trail.tell(rule, Some(&subject), &evidence, collides, conclusion);
        if tenants.len() > 1 {
            conclusion.raises.push(Raise {
                rule: "email-authz",
                token: trail.token,
                api: api.map(str::to_owned),
                outcome: Outcome::Accepted,
                to: Severity::Critical,
            });
        }
    }
}
