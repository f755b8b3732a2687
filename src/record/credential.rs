//! What a header, cookie or query value says about tokens: a token, a mask, another scheme, or nothing.

use super::{Presence, Scheme};
use crate::codec::base64url;
use crate::redact;

/// Lengths at which loggers are known to cut, in bytes (contract section 4).
const KNOWN_LIMITS: [usize; 5] = [1024, 2048, 4096, 8192, 16384];
/// Scheme words that mean "another scheme" even without a value.
const SCHEMES: [&str; 6] = ["basic", "digest", "negotiate", "ntlm", "apikey", "hmac"];

/// True if a line or field of this length may have been cut.
pub(super) fn is_cut_length(length: usize, declared: Option<usize>) -> bool {
    declared == Some(length) || KNOWN_LIMITS.contains(&length)
}

/// One finding in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'t> {
    /// A token value without its scheme word, and what that was.
    Token(&'t str, Scheme),
    /// A mask.
    Masked,
    /// A credential of another scheme.
    OtherScheme,
}

impl Found<'_> {
    pub(super) fn presence(self) -> Presence {
        match self {
            Self::Token(..) => Presence::Present,
            Self::Masked => Presence::Masked,
            Self::OtherScheme => Presence::OtherScheme,
        }
    }
}

/// True for what loggers write where there is no value.
pub(crate) fn is_absent(text: &str) -> bool {
    match text.as_bytes() {
        // Nearly every value begins like none of them.
        [first, ..] if !matches!(first, b'-' | b'n') && !first.is_ascii_whitespace() => false,
        _ => matches!(text.trim_ascii(), "" | "-" | "null"),
    }
}

/// Reads a value that may hold several credentials, joined by commas.
///
/// A comma separates where the text before it is a JWT, or where a scheme word, a JWT or a mask follows it; a comma inside an
/// opaque value or a `Digest` does not.
pub(super) fn read<'t>(value: &'t str, hashes_are_masks: bool, found: &mut impl FnMut(Found<'t>)) {
    let mut rest = value;
    loop {
        let end = first_end(rest);
        let (first, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if let Some(one) = bare_token(first).or_else(|| one(first, hashes_are_masks)) {
            found(one);
        }
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return,
        }
    }
}

fn first_end(text: &str) -> usize {
    let jwt = without_usual_scheme(text).starts_with("eyJ")
        || begins_like_a_jwt(bearer(opened(text)).unwrap_or_else(|| opened(text)).as_bytes());
    memchr::memchr_iter(b',', text.as_bytes())
        .find(|comma| jwt || text.get(comma + 1..).is_some_and(begins_a_credential))
        .unwrap_or(text.len())
}

fn begins_a_credential(text: &str) -> bool {
    let text = opened(text);
    if bearer(text).is_some() || begins_like_a_jwt(text.as_bytes()) {
        return true;
    }
    let end = text.find(',').unwrap_or(text.len());
    let first = text.get(..end).unwrap_or_default().trim_ascii();
    is_mask(first) || SCHEMES.iter().any(|scheme| strip_word(text, scheme).is_some())
}

/// [`redact::begins_like_a_jwt`], without decoding what nearly every token begins with.
fn begins_like_a_jwt(text: &[u8]) -> bool {
    text.starts_with(b"eyJ") || redact::begins_like_a_jwt(text)
}

/// The token in `Bearer eyJ…` or `eyJ…` with nothing else around it, as nearly every value is: what [`one`] finds in it, in
/// a fraction of the time.
fn bare_token(text: &str) -> Option<Found<'_>> {
    let token = without_usual_scheme(text);
    let ends_bare = token.bytes().next_back().is_some_and(base64url::is_alphabet);
    let scheme = if token.len() == text.len() { Scheme::None } else { Scheme::Bearer };
    (ends_bare && token.starts_with("eyJ")).then_some(Found::Token(token, scheme))
}

/// Without the scheme word in the spellings that nearly every client uses.
fn without_usual_scheme(text: &str) -> &str {
    text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("bearer ")).unwrap_or(text)
}

