//! `lifetime-long`

use super::{lifetime, longest};
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token lives longer than any token should.
    ///
    /// Why it matters: an access token cannot be called back, so its lifetime is how long a thief can use it. A forged one
    /// is made to last.
    ///
    /// What to do: look for a token lifetime policy of the tenant, and state it under `validation.lifetimes`; if there is
    /// none, treat the token as forged until its signature says otherwise.
    ///
    /// Known false positives: a configured lifetime that the policy does not state. Tokens of managed identities live about
    /// 24 hours and belong to the default classes.
    "lifetime-long", Time, "H/M", Overreach, Heuristic,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-tokens", "RFC 9700 section 2.2.1", "OWASP API2:2023",
        "CWE-613", "ATT&CK T1606",
    ],
    needs: [Claims],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let seconds = match lifetime(claims) {
        Ok(Some(seconds)) => seconds,
        Ok(None) => return Check::Quiet,
        Err(reason) => return Check::NotEvaluable(reason),
    };
    let longest = longest(pairing.validation);
    if seconds <= longest {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The token lives longer than any token should.")
            .expected(format!("at most {longest} s"))
            .actual(format!("{seconds} s"))
            .fact("lifetime_s", seconds)
            .fact("longest_s", longest),
    )
}
