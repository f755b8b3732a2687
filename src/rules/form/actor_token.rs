//! `actor-token`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Claims;
use crate::verify::Verdict;

rule! {
    /// The token impersonates a user by an actor token, or is one.
    ///
    /// Why it matters: Microsoft's services used actor tokens among themselves: an unsigned outer token names any user, and the
    /// token inside vouches for it. CVE-2025-55241 let a tenant's actor token name the users of every other tenant. No customer's API
    /// should ever see the form.
    ///
    /// What to do: treat an accepted request as an impersonation of the named user; take the API off until its validator refuses
    /// unsigned tokens.
    ///
    /// The claims of the actor form: an `iss` that begins with `00000001-0000-0000-c000-000000000000@`, or
    /// `trustedfordelegation` beside `nameid` or `identityprovider`.
    ///
    /// Known false positives: none on a customer's API.
    "actor-token", Form, "C/H", Attack, Strong,
    references: ["CVE-2025-55241", "RFC 7519 section 6", "CWE-287", "ATT&CK T1550.001", "ATT&CK T1078.004"],
    needs: [Claims],
    judge: Token(check),
}

/// What carries the inner token.
const ACTOR_TOKEN: &str = "actortoken";
/// The access control service that issues actor tokens, before the tenant.
const ACTOR_ISSUER: &str = "00000001-0000-0000-c000-000000000000@";

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let carries =
        |members: &[(&str, _)]| members.iter().any(|(name, _)| name.eq_ignore_ascii_case(ACTOR_TOKEN));
    let in_header = token.header().is_some_and(|header| carries(header.object.members()));
    let unsigned = token.signature.verdict == Verdict::Unsigned;
    // The inner token stays out: it is a credential.
    let (actual, message) = if unsigned && carries(claims.object.members()) {
        ("actortoken claim", "An unsigned token carries an actor token that is to vouch for its user.")
    } else if unsigned && in_header {
        ("actortoken header", "An unsigned token carries an actor token that is to vouch for its user.")
    } else if has_actor_form(claims) {
        ("actor form", "The token has the claims of tokens by which services impersonate users.")
    } else {
        return Check::Quiet;
    };
    Check::fires(
        Evidence::new(message)
            .expected("a token that its issuer signed for its user")
            .actual(actual)
            .fact("unsigned", unsigned),
    )
}

fn has_actor_form(claims: &Claims<'_>) -> bool {
    let has = |name: &str| claims.member(name).is_some();
    let by_service = claims
        .iss
        .and_then(|iss| iss.get(..ACTOR_ISSUER.len()))
        .is_some_and(|head| head.eq_ignore_ascii_case(ACTOR_ISSUER));
    by_service || (has("trustedfordelegation") && (has("nameid") || has("identityprovider")))
}
