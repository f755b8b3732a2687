//! A distinct token with everything about it that no request can change: parsed, verified, judged by the token-only
//! rules. What is dear to find out is found out once and shared; what the value says is read again by each worker that
//! meets it, for the claims take twice the memory of the value.

use super::Engine;
use super::pairings::Paired;
use super::trails;
use crate::codec::base64url::Spelling;
use crate::codec::json::Parser;
use crate::entra;
use crate::facts::{Context, Facts, Outcome, TokenFacts};
use crate::keys::KeyId;
use crate::limits;
use crate::redact::{self, Fingerprint};
use crate::rules;
use crate::rules::kit::{Check, Evidence, Reason};
use crate::token::Token;
use crate::verify::{Remembered, Signature, Verdict};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A token as a worker has it at hand.
pub(super) struct Entry {
    pub(super) kept: Arc<Kept>,
    pub(super) facts: TokenFacts,
}

/// What the memo keeps of a token.
pub(super) struct Kept {
    value: Box<str>,
    at_cut: bool,
    fingerprint: Fingerprint,
    signature: Signature,
    /// The token-only rules that fire, by their places.
    pub(super) fires: Box<[(usize, Box<Evidence>)]>,
    /// The token-only rules that cannot look, and why.
    pub(super) unlooked: Box<[(usize, Reason)]>,
    /// The byte-least source that holds the verifying key.
    pub(super) key_source: Option<Box<str>>,
    /// What is known of it at the API that it was first used at, which nearly always is its only one.
    pub(super) first_paired: OnceLock<Arc<Paired>>,
    /// What the search for a key of another authority found, once it was made.
    foreign_key: OnceLock<Option<KeyId>>,
    /// Beginning of the digest of header and payload; 0 where there are no three parts that decode.
    pub(super) signed: u64,
    /// Number of the spelling of the signature; 0 for the canonical one.
    pub(super) spelling: u32,
    /// Length of the shortest text of the token that must not stand in any cell; a shorter text cannot hold one.
    pub(super) secret_bytes_min: usize,
}

impl fmt::Debug for Entry {
    /// Never the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("token", &self.facts.token).finish_non_exhaustive()
    }
}

impl Remembered for Arc<Kept> {
    fn is_about(&self, value: &str, at_cut: bool) -> bool {
        self.at_cut == at_cut && *self.value == *value
    }
}

impl Entry {
    /// Judges a token that was just verified.
    pub(super) fn new(
        engine: &Engine,
        value: &str,
        at_cut: bool,
        token: Token,
        signature: Signature,
    ) -> Self {
        let facts = TokenFacts { token, signature };
        let context = engine.context();
        let (mut fires, mut unlooked) = (Vec::new(), Vec::new());
        let lacks = rules::lacks_of_token(&facts);
        for (at, rule) in &engine.token_rules {
            match rule.judge_token(&facts, lacks, context) {
                Check::Quiet => {}
                Check::NotEvaluable(reason) => unlooked.push((*at, reason)),
                Check::Fires(evidence) => fires.push((*at, evidence)),
            }
        }
        let key_source = key_source(&facts, context);
        let lengths = secrets(value, &facts).map(str::len);
        let secret_bytes_min = lengths.filter(|length| *length >= limits::REDACTED_BYTES_MIN).min();
        let kept = Kept {
            value: value.into(),
            at_cut,
            fingerprint: facts.token.fingerprint,
            signature: facts.signature.clone(),
            fires: fires.into(),
            unlooked: unlooked.into(),
            key_source,
            signed: signed(&facts.token),
            spelling: spelling(value, &facts.token),
            first_paired: OnceLock::new(),
            foreign_key: OnceLock::new(),
            secret_bytes_min: secret_bytes_min.unwrap_or(usize::MAX),
        };
        Self { kept: Arc::new(kept), facts }
    }

