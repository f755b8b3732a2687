//! `hdr-crit`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The token's header marks members as critical (`crit`).
    ///
    /// Why it matters: a validator must refuse a token whose critical members it does not understand; many ignore them.
    /// Entra never writes `crit`, so the token comes from elsewhere or probes that difference.
    ///
    /// What to do: check that the gateway refuses unknown critical members, and find the signer.
    ///
    /// Known false positives: none for Entra.
    "hdr-crit", Form, "M/L", Attack, Proven,
    references: ["RFC 7515 section 4.1.11", "CWE-436"],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(crit) = token.header().and_then(|header| header.member("crit")) else { return Check::Quiet };
    Check::fires(
        Evidence::new("The token's header lists members that a validator must understand.")
            .expected("no crit")
            .actual(crit.to_json()),
    )
}
