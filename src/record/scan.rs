//! Tokens and times in any text, without knowing its format (formats.md 3.6).

use super::Presence;
use super::credential::{self, Found};
use crate::codec::base64url;
use crate::time::parse::{self, EpochUnit, Stamp};
use bumpalo::Bump;
use memchr::memmem;

/// How far to the left the words before a token are looked for, in bytes.
const CONTEXT_BYTES: usize = 64;
/// Longest value behind the word `authorization` in which the word is looked for again, in bytes.
const VALUE_BYTES_MAX: usize = 4096;

/// A token in a text.
pub(super) struct Hit<'a> {
    pub(super) value: &'a str,
    /// True if it ends where the text ends.
    pub(super) at_end: bool,
}

/// Finds every token that is presented; tokens that a response issues and ID tokens are none.
pub(super) fn tokens<'a>(text: &'a str, arena: &'a Bump, take: &mut impl FnMut(Hit<'a>)) -> Presence {
    let mut presence = Presence::Absent;
    let bytes = text.as_bytes();
    let mut skip_until = 0;
    for start in memmem::find_iter(bytes, b"eyJ") {
        if start < skip_until || !is_boundary(bytes.get(..start).unwrap_or_default()) {
            continue;
        }
        let end = run_end(bytes, start);
        skip_until = end;
        let (Some(run), Some(left)) = (text.get(start..end), text.get(..start)) else { continue };
        let left =
            left.get(left.floor_char_boundary(left.len().saturating_sub(CONTEXT_BYTES))..).unwrap_or(left);
        if is_issued(left) {
            continue;
        }
        let value = with_plain_dots(one_dot_less(run), arena);
        let at_end = end == bytes.len();
        if is_token(value, at_end || is_presented(left)) {
            presence = Presence::Present;
            take(Hit { value, at_end });
        }
    }
    presence.min(authorizations(text, take))
}

/// What stands behind the word `authorization`: masks, other schemes, opaque bearer tokens.
fn authorizations<'a>(text: &'a str, take: &mut impl FnMut(Hit<'a>)) -> Presence {
    let mut presence = Presence::Absent;
    let mut skip_until = 0;
    for at in memmem::find_iter(text.as_bytes(), b"uthorization") {
        if at < skip_until {
            continue;
        }
        let rest = text.get(at + 12..).unwrap_or_default();
        let value = rest.trim_start_matches(['"', '\'', '\\', ':', '=', '[', ' ', '\t']);
        if value.len() == rest.len() {
            continue;
        }
        let value = value.split(['"', '\'', '\\', ']', '}', '&', ';']).next().unwrap_or_default();
        // A long value is looked at once, so that the word again and again in one text costs no more than once.
        if value.len() > VALUE_BYTES_MAX {
            skip_until = text.len() - rest.len() + value.len();
        }
        let is_bearer = value.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("bearer"));
        credential::read(value, false, &mut |found| match found {
            Found::Token(token) if is_found_by_its_beginning(token) => {}
            Found::Token(token) if is_bearer => {
                let token = token.split([' ', ',', '\t']).next().unwrap_or(token);
                presence = Presence::Present;
                take(Hit { value: token, at_end: text.ends_with(token) });
            }
            Found::Token(_) => {}
            other => presence = presence.min(other.presence()),
        });
    }
    presence
}

/// True for a token that the search for `eyJ` takes; one with another beginning or an odd header is known by its scheme.
fn is_found_by_its_beginning(token: &str) -> bool {
    let run = token.get(..run_end(token.as_bytes(), 0)).unwrap_or(token);
    token.starts_with("eyJ") && (run.contains(['%', '\\']) || is_token(one_dot_less(run), true))
}

/// True if a token can begin behind this text: not inside of another word, but behind an escape.
fn is_boundary(left: &[u8]) -> bool {
    let hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    match left {
        [.., b'\\', b'n' | b't' | b'r'] | [] => true,
        [.., b'\\', b'u', a, b, c, d] if hex(&[*a, *b, *c, *d]) => true,
        [.., b'%', a, b] | [.., b'\\', b'x', a, b] if hex(&[*a, *b]) => true,
        [.., last] => !base64url::is_alphabet(*last) && *last != b'.',
    }
}

