//! `clock-drift`

use crate::facts::{Facts, Outcome};
use crate::policy::Behaviour;
use crate::rules::kit::{Evidence, Severity, rule};
use crate::rules::run::{Conclusion, Downgrade, RestoreError, RunFinding, RunRule, RunState};
use crate::time::{SECOND, UtcMicros};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::collections::{BTreeMap, BinaryHeap};

rule! {
    /// The clock of a gateway runs behind.
    ///
    /// Why it matters: many of its requests seem to come before their tokens were issued. It explains a mass of findings
    /// about times, which are lowered to info as far as the offset reaches, and it lets the gateway accept tokens that
    /// have ended.
    ///
    /// What to do: set the gateway's clock; until then keep the offset in mind when its records are compared with others.
    /// Where the records name no gateway, a source is judged in its place.
    ///
    /// Known false positives: none. Only tokens that a key vouches for are counted, so that nobody can fake a drift; fewer
    /// than five of them say nothing about a clock. Without a key archive accepted tokens are counted; for these, and for
    /// sources, nothing is lowered.
    "clock-drift", Time, "I/I", BlindSpot, Heuristic,
    references: ["RFC 7519 section 4.1.6", "RFC 5905 section 1"],
    needs: [],
    judge: Run(&ClockDrift),
}

/// Distinct tokens from which a clock is judged.
const TOKENS_MIN: usize = 5;
/// Tokens that are remembered of a place: those with the least fingerprints, which are as good as drawn by lot, and the
/// same however the input is cut.
const TOKENS_MAX: usize = 1024;
/// Microseconds by which Entra dates tokens back, so that a clock is off by more than it shows (rules.md section 8).
const BACK_DATING: i64 = 300 * SECOND;
/// Findings that a drift explains.
const EXPLAINED: &[&str] = &["expired-use", "iat-future", "not-yet-valid"];
/// Where they say how far off a request was. A rule has one of them.
const DISTANCES: [&str; 2] = ["early_by_s", "late_by_s"];

struct ClockDrift;

/// Age of tokens at their first use, in microseconds, by the beginning of the fingerprint: those of the [`TOKENS_MAX`] least.
#[derive(Clone, Debug, Default)]
struct Ages {
    by_token: HashMap<u64, i64>,
    /// The same tokens, the greatest first.
    tokens: BinaryHeap<u64>,
}

#[derive(Default)]
struct Drift {
    gateways: BTreeMap<String, Ages>,
    /// For records that name no gateway.
    sources: BTreeMap<String, Ages>,
    /// `clock-drift-percent`, from the policy that every request has in common.
    percent: Option<u64>,
    /// True if keys vouched for the tokens.
    verified: bool,
}

/// The saved form of [`Drift`].
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    gateways: BTreeMap<String, Vec<(u64, i64)>>,
    sources: BTreeMap<String, Vec<(u64, i64)>>,
    percent: Option<u64>,
    verified: bool,
}

/// Version of [`Saved`].
const VERSION: u32 = 1;

impl RunRule for ClockDrift {
    fn start(&self) -> Box<dyn RunState> {
        Box::new(Drift::default())
    }

    fn restore(&self, saved: &[u8]) -> Result<Box<dyn RunState>, RestoreError> {
        let saved: Option<Saved> = serde_json::from_slice(saved).ok();
        let saved =
            saved.filter(|saved| saved.version == VERSION).ok_or(RestoreError { rule: "clock-drift" })?;
        let places = |places: BTreeMap<String, Vec<(u64, i64)>>| {
            places.into_iter().map(|(name, ages)| (name, ages.into_iter().collect())).collect()
        };
        Ok(Box::new(Drift {
            gateways: places(saved.gateways),
            sources: places(saved.sources),
            percent: saved.percent,
            verified: saved.verified,
        }))
    }
}

impl RunState for Drift {
    fn observe(&mut self, facts: &Facts<'_>) {
        let believed = match facts.context.keys {
            Some(_) => facts.is_vouched(),
            None => facts.outcome == Outcome::Accepted,
        };
        let (Some(time), Some(iat), true) =
            (facts.time, facts.token.claims().and_then(|claims| claims.iat), believed)
        else {
            return;
        };
        let (places, name) = match (facts.gateway, facts.position.source) {
            (Some(gateway), _) => (&mut self.gateways, gateway),
            (None, Some(source)) => (&mut self.sources, source),
            (None, None) => return,
        };
        let age = time.at.0.saturating_sub(UtcMicros::from_seconds(iat).0);
        let token = beginning(facts.token.token.fingerprint.0);
        match places.get_mut(name) {
            Some(ages) => ages.add(token, age),
            None => places.entry(name.to_owned()).or_default().add(token, age),
        }
        self.verified = facts.context.keys.is_some();
        if self.percent.is_none() {
            self.percent = facts.context.policy.map(|policy| policy.behaviour().clock_drift_percent);
        }
    }

