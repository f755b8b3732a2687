//! `data-tenant-unresolved`

use crate::facts::{DataTenant, Facts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The request names an owner of its data whom nobody knows.
    ///
    /// Why it matters: `cross-tenant-data` cannot judge the request. The count shows how much of the traffic that rule does
    /// not see.
    ///
    /// What to do: map the name to the id of a tenant under `tenancy.aliases`, or correct the API's `data-tenant`.
    ///
    /// Known false positives: none; it states what is not covered.
    "data-tenant-unresolved", Tenant, "I/I", BlindSpot, Strong,
    references: ["OWASP API1:2023", "CWE-778"],
    needs: [Policy],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    match facts.data_tenant {
        DataTenant::Tenant(_) => Check::Quiet,
        DataTenant::Unresolved(raw) => Check::fires(
            Evidence::new("The request names an owner of its data whom nobody knows.")
                .expected("the id of a tenant, or a name of tenancy.aliases")
                .actual(&**raw),
        ),
        DataTenant::Absent if facts.api.is_none() => Check::NotEvaluable(Reason::NO_API),
        DataTenant::Absent => Check::NotEvaluable(Reason::NO_DATA_TENANT),
    }
}
