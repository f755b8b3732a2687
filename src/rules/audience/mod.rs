//! Family E: audience.

pub(super) mod aud_missing;
pub(super) mod graph_token;
pub(super) mod wrong_aud;

use crate::entra;
use crate::token::Claims;

/// The audiences of a token that say something.
fn stated<'c>(claims: &'c Claims<'_>) -> impl Iterator<Item = &'c str> {
    claims.audience.values().iter().map(|aud| &**aud).filter(|aud| !aud.trim().is_empty())
}

/// True if an audience of the token equals one of the listed ones: letter for letter, but for one slash at the end and
/// the letter case of GUIDs (rules.md 1.4 and 5.1).
fn matches(claims: &Claims, listed: &[String]) -> bool {
    let same = |aud: &str, listed: &str| {
        let (aud, listed) = (without_slash(aud), without_slash(listed));
        aud == listed || (entra::is_guid(listed) && aud.eq_ignore_ascii_case(listed))
    };
    stated(claims).any(|aud| listed.iter().any(|audience| same(aud, audience)))
}

fn without_slash(audience: &str) -> &str {
    audience.strip_suffix('/').unwrap_or(audience)
}
