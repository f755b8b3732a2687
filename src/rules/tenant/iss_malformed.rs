//! `iss-malformed`

use super::ALIASES;
use crate::entra::{self, EntraIssuer, IssuerKind};
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The issuer lies on a host of Entra and is not written as Entra writes it.
    ///
    /// Why it matters: Entra spells an issuer in one way for each cloud and version, with the id of the tenant. Another
    /// scheme, a port, a query, a missing slash or `common` in place of the id was typed by somebody, who counts on a
    /// validator that compares parts of it.
    ///
    /// What to do: look at the signature verdict; let the validator compare `iss` as a whole, with the tenant filled in.
    ///
    /// Known false positives: none from Entra, which never writes an alias. Redacted samples of documentation are
    /// malformed too.
    "iss-malformed", Tenant, "H/L", Attack, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "RFC 8725 section 3.8",
        "CWE-346",
    ],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(iss) = claims.iss else { return Check::NotEvaluable(Reason::CLAIM_ABSENT) };
    let Some(issuer) = claims.issuer.filter(|issuer| !issuer.exact) else { return Check::Quiet };
    Check::fires(
        Evidence::new("The issuer lies on a host of Entra and is not written as Entra writes it.")
            .expected(form(issuer))
            .actual(iss)
            .fact("fault", fault(issuer)),
    )
}

/// What is wrong, as far as the tenant tells it.
fn fault(issuer: EntraIssuer<'_>) -> &'static str {
    if ALIASES.iter().any(|alias| alias.eq_ignore_ascii_case(issuer.tenant)) {
        "alias"
    } else if entra::is_guid(issuer.tenant) {
        "spelling"
    } else {
        "tenant"
    }
}

/// The form that the issuer comes nearest to.
fn form(issuer: EntraIssuer<'_>) -> String {
    match (issuer.kind, issuer.version, issuer.clouds) {
        (IssuerKind::B2c, ..) => "https://{name}.b2clogin.com/{tenant id}/v2.0/".to_owned(),
        (IssuerKind::Ciam, ..) => "https://{tenant id}.ciamlogin.com/{tenant id}/v2.0".to_owned(),
        (IssuerKind::Workforce, 2, [cloud]) if cloud.v2_host().is_some() => {
            format!("https://{}/{{tenant id}}/v2.0", cloud.v2_host().unwrap_or_default())
        }
        (IssuerKind::Workforce, ..) => {
            let host = issuer.clouds.first().map_or("sts.windows.net", |cloud| cloud.v1_host());
            format!("https://{host}/{{tenant id}}/")
        }
    }
}
