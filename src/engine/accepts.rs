//! `[[accept]]`: what is known and accepted. Judged at each request with that request's `actual`, so that an exception never
//! hides what it was not written for; found by the rule, so that a policy without exceptions pays nothing.

use super::Partial;
use super::names::Name;
use super::write::Place;
use crate::facts::Facts;
use crate::findings::FindingRow;
use crate::policy::Accept;
use crate::policy::Policy;
use crate::redact;
use crate::rules;
use crate::rules::kit::{Category, Evidence};
use crate::time::UtcMicros;

/// The exceptions of a policy, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Accepts {
    /// By place of the rule among the engine's rules; empty if the policy has no exception.
    by_rule: Vec<Vec<Exception>>,
}

#[derive(Debug)]
struct Exception {
    /// Place among the policy's exceptions.
    number: usize,
    accept: Accept,
    /// Its reason as it may be written.
    reason: String,
    /// Whether its rule looks at claims, so that whoever forges a token chooses what `actual` is.
    of_claims: bool,
}

/// What of a finding an exception looks at. Texts are as they are written, because people copy them from the tables.
struct Seen<'s> {
    /// Whether a key vouches for the claims.
    verified: bool,
    /// Fingerprint, 64 hexadecimal digits.
    token: Option<&'s str>,
    client: Option<&'s str>,
    oid: Option<&'s str>,
    tid: Option<&'s str>,
    kid: Option<&'s str>,
    api: Option<&'s str>,
    gateway: Option<&'s str>,
    actual: Option<&'s str>,
    /// When it is judged.
    at: Option<UtcMicros>,
}

/// What is known of a finding beside its row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subject {
    /// Whether it is what the archive says of its own keys, which needs no signature.
    pub(super) of_archive: bool,
    /// Whether its token's claims can be relied on.
    pub(super) vouched: bool,
    /// Whether one of its requests has no time, so that nobody knows whether an exception that ends held for all.
    pub(super) undated: bool,
}

/// What an exception says about a request that is of its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It is about something else.
    No,
    /// It is about this, but no key vouches for the claims that it names.
    Unverified,
    /// It is about this, and had ended.
    Expired,
    /// It is about this and ends some day, and nobody knows whether the request came before.
    Undated,
    /// It accepts.
    Yes,
}

/// How often an exception was asked about what it names, in requests; a statement about the run as a whole counts as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AcceptCount {
    /// It accepted them.
    pub accepted: u64,
    /// They came after it had expired.
    pub expired: u64,
    /// They have no time, so that nobody knows whether it had expired: not accepted.
    pub undated: u64,
    /// No key vouches for the claims that it names: not accepted.
    pub unverified: u64,
}

/// Counts by place among the policy's exceptions; shorter than these where the rest was never met.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct AcceptCounts(Vec<AcceptCount>);

impl AcceptCounts {
    /// The counts of an exception.
    pub(super) fn of(&self, number: usize) -> AcceptCount {
        self.0.get(number).copied().unwrap_or_default()
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (number, theirs) in other.0.iter().enumerate() {
            if let Some(mine) = self.entry(number) {
                mine.accepted += theirs.accepted;
                mine.expired += theirs.expired;
                mine.undated += theirs.undated;
                mine.unverified += theirs.unverified;
            }
        }
    }

    fn add(&mut self, number: usize, answer: Answer, requests: u64) {
        let Some(count) = self.entry(number) else { return };
        match answer {
            Answer::No => {}
            Answer::Unverified => count.unverified += requests,
            Answer::Expired => count.expired += requests,
            Answer::Undated => count.undated += requests,
            Answer::Yes => count.accepted += requests,
        }
    }

    fn entry(&mut self, number: usize) -> Option<&mut AcceptCount> {
        if self.0.len() <= number {
            self.0.resize_with(number + 1, AcceptCount::default);
        }
        self.0.get_mut(number)
    }
}

