//! Keeps secrets out of everything that is written: fingerprints, and the one redactor for all text.

use crate::codec::base64url;
use crate::limits;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// SHA-256 of a token: the only form in which a token is ever written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// 64 lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// The fingerprint of 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        let parsed = Self(bytes);
        (parsed.hex() == text).then_some(parsed)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// Lower-case hexadecimal digits of some bytes.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push_hex(bytes, &mut text);
    text
}

/// Appends the lower-case hexadecimal digits of some bytes.
pub fn push_hex(bytes: &[u8], text: &mut String) {
    // Reckoned and not looked up, so that many are made at once.
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
    let mut digits = [0; 64];
    for piece in bytes.chunks(digits.len() / 2) {
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(piece) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        let used = digits.get(..2 * piece.len()).unwrap_or_default();
        text.push_str(std::str::from_utf8(used).unwrap_or_default());
    }
}

/// True if the text up to its first dot (or its end) decodes leniently to bytes whose first non-white byte is `{`
/// (contract section 4). `%2E` counts as a dot.
pub fn begins_like_a_jwt(text: &[u8]) -> bool {
    opening(text).0 == Some(b'{')
}

/// Stricter than [`begins_like_a_jwt`]: what follows the brace must be JSON too (`"` or `}`).
///
/// Every word that begins with `ex` decodes to a brace and then noise; without this check the redactor would blacken
/// `/v1/exports` and `example.com`. A token of the record itself is removed whatever it looks like.
fn looks_like_a_jwt(text: &[u8]) -> bool {
    matches!(opening(text), (Some(b'{'), Some(b'"' | b'}')))
}

/// The first two bytes that are not white space, of what the first segment decodes to.
fn opening(text: &[u8]) -> (Option<u8>, Option<u8>) {
    // Only these characters can begin the encoding of a brace or of white space (or are skipped by lenient decoders).
    if !matches!(text.first(), Some(b'e' | b'C' | b'D' | b'I' | b'=' | b' ' | b'\t' | b'\r' | b'\n')) {
        return (None, None);
    }
    let end = memchr::memchr3(b'.', b'%', b'\\', text).unwrap_or(text.len());
    let first = text.get(..end).unwrap_or_default();
    let visible = |first: &[u8]| {
        let mut decoded = Vec::new();
        base64url::decode_prefix(first, &mut decoded);
        let mut visible = decoded.into_iter().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        (visible.next(), visible.next())
    };
    // Decoding goes from left to right, and nearly always a few characters are enough.
    match first.get(..OPENING_BYTES).map(visible) {
        Some(found @ (Some(_), Some(_))) => found,
        _ => visible(first),
    }
}

/// Characters of a first segment whose decoded bytes tell how it begins, unless they are white space.
const OPENING_BYTES: usize = 8;

/// Removes from `text` whatever could be a token: every run of base64url characters, dots and `%2E` that begins like a
/// JWT, and every part of this record's own tokens (`secrets`: whole tokens, payload and signature segments) that is
/// long enough to matter. Each becomes `***`.
pub fn redact<'t>(text: &'t str, secrets: &[&str]) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for secret in secrets {
        if secret.len() >= limits::REDACTED_BYTES_MIN && text.contains(secret) {
            text = Cow::Owned(text.replace(secret, "***"));
        }
    }
    match redact_runs(&text) {
        Some(clean) => Cow::Owned(clean),
        None => text,
    }
}

/// [`redact`], then cut to [`limits::CELL_BYTES_MAX`] at a character.
pub fn cell<'t>(text: &'t str, secrets: &[&str]) -> Cow<'t, str> {
    let clean = redact(text, secrets);
    if clean.len() <= limits::CELL_BYTES_MAX {
        return clean;
    }
    Cow::Owned(cut(&clean, limits::CELL_BYTES_MAX).to_owned())
}

/// The texts that must not stand in any cell of a record: its tokens, their payloads and signatures.
///
/// A record may carry thousands of tokens if somebody wants it to; an index over their first bytes keeps the search linear.
#[derive(Debug, Default)]
pub struct Secrets<'s> {
    few: Vec<&'s str>,
    many: HashMap<&'s [u8], Vec<&'s str>>,
}

/// So many secrets are searched one by one.
const SECRETS_FEW: usize = 8;

