//! `token-in-referer`

use super::stands_in;
use crate::facts::{Facts, Place};
use crate::rules::kit::{Check, rule};

rule! {
    /// The token stood in the Referer header.
    ///
    /// Why it matters: the page before had the token in its URL, and the browser told it to whoever was asked next, other sites
    /// among them.
    ///
    /// What to do: keep tokens out of the URLs of pages, and send `Referrer-Policy: no-referrer` from those that cannot.
    ///
    /// Known false positives: none where the format looks for tokens in the Referer at all.
    "token-in-referer", Behaviour, "M/L", Leak, Proven,
    references: ["RFC 6750 section 5.3", "RFC 9700 section 4.2", "CWE-598", "ATT&CK T1552"],
    needs: [],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    stands_in(Place::Referer, facts, "The token stood in the Referer header.")
}
