//! Partials as bytes, so that other engines can carry them between processes and nightly runs can keep them.

use super::Engine;
use super::accepts::AcceptCounts;
use super::activity::{Activity, ActivityRow};
use super::counts::{InputCounts, NotEvaluable, VerdictCounts};
use super::names::{Name, Names};
use super::partial::{Coverage, CoverageKey, Finding, FindingKey, GatewayState, Partial};
use super::tokens::{TokenSummary, Tokens};
use super::trails::{Context, TokenRows, Trails};
use super::uncovered::Uncovered;
use crate::rules::kit::{Judge, Reason};
use crate::rules::run::RestoreError;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// Version of the form; a partial of another version is refused.
const VERSION: u32 = 4;

/// Saved bytes that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Not a saved partial.
    #[error("the bytes are no saved partial: {0}")]
    Syntax(#[from] serde_json::Error),
    /// Saved by another version.
    #[error(
        "the partial was saved in form {found}, this version reads form {VERSION}: run the parts with one version"
    )]
    Version {
        /// Its version.
        found: u32,
    },
    /// Saved by an engine with other rules.
    #[error(
        "the partial was saved by an engine with other rules or inputs: use the same policy, keys and rule selection"
    )]
    Rules,
    /// The state of a run rule.
    #[error(transparent)]
    Run(#[from] RestoreError),
}

/// The saved form: maps as lists of pairs, sorted where order would otherwise depend on hashing.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    rules: Vec<String>,
    /// Digest of the policy, whose exceptions are known by their places.
    policy: Option<String>,
    counts: InputCounts,
    names: Vec<String>,
    tokens: Vec<TokenSummary>,
    findings: Vec<(FindingKey, Finding)>,
    activity: Vec<ActivityRow>,
    trails: (Vec<Context>, Vec<TokenRows>),
    coverage: Vec<(CoverageKey, Coverage)>,
    not_evaluable: Vec<(usize, String, u64)>,
    verdicts: VerdictCounts,
    uncovered: u64,
    uncovered_at: Uncovered,
    ambiguous: Vec<(Name, u64)>,
    gateways: Vec<(Name, SavedGateway)>,
    accepts: AcceptCounts,
    runs: Vec<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct SavedGateway {
    minutes: Vec<(i64, (i64, i64))>,
    clock_offset_s: Option<i64>,
}

impl Engine {
    /// A partial as bytes that [`Engine::restore`] reads.
    ///
    /// # Errors
    ///
    /// Only if the writer of the form fails, which memory alone could cause.
    pub fn save(&self, partial: &Partial) -> Result<Vec<u8>, SavedError> {
        let mut not_evaluable = Vec::new();
        partial
            .not_evaluable
            .by_rule(&self.plans)
            .each_rule(|rule, reason, uses| not_evaluable.push((rule, reason.0.to_owned(), uses)));
        let saved = Saved {
            version: VERSION,
            rules: self.rule_ids(),
            policy: self.policy_sha256(),
            counts: partial.counts,
            names: partial.names.iter().map(str::to_owned).collect(),
            tokens: partial.tokens.summaries().cloned().collect(),
            findings: partial.findings.iter().map(|(key, finding)| (*key, finding.clone())).collect(),
            activity: partial.activity.rows().copied().collect(),
            trails: partial.trails.parts(),
            coverage: pairs(&partial.coverage),
            not_evaluable,
            verdicts: partial.verdicts,
            uncovered: partial.uncovered,
            uncovered_at: partial.uncovered_at.clone(),
            ambiguous: pairs(&partial.ambiguous),
            gateways: partial
                .gateways
                .iter()
                .map(|(name, state)| (*name, SavedGateway::from(state)))
                .collect(),
            accepts: partial.accepts.clone(),
            runs: partial.runs.iter().map(|state| state.save()).collect(),
        };
        Ok(serde_json::to_vec(&saved)?)
    }

    /// A partial from [`Engine::save`] of an engine with the same rules.
    ///
    /// # Errors
    ///
    /// See [`SavedError`].
    pub fn restore(&self, bytes: &[u8]) -> Result<Partial, SavedError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version: found } = serde_json::from_slice(bytes)?;
        if found != VERSION {
            return Err(SavedError::Version { found });
        }
        let saved: Saved = serde_json::from_slice(bytes)?;
        let run_rules: Vec<_> = self.rules.iter().filter_map(|rule| run_of(rule.judge)).collect();
        let same = saved.rules == self.rule_ids() && saved.policy == self.policy_sha256();
        if !same || run_rules.len() != saved.runs.len() {
            return Err(SavedError::Rules);
        }
        let runs = run_rules.iter().zip(&saved.runs).map(|(rule, bytes)| rule.restore(bytes));
        let mut names = Names::default();
        for text in &saved.names {
            names.id(text);
        }
        let mut tokens = Tokens::default();
        for token in saved.tokens {
            tokens.push(token);
        }
        let mut activity = Activity::default();
        activity.restore(saved.activity);
        let mut not_evaluable = NotEvaluable::default();
        for (rule, reason, uses) in saved.not_evaluable {
            not_evaluable.add(rule, Reason::named(&reason).ok_or(SavedError::Rules)?, uses);
        }
        Ok(Partial {
            counts: saved.counts,
            names,
            tokens,
            activity,
            trails: Trails::restore(saved.trails.0, saved.trails.1),
            not_evaluable,
            verdicts: saved.verdicts,
            findings: saved.findings.into_iter().collect(),
            coverage: saved.coverage.into_iter().collect(),
            uncovered: saved.uncovered,
            uncovered_at: saved.uncovered_at,
            ambiguous: saved.ambiguous.into_iter().collect(),
            gateways: saved.gateways.into_iter().map(|(name, state)| (name, state.into())).collect(),
            accepts: saved.accepts,
            runs: runs.collect::<Result<_, _>>()?,
            ..self.partial()
        })
    }

    fn policy_sha256(&self) -> Option<String> {
        self.policy.as_ref().map(|policy| policy.sha256().to_owned())
    }

    fn rule_ids(&self) -> Vec<String> {
        self.rules.iter().map(|rule| rule.id.to_owned()).collect()
    }
}

fn run_of(judge: Judge) -> Option<&'static dyn crate::rules::run::RunRule> {
    if let Judge::Run(run) = judge { Some(run) } else { None }
}

fn pairs<K: Copy, V: Copy>(map: &HashMap<K, V>) -> Vec<(K, V)> {
    map.iter().map(|(key, value)| (*key, *value)).collect()
}

impl From<&GatewayState> for SavedGateway {
    fn from(state: &GatewayState) -> Self {
        Self {
            minutes: state.minutes.iter().map(|(minute, period)| (*minute, *period)).collect(),
            clock_offset_s: state.clock_offset_s,
        }
    }
}

impl From<SavedGateway> for GatewayState {
    fn from(saved: SavedGateway) -> Self {
        Self { minutes: saved.minutes.into_iter().collect(), clock_offset_s: saved.clock_offset_s }
    }
}
