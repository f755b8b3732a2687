//! What kind of text a token value is: JWS, JWE, cut, or opaque (RFC 7515 section 3.1, RFC 7516 section 3.1).

use super::digests_of;
use crate::codec::base64url::{self, Spelling};
use crate::codec::json::{self, Parser};
use crate::limits;
use crate::redact::{self, Fingerprint};
use std::ops::Range;

/// Marks that loggers leave where they cut or mask a value.
const CUT_MARKS: [&str; 3] = ["...", "…", "***"];

/// One dot-separated part.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Where it stands in the value.
    pub range: Range<usize>,
    /// How it is spelled.
    pub spelling: Spelling,
}

impl Segment {
    /// Decodes a part behind what `bytes` holds.
    fn read(value: &str, range: Range<usize>, bytes: &mut Vec<u8>) -> Self {
        let text = value.get(range.clone()).unwrap_or_default();
        Self { range, spelling: base64url::decode_append(text.as_bytes(), bytes) }
    }

    /// The decoded bytes, strictly or leniently; `None` if it does not decode. `value` is the token that it is of.
    pub fn decode(&self, value: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let spelling = base64url::decode(value.get(self.range.clone())?.as_bytes(), &mut bytes);
        (spelling != Spelling::Invalid).then_some(bytes)
    }
}

/// Three parts, as a signed or unsigned token has them.
pub struct Jws {
    /// First part.
    pub header: Segment,
    /// Second part.
    pub payload: Segment,
    /// Third part; empty in an unsigned token.
    pub signature: Segment,
    signature_bytes: Box<[u8]>,
}

impl std::fmt::Debug for Jws {
    /// Never the signature's bytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries([&self.header, &self.payload, &self.signature]).finish()
    }
}

impl Jws {
    /// Takes three parts apart; header and payload go to `decoded`.
    fn read(value: &str, decoded: &mut Decoded) -> Self {
        let [header, payload, signature] = parts(value);
        // One allocation for header and payload.
        decoded
            .bytes
            .reserve_exact(decoded_bytes(header.len()) + decoded_bytes(payload.len()) + 2 * json::PADDING);
        let mut bytes = Vec::with_capacity(signature.len());
        let signature = Segment::read(value, signature, &mut bytes);
        Self {
            header: decoded.header(value, header),
            payload: decoded.payload(value, payload),
            signature,
            signature_bytes: bytes.into_boxed_slice(),
        }
    }

    /// The signature's bytes, strictly or leniently decoded; `None` if it does not decode.
    pub fn signature_bytes(&self) -> Option<&[u8]> {
        (self.signature.spelling != Spelling::Invalid).then_some(&*self.signature_bytes)
    }

    /// The ASCII bytes that are signed: header, dot, payload (RFC 7515 section 5.2).
    pub fn signed<'v>(&self, value: &'v str) -> &'v [u8] {
        value.get(..self.payload.range.end).unwrap_or_default().as_bytes()
    }

    /// The digests of three parts that decode, JSON or not.
    fn digests(&self, value: &str) -> Option<([u8; 32], Fingerprint)> {
        let decodes = |segment: &Segment| segment.spelling != Spelling::Invalid;
        let signature = self.signature_bytes().filter(|_| decodes(&self.header) && decodes(&self.payload))?;
        Some(digests_of(self.signed(value), signature))
    }
}

/// The decoded header and payload, one behind the other, each followed by the room that parsing needs.
#[derive(Default)]
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// Length of the header; `None` if it is missing or does not decode.
    pub(super) header: Option<usize>,
    /// Start and length of the payload; `None` if it is missing or does not decode.
    pub(super) payload: Option<(usize, usize)>,
}

impl Decoded {
    fn header(&mut self, value: &str, range: Range<usize>) -> Segment {
        let (segment, _, length) = self.read(value, range);
        self.header = length;
        segment
    }

    fn payload(&mut self, value: &str, range: Range<usize>) -> Segment {
        let (segment, start, length) = self.read(value, range);
        self.payload = length.map(|length| (start, length));
        segment
    }

    fn read(&mut self, value: &str, range: Range<usize>) -> (Segment, usize, Option<usize>) {
        let start = self.bytes.len();
        let segment = Segment::read(value, range, &mut self.bytes);
        let length = self.bytes.len() - start;
        self.bytes.resize(self.bytes.len() + json::PADDING, 0);
        let decodes = segment.spelling != Spelling::Invalid;
        (segment, start, decodes.then_some(length))
    }
}

/// SHA-256 of the signed part and the fingerprint of three parts that decode, whatever they begin like; `None` for every
/// other value.
pub(super) fn digests(value: &str, form: &Form) -> Option<([u8; 32], Fingerprint)> {
    match form {
        Form::Jws(jws) => jws.digests(value),
        Form::Opaque if memchr::memchr_iter(b'.', value.as_bytes()).take(3).count() == 2 => {
            Jws::read(value, &mut Decoded::default()).digests(value)
        }
        _ => None,
    }
}

