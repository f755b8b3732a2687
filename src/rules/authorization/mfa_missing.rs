//! `mfa-missing`

use super::at_api;
use super::{MULTI_FACTOR, shows_multi_factor};
use crate::facts::Pairing;
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The user signed in without a second factor where the API asks for one.
    ///
    /// Why it matters: a password alone can be phished, guessed or bought. The API was to be out of reach for whoever holds
    /// nothing else.
    ///
    /// What to do: require multifactor authentication for the API by Conditional Access, and let the API compare `amr`.
    ///
    /// Known false positives: a federated identity provider that reports its second factor in words of its own; the usual one
    /// (`multipleauthn`) is recognised. A token without `amr` says nothing (`mfa-unknown`).
    "mfa-missing", Authorization, "H/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "RFC 8176 section 2",
        "RFC 9068 section 2.2.1", "OWASP API2:2023", "CWE-308", "ATT&CK T1078.004",
    ],
    needs: [Claims, Mfa],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    if !api.mfa {
        return Check::Quiet;
    }
    if !claim::is_present(claims, "amr") {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    }
    if shows_multi_factor(claims) {
        return Check::Quiet;
    }
    let methods: Vec<&str> = claim::texts(claims, "amr").collect();
    Check::fires(
        Evidence::new("The user signed in without a second factor where the API asks for one.")
            .expected(format!("one of {} in amr", MULTI_FACTOR.join(", ")))
            .actual(methods.join(", ")),
    )
}
