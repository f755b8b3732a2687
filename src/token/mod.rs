//! A bearer token taken apart: its form, its header and its claims. Nothing in here trusts a signature.

mod claims;
mod form;
mod header;
mod refresh;

pub use crate::codec::algorithm::Algorithm;
pub use claims::{Audience, Claims, ClientAuth, Kind, Version};
pub use form::{Cut, Form, Jws, Segment};
pub use header::Header;
pub use refresh::RefreshShape;

use crate::codec::json::{JsonError, Object, Parser};
use crate::limits;
use crate::redact::Fingerprint;
use form::Decoded;
use self_cell::{MutBorrow, self_cell};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A token value (without its scheme word), parsed once.
pub struct Token {
    /// What kind of text the value is.
    pub form: Form,
    /// Length of the value in bytes.
    pub value_bytes: usize,
    /// The refresh token that a value without a JWT's form looks like.
    pub refresh: Option<RefreshShape>,
    /// SHA-256 as the contract's section 7 defines `token_sha256`.
    pub fingerprint: Fingerprint,
    /// SHA-256 of header, dot, payload, which most signatures are over; it is the fingerprint's beginning, so it costs
    /// nothing. `None` where there are no three parts that decode.
    pub signed_sha256: Option<[u8; 32]>,
    parts: OwnedParts,
}

/// Header and claims, whose texts lie in the decoded bytes beside them.
#[derive(Debug, Default)]
struct Parts<'t> {
    header: Option<Result<Header<'t>, JsonError>>,
    claims: Option<Result<Claims<'t>, JsonError>>,
}

self_cell! {
    struct OwnedParts {
        owner: MutBorrow<Vec<u8>>,
        #[covariant]
        dependent: Parts,
    }
}

impl fmt::Debug for Token {
    /// Never anything that the token says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl Token {
    /// Takes a value apart. Never fails: every text has a form.
    pub fn parse(value: &str) -> Self {
        Self::parse_with(value, &mut Parser::default())
    }

    /// [`Self::parse`] with a parser whose memory is used again.
    pub fn parse_with(value: &str, parser: &mut Parser) -> Self {
        Self::read(value, parser, |form| match form::digests(value, form) {
            Some((signed, whole)) => (Some(signed), whole),
            None => (None, Fingerprint(Sha256::digest(value).into())),
        })
    }

    /// [`Self::parse_with`] for a value that was parsed before, whose fingerprint is known. It has no `signed_sha256`:
    /// that was needed for its signature.
    pub fn parse_known(value: &str, fingerprint: Fingerprint, parser: &mut Parser) -> Self {
        Self::read(value, parser, |_| (None, fingerprint))
    }

    fn read(
        value: &str,
        parser: &mut Parser,
        digests: impl FnOnce(&Form) -> (Option<[u8; 32]>, Fingerprint),
    ) -> Self {
        let mut decoded = Decoded::default();
        let form = Form::of(value, &mut decoded);
        let refresh = match form {
            Form::Opaque | Form::FiveParts { .. } => RefreshShape::of(value),
            _ => None,
        };
        let (signed_sha256, fingerprint) = digests(&form);
        // A cut payload is judged only if it is whole JSON by luck of the cut.
        let by_luck = matches!(form, Form::Truncated { .. });
        let Decoded { bytes, header, payload } = decoded;
        let parts = OwnedParts::new(MutBorrow::new(bytes), |bytes| {
            let (head, rest) = bytes.borrow_mut().split_at_mut(payload.map_or(0, |(start, _)| start));
            // Without a payload the header is all there is.
            let (head, rest) = if payload.is_some() { (head, rest) } else { (rest, head) };
            let header = header.map(|length| object(parser, head, length).map(Header::new));
            let claims = payload.map(|(_, length)| object(parser, rest, length).map(Claims::new));
            Parts { header, claims: claims.filter(|claims| claims.is_ok() || !by_luck) }
        });
        Self { form, value_bytes: value.len(), refresh, fingerprint, signed_sha256, parts }
    }

    /// The claims, if they could be read.
    pub fn claims(&self) -> Option<&Claims<'_>> {
        self.parts.borrow_dependent().claims.as_ref().and_then(|claims| claims.as_ref().ok())
    }

    /// The header, if it could be read.
    pub fn header(&self) -> Option<&Header<'_>> {
        self.parts.borrow_dependent().header.as_ref().and_then(|header| header.as_ref().ok())
    }

    /// Why there is no header: `None` where the form has none, the inner `None` where it could be read.
    pub fn header_error(&self) -> Option<Option<JsonError>> {
        self.parts.borrow_dependent().header.as_ref().map(|header| header.as_ref().err().copied())
    }

    /// Why there are no claims: `None` where the payload is missing, encrypted or undecodable, the inner `None` where
    /// they could be read.
    pub fn claims_error(&self) -> Option<Option<JsonError>> {
        self.parts.borrow_dependent().claims.as_ref().map(|claims| claims.as_ref().err().copied())
    }
}

fn object<'t>(parser: &mut Parser, text: &'t mut [u8], length: usize) -> Result<Object<'t>, JsonError> {
    parser.object(text, length, limits::TOKEN_JSON_DEPTH_MAX)
}

/// SHA-256 of the signed part, and of it with a dot and the decoded signature behind it, for which it is hashed once.
fn digests_of(signed: &[u8], signature: &[u8]) -> ([u8; 32], Fingerprint) {
    let mut whole = Sha256::new_with_prefix(signed);
    let signed = whole.clone().finalize().into();
    whole.update(b".");
    whole.update(signature);
    (signed, Fingerprint(whole.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::base64url::encode;
    use aws_lc_rs::digest;

    #[test]
    fn the_fingerprint_covers_the_decoded_signature() {
        let text = format!("{}.{}.", encode(br#"{"alg":"RS256"}"#), encode(br#"{"aud":"x"}"#));
        let a = Token::parse(&format!("{text}{}", encode(b"sig1")));
        let padded = Token::parse(&format!("{text}{}==", encode(b"sig1")));
        let b = Token::parse(&format!("{text}{}", encode(b"sig2")));
        assert_eq!(a.fingerprint, padded.fingerprint);
        assert_ne!(a.fingerprint, b.fingerprint);
        let expected = digest::digest(&digest::SHA256, format!("{text}sig1").as_bytes());
        assert_eq!(a.fingerprint.hex(), crate::redact::hex(expected.as_ref()));
        let expected = digest::digest(&digest::SHA256, text.trim_end_matches('.').as_bytes());
        assert_eq!(a.signed_sha256.unwrap(), expected.as_ref());
        assert_eq!(a.claims().unwrap().audience.values(), ["x"]);
        assert!(!format!("{a:?}").contains("aud"));
    }

    #[test]
    fn a_value_that_is_no_jws_is_hashed_as_it_stands() {
        let expected = digest::digest(&digest::SHA256, b"abc123");
        assert_eq!(Token::parse("abc123").fingerprint.hex(), crate::redact::hex(expected.as_ref()));
    }
}
