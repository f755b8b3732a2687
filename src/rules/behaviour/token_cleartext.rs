//! `token-cleartext`

use crate::facts::{Facts, Outcome};
use crate::policy::Behaviour;
use crate::redact::Fingerprint;
use crate::rules::kit::{Category, Evidence, Reason, Severity, rule};
use crate::rules::run::{Conclusion, RestoreError, RunFinding, RunRule, RunState, RunUses};
use crate::rules::trails::Prefix;
use crate::time::UtcMicros;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::collections::BTreeMap;
use std::net::IpAddr;

rule! {
    /// A token was sent without TLS.
    ///
    /// Why it matters: everybody on the way can read and use it.
    ///
    /// What to do: close the port, or let it answer nothing but a redirect; treat the tokens as known to others.
    ///
    /// Known false positives: TLS that ends before the logger. Where nineteen of twenty requests of a source
    /// (`token-cleartext-notice-percent`) are of this kind, that is what it must be, and one notice a source takes the place of
    /// the findings; say `tls = "upstream"` for its gateway, and nothing is reported.
    "token-cleartext", Behaviour, "H/H", Leak, Strong,
    references: ["RFC 6750 section 5.3", "CWE-319", "ATT&CK T1040"],
    needs: [],
    judge: Run(&TokenCleartext),
}

/// Fewer requests cannot show that the others are less than a twentieth.
const REQUESTS_MIN: u64 = 20;
/// Version of the saved state.
const VERSION: u32 = 2;

struct TokenCleartext;

#[derive(Default)]
struct Cleartext {
    /// By source, because what a logger writes of TLS depends on where it stands.
    sources: BTreeMap<String, Source>,
    /// The source that is being read, with its uses that are not counted above yet: nearly all requests come over TLS, one
    /// source after the other.
    current: (String, u64),
    /// Uses of which the log does not tell.
    without_scheme: u64,
    /// `token-cleartext-notice-percent`, from the policy that every request has in common.
    percent: Option<u64>,
}

/// Uses of tokens in one source.
#[derive(Default)]
struct Source {
    uses: u64,
    in_clear: Findings,
}

/// By token. A token is used at few places, which are looked through without making texts for it.
type Findings = BTreeMap<[u8; 32], Vec<Finding>>;

/// A row of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Finding {
    gateway: Option<String>,
    api: Option<String>,
    outcome: Outcome,
    uses: Uses,
}

/// The requests of a finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Uses {
    count: u64,
    /// First and last time, in microseconds.
    seen: Option<(i64, i64)>,
    /// True if one of them has no time.
    undated: bool,
    first: First,
    /// Network of the first.
    net: Option<String>,
}

/// Time (none last), source, line and offset of a request.
type First = (bool, i64, String, Option<i64>, Option<i64>);

/// Name, uses and findings of a source.
type SavedSource = (String, u64, Vec<([u8; 32], Vec<Finding>)>);

/// The saved form of [`Cleartext`].
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    sources: Vec<SavedSource>,
    without_scheme: u64,
    percent: Option<u64>,
}

impl RunRule for TokenCleartext {
    fn start(&self) -> Box<dyn RunState> {
        Box::new(Cleartext::default())
    }

    fn restore(&self, saved: &[u8]) -> Result<Box<dyn RunState>, RestoreError> {
        let saved: Option<Saved> = serde_json::from_slice(saved).ok();
        let saved =
            saved.filter(|saved| saved.version == VERSION).ok_or(RestoreError { rule: "token-cleartext" })?;
        let mut state = Cleartext {
            without_scheme: saved.without_scheme,
            percent: saved.percent,
            ..Cleartext::default()
        };
        for (name, uses, findings) in saved.sources {
            let source = state.sources.entry(name).or_default();
            source.uses += uses;
            source.in_clear.extend(findings);
        }
        Ok(Box::new(state))
    }
}

impl RunState for Cleartext {
    fn observe(&mut self, facts: &Facts<'_>) {
        let Some(in_clear) = facts.record.scheme.and_then(is_in_clear) else {
            self.without_scheme += 1;
            return;
        };
        let policy = facts.context.policy;
        if in_clear && ends_upstream(facts) {
            return;
        }
        if self.percent.is_none() {
            self.percent = policy.map(|policy| policy.behaviour().token_cleartext_notice_percent);
        }
        let name = facts.position.source.unwrap_or_default();
        if self.current.0 != name {
            self.turn_to(name);
        }
        self.current.1 += 1;
        if in_clear {
            if !self.sources.contains_key(name) {
                self.sources.insert(name.to_owned(), Source::default());
            }
            if let Some(source) = self.sources.get_mut(name) {
                note(&mut source.in_clear, facts);
            }
        }
    }

