//! `token-absent`

use crate::facts::{Facts, Outcome, Tokenless};
use crate::policy::Auth;
use crate::record::Presence;
use crate::rules::kit::{Category, Evidence, Reason, rule};
use crate::rules::run::{Conclusion, RestoreError, RunFinding, RunRule, RunState, RunUses};
use crate::time::UtcMicros;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};

rule! {
    /// A protected API was called without any token.
    ///
    /// Why it matters: where the request was accepted, somebody got in without showing who he is: the gateway does not
    /// protect this path, or a way around it exists.
    ///
    /// What to do: call the path without a token yourself. If it is meant to be public, say `auth = "none"`, or
    /// `auth = "optional"` for an API that takes other credentials as well.
    ///
    /// Known false positives: preflight requests (OPTIONS) carry no token and are not reported. A session cookie is no token;
    /// `auth = "optional"` says that one is expected. Redacted tokens, and logs that show no token at all, are not evaluable.
    "token-absent", Form, "H/-", Attack, Strong,
    references: [
        "RFC 6750 section 2", "OWASP API2:2023", "CWE-306", "ATT&CK T1190",
        "https://learn.microsoft.com/entra/identity-platform/access-tokens",
    ],
    needs: [Policy],
    judge: Run(&TokenAbsent),
}

struct TokenAbsent;

/// Version of the saved state.
const VERSION: u32 = 2;

/// Requests without a token, by place, API and outcome.
type Places = BTreeMap<String, BTreeMap<String, BTreeMap<Outcome, Uses>>>;

/// What was seen so far. A place is a gateway, or the source of records that name none.
#[derive(Default, Serialize, Deserialize)]
struct Absences {
    version: u32,
    gateways: Places,
    sources: Places,
    /// Places whose log shows tokens or marks of them.
    showing_gateways: BTreeSet<String>,
    showing_sources: BTreeSet<String>,
    masked: u64,
    without_api: u64,
}

/// The requests of a finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Uses {
    count: u64,
    /// Those among them with a credential of another scheme.
    other_scheme: u64,
    /// First and last time, in microseconds.
    seen: Option<(i64, i64)>,
    /// True if one of them has no time.
    undated: bool,
    first: First,
}

/// Time (none last), source, line and offset of a request.
type First = (bool, i64, Option<String>, Option<i64>, Option<i64>);

impl RunRule for TokenAbsent {
    fn start(&self) -> Box<dyn RunState> {
        Box::new(Absences { version: VERSION, ..Absences::default() })
    }

    fn restore(&self, saved: &[u8]) -> Result<Box<dyn RunState>, RestoreError> {
        let state: Option<Absences> = serde_json::from_slice(saved).ok();
        let state =
            state.filter(|state| state.version == VERSION).ok_or(RestoreError { rule: "token-absent" })?;
        Ok(Box::new(state))
    }
}

impl RunState for Absences {
    fn observe(&mut self, facts: &Facts<'_>) {
        self.show(facts.gateway, facts.position.source);
    }

    fn observe_tokenless(&mut self, request: &Tokenless<'_>) {
        let masked = request.record.presence == Presence::Masked;
        if masked {
            self.show(request.gateway, request.position.source);
        }
        if request.record.method.is_some_and(|method| method.eq_ignore_ascii_case("OPTIONS")) {
            return;
        }
        let Some(api) = request.api else {
            self.without_api += 1;
            return;
        };
        if api.auth != Auth::Required {
            return;
        }
        if masked {
            self.masked += 1;
            return;
        }
        let uses = Uses::of(request);
        let (places, place) = match (request.gateway, request.position.source) {
            (Some(gateway), _) => (&mut self.gateways, gateway),
            (None, source) => (&mut self.sources, source.unwrap_or_default()),
        };
        let known = places.get_mut(place).and_then(|apis| apis.get_mut(&api.name)?.get_mut(&request.outcome));
        if let Some(known) = known {
            known.merge(uses);
        } else {
            let apis = places.entry(place.to_owned()).or_default();
            apis.entry(api.name.clone()).or_default().insert(request.outcome, uses);
        }
    }

