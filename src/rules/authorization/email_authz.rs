//! `email-authz`

use super::email_unverified;
use crate::facts::Facts;
use crate::rules::kit::{Cells, Check, Confidence, Evidence, rule};
use crate::rules::principal::{self, Bond};
use crate::rules::tenant::{guest_user, personal_account};

rule! {
    /// The application authorised the caller by a name or address that can change or be claimed by others.
    ///
    /// Why it matters: `email`, `upn`, `preferred_username`, `unique_name` and `name` are not unique across tenants, and in
    /// many tenants an administrator may write any address into them. An application that takes them as its key hands
    /// accounts to whoever copies the text (nOAuth). The finding is critical where such a copy is easy: the address is not
    /// verified, the account is a personal one that the API is not for, or a guest calls a multi-tenant API; the evidence
    /// names the rules that say so.
    ///
    /// What to do: let the application key on `tid` with `oid` (or `sub`) and migrate stored addresses once.
    ///
    /// Known false positives: a field that is logged for display only (`authorizes-on` must name the key that the
    /// application authorised on); applications in migration that check `tid` and `oid` as well. `shape-only` findings
    /// rest on the look of the logged value alone.
    "email-authz", Authorization, "H/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "RFC 8725 section 3.10",
        "OWASP API1:2023", "OWASP API2:2023", "CWE-287", "CWE-290", "CWE-302", "CWE-639", "ATT&CK T1078.004",
    ],
    needs: [Claims, AuthorizesOn],
    cause: [Claim, Client],
    judge: Use(check),
}

const EXPECTED: &str = "tid with oid or sub";

fn check(facts: &Facts<'_>) -> Check {
    let (claims, principal) = match principal::of(facts) {
        Ok(both) => both,
        Err(check) => return check,
    };
    let evidence = match principal::bond(principal, claims) {
        Bond::Mutable(claim) => {
            let matched: Vec<&str> = principal::mutable(principal, claims).collect();
            Evidence::new(format!("The application authorised the caller by the claim {claim}."))
                .fact("claim", claim)
                .fact("claims", matched)
        }
        Bond::Shape => {
            Evidence::new("The application authorised the caller by what looks like an address or user name.")
                .fact("reason", "shape-only")
                .confidence(Confidence::Heuristic)
        }
        _ => return Check::Quiet,
    };
    let multi_tenant = facts.api.is_some_and(|api| api.multi_tenant);
    let evidence = evidence.expected(EXPECTED).actual(principal).fact("multi_tenant", multi_tenant);
    let worse = worse(facts, multi_tenant);
    if worse.is_empty() {
        return Check::fires(evidence);
    }
    Check::fires(evidence.fact("worse_by", worse).cells(Cells::new('C', 'L')))
}

/// The rules that make the matter worse.
fn worse(facts: &Facts<'_>, multi_tenant: bool) -> Vec<&'static str> {
    let guests = multi_tenant.then_some(&guest_user::RULE);
    [&email_unverified::RULE, &personal_account::RULE]
        .into_iter()
        .chain(guests)
        .filter(|rule| matches!(rule.judge_use(facts), Check::Fires(_)))
        .map(|rule| rule.id)
        .collect()
}
