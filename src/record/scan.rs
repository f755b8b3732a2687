//! Tokens and times in any text, without knowing its format (formats.md 3.6).

use super::Presence;
use super::credential::{self, Found};
use crate::codec::base64url;
use crate::time::parse::{self, EpochUnit, Stamp};
use bumpalo::Bump;
use memchr::memmem::{self, Finder};
use std::sync::LazyLock;

/// How nearly every token begins; searchers are made once, not for each line.
static BEGINNING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("eyJ"));
/// The word in either case of its first letter.
static AUTHORIZATION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("uthorization"));
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
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| BEGINNING.find(rest)) {
        let start = from + at;
        from = start + 3;
        if !is_boundary(bytes.get(..start).unwrap_or_default()) {
            continue;
        }
        let end = run_end(bytes, start);
        from = end;
        let (Some(run), Some(left)) = (text.get(start..end), text.get(..start)) else { continue };
        let left =
            left.get(left.floor_char_boundary(left.len().saturating_sub(CONTEXT_BYTES))..).unwrap_or(left);
        if is_issued(left) {
            continue;
        }
        let value = with_plain_dots(one_dot_less(run), arena);
        let at_end = end == bytes.len();
        if is_token(value, || at_end || is_presented(left)) {
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
    for at in AUTHORIZATION.find_iter(text.as_bytes()) {
        if at < skip_until {
            continue;
        }
        let rest = text.get(at + 12..).unwrap_or_default();
        let value = rest.trim_start_matches(['"', '\'', '\\', ':', '=', '[', ' ', '\t']);
        if value.len() == rest.len() {
            continue;
        }
        let value = value.get(..value_end(value.as_bytes())).unwrap_or_default();
        // A long value is looked at once, so that the word again and again in one text costs no more than once.
        if value.len() > VALUE_BYTES_MAX {
            skip_until = text.len() - rest.len() + value.len();
        }
        let is_bearer = value.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("bearer"));
        credential::read(value, false, &mut |found| match found {
            Found::Token(token, _) if is_found_by_its_beginning(token) => {}
            Found::Token(token, _) if is_bearer => {
                let token = token.split([' ', ',', '\t']).next().unwrap_or(token);
                presence = Presence::Present;
                take(Hit { value: token, at_end: text.ends_with(token) });
            }
            Found::Token(..) => {}
            other => presence = presence.min(other.presence()),
        });
    }
    presence
}

/// Where a value behind the word `authorization` ends.
fn value_end(value: &[u8]) -> usize {
    // Windows that grow keep the search for one mark from running far behind another, for each word again.
    let mut window = 2048;
    loop {
        let text = value.get(..window).unwrap_or(value);
        let mut end = memchr::memchr3(b'"', b'\'', b'\\', text).unwrap_or(text.len());
        for (one, other) in [(b']', b'}'), (b'&', b';')] {
            let before = text.get(..end).unwrap_or_default();
            end = memchr::memchr2(one, other, before).unwrap_or(end);
        }
        if end < text.len() || text.len() == value.len() {
            return end;
        }
        window *= 4;
    }
}

/// True for a token that the search for `eyJ` takes; one with another beginning or an odd header is known by its scheme.
fn is_found_by_its_beginning(token: &str) -> bool {
    let run = token.get(..run_end(token.as_bytes(), 0)).unwrap_or(token);
    token.starts_with("eyJ") && (has_escapes(run) || is_token(one_dot_less(run), || true))
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
        at += plain_run(bytes.get(at..).unwrap_or_default());
        at += match bytes.get(at..).unwrap_or_default() {
            [b'%', b'2', b'E' | b'e', ..] => 3,
            [b'\\', b'x', b'2', b'E' | b'e', ..] => 4,
            [b'\\', b'u', b'0', b'0', b'2', b'E' | b'e', ..] => 6,
            [b'*', b'*', b'*', ..] | [0xE2, 0x80, 0xA6, ..] => return at + 3,
            _ => return at,
        }
    }
}

/// How many token characters a text begins with.
fn plain_run(bytes: &[u8]) -> usize {
    let is_plain = |byte: &u8| base64url::is_alphabet(*byte) || *byte == b'.';
    // Without an early end the check of a block is a few vector instructions.
    let (blocks, _) = bytes.as_chunks::<32>();
    let all_plain = |block: &&[u8; 32]| block.iter().fold(true, |all, byte| all & is_plain(byte));
    let blocks = blocks.iter().take_while(all_plain).count();
    let rest = bytes.get(blocks * 32..).unwrap_or_default();
    blocks * 32 + rest.iter().take_while(|byte| is_plain(byte)).count()
}

/// Without the full stop of a sentence.
fn one_dot_less(run: &str) -> &str {
    match run.strip_suffix('.') {
        Some(rest) if !rest.ends_with('.') && rest.matches('.').count() == 2 => rest,
        _ => run,
    }
}

