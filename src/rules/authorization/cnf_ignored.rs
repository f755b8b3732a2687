//! `cnf-ignored`

use crate::codec::json::Value;
use crate::facts::{Facts, Pairing, TokenFacts};
use crate::record::Scheme;
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};

rule! {
    /// A token that is bound to a key was used as a plain bearer token.
    ///
    /// Why it matters: such a token is worthless to a thief only if somebody asks for the proof. Used as `Bearer`, it came without
    /// one.
    ///
    /// What to do: let the gateway demand the scheme that the token belongs to (`DPoP`, `PoP`), and verify the proof.
    ///
    /// Known false positives: a proof that was checked at another hop, which then handed the token on as `Bearer`. Tokens that are
    /// bound to a client certificate are `Bearer` by design (RFC 8705); their proof is part of the handshake, so they are not
    /// evaluable, and neither is a log without the scheme word.
    "cnf-ignored", Authorization, "H/L", Overreach, Strong,
    references: [
        "RFC 9700 section 4.10.1", "RFC 7800 section 3", "RFC 9449 section 7.1", "OWASP API2:2023", "CWE-294",
        "ATT&CK T1550.001",
    ],
    needs: [Claims],
    judge: Timed(quiet, check),
}

/// Most tokens are bound to nothing.
fn quiet(pairing: &Pairing<'_>) -> Quiet {
    Quiet::always_if(bond(pairing.token).is_none())
}

/// What says that a token is bound to a key.
fn bond(token: &TokenFacts) -> Option<&'static str> {
    let pop =
        || token.header().and_then(|header| header.typ).is_some_and(|typ| typ.eq_ignore_ascii_case("pop"));
    match token.claims() {
        Some(claims) if claims.is_bound => Some("cnf"),
        _ => pop().then_some("typ"),
    }
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(bond) = bond(facts.token) else { return Check::Quiet };
    match facts.hit.scheme {
        Scheme::Other => return Check::Quiet,
        Scheme::None => return Check::NotEvaluable(Reason::NO_AUTH_SCHEME),
        Scheme::Bearer => {}
    }
    let confirmation = facts.token.claims().and_then(|claims| claims.member("cnf"));
    if let Some(Value::Object(confirmation)) = confirmation
        && !confirmation.members().is_empty()
        && confirmation.members().iter().all(|(name, _)| *name == "x5t#S256")
    {
        return Check::NotEvaluable(Reason::PROOF_NOT_LOGGED);
    }
    Check::fires(
        Evidence::new("A token that is bound to a key was used as a plain bearer token.")
            .expected("a proof of the key, and the scheme that goes with it")
            .actual("Bearer")
            .fact("claim", bond),
    )
}
