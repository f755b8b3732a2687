//! `confused-deputy`

use super::{answered, foreign, other_api};
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The API accepted a token that was made for another API of the organisation.
    ///
    /// Why it matters: each API that a user calls can then act as that user at the other, without the user's consent and
    /// past the permissions that were granted. A leak of the lesser API is one of the greater.
    ///
    /// What to do: let the API check `aud`. An API that calls another one on behalf of its user should exchange the token
    /// for one of its own (on-behalf-of flow).
    ///
    /// Known false positives: a façade that takes tokens of the APIs behind it on purpose. List their audiences among its
    /// `audiences`, and it is not judged.
    "confused-deputy", Audience, "C/-", Overreach, Strong,
    references: [
        "RFC 9700 section 4.9.2", "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow",
        "OWASP API2:2023", "CWE-441", "ATT&CK T1550.001",
    ],
    needs: [Claims, Audiences],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api, listed) = match foreign(pairing) {
        Ok(foreign) => foreign,
        Err(check) => return check,
    };
    let Some(other) = other_api(pairing.context.policy, claims, api) else { return Check::Quiet };
    let evidence =
        Evidence::new("The API accepted a token that was made for another API of the organisation.")
            .expected(listed.join(", "))
            .actual(claims.audience.column().unwrap_or_default())
            .fact("audience_of", other.name.as_str());
    Check::fires(answered(evidence, pairing))
}
