//! `exp-missing`

use super::is_absent;
use crate::facts::{Answer, Pairing, Validator};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token has no expiry time.
    ///
    /// Why it matters: it works for ever, wherever a validator takes a missing `exp` for "never expires", as Envoy does by
    /// default. Entra always writes `exp`.
    ///
    /// What to do: let the gateway require `exp`; find the issuer of the token.
    ///
    /// Known false positives: none for Entra.
    "exp-missing", Time, "H/L", Overreach, Strong,
    references: ["RFC 9068 section 2.2", "RFC 8725 section 3.10", "CWE-613", "ATT&CK T1606"],
    needs: [Claims],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    if !is_absent(claims, "exp") {
        return Check::Quiet;
    }
    let own =
        if Validator::of(pairing.validation).requires_exp() { Answer::Refuses } else { Answer::Accepts };
    Check::fires(
        Evidence::new("The token has no expiry time.")
            .expected("exp, a time in seconds")
            .fact("preset", pairing.validation.preset.name())
            .answers(own, Answer::Accepts),
    )
}
