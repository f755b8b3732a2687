//! `run.json`: what was read, with what, how, and what came out (contract section 7).
//!
//! Members, in this order: `schema_version`; `tool` (`name`, `version`, `commit`); `arguments` (secrets removed);
//! `started_at`, `ended_at` (RFC 3339, UTC); `exit_code`; `completeness` (`status`: `complete` or `partial`; `sentence`); `result_digest` (see [`crate::sink::digest`]); `policy`, `keys`, `formats`, `watch` (files with their
//! `sha256`); `baselines` (null without `--baseline`; oldest first: `path`, `started_at`, `result_digest`, `completeness`, `problems`, `other_filters`, `rules_not_run`); `filters`; `counts` (all inputs together); `inputs`; `gateways`; `rules` (`run`, `skipped`: rule to missing
//! input, `not_evaluable`: rule to reason to records); `verdicts` (`uses`, `tokens`: verdict to number);
//! `distinct_tokens`; `findings`, `problems` (rule to severity to number); `systemic` (`rule`, `api`, `tokens`, `of_tokens`,
//! `identities`: rules that fire on a fifth of an API's tokens or more); `uncovered`; `uncovered_places` (`host`, `path`,
//! `records`: the leading part of what no entry of the policy matches, most records first; the sum may be less than `uncovered`);
//! `unmatched_apis` (entries that no record matched); `ambiguous` (api to records);
//! `accepts` (each `[[accept]]` of the policy: `rule`, `reason`, `owner`, `expires`, `place`, and how many requests it `accepted`, came
//! after it had `expired`, were `undated`, or `unverified`: named claims for which no key vouches);
//! `output` (`files` with `name`, `table`, `rows`, `bytes`, `sha256`; `occurrences_not_written`). Times are UTC.

use crate::engine::{Filters, Totals};
use crate::pipeline::Outcome;
use crate::policy::Gateway;
use crate::redact;
use crate::sink::completeness::Completeness;
use crate::sink::input::{Counts, Input};
use crate::sink::parquet::TableFile;
use crate::sink::parts::{AcceptReport, BaselineReport, SystemicReport, UncoveredReport};
use crate::time;
use crate::time::UtcMicros;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Version of `run.json` and of the tables; it grows when a reader has to change.
pub const SCHEMA_VERSION: u32 = 1;

/// A text that has passed the redactor.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// The text as it may be read.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: AsRef<str>> From<S> for Text {
    fn from(text: S) -> Self {
        Self(redact::cell(text.as_ref(), &[]).into_owned())
    }
}

/// Which program wrote a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// `tokentrail`
    pub name: &'static str,
    /// Version of the package.
    pub version: &'static str,
    /// Commit that it was built from, where the build knew it.
    pub commit: Option<&'static str>,
}

impl Tool {
    /// This program.
    pub fn this() -> Self {
        Self {
            name: "tokentrail",
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("TOKENTRAIL_COMMIT").filter(|commit| !commit.is_empty()),
        }
    }
}

/// A file that decided about the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HashedFile {
    /// Its path as it was named or found.
    pub path: Text,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// The key archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyArchive {
    /// Its directory.
    pub path: Text,
    /// Digest over its documents and their capture times.
    pub sha256: String,
    /// Distinct keys.
    pub keys: u64,
    /// What was peculiar about it.
    pub notes: Vec<Text>,
}

/// What the run was given.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The command line without the program's name.
    pub arguments: Vec<String>,
    /// The policy's files.
    pub policy: Vec<HashedFile>,
    /// The key archive.
    pub keys: Option<KeyArchive>,
    /// The files with formats.
    pub formats: Vec<HashedFile>,
    /// The watch files of the policy.
    pub watch: Vec<HashedFile>,
    /// The results that it is compared with, if any were named.
    pub baselines: Option<Vec<BaselineReport>>,
    /// Filters, resolved.
    pub filters: Filters,
    /// Gateways of the policy.
    pub gateways: Vec<Gateway>,
    /// Whether every input must have a token.
    pub require_tokens: bool,
    /// Whether the archive must cover every token.
    pub require_keys: bool,
}

/// What a gateway's records look like over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GatewayReport {
    /// Its name.
    pub name: Text,
    /// What the policy expects of it.
    pub expectation: Option<Expectation>,
    /// Records.
    pub records: u64,
    /// Records with a token.
    pub tokens: u64,
    /// Longest time between two neighbouring records, in seconds.
    pub longest_gap_s: Option<i64>,
    /// By how many seconds its clock seems to lag behind the issuer's.
    pub clock_offset_s: Option<i64>,
    /// Expectations that are not met.
    pub unmet: Vec<Text>,
}

