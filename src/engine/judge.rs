//! One record against policy, keys and rules; shared by the line path and the batch path.

use super::activity::ActivityKey;
use super::entry::{self, Entry};
use super::front::Front;
use super::names::Names;
use super::onward::Part;
use super::order::{FirstTen, Seen};
use super::partial::{Coverage, CoverageKey, Finding, FindingKey};
use super::shared::Shared;
use super::tokens::{TokenNames, TokenNumber, TokenSummary};
use super::uses::Use;
use super::write::{self, Place, Seat, Tokens};
use super::{Engine, Input, Partial, Rows};
use crate::facts::{DataTenant, Facts, JudgedTime, Outcome};
use crate::findings::finding_id;
use crate::policy::{ApiMatch, Request, Stage};
use crate::record::{Presence, Record};
use crate::redact::Secrets;
use crate::rules::Rule;
use crate::rules::kit::{Evidence, Severity};
use crate::time::UtcMicros;
use crate::verify::Signature;
use crate::verify::Verdict;
use hashbrown::hash_map::Entry as MapEntry;
use std::cell::OnceCell;
use std::net::IpAddr;

impl Engine {
    /// Judges one record, or a part of it. False if it does not pass the filters.
    pub(super) fn judge(
        &self,
        input: &Input,
        part: &Part<'_>,
        seat: Seat,
        front: &mut Front,
        partial: &mut Partial,
        rows: &mut Rows,
    ) -> bool {
        let Part { scanned, slots, all, onward } = *part;
        let record = &scanned.record;
        let time = JudgedTime::of(record);
        let gateway = input.gateway().or(record.gateway);
        let request = Request {
            gateway,
            host: record.host,
            method: record.method,
            path: record.path,
            route: record.route,
        };
        let api = self.policy.as_ref().map(|policy| policy.api_of(request));
        let settings = api.and_then(|api| api.settings);
        let name = settings.map(|settings| settings.name.as_str());
        if !self.keeps(record, time, gateway, name, Tokens { front, slots }) {
            partial.counts.filtered += u64::from(!onward);
            return false;
        }
        let authorizes_on = settings.and_then(|settings| settings.authorizes_on.as_deref());
        let shared = Shared {
            record,
            position: scanned.position,
            time,
            outcome: Outcome::of(record),
            gateway,
            api: settings,
            validation: self.validation(input, record.gateway),
            principal: authorizes_on.and_then(|role| record.role(role)),
            data_tenant: DataTenant::of(self.policy.as_deref(), settings, request, record.data_tenant),
        };
        self.pair(front, slots, &shared);
        let tokens = Tokens { front, slots };
        let place = Place::new(partial, scanned, (tokens, Tokens { front, slots: all }), time, seat, name);
        if record.tokens.is_empty() {
            shared.observe_tokenless(partial);
        }
        let (new, not_evaluable) = self.judge_uses(&shared, tokens, &place, partial, rows);
        if !onward {
            self.count_record(record, time, api, not_evaluable, &place, partial);
        }
        for (slot, token) in new {
            front.note(slot, partial.id, token);
        }
        true
    }

    /// The verdict at a request; only where the token names no time does it depend on the request's.
    pub(super) fn verdict(&self, signature: &Signature, time: Option<JudgedTime>) -> Verdict {
        if signature.by_request {
            self.verifier().verdict_at(signature, time.map(|time| time.at))
        } else {
            signature.verdict
        }
    }

