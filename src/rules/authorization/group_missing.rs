//! `group-missing`

use super::at_api;
use super::overage;
use crate::facts::Pairing;
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The caller is in none of the groups that the API asks for.
    ///
    /// Why it matters: an accepted request shows that the API does not compare groups, or compares the wrong ones.
    ///
    /// What to do: if the API is to accept other groups as well, add them to `groups`; otherwise let it refuse the request.
    ///
    /// Known false positives: users in so many groups that the token does not list them. These are not evaluable.
    "group-missing", Authorization, "H/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "OWASP API5:2023", "CWE-863",
    ],
    needs: [Claims, Groups],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    let Some(groups) = &api.groups else { return Check::Quiet };
    let listed = |held: &str| groups.iter().any(|group| group == held || group.eq_ignore_ascii_case(held));
    if claim::texts(claims, "groups").any(listed) {
        return Check::Quiet;
    }
    if overage(claims).is_some() {
        return Check::NotEvaluable(Reason::GROUPS_OVERAGE);
    }
    Check::fires(
        Evidence::new("The caller is in none of the groups that the API asks for.")
            .expected(groups.join(", "))
            .fact("groups", claim::texts(claims, "groups").count()),
    )
}