    /// Reads a remembered token again.
    pub(super) fn of(kept: Arc<Kept>, parser: &mut Parser) -> Self {
        let token = Token::parse_known(&kept.value, kept.fingerprint, parser);
        let signature = kept.signature.clone();
        Self { kept, facts: TokenFacts { token, signature } }
    }

    /// Length of the value.
    pub(super) fn value_bytes(&self) -> usize {
        self.kept.value.len()
    }

    /// The key of another authority that verifies the token, at a request that asks for it ([`Facts::foreign_key`]).
    pub(super) fn foreign_key(&self, engine: &Engine, outcome: Outcome, verdict: Verdict) -> Option<KeyId> {
        let find = || engine.verifier().elsewhere(&self.kept.value, &self.facts.token);
        Facts::seeks_foreign_key(outcome, verdict).then(|| *self.kept.foreign_key.get_or_init(find))?
    }

    /// The texts of the token that must not stand in any cell.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        secrets(&self.kept.value, &self.facts)
    }
}

fn signed(token: &Token) -> u64 {
    token.signed_sha256.and_then(|sha256| sha256.first_chunk().copied()).map_or(0, u64::from_be_bytes)
}

/// Tells spellings of one signature apart that decode to the same bytes.
fn spelling(value: &str, token: &Token) -> u32 {
    let signature = token.form.jws().map(|jws| &jws.signature);
    let Some(signature) = signature.filter(|signature| signature.spelling == Spelling::NonCanonical) else {
        return 0;
    };
    let text = value.get(signature.range.clone()).unwrap_or_default();
    trails::short(trails::quick(text.as_bytes(), 0)).max(1)
}

/// The texts of a token that must not stand in any cell: the value, its payload and its signature.
fn secrets<'v>(value: &'v str, facts: &TokenFacts) -> impl Iterator<Item = &'v str> {
    let jws = facts.token.form.jws();
    let parts = jws.map(|jws| [&jws.payload, &jws.signature].map(|segment| value.get(segment.range.clone())));
    let others = jws.is_none().then(|| value.split('.').skip(1));
    [value].into_iter().chain(parts.into_iter().flatten().flatten()).chain(others.into_iter().flatten())
}

/// The byte-least source, among those that serve the issuer, which ever listed the verifying key.
fn key_source(facts: &TokenFacts, context: Context<'_>) -> Option<Box<str>> {
    let keys = context.keys?;
    let key = keys.key(facts.signature.key?);
    let serving = facts.signature.authority.as_ref();
    let sources = key.listings.iter().map(|listing| listing.source);
    let source = sources
        .filter(|source| serving.is_none_or(|authority| authority.sources.contains(source)))
        .map(|source| keys.source_name(source))
        .min()?;
    Some(redact::cell(source, &[]).into())
}

/// True if the token's claims and header pass the filters that name them.
pub(super) fn passes(filters: &super::Filters, facts: &TokenFacts) -> bool {
    let claims = facts.token.claims();
    let header = facts.header();
    let any = |wanted: &[String], value: Option<&str>| {
        wanted.is_empty()
            || value.is_some_and(|value| {
                wanted.iter().any(|wanted| {
                    wanted == value || (entra::is_guid(wanted) && wanted.eq_ignore_ascii_case(value))
                })
            })
    };
    any(&filters.tid, claims.and_then(|claims| claims.tid.as_deref()))
        && any(&filters.oid, claims.and_then(|claims| claims.oid.as_deref()))
        && any(&filters.client, claims.and_then(|claims| claims.client_id.as_deref()))
        && any(&filters.uti, claims.and_then(|claims| claims.uti))
        && any(&filters.sid, claims.and_then(|claims| claims.sid))
        && any(&filters.kid, header.and_then(|header| header.kid))
        && (filters.token.is_empty() || {
            let sha256 = facts.token.fingerprint.hex();
            filters.token.iter().any(|token| token.eq_ignore_ascii_case(&sha256))
        })
}
