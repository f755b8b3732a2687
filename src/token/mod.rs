//! A bearer token taken apart: its form, its header and its claims. Nothing in here trusts a signature.

mod claims;
mod form;
mod header;

pub use crate::codec::algorithm::Algorithm;
pub use claims::{Audience, Claims, ClientAuth, Kind, Version};
pub use form::{Cut, Form, Jws, Segment};
pub use header::Header;

use crate::codec::json::{self, JsonError};
use crate::limits;
use crate::redact::Fingerprint;
use sha2::{Digest as _, Sha256};

/// A token value (without its scheme word), parsed once.
#[derive(Debug)]
pub struct Token {
    /// What kind of text the value is.
    pub form: Form,
    /// SHA-256 as the contract's section 7 defines `token_sha256`.
    pub fingerprint: Fingerprint,
    /// SHA-256 of header, dot, payload, which most signatures are over; it is the fingerprint's beginning, so it costs
    /// nothing. `None` where there are no three parts that decode.
    pub signed_sha256: Option<[u8; 32]>,
    /// The header, or why there is none. `None` where the form has no header.
    pub header: Option<Result<Header, JsonError>>,
    /// The claims, or why there are none. `None` where the payload is missing, encrypted or undecodable.
    pub claims: Option<Result<Claims, JsonError>>,
}

impl Token {
    /// Takes a value apart. Never fails: every text has a form.
    pub fn parse(value: &str) -> Self {
        let form = Form::of(value);
        let (signed_sha256, fingerprint) = match form::digests(value, &form) {
            Some((signed, whole)) => (Some(signed), whole),
            None => (None, Fingerprint(Sha256::digest(value).into())),
        };
        let mut token = Self { form, fingerprint, signed_sha256, header: None, claims: None };
        match &token.form {
            Form::Jws(jws) => {
                token.header = jws.header.decoded().map(read_header);
                token.claims = jws.payload.decoded().map(read_claims);
            }
            Form::Jwe { header } | Form::FiveParts { header } | Form::Truncated { header, .. } => {
                token.header = header.decoded().map(read_header);
            }
            Form::Opaque => {}
        }
        if let (Form::Truncated { payload: Some(payload), .. }, None) = (&token.form, &token.claims) {
            // A cut payload is judged only if it is whole JSON by luck of the cut.
            token.claims = payload.decoded().map(read_claims).filter(Result::is_ok);
        }
        token
    }

    /// The claims, if they could be read.
    pub fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref().and_then(|claims| claims.as_ref().ok())
    }

    /// The header, if it could be read.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref().and_then(|header| header.as_ref().ok())
    }
}

fn read_header(bytes: &[u8]) -> Result<Header, JsonError> {
    json::parse_object(&mut bytes.to_vec(), limits::TOKEN_JSON_DEPTH_MAX).map(Header::new)
}

fn read_claims(bytes: &[u8]) -> Result<Claims, JsonError> {
    json::parse_object(&mut bytes.to_vec(), limits::TOKEN_JSON_DEPTH_MAX).map(Claims::new)
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
    }

    #[test]
    fn a_value_that_is_no_jws_is_hashed_as_it_stands() {
        let expected = digest::digest(&digest::SHA256, b"abc123");
        assert_eq!(Token::parse("abc123").fingerprint.hex(), crate::redact::hex(expected.as_ref()));
    }
}