/// Why a value is called cut by its text alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It ends in `...`, `…` or `***`.
    Mark,
    /// One or two segments.
    Segments,
}

/// The kinds of value.
#[derive(Debug)]
pub enum Form {
    /// Three parts of which the first begins like a JWT.
    Jws(Jws),
    /// Five parts, and the header has `enc`.
    Jwe {
        /// First part.
        header: Segment,
    },
    /// Five parts without `enc`: judged as opaque.
    FiveParts {
        /// First part.
        header: Segment,
    },
    /// A token that the logger cut.
    Truncated {
        /// What shows the cut.
        cut: Cut,
        /// First part, whole or not.
        header: Segment,
        /// Second part, if there is one.
        payload: Option<Segment>,
    },
    /// Anything else.
    Opaque,
}

impl Form {
    /// The form of a value without its scheme word; what its header and payload decode to goes to `decoded`.
    pub(super) fn of(value: &str, decoded: &mut Decoded) -> Self {
        let marked = CUT_MARKS.iter().find_map(|mark| value.strip_suffix(mark));
        let begins = value.starts_with("eyJ") || redact::begins_like_a_jwt(value.as_bytes());
        if let Some(rest) = marked {
            return Self::truncated(rest, Cut::Mark, decoded);
        }
        let dots = memchr::memchr_iter(b'.', value.as_bytes()).take(5).count();
        match (begins, dots) {
            (true, 0 | 1) => Self::truncated(value, Cut::Segments, decoded),
            (true, 2) => Self::Jws(Jws::read(value, decoded)),
            (_, 4) => {
                let [header] = parts(value);
                let header = decoded.header(value, header);
                if is_encrypted(decoded) { Self::Jwe { header } } else { Self::FiveParts { header } }
            }
            _ => Self::Opaque,
        }
    }

    fn truncated(value: &str, cut: Cut, decoded: &mut Decoded) -> Self {
        let [header, payload] = parts(value);
        let present = payload.start < value.len();
        let header = decoded.header(value, header);
        Self::Truncated { cut, header, payload: present.then(|| decoded.payload(value, payload)) }
    }

    /// The three parts, where there are three.
    pub fn jws(&self) -> Option<&Jws> {
        if let Self::Jws(jws) = self { Some(jws) } else { None }
    }
}

/// True if the header of five parts has `enc` (RFC 7516 section 4.1.2).
fn is_encrypted(decoded: &Decoded) -> bool {
    let Some(length) = decoded.header else { return false };
    // Parsing works in place, and the header is still needed as it is.
    let mut bytes = decoded.bytes.clone();
    Parser::default()
        .object(&mut bytes, length, limits::TOKEN_JSON_DEPTH_MAX)
        .is_ok_and(|object| object.last("enc").is_some())
}

/// Bytes that so many characters of base64url decode to at most.
fn decoded_bytes(characters: usize) -> usize {
    characters / 4 * 3 + 3
}

/// Ranges of the first `N` dot-separated parts; empty ones at the end where there are fewer.
fn parts<const N: usize>(value: &str) -> [Range<usize>; N] {
    let mut start = 0;
    std::array::from_fn(|_| {
        let rest = value.get(start..).unwrap_or_default();
        let end = start + memchr::memchr(b'.', rest.as_bytes()).unwrap_or(rest.len());
        let part = start..end;
        start = (end + 1).min(value.len());
        part
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_follow_the_contract() {
        let kind = |value: &str| match Form::of(value, &mut Decoded::default()) {
            Form::Jws(_) => "jws",
            Form::Jwe { .. } => "jwe",
            Form::FiveParts { .. } => "five",
            Form::Truncated { cut: Cut::Mark, .. } => "mark",
            Form::Truncated { cut: Cut::Segments, .. } => "segments",
            Form::Opaque => "opaque",
        };
        let header = base64url::encode(br#"{"alg":"RS256"}"#);
        let encrypted = base64url::encode(br#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
        assert_eq!(kind(&format!("{header}.e30.c2ln")), "jws");
        assert_eq!(kind(&format!("{header}.e30.")), "jws");
        assert_eq!(kind(&format!("{header}.e30")), "segments");
        assert_eq!(kind(&header), "segments");
        assert_eq!(kind(&format!("{header}.e30.c2l...")), "mark");
        assert_eq!(kind(&format!("{header}.e3…")), "mark");
        assert_eq!(kind(&format!("{header}***")), "mark");
        assert_eq!(kind(&format!("{encrypted}.a.b.c.d")), "jwe");
        assert_eq!(kind(&format!("{header}.a.b.c.d")), "five");
        assert_eq!(kind(&format!("{header}.a.b.c")), "opaque");
        assert_eq!(kind("0123456789abcdef"), "opaque");
        assert_eq!(kind("a.b.c"), "opaque");
        assert_eq!(kind(""), "opaque");
    }
}
