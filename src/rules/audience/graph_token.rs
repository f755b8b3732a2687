//! `graph-token`

use super::{answered, matches};
use crate::entra;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Confidence, Evidence, Reason, rule};
use crate::verify::Verdict;
use std::borrow::Cow;

rule! {
    /// A token for Microsoft Graph was sent to this API.
    ///
    /// Why it matters: nobody but Graph can properly validate such a token, so an API that accepts it checks neither
    /// audience nor, mostly, signature. The token opens the user's mail and files to whoever reads the API's logs.
    ///
    /// What to do: let clients ask for a token for this API; let the gateway refuse foreign audiences. Where the signature
    /// verifies after the nonce transform the token is genuine and misused, where it does not it is forged.
    ///
    /// Known false positives: an API that passes requests on to Graph on purpose. List Graph's audience among its
    /// `audiences`, and it is not judged.
    "graph-token", Audience, "C/L", Overreach, Strong,
    references: [
        "RFC 8725 section 3.9", "RFC 9700 section 4.9", "RFC 9700 section 4.10.2",
        "https://learn.microsoft.com/entra/identity-platform/access-tokens", "OWASP API2:2023", "CWE-441",
        "ATT&CK T1550.001", "ATT&CK T1528",
    ],
    needs: [],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let token = pairing.token;
    let signed = !matches!(token.signature.verdict, Verdict::Opaque | Verdict::Encrypted);
    let nonce = signed && token.header().is_some_and(|header| header.nonce.is_some());
    let claims = token.claims();
    let names_graph = |aud: &str| entra::GRAPH.is_named_by(aud);
    let audience = claims.is_some_and(|claims| claims.audience.stated().any(names_graph));
    if !nonce && !audience {
        return if claims.is_none() { Check::NotEvaluable(Reason::NO_CLAIMS) } else { Check::Quiet };
    }
    // An API that lists Graph's audience as its own stands before Graph on purpose.
    let listed = pairing.api.and_then(|api| api.audiences.as_ref());
    if audience && claims.zip(listed).is_some_and(|(claims, listed)| matches(claims, listed)) {
        return Check::Quiet;
    }
    let (genuine, message) = match token.signature.verdict {
        Verdict::Valid | Verdict::ValidGraphNonce => {
            ("yes", "A genuine token for Microsoft Graph was sent to this API.")
        }
        Verdict::Invalid | Verdict::Unsigned => {
            ("no", "A forged token for Microsoft Graph was sent to this API.")
        }
        _ => (
            "unverified",
            "A token for Microsoft Graph was sent to this API; its signature could not be verified.",
        ),
    };
    let mut evidence = Evidence::new(message)
        .expected("a token for this API")
        .fact("genuine", genuine)
        .fact("nonce", nonce)
        .fact("graph_audience", audience);
    evidence.actual = claims.and_then(|claims| claims.audience.column()).map(Cow::into_owned);
    if genuine != "unverified" {
        evidence.confidence = Some(Confidence::Proven);
    }
    Check::fires(answered(evidence, pairing))
}
