//! `principal-unbound`

use crate::facts::Facts;
use crate::rules::kit::{Check, Evidence, rule};
use crate::rules::principal::{self, Bond};

rule! {
    /// The application acted for somebody of whom the token says nothing.
    ///
    /// Why it matters: the key that the application authorised on should come from the token. Where no claim holds it, it
    /// came from elsewhere: a header that the caller can write, a parameter, another session.
    ///
    /// What to do: find out where the application takes the key from, and let it take it from the validated token.
    ///
    /// Known false positives: applications that map tokens to user ids of their own. Where nine tenths of an API's requests,
    /// by several people, are of this kind, the finding is an info and a gap of the policy; leave `authorizes-on` away then,
    /// or log the claim that the mapping starts from.
    "principal-unbound", Authorization, "C/L", Overreach, Strong,
    references: [
        "RFC 8725 section 3.10", "OWASP API1:2023", "OWASP API2:2023", "CWE-639", "CWE-807", "CWE-290",
        "ATT&CK T1550.001",
    ],
    needs: [Claims, AuthorizesOn],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    let (claims, principal) = match principal::of(facts) {
        Ok(both) => both,
        Err(check) => return check,
    };
    if principal::bond(principal, claims) != Bond::None {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The application acted for somebody of whom the token says nothing.")
            .expected("a claim of the token")
            .actual(principal),
    )
}
