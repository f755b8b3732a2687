//! `tenant-not-allowed`

use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token's tenant may not use this API.
    ///
    /// Why it matters: signature and audience of a token from any tenant are genuine for a multi-tenant application; only
    /// the list of tenants keeps strangers out.
    ///
    /// What to do: if the tenant is a customer, add it to `tenants` of the API or to `tenancy.allowed`; otherwise let the
    /// API refuse it, and review what it obtained.
    ///
    /// Known false positives: a tenant that was taken on and is not yet in the policy.
    "tenant-not-allowed", Tenant, "C/L", Overreach, Strong,
    references: [
        "RFC 8725 section 3.8", "https://learn.microsoft.com/entra/identity-platform/claims-validation",
        "OWASP API1:2023", "OWASP API2:2023", "CWE-863", "ATT&CK T1078.004", "ATT&CK T1199",
    ],
    needs: [Claims, Tenants],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let of_api = pairing.api.and_then(|api| api.tenants.as_ref());
    let of_all = pairing.context.policy.and_then(|policy| policy.tenancy().allowed.as_ref());
    let (allowed, list) = match (of_api, of_all) {
        (Some(tenants), _) => (tenants, "api.tenants"),
        (None, Some(tenants)) => (tenants, "tenancy.allowed"),
        (None, None) if pairing.api.is_none() => return Check::NotEvaluable(Reason::NO_API),
        (None, None) => return Check::NotEvaluable(Reason::NOT_STATED),
    };
    let Some(tenant) = pairing.token.claims().and_then(crate::token::Claims::tenant) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    if allowed.iter().any(|allowed| allowed == tenant) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The token's tenant is not among those that may use this API.")
            .expected(allowed.join(", "))
            .actual(tenant)
            .fact("list", list),
    )
}