    fn merge(&mut self, other: Box<dyn RunState>) {
        let Ok(other) = other.into_any().downcast::<Self>() else { return };
        self.percent = self.percent.or(other.percent);
        self.verified |= other.verified;
        for (mine, theirs) in [(&mut self.gateways, other.gateways), (&mut self.sources, other.sources)] {
            for (name, ages) in theirs {
                let mine = mine.entry(name).or_default();
                for (token, age) in ages.by_token {
                    mine.add(token, age);
                }
            }
        }
    }

    fn save(&self) -> Vec<u8> {
        let pairs = |ages: &Ages| {
            let mut pairs: Vec<_> = ages.by_token.iter().map(|(token, age)| (*token, *age)).collect();
            pairs.sort_unstable();
            pairs
        };
        let places = |places: &BTreeMap<String, Ages>| {
            places.iter().map(|(name, ages)| (name.clone(), pairs(ages))).collect()
        };
        let saved = Saved {
            version: VERSION,
            gateways: places(&self.gateways),
            sources: places(&self.sources),
            percent: self.percent,
            verified: self.verified,
        };
        serde_json::to_vec(&saved).unwrap_or_default()
    }

    fn conclude(self: Box<Self>) -> Conclusion {
        let percent = self.percent.unwrap_or(Behaviour::default().clock_drift_percent);
        let mut conclusion = Conclusion::default();
        for (gateway, ages) in &self.gateways {
            let Some(measured) = measure(ages, percent) else { continue };
            let downgrade = |distance| Downgrade {
                rules: EXPLAINED,
                gateway: Some(gateway.clone()),
                within: Some((distance, measured.offset_s)),
                to: Severity::Info,
            };
            if self.verified {
                conclusion.downgrades.extend(DISTANCES.map(downgrade));
            }
            let subject = format!("gateway:{gateway}");
            conclusion.findings.push(finding(subject, Some(gateway.clone()), &measured, percent));
        }
        for (source, ages) in &self.sources {
            if let Some(measured) = measure(ages, percent) {
                conclusion.findings.push(finding(format!("source:{source}"), None, &measured, percent));
            }
        }
        conclusion
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The first bytes of a fingerprint as a number.
fn beginning(fingerprint: [u8; 32]) -> u64 {
    fingerprint.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

impl Ages {
    fn add(&mut self, token: u64, age: i64) {
        // What is given up here is given up wherever the input is cut, because more tokens only push it further back.
        let is_full = self.tokens.len() == TOKENS_MAX;
        if is_full && self.tokens.peek().is_some_and(|greatest| token > *greatest) {
            return;
        }
        if let Some(least) = self.by_token.get_mut(&token) {
            *least = age.min(*least);
            return;
        }
        if is_full && let Some(greatest) = self.tokens.pop() {
            self.by_token.remove(&greatest);
        }
        self.by_token.insert(token, age);
        self.tokens.push(token);
    }
}

impl FromIterator<(u64, i64)> for Ages {
    fn from_iter<P: IntoIterator<Item = (u64, i64)>>(pairs: P) -> Self {
        let mut ages = Self::default();
        pairs.into_iter().for_each(|(token, age)| ages.add(token, age));
        ages
    }
}

/// A clock that runs behind.
struct Measured {
    tokens: usize,
    early: usize,
    median_age_s: i64,
    offset_s: i64,
}

/// Measures a clock; `None` if it does not run behind, or too few tokens tell of it.
///
/// The tokens that are used at once show the offset, less what Entra dates them back. The most extreme twentieth, or at
/// least one, is passed over: one token with an invented time must not widen what is lowered.
fn measure(ages: &Ages, percent: u64) -> Option<Measured> {
    let mut sorted: Vec<i64> = ages.by_token.values().copied().collect();
    sorted.sort_unstable();
    let early = sorted.partition_point(|age| *age < 0);
    let median = *sorted.get(sorted.len().checked_sub(1)? / 2)?;
    let count = |tokens: usize| u128::try_from(tokens).unwrap_or(u128::MAX);
    let many = count(early).saturating_mul(100) > count(sorted.len()).saturating_mul(percent.into());
    if sorted.len() < TOKENS_MIN || !(many || median < 0) {
        return None;
    }
    let extreme = (early / 20).max(1).min(early.saturating_sub(1));
    let lead = sorted.get(extreme)?.saturating_neg();
    Some(Measured {
        tokens: sorted.len(),
        early,
        median_age_s: median.div_euclid(SECOND),
        offset_s: lead.saturating_add(BACK_DATING).div_euclid(SECOND),
    })
}

fn finding(subject: String, gateway: Option<String>, measured: &Measured, percent: u64) -> RunFinding {
    let evidence =
        Evidence::new("Many requests seem to come before their tokens were issued: a clock runs behind.")
            .expected(format!("at most {percent} % of the tokens used before their iat"))
            .actual(format!("{} of {} tokens", measured.early, measured.tokens))
            .fact("tokens", measured.tokens)
            .fact("early", measured.early)
            .fact("median_age_s", measured.median_age_s)
            .fact("offset_s", measured.offset_s);
    RunFinding {
        subject: Some(subject),
        token: None,
        gateway,
        api: None,
        severity: Severity::Info,
        evidence,
        uses: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(seconds: &[i64]) -> Ages {
        (0..).zip(seconds).map(|(token, age)| (token, age * SECOND)).collect()
    }

    #[test]
    fn a_clock_is_judged_by_share_and_median() {
        assert!(measure(&ages(&[-9, 300, 300, 300, 300]), 20).is_none());
        assert!(measure(&ages(&[-9, -9, 300, 300, 300]), 20).is_some());
        // Half of them early is below the share, but the median is early too.
        assert!(measure(&ages(&[-9, -9, -9, 300, 300]), 90).is_some());
        assert!(measure(&ages(&[-9, -9, 300, 300, 300]), 90).is_none());
        assert!(measure(&ages(&[-9; 4]), 20).is_none());
        assert!(measure(&ages(&[]), 20).is_none());
    }

    #[test]
    fn one_token_with_an_invented_time_does_not_move_the_offset() {
        let measured = measure(&ages(&[-31_536_000, -110, -100, -90, 300]), 20).unwrap();
        assert_eq!(measured.offset_s, 410);
        // Where only one token is early there is no other to go by.
        assert_eq!(measure(&ages(&[-100, 300, 300, 300, 300]), 1).unwrap().offset_s, 400);
    }

    #[test]
    fn findings_of_the_gateway_are_lowered_and_of_sources_not() {
        let early = ages(&[-100, -100, -100, -100, -100]);
        let drift = Drift {
            gateways: [("edge-1".to_owned(), early.clone())].into(),
            sources: [("a.log".to_owned(), early)].into(),
            percent: None,
            verified: true,
        };
        let conclusion = Box::new(drift).conclude();
        let subjects: Vec<_> = conclusion.findings.iter().map(|finding| finding.subject.as_deref()).collect();
        assert_eq!(subjects, [Some("gateway:edge-1"), Some("source:a.log")]);
        assert_eq!(conclusion.downgrades.len(), 2);
        for downgrade in conclusion.downgrades {
            assert_eq!(downgrade.gateway.as_deref(), Some("edge-1"));
            assert!(matches!(downgrade.within, Some(("early_by_s" | "late_by_s", 400))));
        }
    }

    #[test]
    fn without_keys_nothing_is_lowered() {
        let gateways = [("edge-1".to_owned(), ages(&[-100; 5]))].into();
        let conclusion = Box::new(Drift { gateways, ..Drift::default() }).conclude();
        assert_eq!((conclusion.findings.len(), conclusion.downgrades.len()), (1, 0));
    }

    #[test]
    fn the_same_tokens_are_remembered_however_the_input_is_cut() {
        let tokens: Vec<u64> = (0..5000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let age = |token: u64, n: i64| i64::try_from(token % 1000).unwrap() + n;
        let mut whole = Ages::default();
        let mut halves = [Ages::default(), Ages::default()];
        for n in 0..2 {
            for (at, token) in tokens.iter().enumerate() {
                whole.add(*token, age(*token, n));
                halves[at % 2].add(*token, age(*token, n));
            }
        }
        let [mut odd, even] = halves;
        for (token, age) in even.by_token {
            odd.add(token, age);
        }
        assert_eq!(whole.by_token.len(), TOKENS_MAX);
        assert_eq!(whole.by_token, odd.by_token);
    }

    #[test]
    fn a_state_of_another_version_is_refused() {
        assert!(
            ClockDrift
                .restore(br#"{"version":9,"gateways":{},"sources":{},"percent":null,"verified":true}"#)
                .is_err()
        );
        assert!(ClockDrift.restore(b"").is_err());
    }
}
