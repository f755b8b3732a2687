//! `principal-mismatch`

use crate::facts::Facts;
use crate::rules::kit::{Check, Evidence, rule};
use crate::rules::principal::{self, Bond};

rule! {
    /// The application acted for another tenant or user than the token's.
    ///
    /// Why it matters: a gateway that validated the token hands its tenant and user on, as Application Gateway does in
    /// `x-msft-entra-identity`. A value that differs was not made from this token: somebody wrote the header himself, or the
    /// gateway took the identity from another request.
    ///
    /// What to do: let the gateway remove the header from whatever comes in, and let the API accept it from the gateway alone.
    ///
    /// Known false positives: a header that another hop makes from another token. `authorizes-on` must name the key that this
    /// API authorised on.
    "principal-mismatch", Authorization, "C/M", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/azure/application-gateway/json-web-token-overview", "CWE-290", "CWE-345",
        "ATT&CK T1550.001",
    ],
    needs: [Claims, AuthorizesOn],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    let (claims, principal) = match principal::of(facts) {
        Ok(both) => both,
        Err(check) => return check,
    };
    if principal::bond(principal, claims) != Bond::Mismatch {
        return Check::Quiet;
    }
    let id = claims.oid.as_deref().or(claims.sub).unwrap_or_default();
    Check::fires(
        Evidence::new("The application acted for another tenant or user than the token's.")
            .expected(format!("{}:{id}", claims.tenant().unwrap_or_default()))
            .actual(principal),
    )
}
