//! `principal-fanout`

use super::principals_by_api;
use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, Step, TrailRule, listed};

rule! {
    /// An application let one token act as several principals.
    ///
    /// Why it matters: a token stands for one user or one application. An application that takes the key of its caller from
    /// elsewhere, such as a header that the caller writes, lets everybody be everybody.
    ///
    /// What to do: find out where the application takes the key from, and bind it to `tid` and `oid` of the token.
    ///
    /// Known false positives: impersonation on purpose (raise `principal-fanout-principals`, or accept the finding for the
    /// client that may do so). Each API is looked at by itself, because APIs may key on different claims; values that differ
    /// in letter case alone are the same where they are ids or addresses.
    "principal-fanout", Behaviour, "C/M", Leak, Strong,
    references: ["RFC 8725 section 3.10", "OWASP API1:2023", "CWE-639", "ATT&CK T1550.001"],
    needs: [AuthorizesOn],
    judge: Trails(TrailRule { by: By::Token, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let least = group.behaviour.principal_fanout_principals;
    for trail in group.trails() {
        let lacks = |step: &Step<'_>| step.principal.is_none() && step.marks.any(Marks::AUTHORIZES);
        trail.count_lacking(Reason::NO_PRINCIPAL, lacks, conclusion);
        if !trail.has_steps(least) {
            continue;
        }
        for (api, principals) in principals_by_api(&trail) {
            if u64::try_from(principals.len()).unwrap_or(u64::MAX) < least {
                continue;
            }
            let evidence = Evidence::new("The application let one token act as several principals.")
                .expected("one principal")
                .actual(format!("{} principals", principals.len()))
                .fact("principals", listed(&principals));
            trail.tell(rule, None, &evidence, |step| step.api == api && step.principal.is_some(), conclusion);
        }
    }
}
