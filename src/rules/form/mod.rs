//! Family A: token form and header.

pub(super) mod actor_token;
pub(super) mod alg_confusion;
pub(super) mod alg_missing;
pub(super) mod alg_none;
pub(super) mod alg_symmetric;
pub(super) mod alg_unexpected;
pub(super) mod b64_invalid;
pub(super) mod b64_noncanonical;
pub(super) mod claim_type;
pub(super) mod client_assertion_sent;
pub(super) mod hdr_b64;
pub(super) mod hdr_crit;
pub(super) mod hdr_jku;
pub(super) mod hdr_jwk;
pub(super) mod hdr_nested;
pub(super) mod hdr_nonce;
pub(super) mod hdr_typ;
pub(super) mod hdr_unknown;
pub(super) mod hdr_x5c;
pub(super) mod hdr_x5u;
pub(super) mod json_duplicate;
pub(super) mod json_invalid;
pub(super) mod kid_case;
pub(super) mod kid_injection;
pub(super) mod kid_missing;
pub(super) mod refresh_token_sent;
pub(super) mod token_absent;
pub(super) mod token_jwe;
pub(super) mod token_multiple;
pub(super) mod token_opaque;
pub(super) mod token_oversize;
pub(super) mod token_truncated;
pub(super) mod x5t_kid_mismatch;
pub(super) mod x5t_version;

use super::kit::{Check, Evidence};
use crate::codec::base64url::Spelling;
use crate::entra;
use crate::facts::TokenFacts;
use crate::token::{Form, Segment};
use crate::verify::Verdict;

/// Names of the whole segments that are spelled in one way; parts that the logger cut are left out, because the cut
/// and not the sender made their spelling.
fn segments_spelled(token: &TokenFacts, spelling: Spelling) -> Vec<&'static str> {
    let (header, payload, signature) = match &token.token.form {
        Form::Jws(jws) => {
            let is_cut = token.signature.verdict == Verdict::Truncated;
            (Some(&jws.header), Some(&jws.payload), Some(&jws.signature).filter(|_| !is_cut))
        }
        Form::Jwe { header } | Form::Truncated { header, payload: Some(_), .. } => (Some(header), None, None),
        _ => (None, None, None),
    };
    let whole = [("header", header), ("payload", payload), ("signature", signature)];
    let spelled = |segment: Option<&Segment>| segment.is_some_and(|segment| segment.spelling == spelling);
    whole.into_iter().filter(|(_, segment)| spelled(*segment)).map(|(name, _)| name).collect()
}

/// What a rule says about a header member that holds an address of keys.
fn key_address(token: &TokenFacts, member: &str, message: &str, expected: &str) -> Check {
    let Some(address) = token.header().and_then(|header| header.member(member)) else { return Check::Quiet };
    let mut evidence = Evidence::new(message).expected(expected);
    if let Some(host) = address.as_text().and_then(entra::url_host) {
        evidence = evidence.fact("host", host);
    }
    Check::fires(evidence.actual(address.as_text().map_or_else(|| address.to_json(), str::to_owned)))
}