/// `expect` of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// Longest silence, in seconds.
    pub every_s: Option<i64>,
    /// Least number of records.
    pub min_records: Option<u64>,
    /// Whether tokens must be logged.
    pub tokens: bool,
}

/// Which rules looked, and where they could not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RuleReport {
    /// Rules that ran, sorted.
    pub run: Vec<&'static str>,
    /// Rule to missing input.
    pub skipped: BTreeMap<&'static str, &'static str>,
    /// Rule to reason to records.
    pub not_evaluable: BTreeMap<&'static str, BTreeMap<String, u64>>,
}

/// Verdicts of section 4 and how often they were given.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdicts {
    /// By use.
    pub uses: BTreeMap<&'static str, u64>,
    /// By distinct token.
    pub tokens: BTreeMap<&'static str, u64>,
}

/// What was written.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Written {
    /// The tables.
    pub files: Vec<TableFile>,
    /// Occurrences beyond `--max-occurrences`.
    pub occurrences_not_written: u64,
}

/// The manifest of a run.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the members are listed at the top of this file")]
pub struct Manifest {
    pub schema_version: u32,
    pub tool: Tool,
    pub arguments: Vec<Text>,
    #[serde(serialize_with = "instant")]
    pub started_at: UtcMicros,
    #[serde(serialize_with = "instant")]
    pub ended_at: UtcMicros,
    pub exit_code: u8,
    pub completeness: Completeness,
    pub result_digest: String,
    pub policy: Vec<HashedFile>,
    pub keys: Option<KeyArchive>,
    pub formats: Vec<HashedFile>,
    pub watch: Vec<HashedFile>,
    pub baselines: Option<Vec<BaselineReport>>,
    pub filters: FilterReport,
    pub counts: Counts,
    pub inputs: Vec<Input>,
    pub gateways: Vec<GatewayReport>,
    pub rules: RuleReport,
    pub verdicts: Verdicts,
    pub distinct_tokens: u64,
    pub findings: BTreeMap<String, BTreeMap<&'static str, u64>>,
    pub problems: BTreeMap<String, BTreeMap<&'static str, u64>>,
    pub systemic: Vec<SystemicReport>,
    pub uncovered: u64,
    pub uncovered_places: Vec<UncoveredReport>,
    pub unmatched_apis: Vec<Text>,
    pub ambiguous: BTreeMap<Text, u64>,
    pub accepts: Vec<AcceptReport>,
    pub output: Written,
}

impl Manifest {
    /// The manifest of what a run was given, read and wrote. `exit_code` is set by [`Manifest::finish`].
    pub fn new(given: &Given, outcome: &Outcome, output: Written) -> Self {
        let totals = &outcome.concluded.totals;
        let filters = FilterReport::from(&given.filters);
        let compared = |baseline: BaselineReport| baseline.compared(&filters, &totals.rules_run);
        let baselines = given.baselines.clone().map(|all| all.into_iter().map(compared).collect());
        let mut manifest = Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool::this(),
            arguments: given.arguments.iter().map(|argument| Text::from(without_secrets(argument))).collect(),
            started_at: UtcMicros(0),
            ended_at: UtcMicros(0),
            exit_code: 0,
            completeness: Completeness::of(given, outcome),
            result_digest: String::new(),
            policy: given.policy.clone(),
            keys: given.keys.clone(),
            formats: given.formats.clone(),
            watch: given.watch.clone(),
            baselines,
            filters,
            counts: Counts::from(&totals.counts),
            inputs: outcome.inputs.iter().map(Input::from).collect(),
            gateways: gateways(given, totals),
            rules: RuleReport {
                run: totals.rules_run.clone(),
                skipped: totals.rules_skipped.clone(),
                not_evaluable: totals.not_evaluable.clone(),
            },
            verdicts: Verdicts { uses: totals.verdicts.clone(), tokens: totals.token_verdicts.clone() },
            distinct_tokens: totals.distinct_tokens,
            findings: totals.findings.clone(),
            problems: totals.problems.clone(),
            systemic: totals.systemic.iter().map(SystemicReport::from).collect(),
            uncovered: totals.uncovered,
            uncovered_places: totals.uncovered_places.iter().map(UncoveredReport::from).collect(),
            unmatched_apis: totals.unmatched_apis.iter().map(Text::from).collect(),
            ambiguous: totals.ambiguous.iter().map(|(api, records)| (Text::from(api), *records)).collect(),
            accepts: totals.accepts.iter().map(AcceptReport::from).collect(),
            output,
        };
        manifest.result_digest = crate::sink::digest::of(&manifest);
        manifest
    }

    /// Adds what is known last: the run's period and how it ends.
    pub fn finish(&mut self, started_at: UtcMicros, ended_at: UtcMicros, exit_code: u8) {
        self.started_at = started_at;
        self.ended_at = ended_at;
        self.exit_code = exit_code;
    }

    /// The text of `run.json`.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// The filters as they are recorded; empty ones stay visible, so that a reader sees that nothing was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each member is the option of that name")]
