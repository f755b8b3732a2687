//! `aud-is-client`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The audience of the token is its own client.
    ///
    /// Why it matters: client and API share one registration. That is common for a page that calls its own backend, but
    /// then ID tokens and access tokens have the same audience, and only scopes tell them apart.
    ///
    /// What to do: nothing, if the API checks scopes or roles; otherwise register client and API apart.
    ///
    /// Known false positives: normal for a single-page application with an API of its own.
    "aud-is-client", Audience, "I/-", Overreach, Strong,
    references: ["https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference"],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let (Some(client), Some(_)) = (claims.client_id.as_deref(), claims.audience.stated().next()) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    if !claims.audience.stated().any(|aud| aud == client) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The audience of the token is its own client.")
            .expected("an API with an id of its own")
            .actual(client),
    )
}
