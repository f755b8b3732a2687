//! `aud-form`

use super::{answered, matches, other_api};
use crate::entra;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Version;

rule! {
    /// The audience has a form that a token of this version does not have here.
    ///
    /// Why it matters: Entra writes the application's id into every v2 token, so one with an address was put together by
    /// somebody else. A v1 token may name any address of its API, but one that belongs to another API alone is a token for
    /// that API.
    ///
    /// What to do: look at the signature verdict for v2 tokens. For v1 tokens find out why a client sends them here, and
    /// compare `audiences` with what is registered.
    ///
    /// Known false positives: none for v2. The id in a v1 token is regular too, and never counted; other issuers that the
    /// policy lists are not judged.
    "aud-form", Audience, "H/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "RFC 8725 section 3.9",
        "CWE-345",
    ],
    needs: [Claims],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    if claims.audience.stated().next().is_none() {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    }
    let evidence = || {
        Evidence::new("The audience has a form that a token of this version does not have here.")
            .fact("token_version", claims.version.name())
    };
    let evidence = match claims.version {
        Version::V2 => {
            let listed = claims.iss.is_some_and(|iss| pairing.validation.lists_issuer(iss));
            if listed || claims.audience.stated().all(entra::is_guid) {
                return Check::Quiet;
            }
            evidence().expected("the id of an application")
        }
        // The id of an application is regular in a v1 token.
        Version::V1 if claims.audience.stated().all(entra::is_guid) => return Check::Quiet,
        Version::V1 => {
            let Some(api) = pairing.api else { return Check::NotEvaluable(Reason::NO_API) };
            let Some(listed) = &api.audiences else { return Check::NotEvaluable(Reason::NOT_STATED) };
            // Nearly every token is for the API that it is sent to; only for others the whole policy is searched.
            if matches(claims, listed) {
                return Check::Quiet;
            }
            let Some(other) = other_api(pairing.context.policy, claims, api) else { return Check::Quiet };
            evidence().expected(listed.join(", ")).fact("audience_of", other.name.as_str())
        }
    };
    let evidence = evidence.actual(claims.audience.column().unwrap_or_default());
    Check::fires(answered(evidence, pairing))
}
