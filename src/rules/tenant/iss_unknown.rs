//! `iss-unknown`

use crate::codec;
use crate::entra;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token comes from an issuer that is neither Entra's nor the policy's.
    ///
    /// Why it matters: an API that accepts tokens of unknown issuers lets everybody be their own identity provider.
    ///
    /// What to do: if the issuer is a partner's, list it under `validation.issuers` and capture its keys; otherwise treat
    /// accepted requests as forged.
    ///
    /// Known false positives: a second legitimate identity provider that the policy does not list.
    "iss-unknown", Tenant, "H/L", Attack, Strong,
    references: ["RFC 8725 section 3.8", "OWASP API2:2023", "CWE-346", "ATT&CK T1606"],
    needs: [Claims],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let claims = pairing.token.claims();
    let Some(iss) = claims.and_then(|claims| claims.iss).filter(|iss| !codec::is_blank(iss)) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    if claims.is_some_and(|claims| claims.issuer.is_some()) {
        return Check::Quiet;
    }
    let host = entra::url_host(iss);
    if host.is_some_and(entra::is_entra_host) {
        return Check::Quiet;
    }
    let listed = &pairing.validation.issuers;
    if pairing.validation.lists_issuer(iss) {
        return Check::Quiet;
    }
    let expected = if listed.is_empty() {
        "an issuer of Entra".to_owned()
    } else {
        format!("an issuer of Entra, or {}", listed.join(", "))
    };
    Check::fires(
        Evidence::new("The token names an issuer that is neither Entra's nor listed in the policy.")
            .expected(expected)
            .actual(iss),
    )
}
