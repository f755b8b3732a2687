//! `scope-undefined`

use super::at_api;
use crate::facts::Pairing;
use crate::limits;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token grants a scope or a role that the API does not define.
    ///
    /// Why it matters: Entra writes only what is registered for the API. Anything else means that the registration has changed
    /// without the policy, or that somebody else wrote the claim.
    ///
    /// What to do: compare `defined-scopes` and `defined-roles` with the API's registration; if they are complete, look at
    /// who can sign its tokens.
    ///
    /// Known false positives: a list that has drifted from the registration; claims mapping. A list that the policy does not
    /// state is not compared.
    "scope-undefined", Authorization, "L/I", Overreach, Strong,
    references: ["https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "CWE-345"],
    needs: [Claims, DefinedPermissions],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    if api.defined_scopes.is_none() && api.defined_roles.is_none() {
        return Check::NotEvaluable(Reason::NOT_STATED);
    }
    let lists = [("scp", &claims.scp, &api.defined_scopes), ("roles", &claims.roles, &api.defined_roles)];
    for (claim, held, defined) in lists {
        let (Some(held), Some(defined)) = (held, defined) else { continue };
        let unknown = held.iter().filter(|held| !defined.iter().any(|defined| defined == *held));
        let unknown: Vec<&str> = unknown.take(limits::LISTED_MAX).copied().collect();
        if !unknown.is_empty() {
            return Check::fires(
                Evidence::new("The token grants a scope or a role that the API does not define.")
                    .expected(defined.join(", "))
                    .actual(unknown.join(", "))
                    .fact("claim", claim),
            );
        }
    }
    Check::Quiet
}
