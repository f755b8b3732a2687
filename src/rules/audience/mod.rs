//! Family E: audience.

pub(super) mod aud_missing;
pub(super) mod graph_token;
pub(super) mod wrong_aud;

use crate::entra;
use crate::token::Claims;

/// The audiences of a token that say something.
fn stated(claims: &Claims) -> impl Iterator<Item = &str> {
    claims.audience.values().iter().map(String::as_str).filter(|aud| !aud.trim().is_empty())
}

/// True if an audience of the token equals one of the listed ones: letter for letter, but for one slash at the end and
/// the letter case of GUIDs (rules.md 1.4 and 5.1).
fn matches(claims: &Claims, listed: &[String]) -> bool {
    let listed: Vec<String> = listed.iter().map(|audience| entra::normal_guid(audience)).collect();
    matches_as(claims, &listed, |audience| without_slash(audience).to_owned())
}

/// True if an audience of the token equals one of the listed ones after both were rewritten.
fn matches_as(claims: &Claims, listed: &[String], rewrite: impl Fn(&str) -> String) -> bool {
    stated(claims).map(&rewrite).any(|aud| listed.iter().any(|audience| rewrite(audience) == aud))
}

fn without_slash(audience: &str) -> &str {
    audience.strip_suffix('/').unwrap_or(audience)
}
