//! `no-permission`

use crate::facts::Pairing;
use crate::policy::ApiSettings;
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Claims;

rule! {
    /// The token grants nothing: it has neither scopes nor roles.
    ///
    /// Why it matters: Entra issues such tokens to every application of the tenant that asks. An API that accepts them checks
    /// who calls, if at all, and never what he may do.
    ///
    /// What to do: let the API require a scope or a role, and assignment for its service principal.
    ///
    /// Known false positives: APIs that authorise by a list of callers or by groups. If the policy states `groups`, or `clients`
    /// that hold the caller, and neither scopes nor roles, the API is taken for one of these. One that authorises by directory
    /// roles (`wids`) needs an accepted exception.
    "no-permission", Authorization, "H/I", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "RFC 9068 section 2.2.3",
        "OWASP API5:2023", "CWE-862", "ATT&CK T1078.004",
    ],
    needs: [Claims],
    judge: Api(check),
}

/// Claims that grant something. `scope` and `role` are the spellings of other issuers.
const GRANTS: [&str; 4] = ["scp", "roles", "scope", "role"];

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let granted = GRANTS.into_iter().any(|name| claim::texts(claims, name).next().is_some());
    if granted || pairing.api.is_some_and(|api| goes_by_lists(api, claims)) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The token grants nothing: it has neither scopes nor roles.")
            .expected("scp or roles")
            .fact("kind", claims.kind.name()),
    )
}

/// True if the API authorises by lists of groups or callers, and this caller is on it.
fn goes_by_lists(api: &ApiSettings, claims: &Claims<'_>) -> bool {
    let listed = |clients: &Vec<String>| {
        claims.client_id.as_deref().is_some_and(|client| clients.iter().any(|listed| listed == client))
    };
    api.scopes.is_none()
        && api.roles.is_none()
        && (api.groups.is_some() || api.clients.as_ref().is_some_and(listed))
}