fn has_escapes(run: &str) -> bool {
    memchr::memchr2(b'%', b'\\', run.as_bytes()).is_some()
}

fn with_plain_dots<'a>(run: &'a str, arena: &'a Bump) -> &'a str {
    if !has_escapes(run) {
        return run;
    }
    let mut plain = run.to_owned();
    for dot in ["%2E", "%2e", "\\x2E", "\\x2e", "\\u002E", "\\u002e"] {
        plain = plain.replace(dot, ".");
    }
    arena.alloc_str(&plain)
}

/// Three or five parts with a header that has `alg`; fewer only where something shows that the rest was cut off.
fn is_token(value: &str, may_be_cut: impl Fn() -> bool) -> bool {
    let marked = value.ends_with("...") || value.ends_with("***") || value.ends_with('…');
    let parts = memchr::memchr_iter(b'.', value.as_bytes()).count() + 1;
    let mut header = Vec::new();
    base64url::decode_prefix(value.split('.').next().unwrap_or_default().as_bytes(), &mut header);
    if header.first() != Some(&b'{') {
        return false;
    }
    match parts {
        3 | 5 if !marked => memmem::find(&header, b"\"alg\"").is_some(),
        _ => marked || may_be_cut(),
    }
}

fn is_issued(left: &str) -> bool {
    let name = left.trim_end_matches(['"', '\\', ':', '=', ' ', '\'']);
    let separators = left.get(name.len()..).unwrap_or_default();
    let ends_with = |word: &str| {
        let start = name.len().checked_sub(word.len());
        start.and_then(|start| name.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    ends_with("_token")
        && (ends_with("id_token")
            || ends_with("refresh_token")
            || (ends_with("access_token") && separators.contains(':')))
}

fn is_presented(left: &str) -> bool {
    let left = left.to_ascii_lowercase();
    ["authorization", "bearer", "access_token="].iter().any(|word| left.contains(word))
}

/// The first time of a text: RFC 3339, CLF, or an epoch behind a key that names a time.
pub(super) fn time(text: &[u8]) -> Option<Stamp> {
    let mut at = 0;
    while let Some(start) = number_start(text, at) {
        let rest = text.get(start..)?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let stamp = match (length, rest.get(length)) {
            (4, Some(b'-')) => parse::rfc3339_prefix(rest).map(|(stamp, _)| stamp),
            (2, Some(b'/')) => parse::clf_prefix(rest).map(|(stamp, _)| stamp),
            (10.., _) => epoch(text.get(..start)?, rest, length),
            _ => None,
        };
        if stamp.is_some() {
            return stamp;
        }
        at = start + length;
    }
    None
}

/// Where the next number begins that is not the end of a word.
fn number_start(text: &[u8], from: usize) -> Option<usize> {
    let begins = |byte: &u8, before: &u8| byte.is_ascii_digit() & !before.is_ascii_alphanumeric();
    let mut at = from;
    if at == 0 {
        if text.first()?.is_ascii_digit() {
            return Some(0);
        }
        at = 1;
    }
    // Most of a line are words and tokens; without an early end the check of a block is a few vector instructions.
    let block = |at: usize| text.get(at..).and_then(|rest| rest.first_chunk::<32>());
    while let (Some(bytes), Some(before)) = (block(at), block(at - 1)) {
        if bytes.iter().zip(before).fold(false, |any, (byte, before)| any | begins(byte, before)) {
            break;
        }
        at += 32;
    }
    let before = text.get(at - 1..)?.iter();
    text.get(at..)?.iter().zip(before).position(|(byte, before)| begins(byte, before)).map(|found| at + found)
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
        fn values_and_runs_end_as_defined(value in "[a-c'\"\\\\\\]}&; é]{0,8}", run in "[A-Za-z0-9_.-]{0,70}[ %é]?[a-z.]{0,3}") {
            let end = value.find(['"', '\'', '\\', ']', '}', '&', ';']).unwrap_or(value.len());
            prop_assert_eq!(value_end(value.as_bytes()), end);
            let far = [&[b'x'; 2050][..], value.as_bytes()].concat();
            prop_assert_eq!(value_end(&far), 2050 + end);
            let plain = |byte: &u8| base64url::is_alphabet(*byte) || *byte == b'.';
            prop_assert_eq!(plain_run(run.as_bytes()), run.bytes().take_while(plain).count());
        }

        #[test]
        fn numbers_begin_outside_of_words(text in "[0-9a-c /-]{0,50}([a-z]{30}|-)?[0-9 -]{0,6}", from in 0..40_usize) {
            let bytes = text.as_bytes();
            let begins = |at: &usize| bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[*at - 1].is_ascii_alphanumeric());
            prop_assert_eq!(number_start(bytes, from), (from..bytes.len()).find(begins));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}(eyJ)?\\PC{0,20}") {
            let _ = (all(&text), time(text.as_bytes()));
        }
    }
}
