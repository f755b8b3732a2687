//! `json-invalid`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The header or the payload is not one JSON object.
    ///
    /// Why it matters: broken UTF-8, data behind the object or deep nesting are read differently by different parsers, and
    /// no issuer writes them. A gateway that accepts such a token read something else than the API did.
    ///
    /// What to do: for an accepted request, check which component validated the token and what it made of it.
    ///
    /// Known false positives: tokens that were damaged in the log without a mark of a cut.
    "json-invalid", Form, "H/I", Attack, Proven,
    references: ["RFC 7519 section 7.2", "RFC 8725 section 3.7", "CWE-20"],
    needs: [],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    // In a value of another form the logger's cut, and not the sender, may have broken the JSON.
    if token.token.form.jws().is_none() {
        return Check::NotEvaluable(Reason::NO_CLAIMS);
    }
    let header = token.token.header_error();
    let payload = token.token.claims_error();
    for (part, error) in [("header", header), ("payload", payload)] {
        if let Some(Some(error)) = error {
            return Check::fires(
                Evidence::new(format!("The token's {part} is {error}."))
                    .expected("one JSON object in UTF-8, nested at most 32 deep")
                    .actual(error.to_string())
                    .fact("part", part),
            );
        }
    }
    match (header, payload) {
        (None, _) => Check::NotEvaluable(Reason::NO_HEADER),
        (_, None) => Check::NotEvaluable(Reason::NO_CLAIMS),
        _ => Check::Quiet,
    }
}
