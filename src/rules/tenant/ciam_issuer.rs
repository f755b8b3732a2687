//! `ciam-issuer`

use super::foreign_kind;
use crate::entra::IssuerKind;
use crate::facts::Pairing;
use crate::policy::IssuerKindName;
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// A customer's token of Entra External ID was sent to an API for a workforce.
    ///
    /// Why it matters: an external tenant lets strangers register themselves. An API that expects employees has no rules
    /// for them.
    ///
    /// What to do: let the API accept its own issuers only; if it serves customers too, say so with `issuer-kinds`.
    ///
    /// Known false positives: an API for both, whose `issuer-kinds` does not say so yet.
    "ciam-issuer", Tenant, "H/L", Overreach, Strong,
    references: ["RFC 8725 section 3.8", "RFC 8725 section 3.12", "CWE-346"],
    needs: [Claims, Policy],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    foreign_kind(pairing, (IssuerKind::Ciam, IssuerKindName::Ciam), |issuer| {
        Evidence::new("A token of Entra External ID was sent to an API for a workforce.")
            .fact("issuer_tenant", issuer.tenant)
    })
}
