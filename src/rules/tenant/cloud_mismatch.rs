//! `cloud-mismatch`

use crate::entra::{self, Cloud};
use crate::facts::Facts;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token comes from another cloud than this API belongs to.
    ///
    /// Why it matters: Entra runs the clouds apart, with other keys and other customers. Where tokens of one are accepted
    /// in another, the borders of the sovereign cloud do not hold.
    ///
    /// What to do: let the validator accept the issuers of its own cloud only. If the API serves several, list them under
    /// `validation.clouds`.
    ///
    /// Known false positives: the v1 issuer of the US government cloud is the same text as the global one, so that such a
    /// token counts as belonging to either.
    "cloud-mismatch", Tenant, "H/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud", "RFC 8725 section 3.8",
        "CWE-346", "ATT&CK T1199",
    ],
    needs: [Claims, Clouds],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(claims) = facts.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(iss) = claims.iss else { return Check::NotEvaluable(Reason::CLAIM_ABSENT) };
    let Some(issuer) = claims.issuer else { return Check::Quiet };
    let Some(clouds) = &facts.validation.clouds else { return Check::NotEvaluable(Reason::NOT_STATED) };
    let listed = |cloud: &Cloud| clouds.iter().any(|name| name == cloud.name());
    let hosts = || facts.record.host.and_then(entra::hosting_cloud);
    let (expected, against) = if !issuer.clouds.iter().any(listed) {
        (clouds.join(", "), "clouds")
    } else if let Some(cloud) = hosts().filter(|cloud| !issuer.clouds.contains(cloud)) {
        (cloud.name().to_owned(), "host")
    } else {
        return Check::Quiet;
    };
    let actual: Vec<&str> = issuer.clouds.iter().map(|cloud| cloud.name()).collect();
    Check::fires(
        Evidence::new("The token comes from another cloud than this API belongs to.")
            .expected(expected)
            .actual(actual.join(" or "))
            .fact("iss", iss)
            .fact("against", against),
    )
}
