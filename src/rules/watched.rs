//! Uses of what the operator's watch files and revocations name.

use super::kit::{Confidence, Evidence, Reason};
use crate::facts::{Facts, TokenFacts};
use crate::policy::{WatchEntry, WatchList, Watched};
use crate::time::Period;
use crate::token::Claims;

/// The first entry that matches a use and whose period is accepted.
pub(super) fn first<'l>(
    list: &'l WatchList,
    facts: &'l Facts<'_>,
    mut in_period: impl FnMut(Period) -> bool,
) -> Option<&'l WatchEntry> {
    first_entry(list, facts, |entry| in_period(entry.period))
}

/// The first entry that matches a use and is accepted.
pub(super) fn first_entry<'l>(
    list: &'l WatchList,
    facts: &'l Facts<'_>,
    mut accept: impl FnMut(&WatchEntry) -> bool,
) -> Option<&'l WatchEntry> {
    let accepted = list.matching(used(facts)).filter(|(_, entry)| accept(entry));
    accepted.min_by_key(|(at, _)| *at).map(|(_, entry)| entry)
}

/// True if some use of a token may match: an entry does but for its address, or gives nothing but an address. What cannot be
/// read may match too.
pub(super) fn may_match(list: &WatchList, token: &TokenFacts) -> bool {
    token.claims().is_none() || list.may_match(shown(token))
}

/// What a use shows of itself.
fn used<'f>(facts: &'f Facts<'_>) -> Watched<'f> {
    Watched { ip: facts.record.client_ip, ..shown(facts.token) }
}

/// What a token shows of itself.
fn shown(token: &TokenFacts) -> Watched<'_> {
    let claims = token.claims();
    Watched {
        fingerprint: token.token.fingerprint.0,
        uti: claims.and_then(|claims| claims.uti).map(|uti| uti.trim_end_matches('=')),
        sid: claims.and_then(|claims| claims.sid),
        oid: claims.and_then(|claims| claims.oid.as_deref()),
        client: claims.and_then(|claims| claims.client_id.as_deref()),
        kid: token.header().and_then(|header| header.kid),
        tid: claims.and_then(Claims::tenant),
        ip: None,
    }
}

/// Why a use without a match may have one after all.
pub(super) fn unseen(facts: &Facts<'_>, undated: bool) -> Option<Reason> {
    match facts.token.claims() {
        _ if undated => Some(Reason::NO_TIME),
        None => Some(Reason::NO_CLAIMS),
        Some(_) => None,
    }
}

/// Adds what the entry gives, and how sure that makes the finding.
pub(super) fn describe(mut evidence: Evidence, entry: &WatchEntry, facts: &Facts<'_>) -> Evidence {
    let address = entry.ip.and(facts.record.client_ip).map(str::to_owned);
    let given = [
        ("token_sha256", &entry.token_sha256),
        ("uti", &entry.uti),
        ("sid", &entry.sid),
        ("oid", &entry.oid),
        ("client", &entry.client),
        ("kid", &entry.kid),
        ("tid", &entry.tid),
        ("ip", &address),
    ];
    let given: Vec<(&str, &String)> =
        given.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
    evidence.actual = given.first().map(|(_, value)| (*value).clone());
    let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
    let by_claims = names.iter().any(|name| !matches!(*name, "token_sha256" | "ip"));
    if by_claims && facts.context.keys.is_some() && !facts.is_vouched() {
        evidence.confidence = Some(Confidence::Heuristic);
    }
    let evidence = evidence.fact("matched", names);
    match &entry.reason {
        Some(reason) => evidence.fact("reason", reason.as_str()),
        None => evidence,
    }
}
