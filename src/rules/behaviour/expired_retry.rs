//! `expired-retry`

use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, TrailRule};

rule! {
    /// A client keeps sending a token that has expired.
    ///
    /// Why it matters: it fills logs and hides what matters in them; whoever accepts such a token is shown by `expired-use`.
    ///
    /// What to do: let the client get a new token before the old one ends, and stop after a refusal.
    ///
    /// Known false positives: none; broken clients are what it reports. Fewer than twenty requests in one run are not
    /// reported: nights may overlap, and a request must not count twice.
    "expired-retry", Behaviour, "I/I", Leak, Heuristic,
    references: ["https://learn.microsoft.com/entra/identity-platform/access-tokens"],
    needs: [],
    judge: Trails(TrailRule { by: By::Token, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    for trail in group.trails() {
        trail.count_lacking(Reason::NO_TIME, |step| step.seen().is_none(), conclusion);
        let late = trail.own_steps().filter(|step| !step.earlier && step.marks.any(Marks::EXPIRED));
        let requests: i64 = late.map(|step| step.count).sum();
        let least = group.behaviour.expired_retry_requests;
        if u64::try_from(requests).unwrap_or(0) < least {
            continue;
        }
        let evidence = Evidence::new("A client keeps sending a token that has expired.")
            .expected(format!("fewer than {least} requests after exp"))
            .actual(format!("{requests} requests"));
        trail.tell(rule, None, &evidence, |step| step.marks.any(Marks::EXPIRED), conclusion);
    }
}
