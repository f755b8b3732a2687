//! `token-in-body`

use super::stands_in;
use crate::facts::{Facts, Place};
use crate::rules::kit::{Check, rule};

rule! {
    /// The token stood in the body of the request.
    ///
    /// Why it matters: bodies are stored, traced and replayed where headers are not, and a page of another site can make a
    /// browser send a form.
    ///
    /// What to do: send the token in the Authorization header.
    ///
    /// Known false positives: sign-in responses that are posted as a form (`response_mode=form_post`). A form that is posted to a path
    /// such as `/signin-oidc` or `/callback` is not reported.
    "token-in-body", Behaviour, "M/L", Leak, Proven,
    references: ["RFC 6750 section 2.2", "RFC 9700 section 4.2", "CWE-598", "ATT&CK T1552"],
    needs: [],
    judge: Use(check),
}

/// Segments of paths to which identity providers post their answers.
const SIGN_IN: [&str; 8] =
    ["signin-oidc", "signin-aad", "signin", "sign-in", "callback", ".auth", "oauth2", "authresp"];

fn check(facts: &Facts<'_>) -> Check {
    if is_form_post(facts) {
        return Check::Quiet;
    }
    stands_in(Place::Body, facts, "The token stood in the body of the request.")
}

/// True for the answer of an identity provider.
fn is_form_post(facts: &Facts<'_>) -> bool {
    let posted = facts.hit.place.starts_with("form:")
        && facts.record.method.is_some_and(|method| method.eq_ignore_ascii_case("POST"));
    let is_sign_in = |segment: &str| SIGN_IN.iter().any(|known| segment.eq_ignore_ascii_case(known));
    posted && facts.record.path.is_some_and(|path| path.split('/').any(is_sign_in))
}
