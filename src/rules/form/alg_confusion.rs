//! `alg-confusion`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The token's MAC was made with a published public key as the secret.
    ///
    /// Why it matters: it is proof of an attack. Whoever wrote the token bets that the validator uses the issuer's public
    /// key for whatever algorithm the token names; where that was accepted, everybody can forge tokens for everybody.
    ///
    /// What to do: take the API off or fix its validator at once, then look at every request of this address and of every
    /// identity that the forged tokens name.
    ///
    /// Known false positives: none; a match cannot happen by chance.
    "alg-confusion", Form, "C/H", Attack, Proven,
    references: ["RFC 8725 section 2.1", "CWE-327", "CWE-347", "ATT&CK T1606", "ATT&CK T1190"],
    needs: [Header, Keys],
    judge: Token(check),
}

pub(super) fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let (Some(header), Some(spelling)) = (token.header(), token.signature.confusion) else {
        return Check::Quiet;
    };
    if !header.is_symmetric() {
        return Check::Quiet;
    }
    let alg = header.alg.unwrap_or_default();
    Check::fires(
        Evidence::new(format!("The token's {alg} verifies with a public key of its issuer as the secret."))
            .expected("an algorithm of the issuer's published keys")
            .actual(alg)
            .fact("key_spelling", spelling),
    )
}
