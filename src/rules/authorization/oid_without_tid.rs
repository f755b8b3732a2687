//! `oid-without-tid`

use crate::facts::Facts;
use crate::rules::kit::{Check, Evidence, rule};
use crate::rules::principal::{self, Bond};

rule! {
    /// A multi-tenant application keys its users on an id without the tenant.
    ///
    /// Why it matters: an object id is unique by chance, not by rule; only together with `tid` does it name one user. An
    /// application that forgets the tenant once forgets it where data are selected, too.
    ///
    /// What to do: store and compare `tid` with `oid` (or `sub`).
    ///
    /// Known false positives: an application of one tenant. It is not judged unless the policy says `multi-tenant`.
    "oid-without-tid", Authorization, "L/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "OWASP API1:2023", "CWE-639",
    ],
    needs: [Claims, AuthorizesOn, MultiTenant],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    if facts.api.is_some_and(|api| !api.multi_tenant) {
        return Check::Quiet;
    }
    let (claims, principal) = match principal::of(facts) {
        Ok(both) => both,
        Err(check) => return check,
    };
    let Bond::Alone(claim) = principal::bond(principal, claims) else { return Check::Quiet };
    Check::fires(
        Evidence::new("The multi-tenant application keyed the caller on an id without the tenant.")
            .expected("tid with oid or sub")
            .actual(principal)
            .fact("claim", claim),
    )
}
