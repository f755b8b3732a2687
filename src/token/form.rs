//! What kind of text a token value is: JWS, JWE, cut, or opaque (RFC 7515 section 3.1, RFC 7516 section 3.1).

use super::digests_of;
use crate::codec::base64url::{self, Spelling};
use crate::redact::{self, Fingerprint};
use std::ops::Range;

/// Marks that loggers leave where they cut or mask a value.
const CUT_MARKS: [&str; 3] = ["...", "…", "***"];

/// One dot-separated part.
#[derive(Debug)]
pub struct Segment {
    /// Where it stands in the value.
    pub range: Range<usize>,
    /// How it is spelled.
    pub spelling: Spelling,
    bytes: Vec<u8>,
}

impl Segment {
    fn read(value: &str, range: Range<usize>) -> Self {
        let mut bytes = Vec::new();
        let spelling = base64url::decode(value.get(range.clone()).unwrap_or_default().as_bytes(), &mut bytes);
        Self { range, spelling, bytes }
    }

    /// The decoded bytes, strictly or leniently; `None` if it does not decode.
    pub fn decoded(&self) -> Option<&[u8]> {
        (self.spelling != Spelling::Invalid).then_some(self.bytes.as_slice())
    }
}

/// Three parts, as a signed or unsigned token has them.
#[derive(Debug)]
pub struct Jws {
    /// First part.
    pub header: Segment,
    /// Second part.
    pub payload: Segment,
    /// Third part; empty in an unsigned token.
    pub signature: Segment,
}

impl Jws {
    fn read(value: &str) -> Self {
        let [header, payload, signature] = parts(value);
        Self {
            header: Segment::read(value, header),
            payload: Segment::read(value, payload),
            signature: Segment::read(value, signature),
        }
    }

    /// The ASCII bytes that are signed: header, dot, payload (RFC 7515 section 5.2).
    pub fn signed<'v>(&self, value: &'v str) -> &'v [u8] {
        value.get(..self.payload.range.end).unwrap_or_default().as_bytes()
    }

    /// The digests of three parts that decode, JSON or not.
    fn digests(&self, value: &str) -> Option<([u8; 32], Fingerprint)> {
        self.header.decoded()?;
        self.payload.decoded()?;
        Some(digests_of(self.signed(value), self.signature.decoded()?))
    }
}

/// SHA-256 of the signed part and the fingerprint of three parts that decode, whatever they begin like; `None` for every
/// other value.
pub(super) fn digests(value: &str, form: &Form) -> Option<([u8; 32], Fingerprint)> {
    match form {
        Form::Jws(jws) => jws.digests(value),
        Form::Opaque if memchr::memchr_iter(b'.', value.as_bytes()).take(3).count() == 2 => {
            Jws::read(value).digests(value)
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
    /// The form of a value without its scheme word.
    pub fn of(value: &str) -> Self {
        let marked = CUT_MARKS.iter().find_map(|mark| value.strip_suffix(mark));
        let begins = redact::begins_like_a_jwt(value.as_bytes());
        if let Some(rest) = marked {
            return Self::truncated(rest, Cut::Mark);
        }
        let dots = memchr::memchr_iter(b'.', value.as_bytes()).take(5).count();
        match (begins, dots) {
            (true, 0 | 1) => Self::truncated(value, Cut::Segments),
            (true, 2) => Self::Jws(Jws::read(value)),
            (_, 4) => {
                let [header] = parts(value);
                let header = Segment::read(value, header);
                let encrypted = header.decoded().is_some_and(|bytes| {
                    crate::codec::json::parse_object(&mut bytes.to_vec(), crate::limits::TOKEN_JSON_DEPTH_MAX)
                        .is_ok_and(|object| object.last("enc").is_some())
                });
                if encrypted { Self::Jwe { header } } else { Self::FiveParts { header } }
            }
            _ => Self::Opaque,
        }
    }

    fn truncated(value: &str, cut: Cut) -> Self {
        let [header, payload] = parts(value);
        let present = payload.start < value.len();
        Self::Truncated {
            cut,
            header: Segment::read(value, header),
            payload: present.then(|| Segment::read(value, payload)),
        }
    }

    /// The three parts, where there are three.
    pub fn jws(&self) -> Option<&Jws> {
        if let Self::Jws(jws) = self { Some(jws) } else { None }
    }
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
        let kind = |value: &str| match Form::of(value) {
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