pub struct FilterReport {
    #[serde(serialize_with = "rfc3339")]
    pub since: Option<UtcMicros>,
    #[serde(serialize_with = "rfc3339")]
    pub until: Option<UtcMicros>,
    pub min_severity: Option<&'static str>,
    pub tid: Vec<Text>,
    pub oid: Vec<Text>,
    pub client: Vec<Text>,
    pub ip: Vec<Text>,
    pub kid: Vec<Text>,
    pub uti: Vec<Text>,
    pub sid: Vec<Text>,
    /// Fingerprints, which the redactor leaves alone.
    pub token: Vec<String>,
    pub gateway: Vec<Text>,
    pub api: Vec<Text>,
}

impl From<&Filters> for FilterReport {
    fn from(filters: &Filters) -> Self {
        let texts = |values: &[String]| values.iter().map(Text::from).collect();
        Self {
            since: filters.period.since,
            until: filters.period.until,
            min_severity: filters.min_severity.map(crate::rules::Severity::name),
            tid: texts(&filters.tid),
            oid: texts(&filters.oid),
            client: texts(&filters.client),
            ip: texts(&filters.ip),
            kid: texts(&filters.kid),
            uti: texts(&filters.uti),
            sid: texts(&filters.sid),
            token: filters.token.clone(),
            gateway: texts(&filters.gateway),
            api: texts(&filters.api),
        }
    }
}

/// Gateways of the policy in its order, then those that were only seen.
fn gateways(given: &Given, totals: &Totals) -> Vec<GatewayReport> {
    let report = |name: &str, expectation: Option<Expectation>| {
        let seen = totals.gateways.get(name).cloned().unwrap_or_default();
        GatewayReport {
            name: Text::from(name),
            expectation,
            records: seen.records,
            tokens: seen.tokens,
            longest_gap_s: seen.longest_gap.map(|gap| gap / time::SECOND),
            clock_offset_s: seen.clock_offset_s,
            unmet: seen.unmet.iter().map(Text::from).collect(),
        }
    };
    let known = given.gateways.iter().map(|gateway| report(&gateway.name, expectation(gateway)));
    let is_known = |name: &str| given.gateways.iter().any(|gateway| gateway.name == name);
    let seen = totals.gateways.keys().filter(|name| !is_known(name)).map(|name| report(name, None));
    known.chain(seen).collect()
}

fn expectation(gateway: &Gateway) -> Option<Expectation> {
    let expectation = Expectation {
        every_s: gateway.expect_every.map(|every| every / time::SECOND),
        min_records: gateway.expect_min_records,
        tokens: gateway.expect_tokens,
    };
    (expectation != Expectation { every_s: None, min_records: None, tokens: false }).then_some(expectation)
}

/// An argument without what a URL may carry to prove who asks: user information, query and fragment.
fn without_secrets(argument: &str) -> String {
    let Some((scheme, rest)) = argument.split_once("://") else { return argument.to_owned() };
    let (place, secret) = match rest.find(['?', '#']) {
        Some(at) => (rest.get(..at).unwrap_or_default(), "?***"),
        None => (rest, ""),
    };
    let (authority, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let user = if host.len() < authority.len() { "***@" } else { "" };
    format!("{scheme}://{user}{host}{path}{secret}")
}

#[expect(clippy::ref_option, reason = "serde gives a reference")]
pub(super) fn rfc3339<S: Serializer>(at: &Option<UtcMicros>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(super) fn instant<S: Serializer>(at: &UtcMicros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_lose_their_secrets() {
        assert_eq!(without_secrets("logs/"), "logs/");
        assert_eq!(without_secrets("https://me:pw@h.example/c?sig=abc#x"), "https://***@h.example/c?***");
        assert_eq!(without_secrets("s3://bucket/a@b"), "s3://bucket/a@b");
        assert_eq!(Text::from("eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.c2ln").as_str(), "***");
    }

    #[test]
    fn the_manifest_is_stable_json() {
        let given = Given { arguments: vec!["audit".to_owned(), "logs".to_owned()], ..Given::default() };
        let mut manifest = Manifest::new(&given, &Outcome::default(), Written::default());
        manifest.finish(UtcMicros(0), UtcMicros(1_500_000), 0);
        let text = manifest.to_json().unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["tool"]["name"], "tokentrail");
        assert_eq!(value["ended_at"], "1970-01-01T00:00:01.5Z");
        assert_eq!(value["completeness"]["status"], "complete");
        assert_eq!(value["counts"]["rejects"]["no-match"], 0);
        assert!(text.starts_with("{\n  \"schema_version\": 1,\n  \"tool\""));
    }
}
