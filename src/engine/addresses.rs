//! The client addresses of findings that rules over many uses made: they keep no list, but the activity does.

use super::Partial;
use super::tokens::TokenNumber;
use crate::findings::FindingRow;
use crate::limits;
use crate::time::UtcMicros;
use hashbrown::HashMap;
use std::collections::BTreeSet;

/// Whether it has no time, so that it comes last; its time; the address.
type Sighting<'n> = (bool, Option<UtcMicros>, &'n str);

/// Fills in `client_ips` where a finding about a token has none: the addresses of all uses of the token at the finding's
/// gateway and API with its outcome, in the order in which they came. Without the activity they stay empty.
pub(super) fn fill(findings: &mut [FindingRow], partial: &Partial) {
    let mut wanted: HashMap<TokenNumber, Vec<usize>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        let number = finding.token_sha256.and_then(|token| partial.tokens.number(token));
        if let Some(number) = number.filter(|_| finding.count > 0 && finding.client_ips.is_empty()) {
            wanted.entry(number).or_default().push(at);
        }
    }
    if wanted.is_empty() {
        return;
    }
    let mut found: HashMap<usize, BTreeSet<Sighting<'_>>> = HashMap::new();
    let names = &partial.names;
    for row in partial.activity.rows() {
        let (Some(places), Some(address)) = (wanted.get(&row.key.token), names.optional(row.key.client_ip))
        else {
            continue;
        };
        let (gateway, api) = (names.optional(row.key.gateway), names.optional(row.key.api));
        for at in places {
            let here = findings.get(*at).is_some_and(|finding| {
                finding.gateway.as_deref() == gateway
                    && finding.api.as_deref() == api
                    && finding.outcome == Some(row.key.outcome)
            });
            if here {
                let first = row.seen.first();
                found.entry(*at).or_default().insert((first.is_none(), first, address));
            }
        }
    }
    for (at, addresses) in found {
        let mut listed: Vec<String> = Vec::new();
        for (.., address) in addresses {
            if listed.len() < limits::LISTED_MAX && !listed.iter().any(|known| known == address) {
                listed.push(address.to_owned());
            }
        }
        if let Some(finding) = findings.get_mut(at) {
            finding.client_ips = listed;
        }
    }
}
