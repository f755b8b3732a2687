//! `email-unverified`

use crate::facts::{Facts, TokenFacts};
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::rules::principal::{self, Bond};

rule! {
    /// The application authorised the caller by an address that nobody verified.
    ///
    /// Why it matters: the token itself says that the owner of the address was never asked (`xms_edov`). Whoever administers
    /// some tenant can write your customer's address into an account of his own and become that customer.
    ///
    /// What to do: treat the requests as taken over until shown otherwise; let the application key on `tid` with `oid`, and
    /// switch the removal of unverified addresses on for its registration.
    ///
    /// Known false positives: none where the claim is there. `xms_edov` is optional; a token without it is not evaluable, and
    /// never taken as verified. A field that is logged for display only must not be named by `authorizes-on`.
    "email-unverified", Authorization, "C/M", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/migrate-off-email-claim-authorization", "OWASP API2:2023",
        "CWE-290", "CWE-287", "ATT&CK T1078.004", "ATT&CK T1656",
    ],
    needs: [Claims, AuthorizesOn],
    judge: Use(check),
}

fn has_address(token: &TokenFacts) -> bool {
    token.claims().is_some_and(|claims| claim::texts(claims, "email").next().is_some())
}

fn check(facts: &Facts<'_>) -> Check {
    if !has_address(facts.token) {
        return Check::Quiet;
    }
    let (claims, principal) = match principal::of(facts) {
        Ok(both) => both,
        Err(check) => return check,
    };
    // `email` is the first of the claims that can change, so no other can stand in for it.
    if principal::bond(principal, claims) != Bond::Mutable("email") {
        return Check::Quiet;
    }
    match claim::flag(claims, "xms_edov") {
        None => Check::NotEvaluable(Reason::CLAIM_ABSENT),
        Some(true) => Check::Quiet,
        Some(false) => Check::fires(
            Evidence::new("The application authorised the caller by an address that nobody verified.")
                .expected("tid with oid or sub")
                .actual(principal)
                .fact("claim", "email")
                .fact("xms_edov", false),
        ),
    }
}
