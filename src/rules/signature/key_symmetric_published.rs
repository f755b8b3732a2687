//! `key-symmetric-published`

use crate::keys::KeyHistory;
use crate::rules::archive;
use crate::rules::kit::{Evidence, Statement, rule};

rule! {
    /// A captured key set holds a symmetric key.
    ///
    /// Why it matters: a symmetric key signs as well as it verifies. Published, it lets everybody mint tokens.
    ///
    /// What to do: take every token that was signed with it as forged; let the issuer withdraw it.
    ///
    /// Known false positives: none.
    "key-symmetric-published", Signature, "C/C", BlindSpot, Proven,
    references: ["RFC 7517 section 9", "CWE-522"],
    needs: [Keys],
    judge: Archive(check),
}

fn check(keys: &KeyHistory) -> Vec<Statement> {
    archive::about_keys(keys, |key| {
        let is_symmetric = key.kty.eq_ignore_ascii_case("oct");
        is_symmetric.then(|| {
            Evidence::new("A captured key set holds a symmetric key.")
                .expected("public keys only")
                .actual("oct")
        })
    })
}
