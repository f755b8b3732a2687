//! Family E: audience.

pub(super) mod aud_form;
pub(super) mod aud_is_client;
pub(super) mod aud_missing;
pub(super) mod aud_multiple;
pub(super) mod aud_near_miss;
pub(super) mod confused_deputy;
pub(super) mod graph_token;
pub(super) mod id_token_used;
pub(super) mod ms_api_token;
pub(super) mod wrong_aud;

use super::claim;
use super::kit::{Check, Evidence, Reason};
use crate::entra::{self, FirstParty};
use crate::facts::{Pairing, Validator, same_audience};
use crate::policy::{ApiSettings, Policy, Preset};
use crate::token::Claims;

/// True if an audience of the token equals one of the listed ones: letter for letter, but for one slash at the end and
/// the letter case of GUIDs (rules.md 1.4 and 5.1).
fn matches(claims: &Claims, listed: &[String]) -> bool {
    matches_under(Preset::Dotnet, claims, listed)
}

/// True if a preset takes an audience of the token for one of the listed ones.
fn matches_under(preset: Preset, claims: &Claims, listed: &[String]) -> bool {
    claims.audience.stated().any(|aud| listed.iter().any(|listed| same_audience(preset, aud, listed)))
}

/// True if an audience of the token equals one of the listed ones after both were rewritten.
fn matches_as(claims: &Claims, listed: &[String], rewrite: impl Fn(&str) -> String) -> bool {
    // Once each: an attacker may write a long list into `aud`.
    let listed: Vec<String> = listed.iter().map(|audience| rewrite(audience)).collect();
    claims.audience.stated().map(&rewrite).any(|aud| listed.contains(&aud))
}

fn without_slash(audience: &str) -> &str {
    audience.strip_suffix('/').unwrap_or(audience)
}

/// The claims, and what the API accepts, of a token that was made for somebody else; else what to say in place of it.
fn foreign<'p>(pairing: &'p Pairing<'_>) -> Result<(&'p Claims<'p>, &'p ApiSettings, &'p [String]), Check> {
    let Some(claims) = pairing.token.claims() else { return Err(Check::NotEvaluable(Reason::NO_CLAIMS)) };
    let Some(api) = pairing.api else { return Err(Check::NotEvaluable(Reason::NO_API)) };
    let Some(listed) = &api.audiences else { return Err(Check::NotEvaluable(Reason::NOT_STATED)) };
    // A token without any audience is `aud-missing`.
    if claims.audience.stated().next().is_none() || matches(claims, listed) {
        return Err(Check::Quiet);
    }
    Ok((claims, api, listed))
}

/// Another API of the policy that the token was made for.
fn other_api<'p>(policy: Option<&'p Policy>, claims: &Claims, api: &ApiSettings) -> Option<&'p ApiSettings> {
    let mut others = policy?.every_settings().filter(|other| other.name != api.name);
    others.find(|other| other.audiences.as_ref().is_some_and(|listed| matches(claims, listed)))
}

/// The Microsoft resource, other than Graph, that the token was made for.
fn first_party(claims: &Claims) -> Option<&'static FirstParty> {
    claims
        .audience
        .stated()
        .filter_map(FirstParty::place_of)
        .min()
        .and_then(|at| entra::FIRST_PARTIES.get(at))
}

/// Claims that bind an ID token to the sign-in that it answers (OpenID Connect Core section 3).
const OF_ID_TOKENS: [&str; 3] = ["nonce", "c_hash", "at_hash"];
/// Claims of which an access token has at least one.
const OF_ACCESS_TOKENS: [&str; 5] = ["scp", "roles", "azp", "appid", "idtyp"];

/// The claim that shows an ID token; `aud` where nothing speaks for an access token and it names an own client.
pub(super) fn id_token_mark(claims: &Claims<'_>, policy: Option<&Policy>) -> Option<&'static str> {
    if let Some(mark) = OF_ID_TOKENS.into_iter().find(|name| claim::is_present(claims, name)) {
        return Some(mark);
    }
    let own = policy.map_or(&[][..], |policy| policy.clients().own.as_slice());
    let is_own = |aud: &str| own.iter().any(|own| entra::normal_guid(own) == aud);
    (!looks_like_access(claims) && claims.audience.stated().any(is_own)).then_some("aud")
}

/// True if a claim of access tokens is there.
fn looks_like_access(claims: &Claims<'_>) -> bool {
    OF_ACCESS_TOKENS.iter().any(|name| claim::is_present(claims, name))
}

/// Adds what the deployment's own audience check and a strict one answer, where they differ.
fn answered(evidence: Evidence, pairing: &Pairing<'_>) -> Evidence {
    let Some(claims) = pairing.token.claims() else { return evidence };
    let listed = pairing.api.and_then(|api| api.audiences.as_deref());
    let own = Validator::of(pairing.validation).audience(claims, listed);
    evidence.answers(own, Validator::STRICT.audience(claims, listed))
}
