//! `wrong-aud`

use super::{matches, stated, without_slash};
use crate::entra;
use crate::facts::Pairing;
use crate::policy::{ApiSettings, Policy};
use crate::rules::kit::{Check, Evidence, Reason, rule};
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
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(api) = pairing.api else { return Check::NotEvaluable(Reason::NO_API) };
    let Some(listed) = &api.audiences else { return Check::NotEvaluable(Reason::NOT_STATED) };
    // A token without any audience is `aud-missing`.
    if stated(claims).next().is_none() || matches(claims, listed) {
        return Check::Quiet;
    }
    let (reason, whose) = reason(pairing, claims, api);
    let mut evidence = Evidence::new("The token was made for another audience than this API.")
        .expected(listed.join(", "))
        .actual(claims.audience.column().unwrap_or_default())
        .fact("reason", reason)
        .fact("matches_under_envoy", matches_as(claims, listed, as_envoy_reads))
        .fact("matches_in_any_case", matches_as(claims, listed, |aud| without_slash(aud).to_lowercase()));
    if let Some(whose) = whose {
        evidence = evidence.fact("audience_of", whose);
    }
    Check::fires(evidence)
}

/// Whose audience it is: the reason code, and a name where there is one.
fn reason(pairing: &Pairing<'_>, claims: &Claims, api: &ApiSettings) -> (&'static str, Option<String>) {
    let named = |party: &entra::FirstParty| stated(claims).any(|aud| party.is_named_by(aud));
    if named(&entra::GRAPH) {
        return ("graph", Some(entra::GRAPH.name.to_owned()));
    }
    if let Some(party) = entra::FIRST_PARTIES.iter().find(|party| named(party)) {
        return ("ms-api", Some(party.name.to_owned()));
    }
    let others = pairing
        .context
        .policy
        .into_iter()
        .flat_map(Policy::every_settings)
        .filter(|other| other.name != api.name);
    for other in others {
        if other.audiences.as_ref().is_some_and(|listed| matches(claims, listed)) {
            return ("other-own-api", Some(other.name.clone()));
        }
    }
    let own_client = |aud: &str| {
        claims.client_id.as_deref() == Some(aud)
            || pairing
                .context
                .policy
                .is_some_and(|policy| policy.clients().own.iter().any(|own| entra::normal_guid(own) == aud))
    };
    if stated(claims).any(own_client) { ("client-id", None) } else { ("unknown", None) }
}

/// True if an audience of the token equals one of the listed ones after both were rewritten.
fn matches_as(claims: &Claims, listed: &[String], rewrite: impl Fn(&str) -> String) -> bool {
    stated(claims).map(&rewrite).any(|aud| listed.iter().any(|audience| rewrite(audience) == aud))
}

/// Envoy compares without scheme and without one slash at the end (rules.md 5.4).
fn as_envoy_reads(audience: &str) -> String {
    let bare =
        audience.strip_prefix("https://").or_else(|| audience.strip_prefix("http://")).unwrap_or(audience);
    without_slash(bare).to_owned()
}