    fn merge(&mut self, other: Box<dyn RunState>) {
        let Ok(mut other) = other.into_any().downcast::<Self>() else { return };
        other.turn_to("");
        self.without_scheme += other.without_scheme;
        self.percent = self.percent.or(other.percent);
        for (name, theirs) in other.sources {
            let mine = self.sources.entry(name).or_default();
            mine.uses += theirs.uses;
            add(&mut mine.in_clear, theirs.in_clear);
        }
    }

    fn save(&self) -> Vec<u8> {
        let pairs = |findings: &Findings| {
            let sorted = |rows: &Vec<Finding>| {
                let mut rows = rows.clone();
                rows.sort_by(|a, b| a.place().cmp(&b.place()));
                rows
            };
            findings.iter().map(|(token, rows)| (*token, sorted(rows))).collect()
        };
        let source =
            |(name, source): (&String, &Source)| (name.clone(), source.uses, pairs(&source.in_clear));
        let mut sources: Vec<SavedSource> = self.sources.iter().map(source).collect();
        sources.push((self.current.0.clone(), self.current.1, Vec::new()));
        let saved =
            Saved { version: VERSION, sources, without_scheme: self.without_scheme, percent: self.percent };
        serde_json::to_vec(&saved).unwrap_or_default()
    }

    fn conclude(mut self: Box<Self>) -> Conclusion {
        self.turn_to("");
        let percent = self.percent.unwrap_or(Behaviour::default().token_cleartext_notice_percent);
        let mut conclusion = Conclusion::default();
        let mut findings = Findings::new();
        for (name, source) in self.sources {
            let in_clear: u64 = source.in_clear.values().flatten().map(|row| row.uses.count).sum();
            let share = u128::from(in_clear) * 100 >= u128::from(source.uses) * u128::from(percent);
            if share && source.uses >= REQUESTS_MIN {
                conclusion.findings.push(notice(&name, in_clear, source.uses));
                continue;
            }
            add(&mut findings, source.in_clear);
        }
        let rows =
            findings.into_iter().flat_map(|(token, rows)| rows.into_iter().map(move |row| (token, row)));
        conclusion.findings.extend(rows.filter_map(finding));
        if self.without_scheme > 0 {
            conclusion.not_evaluable.push((Reason::NO_SCHEME, self.without_scheme));
        }
        conclusion
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl Cleartext {
    /// Counts what was read of the current source, and begins with another.
    fn turn_to(&mut self, name: &str) {
        let (source, uses) = std::mem::replace(&mut self.current, (name.to_owned(), 0));
        if uses > 0 {
            self.sources.entry(source).or_default().uses += uses;
        }
    }
}

/// Whether a scheme is one without TLS; `None` for words that are no schemes of HTTP.
fn is_in_clear(scheme: &str) -> Option<bool> {
    if scheme == "https" {
        return Some(false);
    }
    let is = |names: [&str; 2]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
    if is(["https", "wss"]) { Some(false) } else { is(["http", "ws"]).then_some(true) }
}

/// True if the policy says that TLS ends before the gateway that logged the request.
fn ends_upstream(facts: &Facts<'_>) -> bool {
    let gateway = facts
        .context
        .policy
        .zip(facts.gateway)
        .and_then(|(policy, name)| policy.gateway_named(name).and_then(|id| policy.gateways().get(id.0)));
    gateway.is_some_and(|gateway| gateway.tls_upstream)
}

/// Gateway, API and outcome.
type Place<'p> = (Option<&'p str>, Option<&'p str>, Outcome);

impl Finding {
    fn place(&self) -> Place<'_> {
        (self.gateway.as_deref(), self.api.as_deref(), self.outcome)
    }
}

impl Uses {
    fn of(facts: &Facts<'_>) -> Self {
        let time = facts.time.map(|time| time.at.0);
        let seen = time.map(|time| (time, time));
        Self { count: 1, seen, undated: time.is_none(), first: first(facts), net: net(facts) }
    }

    fn see(&mut self, time: Option<(i64, i64)>) {
        self.seen = match (self.seen, time) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, two) => one.or(two),
        };
    }

    /// Counts one more request; nothing is allocated unless it came before all others.
    fn count(&mut self, facts: &Facts<'_>) {
        let time = facts.time.map(|time| time.at.0);
        self.count += 1;
        self.undated |= time.is_none();
        self.see(time.map(|time| (time, time)));
        let position = facts.position;
        let source = position.source.unwrap_or_default();
        let (untimed, at, known, line, offset) = &self.first;
        let (mine, theirs) = (
            (time.is_none(), time.unwrap_or_default(), source, position.line, position.offset),
            (*untimed, *at, known.as_str(), *line, *offset),
        );
        if mine < theirs {
            (self.first, self.net) = (first(facts), net(facts));
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.undated |= other.undated;
        self.see(other.seen);
        if other.first < self.first {
            (self.first, self.net) = (other.first, other.net);
        }
    }
}

