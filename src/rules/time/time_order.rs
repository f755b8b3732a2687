//! `time-order`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::time::UtcMicros;

rule! {
    /// The times of the token contradict each other.
    ///
    /// Why it matters: a token that ends before it begins, or in the second of its issue, was made by no identity
    /// provider. Validators disagree about it: some compare each time with the clock alone.
    ///
    /// What to do: look at the signature verdict and at who sent the token. With a valid signature the key is in other
    /// hands, or the issuer is broken.
    ///
    /// Known false positives: none.
    "time-order", Time, "H/L", Overreach, Strong,
    references: ["RFC 7519 section 4.1", "CWE-20"],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let (Some(exp), true) = (claims.exp, claims.iat.or(claims.nbf).is_some()) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    let show = |seconds| UtcMicros::from_seconds(seconds).to_string();
    let (order, from) = match (claims.nbf, claims.iat) {
        (Some(nbf), _) if nbf > exp => ("nbf > exp", nbf),
        (_, Some(iat)) if iat > exp => ("iat > exp", iat),
        (_, Some(iat)) if iat == exp => ("iat = exp", iat),
        _ => return Check::Quiet,
    };
    Check::fires(
        Evidence::new("The times of the token contradict each other.")
            .expected(format!("exp after {}", show(from)))
            .actual(show(exp))
            .fact("order", order),
    )
}
