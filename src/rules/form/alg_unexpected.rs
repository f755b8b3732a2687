//! `alg-unexpected`

use super::{alg_confusion, alg_missing, alg_none, alg_symmetric};
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token names an algorithm that is not expected of its issuer.
    ///
    /// Why it matters: Entra signs access tokens with RS256 only. Another algorithm, or the right name in the wrong letter
    /// case, shows a foreign signer or somebody who probes the validator's algorithm choice.
    ///
    /// What to do: list what your issuers use under `validation.algorithms`; let the gateway allow just those.
    ///
    /// Known false positives: other issuers that use PS256 or ES256; without a list only issuers of Entra are judged.
    "alg-unexpected", Form, "H/L", Attack, Proven,
    references: [
        "RFC 8725 section 3.1", "https://learn.microsoft.com/entra/identity-platform/access-tokens", "CWE-757",
    ],
    needs: [Header],
    judge: Api(check),
}

/// What Entra signs access tokens with.
const ENTRA_ALGORITHM: &str = "RS256";

fn check(pairing: &Pairing<'_>) -> Check {
    let (token, context) = (pairing.token, pairing.context);
    let checks = [alg_missing::check, alg_none::check, alg_confusion::check, alg_symmetric::check];
    if checks.into_iter().any(|check| matches!(check(token, context), Check::Fires(_))) {
        return Check::Quiet;
    }
    let Some(alg) = token.header().and_then(|header| header.alg) else {
        return Check::NotEvaluable(Reason::NO_HEADER);
    };
    let listed = pairing.validation.algorithms.as_deref();
    if listed.is_none() {
        match token.claims() {
            None => return Check::NotEvaluable(Reason::NO_CLAIMS),
            Some(claims) if claims.issuer.is_some() => {}
            Some(_) => return Check::NotEvaluable(Reason::NOT_STATED),
        }
    }
    let expects = |same: fn(&str, &str) -> bool| match listed {
        Some(names) => names.iter().any(|name| same(name, alg)),
        None => same(ENTRA_ALGORITHM, alg),
    };
    if expects(|name, alg| name == alg) {
        return Check::Quiet;
    }
    let reason = if expects(str::eq_ignore_ascii_case) { "letter-case" } else { "not-listed" };
    Check::fires(
        Evidence::new("The token names a signature algorithm that is not expected of its issuer.")
            .expected(listed.map_or_else(|| ENTRA_ALGORITHM.to_owned(), |names| names.join(", ")))
            .actual(alg)
            .fact("reason", reason),
    )
}
