//! Family G: behaviour across records.

pub(super) mod compromised_identity_use;
pub(super) mod ip_claim_mismatch;
pub(super) mod token_cleartext;
pub(super) mod token_in_body;
pub(super) mod token_in_path;
pub(super) mod token_in_query;
pub(super) mod token_in_referer;
pub(super) mod use_after_revocation;
pub(super) mod uti_missing;

use super::kit::{Check, Evidence, Reason};
use crate::facts::{Facts, Place};

/// Fires where the token stood in a part of the request that is no place for it.
fn stands_in(place: Place, facts: &Facts<'_>, message: &'static str) -> Check {
    if place.holds(&facts.hit, facts.record) {
        let evidence = Evidence::new(message).expected("the Authorization header");
        return Check::fires(evidence.actual(facts.hit.place));
    }
    match Place::of(&facts.hit, facts.record) {
        Place::Unknown => Check::NotEvaluable(Reason::NO_PLACE),
        _ => Check::Quiet,
    }
}
