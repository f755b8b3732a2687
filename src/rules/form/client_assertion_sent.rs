//! `client-assertion-sent`

use crate::entra;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Header;

rule! {
    /// A client sent the credential with which it authenticates to the token endpoint, instead of an access token.
    ///
    /// Why it matters: a client assertion is as good as the client's password while it lives. Whoever reads the API's logs
    /// or traffic can obtain tokens in the client's name with it.
    ///
    /// What to do: fix the client, which mixes up two tokens; replace its certificate if the log was readable to others, and look
    /// for sign-ins of the client from strange addresses.
    ///
    /// Known false positives: none.
    "client-assertion-sent", Form, "H/H", Leak, Strong,
    references: ["RFC 7523 section 3", "RFC 8725 section 3.12", "CWE-522", "ATT&CK T1552.004"],
    needs: [],
    judge: Token(check),
}

pub(super) fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    // The shape is looked for before the signature's spelling, so a signature that does not decode does not matter.
    let Some(claims) = token.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let signed = token.token.form.jws().is_none_or(|jws| !jws.signature.range.is_empty())
        && !token.token.header().is_some_and(Header::is_unsigned);
    let client = claims.iss.filter(|iss| claims.sub == Some(*iss) && entra::is_guid(iss));
    let endpoint = claims.audience.values().iter().find(|audience| is_token_endpoint(audience));
    let (true, Some(client), Some(endpoint)) = (signed, client, endpoint) else { return Check::Quiet };
    Check::fires(
        Evidence::new("A client sent its credential for the token endpoint as if it were an access token.")
            .expected("an access token")
            .actual("client assertion")
            .fact("client", client)
            .fact("endpoint", endpoint.as_ref()),
    )
}

/// True for a token endpoint, and for the issuer of a tenant, which Entra takes for its token endpoint.
fn is_token_endpoint(audience: &str) -> bool {
    let Some(host) = entra::url_host(audience) else { return false };
    let path = audience.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    entra::is_entra_host(host)
        || path.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case("token"))
}
