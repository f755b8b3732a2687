//! `token-multiple`

use crate::codec::base64url;
use crate::codec::base64url::Spelling;
use crate::facts::Facts;
use crate::limits;
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The request carries two or more different tokens.
    ///
    /// Why it matters: gateway and API may look at different ones: the first is validated, the other one is believed.
    ///
    /// What to do: let the gateway refuse requests with several tokens, or remove all but the one it validated.
    ///
    /// Known false positives: clients that move a token from one place to another; proxies that repeat a header. The same token
    /// in several places, in other spellings or cut by the logger, is not reported, nor is the token that the gateway itself sends to
    /// the backend where its log shows both (`backendRequestHeaders`).
    "token-multiple", Form, "M/L", Attack, Proven,
    references: ["RFC 6750 section 2", "RFC 8725 section 3.12", "OWASP API2:2023", "CWE-436", "ATT&CK T1550.001"],
    needs: [],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    if facts.record.tokens.len() < 2 {
        return Check::Quiet;
    }
    let sent = || facts.record.tokens.iter().filter(|hit| !hit.is_of_gateway());
    let Some(first) = sent().next() else { return Check::Quiet };
    // Different tokens stop the search at once; the same one cannot be spelled in many ways.
    if sent().skip(1).all(|other| is_same(first.value, other.value)) {
        return Check::Quiet;
    }
    let places: Vec<String> = sent().take(limits::LISTED_MAX).map(|hit| hit.place.to_owned()).collect();
    Check::fires(
        Evidence::new("The request carries different tokens, of which gateway and API may believe one each.")
            .expected("one token")
            .actual(sent().count().to_string())
            .fact("places", places),
    )
}

/// True for one token in two spellings, or whole in one place and cut in the other.
fn is_same(a: &str, b: &str) -> bool {
    let (mut one, mut two) = (Letters::of(a), Letters::of(b));
    loop {
        match (one.next(), two.next()) {
            (None, None) => return true,
            // Only a token that was cut begins another one.
            (None, Some(_)) | (Some(_), None) => return a.starts_with("eyJ"),
            (Some(x), Some(y)) if x != y => {
                return one.next().is_none() && two.next().is_none() && have_same_signature(a, b);
            }
            (Some(_), Some(_)) => {}
        }
    }
}

/// True if two last segments decode to the same bytes: their last characters differ in bits that mean nothing.
fn have_same_signature(a: &str, b: &str) -> bool {
    let decoded = |value: &str| {
        let mut bytes = Vec::new();
        let signature = value.rsplit_once('.')?.1;
        (base64url::decode(signature.as_bytes(), &mut bytes) != Spelling::Invalid).then_some(bytes)
    };
    decoded(a).is_some_and(|bytes| decoded(b) == Some(bytes))
}

/// The characters of a value that mean something, in one spelling.
struct Letters<'v>(std::str::Bytes<'v>);

impl<'v> Letters<'v> {
    fn of(value: &'v str) -> Self {
        let marks = ["...", "…", "***"];
        let whole = marks.into_iter().find_map(|mark| value.strip_suffix(mark)).unwrap_or(value);
        Self(whole.bytes())
    }
}

impl Iterator for Letters<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let byte = self.0.find(|byte| *byte != b'=' && !byte.is_ascii_whitespace())?;
        Some(match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        })
    }
}