impl Accepts {
    /// The exceptions of a policy about rules of these ids.
    pub(super) fn new<'r>(policy: Option<&Policy>, rules: impl Iterator<Item = &'r str>) -> Self {
        let accepts = policy.map_or(&[][..], Policy::accepts);
        if accepts.is_empty() {
            return Self::default();
        }
        let of_rule = |id: &str| {
            let mine = accepts.iter().enumerate().filter(|(_, accept)| accept.rule == id);
            mine.map(|(number, accept)| Exception::new(number, accept)).collect()
        };
        Self { by_rule: rules.map(of_rule).collect() }
    }

    /// True if there is an exception about a rule, by its place among the engine's rules.
    fn concern(&self, rule: usize) -> bool {
        self.by_rule.get(rule).is_some_and(|mine| !mine.is_empty())
    }

    /// The reason to accept what a rule found at a use, as a name of the partial.
    pub(super) fn reason_at(
        &self,
        rule: usize,
        evidence: &Evidence,
        facts: &Facts<'_>,
        place: &Place<'_>,
        partial: &mut Partial,
    ) -> Option<Name> {
        if !self.concern(rule) {
            return None;
        }
        let claims = facts.token.claims();
        let token = facts.token.token.fingerprint.hex();
        let actual = evidence.actual.as_deref().map(|actual| place.cell(actual));
        let seen = Seen {
            verified: facts.is_vouched(),
            token: Some(&token),
            client: claims.and_then(|claims| claims.client_id.as_deref()),
            oid: claims.and_then(|claims| claims.oid.as_deref()),
            tid: claims.and_then(|claims| claims.tid.as_deref()),
            kid: facts.token.header().and_then(|header| header.kid),
            api: facts.api.map(|api| api.name.as_str()),
            gateway: facts.gateway,
            actual: actual.as_deref(),
            at: facts.time.map(|time| time.at),
        };
        let reason = self.reason(rule, &seen, 1, &mut partial.accepts)?;
        Some(partial.names.id(reason))
    }

    /// The byte-least reason among the exceptions that accept; every one that was met is counted.
    fn reason(&self, rule: usize, seen: &Seen<'_>, requests: u64, counts: &mut AcceptCounts) -> Option<&str> {
        let mut least: Option<&str> = None;
        for exception in self.by_rule.get(rule)? {
            let answer = exception.answer(seen);
            counts.add(exception.number, answer, requests);
            if answer == Answer::Yes && least.is_none_or(|least| *exception.reason < *least) {
                least = Some(&exception.reason);
            }
        }
        least
    }

    /// Judges a finding that is not made of requests one by one: by what it has, as of its last request, or as of the last
    /// record of the run where it is about the run as a whole.
    pub(super) fn judge_row(
        &self,
        (rule, Subject { of_archive, vouched, undated }): (usize, Subject),
        row: &mut FindingRow,
        run_end: Option<UtcMicros>,
        counts: &mut AcceptCounts,
    ) {
        if !self.concern(rule) {
            return;
        }
        let token = row.token_sha256.map(|token| token.hex());
        let subject = row.subject.as_deref().filter(|_| of_archive);
        let seen = Seen {
            verified: of_archive || vouched,
            token: token.as_deref(),
            client: row.token.client_id.as_deref(),
            oid: row.token.oid.as_deref(),
            tid: row.token.tid.as_deref(),
            kid: row.token.kid.as_deref().or_else(|| subject?.strip_prefix("kid:")),
            api: row.api.as_deref(),
            gateway: row.gateway.as_deref(),
            actual: row.actual.as_deref(),
            at: if row.count > 0 { row.last_seen.filter(|_| !undated) } else { run_end },
        };
        let requests = u64::try_from(row.count).unwrap_or_default().max(1);
        row.accepted_by = self.reason(rule, &seen, requests, counts).map(str::to_owned);
    }
}

impl Exception {
    fn new(number: usize, accept: &Accept) -> Self {
        let category = rules::find(&accept.rule).map(|rule| rule.category);
        Self {
            number,
            accept: accept.clone(),
            reason: redact::cell(&accept.reason, &[]).into_owned(),
            of_claims: !matches!(category, Some(Category::Form | Category::Signature)),
        }
    }