fn one(text: &str, hashes_are_masks: bool) -> Option<Found<'_>> {
    let text = unquoted(text);
    if is_absent(text) {
        return None;
    }
    if let Some(mut value) = bearer(text) {
        while let Some(inner) = bearer(unquoted(value)) {
            value = inner;
        }
        let value = unquoted(value);
        return match value {
            _ if is_absent(value) || value.eq_ignore_ascii_case("bearer") => None,
            _ if masks(value, hashes_are_masks) => Some(Found::Masked),
            _ => Some(Found::Token(value, Scheme::Bearer)),
        };
    }
    if begins_like_a_jwt(text.as_bytes()) {
        return Some(Found::Token(text, Scheme::None));
    }
    if masks(text, hashes_are_masks) {
        return Some(Found::Masked);
    }
    if let Some(value) = other_scheme(text) {
        let value = unquoted(value);
        let is_jwt = begins_like_a_jwt(value.as_bytes());
        return Some(if is_jwt { Found::Token(value, Scheme::Other) } else { Found::OtherScheme });
    }
    match text {
        _ if text.eq_ignore_ascii_case("bearer") => None,
        _ if SCHEMES.iter().any(|scheme| text.eq_ignore_ascii_case(scheme)) => Some(Found::OtherScheme),
        _ => Some(Found::Token(text, Scheme::None)),
    }
}

/// What follows `Bearer` in any letter case, behind white space, `+`, `%20`, `:` or several of them.
fn bearer(text: &str) -> Option<&str> {
    strip_word(text, "bearer")
}

fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let head = text.get(..word.len())?;
    if !head.eq_ignore_ascii_case(word) {
        return None;
    }
    let after = text.get(word.len()..)?;
    let value = separators_stripped(after);
    (value.len() < after.len()).then_some(value)
}

fn separators_stripped(mut text: &str) -> &str {
    loop {
        let shorter = text.trim_start_matches([' ', '\t', '+', ':']);
        let shorter = shorter.strip_prefix("%20").unwrap_or(shorter);
        if shorter.len() == text.len() {
            return text;
        }
        text = shorter;
    }
}

/// The value behind another scheme word (RFC 9110 section 11.4: a word of token characters, then white space).
fn other_scheme(text: &str) -> Option<&str> {
    if let Some(value) = SCHEMES.iter().find_map(|scheme| strip_word(text, scheme)) {
        return Some(value);
    }
    let end = text.bytes().position(|byte| !is_token_character(byte))?;
    let after = text.get(end..)?;
    let value = after.strip_prefix("%20").unwrap_or(after).trim_start_matches([' ', '\t']);
    (end > 0 && value.len() < after.len() && !value.is_empty()).then_some(value)
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Without white space and without quotes around it, escaped ones too.
fn unquoted(text: &str) -> &str {
    text.trim_ascii().trim_matches(['"', '\'', '\\']).trim_ascii()
}

/// Without white space and quotes in front. What is behind is left alone: this is asked at every comma, and the end of the
/// text may be far away.
fn opened(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '"', '\'', '\\'])
}

