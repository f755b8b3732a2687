//! `token-in-path`

use super::stands_in;
use crate::facts::{Facts, Place};
use crate::rules::kit::{Check, rule};

rule! {
    /// The token stood in the path of the URL.
    ///
    /// Why it matters: paths are written to every log and statistic, and are handed on to other sites in the Referer. Hardly
    /// anything removes them there, as it would a query.
    ///
    /// What to do: send the token in the Authorization header, and let the API take it from nowhere else.
    ///
    /// Known false positives: none where the format looks for tokens in the path at all (`scan:` with the field of the URL).
    "token-in-path", Behaviour, "M/L", Leak, Proven,
    references: ["RFC 6750 section 5.3", "RFC 9700 section 4.2", "CWE-598", "ATT&CK T1552"],
    needs: [],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    stands_in(Place::Path, facts, "The token stood in the path of the URL.")
}
