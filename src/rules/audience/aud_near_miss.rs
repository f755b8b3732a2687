//! `aud-near-miss`

use super::{answered, foreign, matches_as, without_slash};
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The audience is this API's but for its spelling.
    ///
    /// Why it matters: `wrong-aud` says that the token is for somebody else, and probably it is not: only letter case,
    /// slashes or the scheme differ. Validators disagree about such spellings, so one gateway accepts what the next refuses.
    ///
    /// What to do: compare `audiences` with what is registered, and correct the typing; if the policy is right, correct
    /// the client.
    ///
    /// Known false positives: a slip in the policy itself. One slash at the end is never counted.
    "aud-near-miss", Audience, "L/I", Overreach, Strong,
    references: ["RFC 7519 section 4.1.3"],
    needs: [Claims, Audiences],
    judge: Api(check),
}

/// Writes an audience anew.
type Rewrite = fn(&str) -> String;

/// Ways to compare more leniently, by name.
const LENIENT: [(&str, Rewrite); 3] = [("case", folded), ("slashes", squeezed), ("scheme", bare)];

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, _, listed) = match foreign(pairing) {
        Ok(foreign) => foreign,
        Err(check) => return check,
    };
    let finish = |text: String| without_slash(&text).to_owned();
    let alone = LENIENT
        .into_iter()
        .find(|(_, rewrite)| matches_as(claims, listed, |aud| finish(rewrite(aud))))
        .map(|(name, _)| vec![name]);
    let together = || {
        let all = |aud: &str| LENIENT.iter().fold(aud.to_owned(), |aud, (_, rewrite)| rewrite(&aud));
        matches_as(claims, listed, |aud| finish(all(aud)))
            .then(|| LENIENT.into_iter().map(|(name, _)| name).collect())
    };
    let Some(differs_in) = alone.or_else(together) else { return Check::Quiet };
    let evidence = Evidence::new("The audience is this API's but for its spelling.")
        .expected(listed.join(", "))
        .actual(claims.audience.column().unwrap_or_default())
        .fact("matches_without", differs_in);
    Check::fires(answered(evidence, pairing))
}

/// In one letter case.
fn folded(audience: &str) -> String {
    audience.to_lowercase()
}

/// Without repeated slashes, but for those behind the scheme.
fn squeezed(audience: &str) -> String {
    let (scheme, rest) = audience.split_once("://").unwrap_or(("", audience));
    let segments: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
    if scheme.is_empty() { segments.join("/") } else { format!("{scheme}://{}", segments.join("/")) }
}

/// Without the scheme, whichever it is.
fn bare(audience: &str) -> String {
    audience.split_once("://").map_or(audience, |(_, rest)| rest).to_owned()
}