/// End of the run of token characters, escaped dots and a cut mark.
fn run_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        at += match bytes.get(at..).unwrap_or_default() {
            [b'%', b'2', b'E' | b'e', ..] => 3,
            [b'\\', b'x', b'2', b'E' | b'e', ..] => 4,
            [b'\\', b'u', b'0', b'0', b'2', b'E' | b'e', ..] => 6,
            [b'*', b'*', b'*', ..] | [0xE2, 0x80, 0xA6, ..] => return at + 3,
            [byte, ..] if base64url::is_alphabet(*byte) || *byte == b'.' => 1,
            _ => return at,
        }
    }
}

/// Without the full stop of a sentence.
fn one_dot_less(run: &str) -> &str {
    match run.strip_suffix('.') {
        Some(rest) if !rest.ends_with('.') && rest.matches('.').count() == 2 => rest,
        _ => run,
    }
}

fn with_plain_dots<'a>(run: &'a str, arena: &'a Bump) -> &'a str {
    if !run.contains(['%', '\\']) {
        return run;
    }
    let mut plain = run.to_owned();
    for dot in ["%2E", "%2e", "\\x2E", "\\x2e", "\\u002E", "\\u002e"] {
        plain = plain.replace(dot, ".");
    }
    arena.alloc_str(&plain)
}

/// Three or five parts with a header that has `alg`; fewer only where something shows that the rest was cut off.
fn is_token(value: &str, may_be_cut: bool) -> bool {
    let marked = value.ends_with("...") || value.ends_with("***") || value.ends_with('…');
    let parts = value.split('.').count();
    let mut header = Vec::new();
    base64url::decode_prefix(value.split('.').next().unwrap_or_default().as_bytes(), &mut header);
    if header.first() != Some(&b'{') {
        return false;
    }
    match parts {
        3 | 5 if !marked => memmem::find(&header, b"\"alg\"").is_some(),
        _ => marked || may_be_cut,
    }
}

fn is_issued(left: &str) -> bool {
    let name = left.trim_end_matches(['"', '\\', ':', '=', ' ', '\'']);
    let separators = left.get(name.len()..).unwrap_or_default();
    let name = name.to_ascii_lowercase();
    name.ends_with("id_token")
        || name.ends_with("refresh_token")
        || (name.ends_with("access_token") && separators.contains(':'))
}

fn is_presented(left: &str) -> bool {
    let left = left.to_ascii_lowercase();
    ["authorization", "bearer", "access_token="].iter().any(|word| left.contains(word))
}

/// The first time of a text: RFC 3339, CLF, or an epoch behind a key that names a time.
pub(super) fn time(text: &[u8]) -> Option<Stamp> {
    let mut at = 0;
    while let Some(digit) = text.get(at..)?.iter().position(u8::is_ascii_digit) {
        let start = at + digit;
        let rest = text.get(start..)?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let inside_a_word = start > 0 && text.get(start - 1).is_some_and(u8::is_ascii_alphanumeric);
        if !inside_a_word {
            let stamp = match (length, rest.get(length)) {
                (4, Some(b'-')) => parse::rfc3339_prefix(rest).map(|(stamp, _)| stamp),
                (2, Some(b'/')) => parse::clf_prefix(rest).map(|(stamp, _)| stamp),
                (10.., _) => epoch(text.get(..start)?, rest, length),
                _ => None,
            };
            if stamp.is_some() {
                return stamp;
            }
        }
        at = start + length;
    }
    None
}

