//! A distinct token with everything about it that no request can change: parsed, verified, judged by the token-only
//! rules, its columns written out. Made once, remembered, shared.

use super::Engine;
use crate::entra;
use crate::facts::{Context, TokenFacts};
use crate::findings::TokenCells;
use crate::limits;
use crate::redact::{self, Secrets};
use crate::rules::kit::{Check, Judge};
use crate::token::Token;
use crate::verify::Signature;

/// See the module.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) facts: TokenFacts,
    /// What the token-only rules said, where they did not stay quiet: (place of the rule, check).
    pub(super) checks: Vec<(usize, Check)>,
    pub(super) cells: TokenCells,
    /// The byte-least source that holds the verifying key.
    pub(super) key_source: Option<String>,
}

impl Entry {
    /// Judges a token that was just verified.
    pub(super) fn new(engine: &Engine, value: &str, token: Token, signature: Signature) -> Self {
        let sha256 = token.fingerprint.hex();
        let facts = TokenFacts { token, signature, sha256 };
        let context = engine.context();
        let checks = engine
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| matches!(rule.judge, Judge::Token(_)))
            .map(|(at, rule)| (at, rule.judge_token(&facts, context)))
            .filter(|(_, check)| *check != Check::Quiet)
            .collect();
        let cells = cells(&facts, &Secrets::new(secrets(value, &facts)));
        let key_source = key_source(&facts, context);
        Self { facts, checks, cells, key_source }
    }
}

/// The texts of a token that must not stand in any cell: the value, its payload and its signature.
pub(super) fn secrets<'v>(value: &'v str, facts: &TokenFacts) -> Vec<&'v str> {
    let mut secrets = vec![value];
    if let Some(jws) = facts.token.form.jws() {
        for segment in [&jws.payload, &jws.signature] {
            secrets.extend(value.get(segment.range.clone()));
        }
    } else {
        secrets.extend(value.split('.').skip(1));
    }
    secrets
}

/// The columns of a token, redacted and cut.
pub(super) fn cells(facts: &TokenFacts, secrets: &Secrets<'_>) -> TokenCells {
    let cell = |text: Option<&str>| text.map(|text| secrets.cell(text).into_owned());
    let list = |items: Option<&Vec<String>>| {
        items.map(|items| {
            items.iter().take(limits::LIST_ITEMS_MAX).map(|item| secrets.cell(item).into_owned()).collect()
        })
    };
    let mut cells = TokenCells::default();
    if let Some(header) = facts.header() {
        cells.kid = cell(header.kid.as_deref());
        cells.alg = cell(header.alg.as_deref());
        cells.typ = cell(header.typ.as_deref());
    }
    if let Some(claims) = facts.token.claims() {
        cells.iss = cell(claims.iss.as_deref());
        cells.aud = cell(claims.audience.column().as_deref());
        cells.tid = cell(claims.tid.as_deref());
        cells.oid = cell(claims.oid.as_deref());
        cells.sub = cell(claims.sub.as_deref());
        cells.client_id = cell(claims.client_id.as_deref());
        cells.uti = cell(claims.uti.as_deref());
        cells.sid = cell(claims.sid.as_deref());
        cells.scp = list(claims.scp.as_ref());
        cells.roles = list(claims.roles.as_ref());
        cells.token_version = Some(claims.version.name().to_owned());
        cells.token_kind = Some(claims.kind.name().to_owned());
        cells.iat = claims.iat;
        cells.nbf = claims.nbf;
        cells.exp = claims.exp;
    }
    cells
}

/// The byte-least source, among those that serve the issuer, which ever listed the verifying key.
fn key_source(facts: &TokenFacts, context: Context<'_>) -> Option<String> {
    let keys = context.keys?;
    let key = keys.key(facts.signature.key?);
    let serving = facts.signature.authority.as_ref();
    let sources = key.listings.iter().map(|listing| listing.source);
    let source = sources
        .filter(|source| serving.is_none_or(|authority| authority.sources.contains(source)))
        .map(|source| keys.source_name(source))
        .min()?;
    Some(redact::cell(source, &[]).into_owned())
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
        && any(&filters.uti, claims.and_then(|claims| claims.uti.as_deref()))
        && any(&filters.sid, claims.and_then(|claims| claims.sid.as_deref()))
        && any(&filters.kid, header.and_then(|header| header.kid.as_deref()))
        && (filters.token.is_empty()
            || filters.token.iter().any(|token| token.eq_ignore_ascii_case(&facts.sha256)))
}