fn masks(text: &str, hashes_are_masks: bool) -> bool {
    is_mask(text)
        || (hashes_are_masks && text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// True for what gateways write in place of a credential (formats.md pitfall 24).
pub(super) fn is_mask(text: &str) -> bool {
    const WORDS: [&str; 3] = ["redacted", "masked", "filtered"];
    let word = text.trim_matches(['[', ']', '<', '>', '(', ')', '{', '}', '*']);
    if WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)) {
        return true;
    }
    let last = text.trim_start_matches('*');
    let stars = text.len() - last.len();
    (stars > 0 && last.is_empty()) || (stars >= 3 && last.len() <= 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jwt(tail: &str) -> String {
        let part = |text: &str| base64url::encode(text.as_bytes());
        format!(
            "{}.{}.{}",
            part(r#"{"alg":"RS256"}"#),
            part(&format!(r#"{{"n":"{tail}"}}"#)),
            part("signature")
        )
    }

    fn all(value: &str) -> Vec<String> {
        let mut out = Vec::new();
        read(value, false, &mut |found| {
            out.push(match found {
                Found::Token(token, _) => token.to_owned(),
                Found::Masked => "masked".to_owned(),
                Found::OtherScheme => "other".to_owned(),
            });
        });
        out
    }

    #[test]
    fn bearer_in_every_spelling() {
        let jwt = jwt("a");
        for spelled in [
            jwt.clone(),
            format!("Bearer {jwt}"),
            format!("BEARER\t{jwt}"),
            format!("bearer  {jwt} "),
            format!("Bearer+{jwt}"),
            format!("Bearer%20{jwt}"),
            format!("Bearer: {jwt}"),
            format!("Bearer:{jwt}"),
            format!("Bearer Bearer {jwt}"),
            format!("\"{jwt}\""),
            format!("Bearer \"{jwt}\""),
            format!("\\\"Bearer {jwt}\\\""),
            format!("JWT {jwt}"),
            format!("DPoP {jwt}"),
        ] {
            assert_eq!(all(&spelled), [jwt.as_str()], "{spelled}");
        }
        assert_eq!(all("Bearer opaque-value"), ["opaque-value"]);
        assert_eq!(all("abc,def"), ["abc,def"]);
    }

    #[test]
    fn the_scheme_word_is_told() {
        let jwt = jwt("a");
        for (spelled, scheme) in [
            (format!("Bearer {jwt}"), Scheme::Bearer),
            (format!("bearer%20{jwt} "), Scheme::Bearer),
            (jwt.clone(), Scheme::None),
            (format!("DPoP {jwt}"), Scheme::Other),
            (format!("PoP {jwt}"), Scheme::Other),
        ] {
            let mut found = None;
            read(&spelled, false, &mut |one| found = Some(one));
            assert_eq!(found, Some(Found::Token(jwt.as_str(), scheme)), "{spelled}");
        }
    }

    #[test]
    fn other_schemes_are_not_tokens() {
        for other in [
            "Basic dXNlcjpwYXNz",
            "basic+dXNlcjpwYXNz",
            "Digest username=\"x\", realm=\"y\"",
            "Negotiate",
            "AWS4-HMAC-SHA256 Credential=A/20261122/eu/s3/aws4_request, SignedHeaders=host, Signature=fe5f",
            "ApiKey 123",
            "Frobnicate xyz",
        ] {
            assert_eq!(all(other), ["other"], "{other}");
        }
    }

    #[test]
    fn marks_and_nothing() {
        for mask in [
            "REDACTED",
            "[redacted]",
            "<REDACTED>",
            "***",
            "****",
            "Bearer ***",
            "bearer REDACTED",
            "*****abcd",
        ] {
            assert_eq!(all(mask), ["masked"], "{mask}");
        }
        for nothing in ["", " ", "-", "null", "Bearer", "Bearer ", "Bearer -"] {
            assert!(all(nothing).is_empty(), "{nothing}");
        }
        let mut hashed = None;
        read("0a1b2c3d", true, &mut |found| hashed = Some(found));
        assert_eq!(hashed, Some(Found::Masked));
        assert_eq!(all("eyJhbGciOiJSUzI1NiJ9.eyJ***"), ["eyJhbGciOiJSUzI1NiJ9.eyJ***"]);
    }

    #[test]
    fn joined_values_are_split_outside_tokens() {
        let (one, two) = (jwt("a"), jwt("b"));
        assert_eq!(all(&format!("Bearer {one},Bearer {two}")), [one.as_str(), two.as_str()]);
        assert_eq!(all(&format!("{one}, {two}")), [one.as_str(), two.as_str()]);
        assert_eq!(all(&format!("Basic abc, Bearer {one}")), ["other", one.as_str()]);
        assert_eq!(all("REDACTED,REDACTED"), ["masked", "masked"]);
    }

    proptest! {
        /// The short ways say what the long ones say, whatever stands around a token.
        #[test]
        fn bare_tokens_are_read_as_all_others(
            text in "(Bearer|bearer|BEARER|Basic|\\*)?[ +:]?(eyJ|ey|x)?[a-z0-9_.-]{0,4}(,? ?(Bearer )?eyJ[a-f0-9]{0,5})?[ \"'*>=.\\]-]?",
            hashes_are_masks: bool,
        ) {
            if let Some(token) = bare_token(&text) {
                prop_assert_eq!(Some(token), one(&text, hashes_are_masks));
            }
            let opened = bearer(opened(&text)).unwrap_or_else(|| opened(&text));
            let usual = without_usual_scheme(&text).starts_with("eyJ");
            prop_assert!(!usual || begins_like_a_jwt(opened.as_bytes()));
            prop_assert_eq!(is_absent(&text), matches!(text.trim_ascii(), "" | "-" | "null"));
        }
    }
}
