//! `idp-unexpected`

use super::{Provider, provider};
use crate::entra::{self, IssuerKind};
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The user was signed in by an identity provider that is no partner.
    ///
    /// Why it matters: guests come from organisations that somebody invited. One from elsewhere is an invitation that
    /// nobody reviewed, or an account that an intruder left behind.
    ///
    /// What to do: find out who invited the user; if the organisation is a partner, add its tenant or provider to
    /// `tenancy.partners`.
    ///
    /// Known false positives: a new partner that the policy does not list yet. Customers of Azure AD B2C and External ID, who sign in
    /// with whatever provider the tenant offers, are nobody's guests and not judged.
    "idp-unexpected", Tenant, "M/I", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "ATT&CK T1199",
    ],
    needs: [Claims, Partners],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    if claims.issuer.is_some_and(|issuer| issuer.kind != IssuerKind::Workforce) {
        return Check::Quiet;
    }
    let idp = match provider(claims) {
        Provider::Home => return Check::Quiet,
        Provider::Untold => return Check::NotEvaluable(Reason::CLAIM_ABSENT),
        Provider::Other(idp) => idp,
    };
    let partners = pairing.context.policy.map(|policy| policy.tenancy().partners.as_slice());
    let partners = partners.unwrap_or_default();
    // A tenant is listed by its id, everybody else by the text of the claim or the host in it.
    let tenant = entra::parse_issuer(idp).map(|issuer| issuer.tenant);
    let names = [Some(idp), tenant, entra::url_host(idp)];
    let listed = |name: &str| partners.iter().any(|partner| partner.eq_ignore_ascii_case(name));
    if names.into_iter().flatten().any(listed) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The user was signed in by an identity provider that is no partner.")
            .expected(partners.join(", "))
            .actual(idp),
    )
}
