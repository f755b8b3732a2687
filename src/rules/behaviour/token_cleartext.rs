//! `token-cleartext`

use crate::facts::{Facts, Outcome};
use crate::policy::Behaviour;
use crate::redact::Fingerprint;
use crate::rules::kit::{Category, Evidence, Reason, Severity, rule};
use crate::rules::run::{Conclusion, RestoreError, RunFinding, RunRule, RunState, RunUses};
use crate::time::UtcMicros;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::collections::BTreeMap;

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
const VERSION: u32 = 1;

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

type Findings = BTreeMap<Key, Uses>;

/// What makes a finding one row: token, gateway, API and outcome.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    token: [u8; 32],
    gateway: Option<String>,
    api: Option<String>,
    outcome: Outcome,
}

/// The requests of a finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Uses {
    count: u64,
    /// First and last time, in microseconds.
    seen: Option<(i64, i64)>,
    first: First,
}

/// Time (none last), source, line and offset of a request.
type First = (bool, i64, String, Option<i64>, Option<i64>);

/// Name, uses and findings of a source.
type SavedSource = (String, u64, Vec<(Key, Uses)>);

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
            let source = self.sources.entry(name.to_owned()).or_default();
            let key = Key {
                token: facts.token.token.fingerprint.0,
                gateway: facts.gateway.map(str::to_owned),
                api: facts.api.map(|api| api.name.clone()),
                outcome: facts.outcome,
            };
            add(&mut source.in_clear, key, Uses::of(facts));
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
            for (key, uses) in theirs.in_clear {
                add(&mut mine.in_clear, key, uses);
            }
        }
    }

    fn save(&self) -> Vec<u8> {
        let pairs =
            |findings: &Findings| findings.iter().map(|(key, uses)| (key.clone(), uses.clone())).collect();
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
            let in_clear: u64 = source.in_clear.values().map(|uses| uses.count).sum();
            let share = u128::from(in_clear) * 100 >= u128::from(source.uses) * u128::from(percent);
            if share && source.uses >= REQUESTS_MIN {
                conclusion.findings.push(notice(&name, in_clear, source.uses));
                continue;
            }
            for (key, uses) in source.in_clear {
                add(&mut findings, key, uses);
            }
        }
        conclusion.findings.extend(findings.into_iter().filter_map(finding));
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

impl Uses {
    fn of(facts: &Facts<'_>) -> Self {
        let time = facts.time.map(|time| time.at.0);
        let position = facts.position;
        let source = position.source.unwrap_or_default().to_owned();
        Self {
            count: 1,
            seen: time.map(|time| (time, time)),
            first: (time.is_none(), time.unwrap_or_default(), source, position.line, position.offset),
        }
    }
}

fn add(findings: &mut Findings, key: Key, uses: Uses) {
    let Some(mine) = findings.get_mut(&key) else {
        findings.insert(key, uses);
        return;
    };
    mine.count += uses.count;
    mine.seen = match (mine.seen, uses.seen) {
        (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
        (one, two) => one.or(two),
    };
    if uses.first < mine.first {
        mine.first = uses.first;
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

fn finding((key, uses): (Key, Uses)) -> Option<RunFinding> {
    let (.., source, line, offset) = uses.first;
    Some(RunFinding {
        subject: None,
        token: Some(Fingerprint(key.token)),
        gateway: key.gateway,
        api: key.api,
        severity: RULE.cells.at(key.outcome, Category::Behaviour)?,
        evidence: Evidence::new("A token was sent without TLS.").expected("https").actual("http"),
        uses: Some(RunUses {
            outcome: key.outcome,
            count: i64::try_from(uses.count).unwrap_or(i64::MAX),
            seen: uses.seen.map(|(first, last)| (UtcMicros(first), UtcMicros(last))),
            first: ((!source.is_empty()).then_some(source), line, offset),
            net: None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(in_clear: u64, uses: u64) -> Source {
        let key = Key { token: [7; 32], gateway: None, api: None, outcome: Outcome::Accepted };
        let uses_in_clear = Uses { count: in_clear, seen: None, first: (true, 0, String::new(), None, None) };
        let in_clear = if in_clear > 0 { Findings::from([(key, uses_in_clear)]) } else { Findings::new() };
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
