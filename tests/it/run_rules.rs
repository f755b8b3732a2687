//! Test-only run rules: they take part in every split, merge and restore test, so that the seam for behaviour rules holds
//! before the first of them exists. One speaks about tokens, one about a subject without a token and lowers another rule.

use serde::{Deserialize, Serialize};
use std::any::Any;
use std::collections::BTreeMap;
use tokentrail::facts::{Facts, Outcome};
use tokentrail::redact::Fingerprint;
use tokentrail::rules::kit::{Cells, Evidence, Judge, Needs};
use tokentrail::rules::run::{Conclusion, Downgrade, RestoreError, RunFinding, RunRule, RunState, RunUses};
use tokentrail::rules::{Category, Confidence, Lane, Rule, Severity};
use tokentrail::time::UtcMicros;

/// `token-often`: a token that was accepted at least three times by one API.
pub static TOKEN_OFTEN: Rule = rule("token-often", Judge::Run(&TokenOften));
/// `address-often`: an address that sent at least five requests; lowers `wrong-aud` to info.
pub static ADDRESS_OFTEN: Rule = rule("address-often", Judge::Run(&AddressOften));

const fn rule(id: &'static str, judge: Judge) -> Rule {
    Rule {
        id,
        manual: "A rule of the tests.",
        category: Category::Behaviour,
        cells: Cells::new('M', 'L'),
        lane: Lane::Leak,
        confidence: Confidence::Heuristic,
        references: &["tests"],
        needs: &[],
        needs_of: Needs::of(&[]),
        cause: tokentrail::rules::kit::CLIENT_AND_TENANT,
        judge,
    }
}

struct TokenOften;
struct AddressOften;

/// Token, gateway and API.
type Key = ([u8; 32], Option<String>, Option<String>);
type First = (Option<UtcMicros>, Option<String>, Option<i64>, Option<i64>);

/// Accepted uses of a token at an API.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Uses {
    count: i64,
    first: First,
    last: Option<UtcMicros>,
}

#[derive(Default, Serialize, Deserialize)]
struct TokenOftenState {
    uses: Vec<(Key, Uses)>,
}

impl TokenOftenState {
    fn add(&mut self, key: Key, uses: Uses) {
        let Some((_, mine)) = self.uses.iter_mut().find(|(known, _)| *known == key) else {
            self.uses.push((key, uses));
            return;
        };
        mine.count += uses.count;
        mine.last = mine.last.max(uses.last);
        // Generated logs give every record a time, so plain order serves.
        if uses.first < mine.first {
            mine.first = uses.first;
        }
    }
}

impl RunRule for TokenOften {
    fn start(&self) -> Box<dyn RunState> {
        Box::new(TokenOftenState::default())
    }

    fn restore(&self, saved: &[u8]) -> Result<Box<dyn RunState>, RestoreError> {
        let state: TokenOftenState =
            serde_json::from_slice(saved).map_err(|_| RestoreError { rule: "token-often" })?;
        Ok(Box::new(state))
    }
}

impl RunState for TokenOftenState {
    fn observe(&mut self, facts: &Facts<'_>) {
        if facts.outcome != Outcome::Accepted {
            return;
        }
        let time = facts.time.map(|time| time.at);
        let position = facts.position;
        let key = (
            facts.token.token.fingerprint.0,
            facts.gateway.map(str::to_owned),
            facts.api.map(|api| api.name.clone()),
        );
        let first = (time, position.source.map(str::to_owned), position.line, position.offset);
        self.add(key, Uses { count: 1, first, last: time });
    }

    fn merge(&mut self, other: Box<dyn RunState>) {
        let other = other.into_any().downcast::<Self>().expect("states of one rule meet");
        for (key, uses) in other.uses {
            self.add(key, uses);
        }
    }

    fn save(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap()
    }

    fn conclude(self: Box<Self>) -> Conclusion {
        let often = self.uses.into_iter().filter(|(_, uses)| uses.count >= 3);
        let finding = |((token, gateway, api), uses): (Key, Uses)| RunFinding {
            subject: None,
            token: Some(Fingerprint(token)),
            gateway,
            api,
            severity: Severity::Medium,
            evidence: Evidence::new("The token was accepted often.").fact("uses", uses.count),
            uses: Some(RunUses {
                outcome: Outcome::Accepted,
                count: uses.count,
                seen: uses.first.0.zip(uses.last),
                undated: false,
                first: (uses.first.1, uses.first.2, uses.first.3),
                net: None,
            }),
        };
        Conclusion { findings: often.map(finding).collect(), ..Conclusion::default() }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[derive(Default, Serialize, Deserialize)]
struct AddressOftenState {
    requests: BTreeMap<String, i64>,
}

impl RunRule for AddressOften {
    fn start(&self) -> Box<dyn RunState> {
        Box::new(AddressOftenState::default())
    }

    fn restore(&self, saved: &[u8]) -> Result<Box<dyn RunState>, RestoreError> {
        let state: AddressOftenState =
            serde_json::from_slice(saved).map_err(|_| RestoreError { rule: "address-often" })?;
        Ok(Box::new(state))
    }
}

impl RunState for AddressOftenState {
    fn observe(&mut self, facts: &Facts<'_>) {
        if let Some(address) = facts.record.client_ip {
            *self.requests.entry(address.to_owned()).or_default() += 1;
        }
    }

    fn merge(&mut self, other: Box<dyn RunState>) {
        let other = other.into_any().downcast::<Self>().expect("states of one rule meet");
        for (address, requests) in other.requests {
            *self.requests.entry(address).or_default() += requests;
        }
    }

    fn save(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap()
    }

    fn conclude(self: Box<Self>) -> Conclusion {
        let often = self.requests.into_iter().filter(|(_, requests)| *requests >= 5);
        let findings: Vec<RunFinding> = often
            .map(|(address, requests)| RunFinding {
                subject: Some(format!("ip:{address}")),
                token: None,
                gateway: None,
                api: None,
                severity: Severity::Low,
                evidence: Evidence::new("The address sent many requests.").fact("requests", requests),
                uses: None,
            })
            .collect();
        let lowered = Downgrade { rules: &["wrong-aud"], gateway: None, within: None, to: Severity::Info };
        let downgrades = if findings.is_empty() { Vec::new() } else { vec![lowered] };
        Conclusion { downgrades, findings, ..Conclusion::default() }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
