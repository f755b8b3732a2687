//! `kid-case`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::verify::Verdict;

rule! {
    /// The key id differs from a published one in its letter case only.
    ///
    /// Why it matters: key ids are compared letter by letter. A gateway that ignores the case may take the key of another id,
    /// and tools that compare exactly do not find this token.
    ///
    /// What to do: see how the gateway compares key ids, and who wrote the token.
    ///
    /// Known false positives: none.
    "kid-case", Form, "L/L", Attack, Proven,
    references: ["RFC 7515 section 4.1.4", "CWE-178"],
    needs: [Header, Keys],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let kid = token.header().and_then(|header| header.kid).unwrap_or_default();
    if kid.is_empty() || !token.signature.named.is_empty() {
        return Check::Quiet;
    }
    let (Some(keys), Some(authority)) = (context.keys, &token.signature.authority) else {
        return Check::NotEvaluable(Reason::NO_COVERAGE);
    };
    let published = keys.keys().filter(|(id, _)| keys.serves(authority, *id));
    let published = published.filter_map(|(_, key)| key.kid.as_deref());
    match published.into_iter().find(|published| published.eq_ignore_ascii_case(kid)) {
        Some(published) => Check::fires(
            Evidence::new("The token's key id differs from a published one in its letter case only.")
                .expected(published)
                .actual(kid),
        ),
        None if token.signature.verdict == Verdict::NotCovered => Check::NotEvaluable(Reason::NO_COVERAGE),
        None => Check::Quiet,
    }
}
