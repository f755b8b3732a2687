//! Family A: token form and header.

pub(super) mod alg_confusion;
pub(super) mod alg_none;
pub(super) mod alg_symmetric;
pub(super) mod alg_unexpected;
pub(super) mod b64_invalid;
pub(super) mod b64_noncanonical;
pub(super) mod hdr_crit;
pub(super) mod hdr_jku;
pub(super) mod hdr_jwk;
pub(super) mod json_duplicate;
pub(super) mod json_invalid;
pub(super) mod kid_missing;
pub(super) mod token_jwe;
pub(super) mod token_opaque;
pub(super) mod token_truncated;

use crate::codec::base64url::Spelling;
use crate::facts::TokenFacts;
use crate::token::Form;
use crate::verify::Verdict;

/// Names of the whole segments that are spelled in one way; parts that the logger cut are left out, because the cut
/// and not the sender made their spelling.
fn segments_spelled(token: &TokenFacts, spelling: Spelling) -> Vec<&'static str> {
    let whole = match &token.token.form {
        Form::Jws(jws) if token.signature.verdict == Verdict::Truncated => {
            vec![("header", &jws.header), ("payload", &jws.payload)]
        }
        Form::Jws(jws) => {
            vec![("header", &jws.header), ("payload", &jws.payload), ("signature", &jws.signature)]
        }
        Form::Jwe { header } | Form::Truncated { header, payload: Some(_), .. } => vec![("header", header)],
        _ => Vec::new(),
    };
    whole.into_iter().filter(|(_, segment)| segment.spelling == spelling).map(|(name, _)| name).collect()
}
