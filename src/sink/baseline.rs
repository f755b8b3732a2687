//! `--baseline`: earlier results to compare with, in the order in which their runs started.

use crate::engine::Earlier;
use crate::findings::{ProblemRow, Table, Tables};
use crate::rules::Severity;
use crate::sink::earlier::{EarlierError, EarlierResult, failed};
use crate::sink::manifest::Text;
use crate::sink::parts::BaselineReport;
use crate::time::UtcMicros;
use arrow::array::AsArray;
use parquet::arrow::ProjectionMask;
use parquet::errors::ParquetError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Ending of the directory that an interrupted run leaves.
const PARTIAL: &str = ".partial";

/// Earlier results, oldest first.
#[derive(Debug, Default)]
pub struct Baselines {
    results: Vec<Baseline>,
}

/// An earlier result.
#[derive(Debug)]
struct Baseline {
    path: PathBuf,
    started_at: UtcMicros,
    result_digest: String,
    completeness: String,
    problems: HashSet<String>,
    filters: Value,
    rules_run: BTreeSet<String>,
}

impl Baselines {
    /// Opens results, and the results in directories of results; each once. What such a directory holds under the name of
    /// `output`, which is about to be replaced, is left out, and so is what interrupted runs have left.
    ///
    /// # Errors
    ///
    /// If one of them is no result of this version, or was changed. A directory with nothing in it is one of results of
    /// which there are none yet.
    pub fn open(paths: &[PathBuf], output: &Path) -> Result<Self, EarlierError> {
        let mut found: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
        for path in paths {
            for result in results_at(path, output)? {
                let real = result.canonicalize().map_err(|error| failed(&result, error))?;
                found.entry(real).or_insert(result);
            }
        }
        let results = found.into_values().map(|path| Baseline::open(&path));
        let mut results = results.collect::<Result<Vec<_>, _>>()?;
        results.sort_by(|a, b| {
            let key = |it: &Baseline| (it.started_at, it.result_digest.clone());
            key(a).cmp(&key(b)).then_with(|| a.path.cmp(&b.path))
        });
        Ok(Self { results })
    }

    /// The directory of the latest result.
    pub fn latest(&self) -> Option<&Path> {
        self.results.last().map(|result| result.path.as_path())
    }

    /// What the run of the latest result kept; `None` if there is no result, or it kept nothing.
    ///
    /// # Errors
    ///
    /// As [`EarlierResult::state`].
    pub fn kept(&self) -> Result<Option<Earlier>, EarlierError> {
        self.latest().map_or(Ok(None), |latest| EarlierResult::open(latest)?.state())
    }

    /// Says of every problem whether it is new, ongoing (in the latest result) or returned (only in an earlier one). Gives
    /// the highest severity among findings of new problems that count for `--fail-on`.
    pub fn mark(&self, tables: &mut Tables) -> Option<Severity> {
        for problem in &mut tables.problems {
            problem.state = Some(self.standing(problem).to_owned());
        }
        let new = tables.problems.iter().filter(|problem| problem.state.as_deref() == Some("new"));
        let new: HashSet<&str> = new.map(|problem| problem.problem_id.as_str()).collect();
        let findings = tables.findings.iter().filter(|finding| finding.counts());
        findings
            .filter(|finding| new.contains(finding.problem_id.as_str()))
            .map(|finding| finding.severity)
            .max()
    }

    fn standing(&self, problem: &ProblemRow) -> &'static str {
        let mut known = self.results.iter().rev().map(|result| result.problems.contains(&problem.problem_id));
        match known.next() {
            Some(true) => "ongoing",
            _ if known.any(|known| known) => "returned",
            _ => "new",
        }
    }

    /// What `run.json` says of them.
    pub fn report(&self) -> Vec<BaselineReport> {
        let report = |result: &Baseline| BaselineReport {
            path: Text::from(result.path.display().to_string()),
            started_at: result.started_at,
            result_digest: Text::from(&result.result_digest),
            completeness: Text::from(&result.completeness),
            problems: u64::try_from(result.problems.len()).unwrap_or(u64::MAX),
            // Known once the run has ended.
            other_filters: Vec::new(),
            rules_not_run: Vec::new(),
            filters: result.filters.clone(),
            rules_run: result.rules_run.clone(),
        };
        self.results.iter().map(report).collect()
    }
}

/// The result that a path is, else the results in it.
fn results_at(path: &Path, output: &Path) -> Result<Vec<PathBuf>, EarlierError> {
    if EarlierResult::is_at(path) {
        return Ok(vec![path.to_owned()]);
    }
    let replaced = output.canonicalize().ok();
    let (mut results, mut others) = (Vec::new(), false);
    for entry in fs::read_dir(path).map_err(|error| failed(path, error))? {
        let entry = entry.map_err(|error| failed(path, error))?;
        let (name, place) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if name.starts_with('.') || name.ends_with(PARTIAL) || place.canonicalize().ok() == replaced {
            continue;
        }
        if EarlierResult::is_at(&place) {
            results.push(place);
        } else {
            others = true;
        }
    }
    if results.is_empty() && others {
        return Err(EarlierError::NoResult { path: path.display().to_string() });
    }
    Ok(results)
}

impl Baseline {
    fn open(path: &Path) -> Result<Self, EarlierError> {
        let result = EarlierResult::open(path)?;
        let started: jiff::Timestamp = result
            .text("/started_at")?
            .parse()
            .map_err(|error: jiff::Error| result.unreadable(error.to_string()))?;
        let rules = result.manifest.pointer("/rules/run").and_then(Value::as_array);
        let rules_run = rules.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self {
            path: path.to_owned(),
            filters: result.manifest.get("filters").cloned().unwrap_or_default(),
            rules_run,
            started_at: UtcMicros(started.as_microsecond()),
            result_digest: result.text("/result_digest")?.to_owned(),
            completeness: result.text("/completeness/status")?.to_owned(),
            problems: problems(&result)?,
        })
    }
}

/// The ids of a result's problems.
fn problems(result: &EarlierResult) -> Result<HashSet<String>, EarlierError> {
    let broken = |error| result.broken(Table::Problems, error);
    let builder = result.table(Table::Problems)?;
    let only = ProjectionMask::columns(builder.parquet_schema(), ["problem_id"]);
    let mut ids = HashSet::new();
    for batch in builder.with_projection(only).build().map_err(broken)? {
        let batch = batch.map_err(|error| broken(error.into()))?;
        let column = batch.column_by_name("problem_id").and_then(|column| column.as_string_opt::<i32>());
        let column =
            column.ok_or_else(|| broken(ParquetError::General("no texts in problem_id".to_owned())))?;
        ids.extend(column.iter().flatten().map(str::to_owned));
    }
    Ok(ids)
}
