//! `personal-account`

use crate::entra::PERSONAL_TENANT;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Claims;

rule! {
    /// The user signed in with a personal Microsoft account, which this API is not for.
    ///
    /// Why it matters: everybody can make such an account in a minute. An application registered for all account types
    /// gets genuine tokens of them, and only the API can tell them from employees.
    ///
    /// What to do: register the application for work and school accounts only, or let the API refuse the tenant of
    /// personal accounts. If consumers are welcome, set `personal-accounts` or list that tenant.
    ///
    /// Known false positives: an API that is open to consumers and whose policy does not say so yet.
    "personal-account", Tenant, "H/I", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "CWE-863",
        "ATT&CK T1078.004",
    ],
    needs: [Claims, Policy],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(tenant) = pairing.token.claims().and_then(Claims::tenant) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    if tenant != PERSONAL_TENANT {
        return Check::Quiet;
    }
    let listed = |tenants: &Vec<String>| tenants.iter().any(|tenant| tenant == PERSONAL_TENANT);
    let of_api = pairing.api.and_then(|api| api.tenants.as_ref());
    let of_all = pairing.context.policy.and_then(|policy| policy.tenancy().allowed.as_ref());
    if of_api.or(of_all).is_some_and(listed) {
        return Check::Quiet;
    }
    match pairing.api {
        None => Check::NotEvaluable(Reason::NO_API),
        Some(api) if api.personal_accounts => Check::Quiet,
        Some(_) => Check::fires(
            Evidence::new("The user signed in with a personal Microsoft account, which this API is not for.")
                .expected("a work or school account")
                .actual(tenant),
        ),
    }
}
