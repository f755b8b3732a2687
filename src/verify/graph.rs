//! The nonce of Microsoft Graph tokens (rules.md 4.6): what was signed is the header with the nonce replaced by its hash.

use crate::codec::base64url;
use crate::token::Header;
use crate::token::Jws;
use aws_lc_rs::digest;
use std::ops::Range;

/// The bytes that a Graph token's signature covers; `None` for a token whose header has no `nonce`.
pub(super) fn signed_with_hashed_nonce(value: &str, jws: &Jws, header: &Header) -> Option<Vec<u8>> {
    let nonce = header.nonce?;
    let bytes = jws.header.decode(value)?;
    let place = last_string_member(&bytes, b"nonce")?;
    let hashed = base64url::encode(digest::digest(&digest::SHA256, nonce.as_bytes()).as_ref());
    let replaced = [bytes.get(..place.start)?, hashed.as_bytes(), bytes.get(place.end..)?].concat();
    let payload = value.get(jws.payload.range.clone())?;
    Some(format!("{}.{payload}", base64url::encode(&replaced)).into_bytes())
}

/// Where the text of the last top-level member of that name stands, between its quotes. The bytes are known to be a JSON
/// object, so a scan for strings and brackets is enough.
fn last_string_member(json: &[u8], name: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    let mut depth = 0usize;
    let mut at = 0;
    // The member whose value comes next, at depth 1.
    let mut named = false;
    let mut is_name = false;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                let string = string_at(json, at)?;
                if depth == 1 && is_name {
                    named = json.get(string.clone()) == Some(name);
                } else if depth == 1 && named {
                    found = Some(string.clone());
                }
                at = string.end;
            }
            b'{' | b'[' => {
                depth += 1;
                is_name = depth == 1;
            }
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b':' if depth == 1 => is_name = false,
            b',' if depth == 1 => is_name = true,
            _ => {}
        }
        at += 1;
    }
    found
}

/// The text between the quote at `quote` and its closing one.
fn string_at(json: &[u8], quote: usize) -> Option<Range<usize>> {
    let start = quote + 1;
    let mut at = start;
    loop {
        match json.get(at)? {
            b'"' => return Some(start..at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Option<&str> {
        last_string_member(json.as_bytes(), b"nonce").map(|range| &json[range])
    }

    #[test]
    fn the_last_top_level_nonce_is_found() {
        assert_eq!(found(r#"{"alg":"RS256","nonce":"abc"}"#), Some("abc"));
        assert_eq!(found(r#"{ "nonce" : "a\"b" , "x":["nonce","no"],"y":{"nonce":"no"}}"#), Some(r#"a\"b"#));
        assert_eq!(found(r#"{"nonce":"a","nonce":"b"}"#), Some("b"));
        assert_eq!(found(r#"{"x":"nonce"}"#), None);
        assert_eq!(found(r#"{"nonce":1}"#), None);
        assert_eq!(found(r#"{"nonce":"open"#), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = last_string_member(&bytes, b"nonce");
        }
    }
}
