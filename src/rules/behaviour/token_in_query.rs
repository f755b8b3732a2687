//! `token-in-query`

use super::stands_in;
use crate::facts::{Facts, Place};
use crate::rules::kit::{Check, rule};

rule! {
    /// The token stood in the query of the URL.
    ///
    /// Why it matters: URLs are written to logs, histories and statistics all along the way, and are handed on to other sites in
    /// the Referer. Each of these places can use the token until it ends.
    ///
    /// What to do: send the token in the Authorization header, and let the gateway take it from nowhere else (Envoy reads
    /// `access_token`, Kong `jwt` from the query by default).
    ///
    /// Known false positives: downloads that a page links to, and WebSocket handshakes, for which browsers let no page set a header. A
    /// handshake that succeeded (101) is not reported; for downloads state an accepted exception.
    "token-in-query", Behaviour, "M/L", Leak, Proven,
    references: ["RFC 6750 section 2.3", "RFC 6750 section 5.3", "RFC 9700 section 4.3.2", "OWASP API2:2023", "CWE-598", "CWE-532", "ATT&CK T1552"],
    needs: [],
    judge: Use(check),
}

/// The answer to a WebSocket handshake.
const SWITCHING_PROTOCOLS: i32 = 101;

fn check(facts: &Facts<'_>) -> Check {
    if facts.record.status == Some(SWITCHING_PROTOCOLS) {
        return Check::Quiet;
    }
    stands_in(Place::Query, facts, "The token stood in the query of the URL.")
}