fn first(facts: &Facts<'_>) -> First {
    let (time, position) = (facts.time.map(|time| time.at.0), facts.position);
    let source = position.source.unwrap_or_default().to_owned();
    (time.is_none(), time.unwrap_or_default(), source, position.line, position.offset)
}

/// The network of a request: the /24 or /56 of its address.
fn net(facts: &Facts<'_>) -> Option<String> {
    let address: IpAddr = facts.record.client_ip?.parse().ok()?;
    Some(Prefix::of(address).to_string())
}

/// Adds a use.
fn note(findings: &mut Findings, facts: &Facts<'_>) {
    let api = facts.api.map(|api| api.name.as_str());
    let place = (facts.gateway, api, facts.outcome);
    let rows = findings.entry(facts.token.token.fingerprint.0).or_default();
    match rows.iter_mut().find(|row| row.place() == place) {
        Some(row) => row.uses.count(facts),
        None => rows.push(Finding {
            gateway: facts.gateway.map(str::to_owned),
            api: api.map(str::to_owned),
            outcome: facts.outcome,
            uses: Uses::of(facts),
        }),
    }
}

fn add(findings: &mut Findings, others: Findings) {
    for (token, others) in others {
        let rows = findings.entry(token).or_default();
        for other in others {
            match rows.iter_mut().find(|row| row.place() == other.place()) {
                Some(row) => row.uses.merge(other.uses),
                None => rows.push(other),
            }
        }
    }
}

/// What is said of a source in place of all its findings.
fn notice(source: &str, in_clear: u64, uses: u64) -> RunFinding {
    RunFinding {
        subject: Some(format!("source:{source}")),
        token: None,
        gateway: None,
        api: None,
        severity: Severity::Info,
        evidence: Evidence::new("Nearly all requests of the source are logged as sent without TLS.")
            .expected("https, or tls = \"upstream\" for the gateway")
            .actual(format!("{in_clear} of {uses} requests"))
            .fact("requests", uses)
            .fact("without_tls", in_clear),
        uses: None,
    }
}

fn finding((token, row): ([u8; 32], Finding)) -> Option<RunFinding> {
    let Finding { gateway, api, outcome, uses } = row;
    let (.., source, line, offset) = uses.first;
    Some(RunFinding {
        subject: None,
        token: Some(Fingerprint(token)),
        gateway,
        api,
        severity: RULE.cells.at(outcome, Category::Behaviour)?,
        evidence: Evidence::new("A token was sent without TLS.").expected("https").actual("http"),
        uses: Some(RunUses {
            outcome,
            count: i64::try_from(uses.count).unwrap_or(i64::MAX),
            seen: uses.seen.map(|(first, last)| (UtcMicros(first), UtcMicros(last))),
            undated: uses.undated,
            first: ((!source.is_empty()).then_some(source), line, offset),
            net: uses.net,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(in_clear: u64, uses: u64) -> Source {
        let uses_in_clear = Uses {
            count: in_clear,
            seen: None,
            undated: false,
            first: (true, 0, String::new(), None, None),
            net: None,
        };
        let row = Finding { gateway: None, api: None, outcome: Outcome::Accepted, uses: uses_in_clear };
        let in_clear = if in_clear > 0 { Findings::from([([7; 32], vec![row])]) } else { Findings::new() };
        Source { uses, in_clear }
    }

    fn said(sources: [Source; 2]) -> Vec<(Option<String>, Severity, Option<i64>)> {
        let sources = ["a", "b"].map(str::to_owned).into_iter().zip(sources).collect();
        let conclusion = Box::new(Cleartext { sources, ..Cleartext::default() }).conclude();
        let row = |finding: &RunFinding| {
            (finding.subject.clone(), finding.severity, finding.uses.as_ref().map(|uses| uses.count))
        };
        conclusion.findings.iter().map(row).collect()
    }

    #[test]
    fn a_source_without_tls_is_one_notice() {
        let notice = |name: &str| (Some(format!("source:{name}")), Severity::Info, None);
        let finding = |count| (None, Severity::High, Some(count));
        assert_eq!(said([source(95, 100), source(0, 50)]), [notice("a")]);
        assert_eq!(said([source(94, 100), source(0, 50)]), [finding(94)]);
        // The token's uses elsewhere stay a finding.
        assert_eq!(said([source(95, 100), source(3, 50)]), [notice("a"), finding(3)]);
        assert_eq!(said([source(2, 50), source(3, 50)]), [finding(5)]);
        assert_eq!(said([source(19, 19), source(0, 50)]), [finding(19)]);
    }

    #[test]
    fn a_state_of_another_version_is_refused() {
        assert!(
            TokenCleartext
                .restore(br#"{"version":9,"sources":[],"without_scheme":0,"percent":null}"#)
                .is_err()
        );
        assert!(TokenCleartext.restore(b"").is_err());
    }
}
