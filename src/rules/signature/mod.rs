//! Family B: signature and key history.

pub(super) mod key_before_publish;
pub(super) mod key_cert_mismatch;
pub(super) mod key_compromised;
pub(super) mod key_duplicate_kid;
pub(super) mod key_issuer_absent;
pub(super) mod key_issuer_mismatch;
pub(super) mod key_material_changed;
pub(super) mod key_retired_at_iat;
pub(super) mod key_symmetric_published;
pub(super) mod key_thumbprint_mismatch;
pub(super) mod keyset_shrunk;
pub(super) mod kid_unknown;
pub(super) mod sig_invalid;

use super::kit::{Check, Evidence, Reason};
use crate::facts::{Context, TokenFacts};
use crate::keys::{Authority, KeyHistory, KeyId, Standing};
use crate::limits;
use crate::verify::Verdict;

/// The key that verifies a token, with what is known about it.
struct VerifyingKey<'a> {
    keys: &'a KeyHistory,
    id: KeyId,
    authority: &'a Authority,
}

impl<'a> VerifyingKey<'a> {
    /// # Errors
    ///
    /// What a rule about the verifying key says where there is none.
    fn of(token: &'a TokenFacts, context: Context<'a>) -> Result<Self, Check> {
        let signature = &token.signature;
        match (context.keys, signature.key, &signature.authority) {
            (Some(keys), Some(id), Some(authority)) => Ok(Self { keys, id, authority }),
            _ => Err(unverified(signature.verdict)),
        }
    }

    /// Adds the key's names and the bounds of its publication: the inner ones, and the outer ones that findings rest on.
    fn describe(&self, evidence: Evidence, standing: Option<&Standing>) -> Evidence {
        let key = self.keys.key(self.id);
        let sources: Vec<_> = key
            .listings
            .iter()
            .filter(|listing| self.authority.sources.contains(&listing.source))
            .map(|listing| self.keys.source_name(listing.source).to_owned())
            .take(limits::LISTED_MAX)
            .collect();
        let mut evidence = evidence.fact("key_kid", key.kid.clone()).fact("key_sources", sources);
        let Some(standing) = standing else { return evidence };
        let bounds = [
            ("first_seen", Some(standing.first_seen)),
            ("last_seen", Some(standing.last_seen)),
            ("last_absent_before", standing.last_absent_before),
            ("first_absent_after", standing.first_absent_after),
        ];
        for (name, at) in bounds.into_iter().filter_map(|(name, at)| Some((name, at?))) {
            evidence = evidence.fact(name, at.to_string());
        }
        evidence
    }
}

/// What a rule about the verifying key says where no key verified the token: nothing if verification was tried and
/// other rules speak about its result, else that it could not look.
fn unverified(verdict: Verdict) -> Check {
    match verdict {
        Verdict::Invalid | Verdict::KeyUnknown | Verdict::Unsigned => Check::Quiet,
        Verdict::NotCovered => Check::NotEvaluable(Reason::NO_COVERAGE),
        _ => Check::NotEvaluable(Reason::NOT_VERIFIED),
    }
}