fn epoch(left: &[u8], rest: &[u8], length: usize) -> Option<Stamp> {
    const KEYS: [&str; 9] =
        ["ts", "time", "timestamp", "msec", "date", "started_at", "start_time", "epoch", "at"];
    let left = left.get(left.len().saturating_sub(CONTEXT_BYTES)..)?;
    let name_end = left.iter().rposition(|byte| !matches!(byte, b'"' | b':' | b'=' | b' ' | b'\\'))? + 1;
    if name_end == left.len() {
        return None;
    }
    let name = left.get(..name_end)?;
    let name_start =
        name.iter().rposition(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').map_or(0, |at| at + 1);
    let name = std::str::from_utf8(name.get(name_start..)?).ok()?.to_ascii_lowercase();
    if !KEYS.contains(&name.as_str()) {
        return None;
    }
    let fraction = match rest.get(length) {
        Some(b'.') => rest.get(length + 1..)?.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let end = if fraction == 0 { length } else { length + 1 + fraction };
    parse::epoch(rest.get(..end)?, EpochUnit::Auto)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jwt() -> String {
        let part = |text: &str| base64url::encode(text.as_bytes());
        format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(r#"{"aud":"x"}"#), part("signature"))
    }

    fn all(text: &str) -> (Vec<String>, Presence) {
        let arena = Bump::new();
        let mut out = Vec::new();
        let presence = tokens(text, &arena, &mut |hit| out.push(hit.value.to_owned()));
        (out, presence)
    }

    #[test]
    fn tokens_are_found_in_any_text() {
        let jwt = jwt();
        let escaped = jwt.replace('.', "%2E");
        for text in [
            format!("x Authorization: Bearer {jwt} y"),
            format!("{{\"a\":\"{jwt}\"}}"),
            format!("GET /x?access_token={jwt}&y=1"),
            format!("Bearer%20{jwt}"),
            format!("\\\"Bearer {jwt}\\\""),
            format!("a {jwt}."),
            format!("a={escaped} b"),
            format!("tab\\t{jwt}"),
        ] {
            assert_eq!(all(&text), (vec![jwt.clone()], Presence::Present), "{text}");
        }
    }

    #[test]
    fn issued_and_id_tokens_are_not_presented() {
        let jwt = jwt();
        for text in [format!("{{\"access_token\":\"{jwt}\"}}"), format!("id_token={jwt}"), format!("x{jwt}")]
        {
            assert_eq!(all(&text), (vec![], Presence::Absent), "{text}");
        }
    }

    #[test]
    fn a_presented_token_with_an_odd_header_is_found() {
        for header in ["{\n \"alg\":\"RS256\"}", "{\"kid\":\"x\"}"] {
            let token = format!("{}.e30.c2lnbmF0dXJl", base64url::encode(header.as_bytes()));
            let text = format!("GET / Authorization: Bearer {token} 200");
            assert_eq!(all(&text), (vec![token], Presence::Present), "{text}");
        }
    }

    #[test]
    fn cut_tokens_masks_and_schemes_are_told() {
        let cut = &jwt()[..30];
        assert_eq!(all(&format!("Bearer {cut}")).0, [cut]);
        assert_eq!(all(&format!("x {cut}***")).0, [format!("{cut}***")]);
        assert_eq!(all(&format!("eyes {cut} and more")).0, Vec::<String>::new());
        assert_eq!(all("\"authorization\":\"REDACTED\"").1, Presence::Masked);
        assert_eq!(all("Authorization: Basic abc").1, Presence::OtherScheme);
        assert_eq!(all("Authorization: Bearer opaque1 x").0, ["opaque1"]);
        assert_eq!(all("nothing"), (vec![], Presence::Absent));
    }

    #[test]
    fn the_first_time_counts() {
        for text in [
            "x 2026-11-22T10:34:27Z y 2020-01-01T00:00:00Z",
            "1.2.3.4 - - [22/Nov/2026:10:34:27 +0000] \"GET",
            "{\"ts\":1795343667,\"n\":1}",
            "time=1795343667000",
        ] {
            assert_eq!(time(text.as_bytes()), parse::rfc3339(b"2026-11-22T10:34:27Z"), "{text}");
        }
        assert_eq!(time(b"id 1795343667 no"), None);
        assert!(matches!(time(b"2026-11-22 10:34:27,118 INFO"), Some(Stamp::Civil(_))));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}(eyJ)?\\PC{0,20}") {
            let _ = (all(&text), time(text.as_bytes()));
        }
    }
}
