//! `ms-api-token`

use super::{answered, first_party, matches};
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// A token for a service of Microsoft was sent to this API.
    ///
    /// Why it matters: the token opens subscriptions, secrets, mail or databases of the caller to whoever reads the API's
    /// logs, and an API that accepts it takes tokens that were not made for it.
    ///
    /// What to do: let clients ask for a token for this API; let the gateway refuse foreign audiences; treat tokens that
    /// were logged as leaked.
    ///
    /// Known false positives: a gateway that stands before that service on purpose. List the audience among its
    /// `audiences`, and it is not judged.
    "ms-api-token", Audience, "H/L", Overreach, Strong,
    references: [
        "RFC 9700 section 4.10.2", "https://learn.microsoft.com/entra/identity-platform/claims-validation", "CWE-441",
        "ATT&CK T1550.001",
    ],
    needs: [Claims],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    if claims.audience.stated().next().is_none() {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    }
    let Some(party) = first_party(claims) else { return Check::Quiet };
    let listed = pairing.api.and_then(|api| api.audiences.as_ref());
    if listed.is_some_and(|listed| matches(claims, listed)) {
        return Check::Quiet;
    }
    let evidence = Evidence::new("A token for a service of Microsoft was sent to this API.")
        .expected("a token for this API")
        .actual(claims.audience.column().unwrap_or_default())
        .fact("audience_of", party.name);
    Check::fires(answered(evidence, pairing))
}