impl<'s> Secrets<'s> {
    /// Secrets; those that are too short to matter are left out.
    pub fn new(mut secrets: Vec<&'s str>) -> Self {
        secrets.retain(|secret| secret.len() >= limits::REDACTED_BYTES_MIN);
        if secrets.len() <= SECRETS_FEW {
            return Self { few: secrets, many: HashMap::new() };
        }
        let mut many: HashMap<&[u8], Vec<&str>> = HashMap::new();
        for secret in secrets {
            let head = secret.as_bytes().get(..limits::REDACTED_BYTES_MIN).unwrap_or_default();
            many.entry(head).or_default().push(secret);
        }
        for same in many.values_mut() {
            same.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            same.dedup();
        }
        Self { few: Vec::new(), many }
    }

    /// [`cell`] without these secrets.
    pub fn cell<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.many.is_empty() {
            return cell(text, &self.few);
        }
        match self.without_many(text) {
            Some(clean) => Cow::Owned(cell(&clean, &[]).into_owned()),
            None => cell(text, &[]),
        }
    }

    /// `None` if nothing had to be removed.
    fn without_many(&self, text: &str) -> Option<String> {
        let mut out: Option<String> = None;
        let (mut kept, mut at) = (0, 0);
        while let Some(head) = text.as_bytes().get(at..at + limits::REDACTED_BYTES_MIN) {
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            let same = self.many.get(head).into_iter().flatten();
            match same.into_iter().find(|secret| rest.starts_with(secret.as_bytes())) {
                Some(secret) => {
                    let out = out.get_or_insert_default();
                    out.push_str(text.get(kept..at).unwrap_or_default());
                    out.push_str("***");
                    at += secret.len();
                    kept = at;
                }
                None => at += 1,
            }
        }
        out.map(|mut out| {
            out.push_str(text.get(kept..).unwrap_or_default());
            out
        })
    }
}

/// The longest prefix of at most `bytes_max` bytes that ends at a character.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// `None` if nothing had to be removed.
fn redact_runs(text: &str) -> Option<String> {
    if cannot_hold_a_jwt(text.as_bytes()) { None } else { search_runs(text) }
}

/// `None` if nothing had to be removed.
fn search_runs(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out: Option<String> = None;
    let mut kept = 0;
    let mut at = 0;
    while let Some(start) = run_start(bytes, at) {
        let end = run_end(bytes, start);
        if let Some(hit) = jwt_in_run(bytes.get(start..end).unwrap_or_default()) {
            let out = out.get_or_insert_default();
            out.push_str(text.get(kept..start + hit).unwrap_or_default());
            out.push_str("***");
            kept = end;
        }
        at = end;
    }
    out.map(|mut out| {
        out.push_str(text.get(kept..).unwrap_or_default());
        out
    })
}

/// True if no run, and nothing behind a dot in one, begins with a character that the encoding of a brace or of white space
/// can begin with, and nothing is escaped. Nearly every text is done with here.
fn cannot_hold_a_jwt(text: &[u8]) -> bool {
    // No early end, so that the loop is a look-up a byte.
    let (mut before, mut doubt) = (0, 0);
    for byte in text {
        let class = CLASSES.get(usize::from(*byte)).copied().unwrap_or(ESCAPE);
        doubt |= class & (ESCAPE | (!before & INSIDE) << 1);
        before = class;
    }
    doubt == 0
}

/// A character of base64url.
const INSIDE: u8 = 1;
/// One that the encoding of a brace or of white space can begin with.
const BEGINS: u8 = 2;
/// One that begins an escape.
const ESCAPE: u8 = 4;

/// What each byte can be, as bits.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut at = 0_u8;
    loop {
        let inside = at.is_ascii_alphanumeric() || at == b'-' || at == b'_';
        let class = match at {
            b'e' | b'C' | b'D' | b'I' => INSIDE | BEGINS,
            b'%' | b'\\' => ESCAPE,
            _ if inside => INSIDE,
            _ => 0,
        };
        #[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "a constant, of 256 bytes")]
        {
            classes[at as usize] = class;
        }
        if at == u8::MAX {
            break classes;
        }
        at += 1;
    }
};

/// Where in a run a JWT begins: at its start, or right after a dot or an escape inside it (`host.eyJ...`, `token%3DeyJ...`).
fn jwt_in_run(run: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = run.get(at..)?;
        if looks_like_a_jwt(rest) {
            return Some(at);
        }
        let next = memchr::memchr3(b'.', b'%', b'\\', rest)?;
        at += next + rest.get(next..).map_or(1, escape).max(1);
    }
}

