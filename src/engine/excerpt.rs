//! The excerpt of a rejected unit: enough to see what it was, without anything that could be a credential.

use crate::codec::base64url;
use crate::limits;
use crate::redact;

/// Bytes of a unit that are looked at: many times what is shown, because what is removed makes room.
const HEAD_BYTES: usize = 4 << 10;
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
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut inside_word = false;
    while let Some(first) = rest.chars().next() {
        let scheme = if inside_word { None } else { scheme_of(rest) };
        if let Some((kept, removed)) = scheme.and_then(|length| credentials_after(rest, length)) {
            out.push_str(rest.get(..kept).unwrap_or_default());
            out.push_str("***");
            rest = rest.get(removed..).unwrap_or_default();
            inside_word = false;
        } else {
            out.push(first);
            inside_word = first.is_ascii_alphanumeric();
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

/// Length of the scheme word that a text begins with, in any letter case.
fn scheme_of(text: &str) -> Option<usize> {
    let begins =
        |scheme: &&str| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    SCHEMES.iter().find(|scheme| begins(scheme)).map(|scheme| scheme.len())
}

/// Where the credentials behind a scheme word begin and end; `None` if nothing is behind it.
fn credentials_after(text: &str, scheme: usize) -> Option<(usize, usize)> {
    let behind = text.get(scheme..)?;
    let value = behind.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '+' || c == ':');
    if value.len() == behind.len() && !behind.starts_with("%20") {
        return None;
    }
    let stop = |c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '\\');
    let length = value.find(stop).unwrap_or(value.len());
    let start = text.len() - value.len();
    (length > 0).then_some((start, start + length))
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