    fn answer(&self, seen: &Seen<'_>) -> Answer {
        let Accept { token, client, oid, tid, api, gateway, kid, actual, until, .. } = &self.accept;
        let claims = [(client, seen.client), (oid, seen.oid), (tid, seen.tid), (kid, seen.kid)];
        let others = [(token, seen.token), (api, seen.api), (gateway, seen.gateway), (actual, seen.actual)];
        let holds = |(wanted, found): &(&Option<String>, Option<&str>)| {
            wanted.as_deref().is_none_or(|wanted| *found == Some(wanted))
        };
        if !claims.iter().all(holds) || !others.iter().all(holds) {
            return Answer::No;
        }
        // Whoever forges a token chooses its claims.
        let by_claims =
            claims.iter().any(|(wanted, _)| wanted.is_some()) || (self.of_claims && actual.is_some());
        if by_claims && !seen.verified {
            return Answer::Unverified;
        }
        match (*until, seen.at) {
            (None, _) => Answer::Yes,
            (Some(_), None) => Answer::Undated,
            (Some(until), Some(at)) if at < until => Answer::Yes,
            (Some(_), Some(_)) => Answer::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(tables: &str) -> Accepts {
        let policy = format!("version = 1\n[[api]]\nname = \"orders\"\nhosts = [\"a.example\"]\n{tables}");
        let policy = Policy::parse(&policy).unwrap();
        Accepts::new(Some(&policy), ["alg-none", "wrong-aud"].into_iter())
    }

    fn seen(at: Option<i64>) -> Seen<'static> {
        Seen {
            verified: true,
            token: Some("aa"),
            client: Some("client"),
            oid: Some("oid"),
            tid: None,
            kid: Some("kid"),
            api: Some("orders"),
            gateway: Some("edge"),
            actual: Some("api://x"),
            at: at.map(UtcMicros),
        }
    }

    /// The reason of rule 1, and what was counted of the first exception.
    fn asked(accepts: &Accepts, seen: &Seen<'_>) -> (Option<String>, AcceptCount) {
        let mut counts = AcceptCounts::default();
        let reason = accepts.reason(1, seen, 1, &mut counts).map(str::to_owned);
        (reason, counts.of(0))
    }

    #[test]
    fn all_that_is_given_must_match() {
        let of = |keys: &str| {
            let accepts = accepts(&format!("[[accept]]\nrule = \"wrong-aud\"\nreason = \"r\"\n{keys}"));
            asked(&accepts, &seen(None)).0.is_some()
        };
        for keys in [
            "client = \"client\"",
            "kid = \"kid\"\napi = \"orders\"",
            "gateway = \"edge\"\nactual = \"api://x\"\noid = \"oid\"",
        ] {
            assert!(of(keys), "{keys}");
        }
        for keys in ["client = \"other\"", "kid = \"KID\"", "api = \"orders\"\nactual = \"\"", "tid = \"t\""]
        {
            assert!(!of(keys), "{keys}");
        }
        assert!(!accepts("").concern(1));
        let accepts = accepts("[[accept]]\nrule = \"wrong-aud\"\nreason = \"r\"\nkid = \"kid\"");
        assert!(accepts.concern(1) && !accepts.concern(0) && !accepts.concern(7));
    }

    #[test]
    fn claims_count_only_with_a_signature() {
        let unverified = Seen { verified: false, ..seen(None) };
        let by = |key: &str| {
            asked(&accepts(&format!("[[accept]]\nrule = \"wrong-aud\"\nreason = \"r\"\n{key}")), &unverified)
        };
        // For wrong-aud `actual` is a claim, too.
        for key in ["client = \"client\"", "oid = \"oid\"", "kid = \"kid\"", "actual = \"api://x\""] {
            let unverified = AcceptCount { unverified: 1, ..AcceptCount::default() };
            assert_eq!(by(key), (None, unverified), "{key}");
        }
        for key in ["api = \"orders\"", "gateway = \"edge\""] {
            assert_eq!(by(key).0.as_deref(), Some("r"), "{key}");
        }
    }

    #[test]
    fn the_last_day_is_inside_and_a_request_without_a_time_is_not() {
        let day = 1_801_353_600_000_000;
        let accepts = accepts(
            "[[accept]]\nrule = \"wrong-aud\"\nreason = \"r\"\nkid = \"kid\"\nexpires = \"2027-01-31\"",
        );
        let count = AcceptCount::default();
        for (at, reason, counted) in [
            (Some(day + 86_399_999_999), Some("r"), AcceptCount { accepted: 1, ..count }),
            (Some(day + 86_400_000_000), None, AcceptCount { expired: 1, ..count }),
            (None, None, AcceptCount { undated: 1, ..count }),
        ] {
            let (found, counts) = asked(&accepts, &seen(at));
            assert_eq!((found.as_deref(), counts), (reason, counted), "{at:?}");
        }
    }

    #[test]
    fn of_several_reasons_the_byte_least_counts() {
        let table = |reason: &str| {
            format!("[[accept]]\nrule = \"wrong-aud\"\nreason = \"{reason}\"\nkid = \"kid\"\n")
        };
        let accepts = accepts(&(table("b") + &table("a") + &table("c")));
        let mut counts = AcceptCounts::default();
        assert_eq!(accepts.reason(1, &seen(None), 1, &mut counts), Some("a"));
        let mut twice = counts.clone();
        twice.merge(&counts);
        assert_eq!([0, 1, 2].map(|number| twice.of(number).accepted), [2, 2, 2]);
    }
}
