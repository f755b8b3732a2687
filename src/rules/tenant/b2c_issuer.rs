//! `b2c-issuer`

use super::foreign_kind;
use crate::entra::IssuerKind;
use crate::facts::Pairing;
use crate::policy::IssuerKindName;
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// A customer's token of Azure AD B2C was sent to an API for a workforce.
    ///
    /// Why it matters: anybody can sign up at a customer directory and choose claims there, so its tokens must not reach an
    /// API that takes every user for an employee.
    ///
    /// What to do: let the API accept its own issuers only; if it serves customers too, say so with `issuer-kinds`.
    ///
    /// Known false positives: an API for both, whose `issuer-kinds` does not say so yet.
    "b2c-issuer", Tenant, "H/L", Overreach, Strong,
    references: ["RFC 8725 section 3.8", "RFC 8725 section 3.12", "CWE-346"],
    needs: [Claims, Policy],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    foreign_kind(pairing, (IssuerKind::B2c, IssuerKindName::B2c), |issuer| {
        Evidence::new("A token of Azure AD B2C was sent to an API for a workforce.")
            .fact("issuer_tenant", issuer.tenant)
    })
}