    fn merge(&mut self, other: Box<dyn RunState>) {
        let Ok(other) = other.into_any().downcast::<Self>() else { return };
        for (mine, theirs) in [(&mut self.gateways, other.gateways), (&mut self.sources, other.sources)] {
            for (place, apis) in theirs {
                let mine = mine.entry(place).or_default();
                for (api, outcomes) in apis {
                    merge(mine.entry(api).or_default(), outcomes);
                }
            }
        }
        self.showing_gateways.extend(other.showing_gateways);
        self.showing_sources.extend(other.showing_sources);
        self.masked += other.masked;
        self.without_api += other.without_api;
    }

    fn save(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn conclude(self: Box<Self>) -> Conclusion {
        let mut conclusion = Conclusion::default();
        let mut unknown = 0;
        let mut without_gateway = BTreeMap::new();
        for (source, apis) in self.sources {
            let shows = self.showing_sources.contains(&source);
            for (api, outcomes) in apis {
                if shows {
                    merge(without_gateway.entry(api).or_default(), outcomes);
                } else {
                    unknown += count(&outcomes);
                }
            }
        }
        findings(None, without_gateway, &mut conclusion);
        for (gateway, apis) in self.gateways {
            if self.showing_gateways.contains(&gateway) {
                findings(Some(&gateway), apis, &mut conclusion);
            } else {
                unknown += apis.values().map(count).sum::<u64>();
            }
        }
        let reasons = [
            (Reason::TOKENS_NOT_LOGGED, unknown),
            (Reason::MASKED, self.masked),
            (Reason::NO_API, self.without_api),
        ];
        conclusion.not_evaluable = reasons.into_iter().filter(|(_, requests)| *requests > 0).collect();
        conclusion
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl Absences {
    /// Notes that the log of a place shows tokens.
    fn show(&mut self, gateway: Option<&str>, source: Option<&str>) {
        let (showing, place) = match gateway {
            Some(gateway) => (&mut self.showing_gateways, gateway),
            None => (&mut self.showing_sources, source.unwrap_or_default()),
        };
        if !showing.contains(place) {
            showing.insert(place.to_owned());
        }
    }
}

impl Uses {
    fn of(request: &Tokenless<'_>) -> Self {
        let time = request.time.map(|time| time.at.0);
        let position = request.position;
        let source = position.source.map(str::to_owned);
        Self {
            count: 1,
            other_scheme: u64::from(request.record.presence == Presence::OtherScheme),
            seen: time.map(|time| (time, time)),
            undated: time.is_none(),
            first: (time.is_none(), time.unwrap_or_default(), source, position.line, position.offset),
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.undated |= other.undated;
        self.other_scheme += other.other_scheme;
        self.seen = match (self.seen, other.seen) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, two) => one.or(two),
        };
        if other.first < self.first {
            self.first = other.first;
        }
    }
}

fn merge(mine: &mut BTreeMap<Outcome, Uses>, theirs: BTreeMap<Outcome, Uses>) {
    for (outcome, uses) in theirs {
        match mine.get_mut(&outcome) {
            Some(known) => known.merge(uses),
            None => drop(mine.insert(outcome, uses)),
        }
    }
}

fn count(outcomes: &BTreeMap<Outcome, Uses>) -> u64 {
    outcomes.values().map(|uses| uses.count).sum()
}

/// The findings of a gateway, where the catalogue has a severity for the outcome.
fn findings(
    gateway: Option<&str>,
    apis: BTreeMap<String, BTreeMap<Outcome, Uses>>,
    conclusion: &mut Conclusion,
) {
    for (api, outcomes) in apis {
        for (outcome, uses) in outcomes {
            let Some(severity) = RULE.cells.at(outcome, Category::Form) else { continue };
            let message = match outcome {
                Outcome::Accepted => "The API requires a token and accepted requests without any.",
                _ => "The API requires a token; requests without any got past the check of who calls.",
            };
            let (.., source, line, offset) = uses.first;
            conclusion.findings.push(RunFinding {
                subject: None,
                token: None,
                gateway: gateway.map(str::to_owned),
                api: Some(api.clone()),
                severity,
                evidence: Evidence::new(message)
                    .expected("a token")
                    .actual("no token")
                    .fact("other_scheme", uses.other_scheme),
                uses: Some(RunUses {
                    outcome,
                    count: i64::try_from(uses.count).unwrap_or(i64::MAX),
                    seen: uses.seen.map(|(first, last)| (UtcMicros(first), UtcMicros(last))),
                    undated: uses.undated,
                    first: (source, line, offset),
                    net: None,
                }),
            });
        }
    }
}
