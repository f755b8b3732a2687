//! `alg-missing`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token's header does not name the algorithm of its signature.
    ///
    /// Why it matters: `alg` is mandatory. A validator that goes on without it chooses an algorithm of its own, or none at
    /// all.
    ///
    /// What to do: for an accepted request, treat the claims as the sender's own and find the component that let it
    /// through; let the gateway allow named algorithms only.
    ///
    /// Known false positives: none.
    "alg-missing", Form, "C/M", Attack, Proven,
    references: ["RFC 7515 section 4.1.1", "RFC 8725 section 3.1", "CWE-347"],
    needs: [Header],
    judge: Token(check),
}

pub(super) fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(header) = token.header() else { return Check::NotEvaluable(Reason::NO_HEADER) };
    let reason = match (header.alg, header.member("alg")) {
        (Some(_), _) => return Check::Quiet,
        (None, Some(_)) => "wrong-type",
        (None, None) => "absent",
    };
    Check::fires(
        Evidence::new("The token's header names no algorithm.")
            .expected("an algorithm (alg)")
            .fact("reason", reason),
    )
}
