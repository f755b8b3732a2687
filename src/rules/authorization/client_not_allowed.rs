//! `client-not-allowed`

use super::at_api;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The client is not among those that may call the API.
    ///
    /// Why it matters: where an API restricts its callers, every other application of the tenant, a phished consent among them,
    /// must stay outside.
    ///
    /// What to do: if the client is a new one of yours, add it to `clients`; otherwise let the API compare `azp` or `appid`.
    ///
    /// Known false positives: APIs that do not restrict their callers. They state no `clients`, and are not judged.
    "client-not-allowed", Authorization, "H/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "OWASP API5:2023", "CWE-863",
        "ATT&CK T1528",
    ],
    needs: [Claims, Clients],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    let Some(clients) = &api.clients else { return Check::Quiet };
    let Some(client) = claims.client_id.as_deref() else { return Check::NotEvaluable(Reason::CLAIM_ABSENT) };
    if clients.iter().any(|listed| listed == client) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The client is not among those that may call the API.")
            .expected(clients.join(", "))
            .actual(client),
    )
}
