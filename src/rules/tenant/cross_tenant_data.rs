//! `cross-tenant-data`

use crate::facts::{DataTenant, Facts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Claims;

rule! {
    /// The request touched data of another tenant than the token's.
    ///
    /// Why it matters: it is the failure that customers of a shared service fear most. The token is genuine, and the API
    /// forgot to compare its tenant with the owner of the data.
    ///
    /// What to do: for accepted requests, find out what was read or changed and tell the tenant concerned; let the API
    /// compare `tid` with the stored tenant. Declare service providers and delegated administration as pairs under
    /// `tenancy.delegated`.
    ///
    /// Known false positives: delegated administration that is not declared, shared or public data, a host label that is a
    /// customer's alias. Guests are none: their `tid` is that of the tenant they visit.
    "cross-tenant-data", Tenant, "C/M", Overreach, Strong,
    references: [
        "RFC 9700 section 2.3", "RFC 8725 section 3.8",
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "OWASP API1:2023", "OWASP API5:2023",
        "CWE-639", "CWE-863", "CWE-566", "ATT&CK T1199", "ATT&CK T1078.004",
    ],
    needs: [Claims, Policy],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    let data_tenant = match facts.data_tenant {
        DataTenant::Tenant(tenant) => tenant,
        DataTenant::Unresolved(_) => return Check::NotEvaluable(Reason::UNRESOLVED_TENANT),
        DataTenant::Absent if facts.api.is_none() => return Check::NotEvaluable(Reason::NO_API),
        DataTenant::Absent => return Check::NotEvaluable(Reason::NO_DATA_TENANT),
    };
    let Some(tenant) = facts.token.claims().and_then(Claims::tenant) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    let delegated = facts.context.policy.is_some_and(|policy| {
        policy.tenancy().delegated.iter().any(|(from, to)| from == tenant && to == data_tenant)
    });
    if data_tenant == tenant || delegated {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The request touched data of another tenant than the token's.")
            .expected(tenant)
            .actual(&**data_tenant),
    )
}
