//! `iss-version-mismatch`

use crate::entra::IssuerKind;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The version of the token and the form of its issuer contradict each other.
    ///
    /// Why it matters: Entra writes `ver` and `iss` together. Whoever mixes them put the token together from two, so that
    /// two validators see two different tokens.
    ///
    /// What to do: look at the signature verdict and at who sent the token; with a valid signature the key is in other
    /// hands.
    ///
    /// Known false positives: none. Tokens of B2C, which say 1.0 under an issuer of the second form, are not judged.
    "iss-version-mismatch", Tenant, "H/L", Attack, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "RFC 8725 section 3.12",
        "CWE-345", "ATT&CK T1606",
    ],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let (Some(iss), Some(ver)) = (claims.iss, claims.text("ver")) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    // A malformed issuer has no form; `iss-malformed` speaks about it.
    let Some(issuer) = claims.issuer.filter(|issuer| issuer.exact && issuer.kind != IssuerKind::B2c) else {
        return Check::Quiet;
    };
    let version = match ver {
        "1.0" => 1,
        "2.0" => 2,
        _ => return Check::Quiet,
    };
    if version == issuer.version {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The version of the token and the form of its issuer contradict each other.")
            .expected(format!("ver {}.0", issuer.version))
            .actual(format!("ver {ver}"))
            .fact("iss", iss),
    )
}
