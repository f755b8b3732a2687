//! `iss-tid-mismatch`

use super::ALIASES;
use crate::entra::{self, IssuerKind};
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The tenant in `iss` is not the tenant in `tid`.
    ///
    /// Why it matters: Entra writes the same tenant into both. An API that checks one and acts on the other serves a
    /// foreign tenant.
    ///
    /// What to do: look at the signature verdict first; with a valid one, ask which application has claims mapping. Let the
    /// API compare the two.
    ///
    /// Known false positives: samples whose ids were redacted. B2C tokens may lack `tid`; they are not judged.
    "iss-tid-mismatch", Tenant, "C/M", Attack, Strong,
    references: [
        "RFC 8725 section 3.8", "https://learn.microsoft.com/entra/identity-platform/claims-validation",
        "OWASP API2:2023", "CWE-346", "CWE-345", "ATT&CK T1606",
    ],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let (Some(iss), Some(tid)) = (claims.iss, claims.tid.as_deref()) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    let Some(issuer) = claims.issuer else { return Check::Quiet };
    // An alias is malformed, but contradicts no `tid`.
    // B2C and External ID also write tenant names; a workforce issuer's near-GUID is as wrong as another GUID.
    let comparable = entra::is_guid(issuer.tenant)
        || (issuer.kind == IssuerKind::Workforce
            && !issuer.tenant.is_empty()
            && !ALIASES.iter().any(|alias| alias.eq_ignore_ascii_case(issuer.tenant)));
    if !comparable {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    }
    if issuer.tenant.eq_ignore_ascii_case(tid) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The issuer of the token belongs to another tenant than its tid.")
            .expected(issuer.tenant)
            .actual(tid)
            .fact("iss", iss),
    )
}