fn run_start(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find(|at| in_run(bytes, *at) > 0)
}

fn run_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        match in_run(bytes, at) {
            0 => return at,
            step => at += step,
        }
    }
}

/// Bytes that the run takes at this place: 1 for the alphabet and dots, 3 or more for an encoded dot or other escape
/// (`%2E`, `%252E`, `%3D`, `\x3d`, `\u003d`), behind which a token may begin as well; 0 outside a run.
fn in_run(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at..) {
        Some([byte, ..]) if base64url::is_alphabet(*byte) || *byte == b'.' => 1,
        Some(rest) => escape(rest),
        None => 0,
    }
}

/// Length of the escape that a text begins with; 0 if there is none.
fn escape(text: &[u8]) -> usize {
    let hex = |from: usize, digits: usize| {
        text.get(from..from + digits).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    match text {
        [b'%', rest @ ..] => {
            // A percent sign that was encoded again: %25 any number of times, then the two digits.
            let mut at = 0;
            while rest.get(at..at + 2) == Some(b"25")
                && rest.get(at + 2..at + 4).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))
            {
                at += 2;
            }
            if hex(1 + at, 2) { 3 + at } else { 0 }
        }
        [b'\\', b'x', ..] if hex(2, 2) => 4,
        [b'\\', b'u', ..] if hex(2, 4) => 6,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_stars() {
        let token = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.c2lnbmF0dXJl";
        assert_eq!(redact(&format!("a={token}&b=1"), &[]), "a=***&b=1");
        assert_eq!(redact("eyJhbGciOiJub25lIn0%2EeyJhdWQiOiJ4In0%2e", &[]), "***");
        let harmless = "plain words, eyes wide, /v1/exports on example.com until exp";
        assert_eq!(redact(harmless, &[]), harmless);
        assert_eq!(redact(&format!("host.{token}"), &[]), "host.***");
        assert_eq!(redact(&format!("/cb%3Ftoken%3D{token}&x"), &[]), "/cb%3Ftoken%3D***&x");
        assert_eq!(redact(&format!("/cb?a={}", token.replace('.', "%252E")), &[]), "/cb?a=***");
        assert_eq!(redact(&format!("\\u003d{token}"), &[]), "\\u003d***");
        assert_eq!(redact("100%25 of /a%20b%2Fc", &[]), "100%25 of /a%20b%2Fc");
        assert_eq!(redact("ewogICJhbGci.x", &[]), "***");
        assert_eq!(redact("x c2lnbmF0dXJlc2ln y", &["c2lnbmF0dXJlc2ln"]), "x *** y");
    }

    proptest::proptest! {
        #[test]
        fn a_look_at_each_character_rules_no_jwt_out(text in "([eCDIyJ.%\\\\=3dx{-]|eyJ9|[ -~]){0,24}") {
            if cannot_hold_a_jwt(text.as_bytes()) {
                proptest::prop_assert_eq!(search_runs(&text), None);
            }
        }
    }

    #[test]
    fn many_secrets_are_removed_like_few() {
        let secrets: Vec<String> = (0..40).map(|at| format!("{at:016}{}", "x".repeat(at))).collect();
        let text = secrets.iter().fold(String::new(), |text, secret| text + "\u{e9}" + secret + ",");
        let expected = "\u{e9}***,".repeat(40);
        let many = Secrets::new(secrets.iter().map(String::as_str).collect());
        assert_eq!(many.cell(&text), expected);
        let few = Secrets::new(secrets.iter().take(3).map(String::as_str).collect());
        assert_eq!(few.cell(&format!("a{}b", secrets[2])), "a***b");
        assert_eq!(Secrets::default().cell("plain"), "plain");
    }

    #[test]
    fn cells_are_cut_at_a_character() {
        let long = "\u{e9}".repeat(600);
        assert_eq!(cell(&long, &[]).len(), 1024);
        assert_eq!(cell(&format!("a{long}"), &[]).len(), 1023);
    }

    #[test]
    fn json_with_white_space_in_front_begins_like_a_jwt() {
        assert!(begins_like_a_jwt(base64url::encode(b"\r\n {\"alg\":1}").as_bytes()));
        assert!(begins_like_a_jwt(b"eyJh.x"));
        assert!(!begins_like_a_jwt(b"abc.def.ghi"));
        assert!(!begins_like_a_jwt(b""));
        assert!(!begins_like_a_jwt(b"ey"[..1].as_ref()));
    }
}
