//! `groups-overage`

use super::overage;
use crate::facts::Pairing;
use crate::rules::kit::{Cells, Check, Evidence, Reason, rule};

rule! {
    /// The user is in more groups than the token can list.
    ///
    /// Why it matters: Entra lists up to 200 groups, and a reference in their place beyond that. An API that authorises by groups
    /// and looks only at the token cannot know; the finding is more severe where the policy asks for a group and the request
    /// was accepted.
    ///
    /// What to do: let the API ask Microsoft Graph for the groups, or use app roles, or groups assigned to the application.
    ///
    /// Known false positives: applications that do ask Graph.
    "groups-overage", Authorization, "I/I", BlindSpot, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "OWASP API5:2023", "CWE-863",
    ],
    needs: [Claims],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(claim) = overage(claims) else { return Check::Quiet };
    let evidence = Evidence::new("The user is in more groups than the token can list.")
        .expected("a list of groups")
        .fact("claim", claim);
    let asked = pairing.api.is_some_and(|api| api.groups.is_some());
    Check::fires(if asked { evidence.cells(Cells::new('M', 'I')) } else { evidence })
}
