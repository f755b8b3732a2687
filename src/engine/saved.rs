//! Partials as bytes, so that other engines can carry them between processes and nightly runs can keep them.

use super::Engine;
use super::counts::InputCounts;
use super::names::{Name, Names};
use super::partial::{
    Activity, ActivityKey, Coverage, CoverageKey, Finding, FindingKey, GatewayState, Partial, TokenNumber,
    TokenSummary,
};
use crate::redact::Fingerprint;
use crate::rules::kit::Judge;
use crate::rules::run::RestoreError;
use crate::verify::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Version of the form; a partial of another version is refused.
const VERSION: u32 = 1;

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
    counts: InputCounts,
    names: Vec<String>,
    tokens: Vec<([u8; 32], TokenSummary)>,
    findings: Vec<(FindingKey, Finding)>,
    activity: Vec<(ActivityKey, Activity)>,
    coverage: Vec<(CoverageKey, Coverage)>,
    not_evaluable: Vec<((usize, Name), u64)>,
    verdicts: Vec<(Verdict, u64)>,
    uncovered: u64,
    ambiguous: Vec<(Name, u64)>,
    gateways: Vec<(Name, SavedGateway)>,
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
        let saved = Saved {
            version: VERSION,
            rules: self.rule_ids(),
            counts: partial.counts,
            names: partial.names.texts().iter().map(|text| (**text).to_owned()).collect(),
            tokens: partial
                .tokens
                .iter()
                .map(|(fingerprint, token)| (fingerprint.0, token.clone()))
                .collect(),
            findings: partial.findings.iter().map(|(key, finding)| (*key, finding.clone())).collect(),
            activity: pairs(&partial.activity),
            coverage: pairs(&partial.coverage),
            not_evaluable: pairs(&partial.not_evaluable),
            verdicts: pairs(&partial.verdicts),
            uncovered: partial.uncovered,
            ambiguous: pairs(&partial.ambiguous),
            gateways: partial
                .gateways
                .iter()
                .map(|(name, state)| (*name, SavedGateway::from(state)))
                .collect(),
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
        if saved.rules != self.rule_ids() || run_rules.len() != saved.runs.len() {
            return Err(SavedError::Rules);
        }
        let runs = run_rules.iter().zip(&saved.runs).map(|(rule, bytes)| rule.restore(bytes));
        let mut names = Names::default();
        for text in &saved.names {
            names.id(text);
        }
        let tokens: Vec<(Fingerprint, TokenSummary)> =
            saved.tokens.into_iter().map(|(bytes, token)| (Fingerprint(bytes), token)).collect();
        Ok(Partial {
            counts: saved.counts,
            names,
            numbers: tokens
                .iter()
                .enumerate()
                .map(|(at, (fingerprint, _))| (*fingerprint, TokenNumber(at)))
                .collect(),
            tokens,
            findings: saved.findings.into_iter().collect(),
            activity: saved.activity.into_iter().collect(),
            coverage: saved.coverage.into_iter().collect(),
            not_evaluable: saved.not_evaluable.into_iter().collect(),
            verdicts: saved.verdicts.into_iter().collect(),
            uncovered: saved.uncovered,
            ambiguous: saved.ambiguous.into_iter().collect(),
            gateways: saved.gateways.into_iter().map(|(name, state)| (name, state.into())).collect(),
            runs: runs.collect::<Result<_, _>>()?,
        })
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
        Self { minutes: pairs(&state.minutes), clock_offset_s: state.clock_offset_s }
    }
}

impl From<SavedGateway> for GatewayState {
    fn from(saved: SavedGateway) -> Self {
        Self { minutes: saved.minutes.into_iter().collect(), clock_offset_s: saved.clock_offset_s }
    }
}
