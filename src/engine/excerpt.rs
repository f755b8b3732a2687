//! The excerpt of a rejected unit: enough to see what it was, without anything that could be a credential.

use crate::codec::base64url;
use crate::limits;
use crate::redact;

/// Bytes of a unit that are looked at: many times what is shown, so that what is cut off cannot begin in the middle of
/// something that had to be removed.
const HEAD_BYTES: usize = 64 << 10;
/// A run of base64url characters of this length may be the rest of a token whose beginning lies in another line.
const RUN_BYTES: usize = 40;
/// Authorization schemes whose credentials follow after white space (RFC 9110 section 11.6.2).
const SCHEMES: [&str; 7] = ["bearer", "basic", "digest", "negotiate", "apikey", "ntlm", "aws4-hmac-sha256"];

/// At most [`limits::EXCERPT_BYTES_MAX`] bytes of a unit, redacted.
pub(super) fn of(unit: &[u8]) -> String {
    let head = unit.get(..unit.len().min(HEAD_BYTES)).unwrap_or_default();
    let text = String::from_utf8_lossy(head).replace('\0', "\u{fffd}");
    let text = without_credentials(&redact::redact(&text, &[]));
    let text = without_long_runs(&text);
    redact::cut(&text, limits::EXCERPT_BYTES_MAX).to_owned()
}

/// Removes whatever follows a scheme word, up to the next quote, space or end.
fn without_credentials(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((start, end)) = next_scheme(&lower, at) {
        let separator = |c: char| c.is_ascii_whitespace() || c == '+' || c == ':';
        let rest = text.get(end..).unwrap_or_default();
        let value = end + (rest.len() - rest.trim_start_matches(separator).len());
        let spaced = value > end || lower.get(end..).is_some_and(|rest| rest.starts_with("%20"));
        let stop = |c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '\\');
        let tail = text.get(value..).unwrap_or_default();
        let length = tail.find(stop).unwrap_or(tail.len());
        if spaced && length > 0 {
            out.push_str(text.get(at..value).unwrap_or_default());
            out.push_str("***");
            at = value + length;
        } else {
            out.push_str(text.get(at..end).unwrap_or_default());
            at = end;
        }
        debug_assert!(start < at);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The next scheme word at a word's beginning, from `at` on.
fn next_scheme(lower: &str, at: usize) -> Option<(usize, usize)> {
    let rest = lower.get(at..)?;
    let found =
        SCHEMES.iter().flat_map(|scheme| rest.match_indices(scheme).map(|(start, word)| (start, word.len())));
    let word_begins = |start: &usize| {
        !rest.get(..*start).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric()))
    };
    let (start, length) = found.filter(|(start, _)| word_begins(start)).min()?;
    Some((at + start, at + start + length))
}

fn without_long_runs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(['\n']) {
        if u8::try_from(c).is_ok_and(base64url::is_alphabet) {
            run.push(c);
            continue;
        }
        out.push_str(if run.len() >= RUN_BYTES { "***" } else { &run });
        run.clear();
        out.push(c);
    }
    out.pop();
    out
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn credentials_never_show() {
        assert_eq!(of(b"GET / \"Basic dXNlcjpwYXNz\" x"), "GET / \"Basic ***\" x");
        assert_eq!(of(b"auth=Bearer+abc.def&x"), "auth=Bearer+***");
        assert_eq!(of(b"no basics here"), "no basics here");
        assert_eq!(of(b"{\"a\":\"eyJhbGciOiJub25lIn0.e30.c2ln\""), "{\"a\":\"***\"");
        assert_eq!(of(format!("tail {}\"}}", "a1B2".repeat(20)).as_bytes()), "tail ***\"}");
        assert_eq!(of(&[b'x', 0, 0xff, b'y']), "x\u{fffd}\u{fffd}y");
        assert!(of("\u{e9}".repeat(500).as_bytes()).len() <= 200);
    }
}
