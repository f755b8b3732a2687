//! Family B: signature and key history.

pub(super) mod archive_tamper;
pub(super) mod key_alg_mismatch;
pub(super) mod key_bad_exponent;
pub(super) mod key_before_cert;
pub(super) mod key_before_publish;
pub(super) mod key_cert_expired;
pub(super) mod key_cert_mismatch;
pub(super) mod key_cloud_mismatch;
pub(super) mod key_compromised;
pub(super) mod key_custom;
pub(super) mod key_custom_unexpected;
pub(super) mod key_duplicate_kid;
pub(super) mod key_issuer_absent;
pub(super) mod key_issuer_mismatch;
pub(super) mod key_material_changed;
pub(super) mod key_no_coverage;
pub(super) mod key_retired_at_iat;
pub(super) mod key_retired_at_use;
pub(super) mod key_source_mismatch;
pub(super) mod key_symmetric_published;
pub(super) mod key_thumbprint_mismatch;
pub(super) mod key_use_mismatch;
pub(super) mod key_weak_rsa;
pub(super) mod keyset_shrunk;
pub(super) mod kid_mislabelled;
pub(super) mod kid_unknown;
pub(super) mod sig_invalid;

use super::archive;
use super::kit::{Check, Evidence, Reason};
use crate::facts::{Context, TokenFacts};
use crate::keys::{Authority, Key, KeyHistory, KeyId, Listing, SourceKind, Standing};
use crate::verify::Verdict;

/// The key that verifies a token, with what is known about it.
pub(super) struct VerifyingKey<'a> {
    keys: &'a KeyHistory,
    id: KeyId,
    authority: &'a Authority,
}

impl<'a> VerifyingKey<'a> {
    /// # Errors
    ///
    /// What a rule about the verifying key says where there is none.
    pub(super) fn of(token: &'a TokenFacts, context: Context<'a>) -> Result<Self, Check> {
        let signature = &token.signature;
        match (context.keys, signature.key, &signature.authority) {
            (Some(keys), Some(id), Some(authority)) => Ok(Self { keys, id, authority }),
            _ => Err(unverified(signature.verdict)),
        }
    }

    /// What all documents together say about it.
    fn key(&self) -> &'a Key {
        self.keys.key(self.id)
    }

    /// How the sources of the issuer list it.
    fn listings(&self) -> impl Iterator<Item = &'a Listing> {
        let sources = &self.authority.sources;
        self.key().listings.iter().filter(move |listing| sources.contains(&listing.source))
    }

    /// The applications whose own key it is: those of its sources, if each of them is an application's (`appid=`). Such
    /// a source may list the tenant's keys as well, and those are nobody's own.
    pub(super) fn custom_apps(&self) -> Vec<&'a str> {
        let app = |listing: &Listing| match &self.keys.source(listing.source).kind {
            SourceKind::Entra(source) => source.appid.as_deref(),
            _ => None,
        };
        let mut apps: Vec<&str> = self.listings().map(app).collect::<Option<_>>().unwrap_or_default();
        apps.dedup();
        apps
    }

    /// True if it is the own key of an application that the policy expects to have one.
    fn is_declared_custom(&self, context: Context<'_>) -> bool {
        let declared = context.policy.map(|policy| &policy.keys().custom_key_apps);
        self.custom_apps().iter().any(|app| {
            declared.is_some_and(|declared| declared.iter().any(|known| known.eq_ignore_ascii_case(app)))
        })
    }

    /// Adds the key's names and the bounds of its publication: the inner ones, and the outer ones that findings rest on.
    fn describe(&self, evidence: Evidence, standing: Option<&Standing>) -> Evidence {
        let sources = archive::source_names(self.keys, self.listings());
        let mut evidence = evidence.fact("key_kid", self.key().kid.clone()).fact("key_sources", sources);
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

/// The keys that a token resolves to: the one that verifies it, else those that it names, verifiable or not.
fn resolved_keys<'a>(token: &'a TokenFacts, context: Context<'a>) -> impl Iterator<Item = &'a Key> {
    let signature = &token.signature;
    let named = signature.named.iter().filter(|_| signature.key.is_none());
    let ids = signature.key.iter().chain(named);
    context.keys.into_iter().flat_map(move |keys| ids.clone().map(|id| keys.key(*id)))
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