    /// True if the record passes the filters.
    fn keeps(
        &self,
        record: &Record<'_>,
        time: Option<JudgedTime>,
        gateway: Option<&str>,
        api: Option<&str>,
        tokens: Tokens<'_>,
    ) -> bool {
        let filters = &self.filters;
        let named = |wanted: &[String], value: Option<&str>| {
            wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value))
        };
        time.is_none_or(|time| filters.period.contains(time.at))
            && named(&filters.gateway, gateway)
            && named(&filters.api, api)
            && (filters.ip.is_empty()
                || record
                    .client_ip
                    .is_some_and(|address| filters.ip.iter().any(|wanted| same_address(wanted, address))))
            && (!self.filters_tokens || tokens.each().any(|(_, entry)| entry::passes(filters, &entry.facts)))
    }

    /// Counts a record whose tokens were judged.
    fn count_record(
        &self,
        record: &Record<'_>,
        time: Option<JudgedTime>,
        api: Option<ApiMatch<'_>>,
        not_evaluable: bool,
        place: &Place<'_>,
        partial: &mut Partial,
    ) {
        let counts = &mut partial.counts;
        counts.records += 1;
        counts.repaired += u64::from(record.repaired);
        counts.add_presence(record.presence);
        counts.add_time(time.map(|time| time.at));
        let uncovered = api.is_some_and(|api| api.settings.is_none());
        partial.uncovered += u64::from(uncovered);
        if uncovered {
            partial.uncovered_at.count(record, place);
        }
        if let (Some(name), true) = (place.api, api.is_some_and(|api| api.ambiguous)) {
            *partial.ambiguous.entry(name).or_default() += 1;
        }
        if let (Some(gateway), Some(time), true) = (place.gateway, time, self.expects_records) {
            partial.gateways.entry(gateway).or_default().add_minute(time.at);
        }
        let coverage = place.coverage(partial);
        coverage.records += 1;
        coverage.uncovered += i64::from(uncovered);
        coverage.not_evaluable += i64::from(not_evaluable);
        match record.presence {
            Presence::Present => coverage.tokens += 1,
            Presence::Masked => coverage.masked += 1,
            Presence::OtherScheme | Presence::Absent => coverage.no_token += 1,
        }
    }

    /// Counts a use of a token in the token and activity tables; `known` is its number, if it is at hand.
    pub(super) fn count_use(
        &self,
        facts: &Facts<'_>,
        entry: &Entry,
        known: Option<TokenNumber>,
        place: &Place<'_>,
        partial: &mut Partial,
    ) -> TokenNumber {
        partial.counts.uses += 1;
        partial.verdicts.add(facts.verdict);
        let number = known.unwrap_or_else(|| token_number(facts, entry, partial));
        let Partial { tokens, names, activity, .. } = partial;
        if let Some(summary) = tokens.get_mut(number) {
            let time = facts.time.map(|time| time.at);
            summary.uses += 1;
            summary.doubted |= facts.is_doubted();
            summary.seen.add(time);
            match facts.outcome {
                Outcome::Accepted => summary.accepted += 1,
                Outcome::DeniedAuthn | Outcome::DeniedAuthz => summary.denied += 1,
                Outcome::Unknown => {}
            }
            if facts.verdict < summary.verdict {
                summary.verdict = facts.verdict;
                summary.key_source = entry.kept.key_source.as_deref().map(|source| names.id(source));
            }
            if let Some(address) = place.client_ip
                && summary.last_ip != place.client_ip
            {
                summary.last_ip = place.client_ip;
                summary.client_ips.add(names.hash(address));
            }
            if let Some(host) = place.host {
                summary.hosts.add(place.at, host, names);
            }
            // A token's claims may quote the other token of the same record; a lone token's claims were cleaned when it
            // was made.
            if place.has_several_tokens() {
                let beside = TokenNames::new(entry, || place.secrets(), place.secret_bytes_min, names);
                summary.texts.keep_least(&beside, names);
            }
            if self.activity {
                let places = [place.gateway, place.api, place.client_ip];
                let key = ActivityKey::new(place.hour, number, places, facts.outcome);
                activity.count(key, time, summary);
            }
        }
        count_clock(facts, place, partial);
        number
    }

    /// Books what a rule found, unless it is silent here or its catalogue entry has no severity for the outcome.
    pub(super) fn fire(
        &self,
        at: usize,
        evidence: &Evidence,
        uses: &Use<'_, '_>,
        partial: &mut Partial,
        rows: &mut Rows,
    ) {
        let Some(rule) = self.rules.get(at).filter(|rule| !uses.paired.silence().covers(rule.category))
        else {
            return;
        };
        if let Some(severity) = rule.severity(evidence, uses.facts.outcome, uses.facts.time) {
            self.book(at, rule, evidence, severity, uses, partial, rows);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the places a finding leaves its marks in")]
    fn book(
        &self,
        rule_at: usize,
        rule: &'static Rule,
        evidence: &Evidence,
        severity: Severity,
        uses: &Use<'_, '_>,
        partial: &mut Partial,
        rows: &mut Rows,
    ) {
        let Use { facts, token, place, .. } = *uses;
        let key = FindingKey {
            rule: rule_at,
            token,
            gateway: place.gateway,
            api: place.api,
            outcome: facts.outcome,
        };
        let confidence = evidence.confidence.unwrap_or(rule.confidence);
        let enforced = facts.api.is_none_or(|api| api.stage == Stage::Enforce);
        let time = facts.time.map(|time| time.at);
        let accepted_by = self.accepts.reason_at(rule_at, evidence, facts, place, partial);
        let accepted = i64::from(accepted_by.is_some());
        let names = &partial.names;
        let finding = match partial.findings.entry(key) {
            MapEntry::Vacant(vacant) => vacant.insert(Finding {
                id: id_of(rule, facts, place, names),
                count: 1,
                accepted,
                accepted_by,
                severity,
                confidence,
                verdict: facts.verdict,
                enforced,
                seen: Seen::at(time),
                at: place.at,
                detail: place.detail(evidence, facts, names),
                client_ips: FirstTen::of(place.at, place.client_ip),
            }),
            MapEntry::Occupied(mut known) => {
                let finding = known.get_mut();
                finding.count += 1;
                finding.accepted += accepted;
                finding.accept_by(accepted_by, names);
                finding.severity = finding.severity.max(severity);
                finding.confidence = finding.confidence.max(confidence);
                finding.verdict = finding.verdict.min(facts.verdict);
                finding.enforced |= enforced;
                finding.seen.add(time);
                if let Some(address) = place.client_ip {
                    finding.client_ips.add(place.at, address, names);
                }
                let order = place.at.order(&finding.at, names);
                if order.is_lt() || (order.is_eq() && place.detail(evidence, facts, names) < finding.detail) {
                    finding.at = place.at;
                    finding.detail = place.detail(evidence, facts, names);
                }
                known.into_mut()
            }
        };
        if self.occurrences
            && severity > Severity::Info
            && severity >= self.filters.min_severity.unwrap_or(severity)
        {
            let at = (place, names);
            let row = write::occurrence(&finding.id, (rule, severity), facts, at, &mut partial.agents);
            rows.occurrences.push(row);
        }
    }
}

/// Notes by how much a validly signed token was used before it was issued, as its gateway's clock has it.
fn count_clock(facts: &Facts<'_>, place: &Place<'_>, partial: &mut Partial) {
    let issued = facts.token.claims().and_then(|claims| claims.iat);
    let (Some(gateway), Some(time), Some(issued), true) =
        (place.gateway, facts.time, issued, facts.is_vouched())
    else {
        return;
    };
    let age = time.at.0.saturating_sub(UtcMicros::from_seconds(issued).0).div_euclid(crate::time::SECOND);
    if age < 0 {
        let state = partial.gateways.entry(gateway).or_default();
        state.clock_offset_s = Some(state.clock_offset_s.map_or(age, |least| least.min(age)));
    }
}

/// The number of a token that may be new to the partial.
fn token_number(facts: &Facts<'_>, entry: &Entry, partial: &mut Partial) -> TokenNumber {
    let fingerprint = facts.token.token.fingerprint;
    partial.tokens.number(fingerprint).unwrap_or_else(|| {
        let own = OnceCell::new();
        let secrets = || own.get_or_init(|| Secrets::new(entry.secrets().collect()));
        partial.tokens.push(TokenSummary::new(entry, facts.verdict, secrets, &mut partial.names))
    })
}

/// The id of a finding at a place.
fn id_of(rule: &Rule, facts: &Facts<'_>, place: &Place<'_>, names: &Names) -> String {
    let sha256 = facts.token.token.fingerprint.hex();
    let (gateway, api) = (names.optional(place.gateway), names.optional(place.api));
    finding_id(rule.id, Some(&sha256), gateway, api, Some(facts.outcome.name()), None)
}

/// True if two texts name the same address; texts that are none are compared as they stand.
fn same_address(a: &str, b: &str) -> bool {
    match (a.parse::<IpAddr>(), b.parse::<IpAddr>()) {
        (Ok(a), Ok(b)) => a.to_canonical() == b.to_canonical(),
        _ => a == b,
    }
}

impl Place<'_> {
    /// The row of the coverage table that the record counts in.
    fn coverage<'p>(&self, partial: &'p mut Partial) -> &'p mut Coverage {
        let key = CoverageKey { hour: self.hour, gateway: self.gateway, api: self.api };
        partial.coverage.entry(key).or_default()
    }
}
