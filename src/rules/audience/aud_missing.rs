//! `aud-missing`

use super::answered;
use crate::codec::json::Value;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token names no audience.
    ///
    /// Why it matters: a token for nobody works everywhere where the audience is not required, which is the default of
    /// some gateways.
    ///
    /// What to do: let the gateway require and compare `aud`; find the issuer of the token.
    ///
    /// Known false positives: none for Entra, which always writes `aud`.
    "aud-missing", Audience, "C/L", Overreach, Strong,
    references: ["RFC 9068 section 2.2", "RFC 8725 section 3.9", "CWE-441"],
    needs: [Claims],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    if claims.audience.stated().next().is_some() {
        return Check::Quiet;
    }
    let reason = match claims.member("aud") {
        None | Some(Value::Null) => "absent",
        Some(Value::String(_)) => "blank",
        Some(Value::Array(items)) if items.iter().all(|item| item.as_text().is_some()) => "empty",
        Some(_) => "wrong-type",
    };
    let evidence = Evidence::new("The token names no audience.")
        .expected("the audience of this API")
        .fact("reason", reason);
    Check::fires(answered(evidence, pairing))
}
