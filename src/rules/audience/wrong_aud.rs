//! `wrong-aud`

use super::{answered, first_party, foreign, matches_as, matches_under, other_api, without_slash};
use crate::entra;
use crate::facts::Pairing;
use crate::policy::{ApiSettings, Preset};
use crate::rules::kit::{Check, Evidence, rule};
use crate::token::Claims;

rule! {
    /// The token was made for another audience than this API.
    ///
    /// Why it matters: an API that accepts foreign tokens lets every other API that its callers use act in their name.
    ///
    /// What to do: find out why the API accepted it. If the audience is a name of this API that the policy lacks, add it
    /// to `audiences`; otherwise let the gateway check `aud`. The evidence says whose audience it is and whether the
    /// laxer comparisons in use elsewhere would have matched.
    ///
    /// Known false positives: an App ID URI that was added later; v1 tokens, which may name any registered URI of the API
    /// or its GUID; a shared gateway whose routes the policy maps to the wrong API.
    "wrong-aud", Audience, "C/I", Overreach, Strong,
    references: [
        "RFC 7519 section 4.1.3", "RFC 8725 section 3.9", "RFC 9068 section 4", "RFC 9700 section 4.10.2",
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "OWASP API2:2023", "CWE-441", "CWE-863",
        "ATT&CK T1550.001",
    ],
    needs: [Claims, Audiences],
    cause: [Aud, Client, Tid],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api, listed) = match foreign(pairing) {
        Ok(foreign) => foreign,
        Err(check) => return check,
    };
    let (reason, whose) = reason(pairing, claims, api);
    let mut evidence = Evidence::new("The token was made for another audience than this API.")
        .expected(listed.join(", "))
        .actual(claims.audience.column().unwrap_or_default())
        .fact("reason", reason)
        .fact("matches_under_envoy", matches_under(Preset::Envoy, claims, listed))
        .fact("matches_in_any_case", matches_as(claims, listed, |aud| without_slash(aud).to_lowercase()));
    if let Some(whose) = whose {
        evidence = evidence.fact("audience_of", whose);
    }
    Check::fires(answered(evidence, pairing))
}

/// Whose audience it is: the reason code, and a name where there is one.
fn reason(pairing: &Pairing<'_>, claims: &Claims, api: &ApiSettings) -> (&'static str, Option<String>) {
    let mut audiences = claims.audience.stated();
    if audiences.any(|aud| entra::GRAPH.is_named_by(aud)) {
        return ("graph", Some(entra::GRAPH.name.to_owned()));
    }
    if let Some(party) = first_party(claims) {
        return ("ms-api", Some(party.name.to_owned()));
    }
    if let Some(other) = other_api(pairing.context.policy, claims, api) {
        return ("other-own-api", Some(other.name.clone()));
    }
    let own_client = |aud: &str| {
        claims.client_id.as_deref() == Some(aud)
            || pairing
                .context
                .policy
                .is_some_and(|policy| policy.clients().own.iter().any(|own| entra::normal_guid(own) == aud))
    };
    if claims.audience.stated().any(own_client) { ("client-id", None) } else { ("unknown", None) }
}
