//! `--baseline`: earlier results to compare with. The one place that opens a result of an earlier run and orders several.

use crate::findings::{ProblemRow, Table, Tables};
use crate::redact;
use crate::rules::Severity;
use crate::sink::manifest::{BaselineReport, SCHEMA_VERSION, Text};
use crate::sink::output::MANIFEST;
use crate::sink::parquet::file_name;
use crate::time::UtcMicros;
use arrow::array::AsArray;
use aws_lc_rs::digest;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Ending of the directory that an interrupted run leaves.
const PARTIAL: &str = ".partial";

/// Earlier results in the order in which their runs started.
#[derive(Debug, Default)]
pub struct Baselines {
    results: Vec<Baseline>,
}

/// An earlier result.
#[derive(Debug)]
struct Baseline {
    path: PathBuf,
    head: Head,
    started_at: UtcMicros,
    problems: HashSet<String>,
}

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// A directory or a file.
    #[error("baseline {path} cannot be read: {error}; name a directory that an audit has written")]
    Io {
        /// What was to be read.
        path: String,
        /// Why it could not be.
        error: io::Error,
    },
    /// Something else.
    #[error(
        "baseline {path} is no result of tokentrail and holds none; name a directory that an audit has written, or one \
         of such directories"
    )]
    NoResult {
        /// The directory.
        path: String,
    },
    /// Its manifest.
    #[error(
        "baseline {path} has a {MANIFEST} that cannot be read ({why}); leave it out, or audit its logs again"
    )]
    Manifest {
        /// The directory.
        path: String,
        /// Why.
        why: String,
    },
    /// Written by another version.
    #[error(
        "baseline {path} is of schema version {found}, and this version reads {SCHEMA_VERSION}; leave it out, or audit \
         its logs again"
    )]
    Schema {
        /// The directory.
        path: String,
        /// Its version.
        found: u64,
    },
    /// Its table of problems.
    #[error("baseline {path}: {name} cannot be read ({error}); leave it out, or audit its logs again", name = problems_file())]
    Table {
        /// The directory.
        path: String,
        /// Why.
        error: ParquetError,
    },
    /// Its table of problems is not the one that was written.
    #[error(
        "baseline {path}: {name} is not the file that {MANIFEST} names (SHA-256 differs); restore it, or audit its logs \
         again",
        name = problems_file()
    )]
    Changed {
        /// The directory.
        path: String,
    },
}

/// What is read of `run.json`.
#[derive(Debug, Deserialize)]
struct Head {
    started_at: String,
    result_digest: String,
    output: Output,
}

#[derive(Debug, Deserialize)]
struct Output {
    files: Vec<OutputFile>,
}

#[derive(Debug, Deserialize)]
struct OutputFile {
    name: String,
    sha256: String,
}

impl Baselines {
    /// Opens results, and the results in directories of results; each once. What such a directory holds under the name of
    /// `output`, which is about to be replaced, is left out, and so is what interrupted runs have left.
    ///
    /// # Errors
    ///
    /// If one of them is no result of this version, or was changed. A directory with nothing in it is one of results of
    /// which there are none yet.
    pub fn open(paths: &[PathBuf], output: &Path) -> Result<Self, BaselineError> {
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
            let key = |it: &Baseline| (it.started_at, it.head.result_digest.clone());
            key(a).cmp(&key(b)).then_with(|| a.path.cmp(&b.path))
        });
        Ok(Self { results })
    }

    /// The directory of the latest result.
    pub fn latest(&self) -> Option<&Path> {
        self.results.last().map(|result| result.path.as_path())
    }

    /// Says of every problem whether it is new, ongoing (in the latest result) or returned (only in an earlier one). Gives
    /// the highest severity among findings of new problems that count for `--fail-on`.
    pub fn mark(&self, tables: &mut Tables) -> Option<Severity> {
        for problem in &mut tables.problems {
            problem.state = Some(self.state(problem).to_owned());
        }
        let new = tables.problems.iter().filter(|problem| problem.state.as_deref() == Some("new"));
        let new: HashSet<&str> = new.map(|problem| problem.problem_id.as_str()).collect();
        let findings = tables.findings.iter().filter(|finding| finding.counts());
        findings
            .filter(|finding| new.contains(finding.problem_id.as_str()))
            .map(|finding| finding.severity)
            .max()
    }

    fn state(&self, problem: &ProblemRow) -> &'static str {
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
            result_digest: Text::from(&result.head.result_digest),
            problems: u64::try_from(result.problems.len()).unwrap_or(u64::MAX),
        };
        self.results.iter().map(report).collect()
    }
}

/// The result that a path is, else the results in it.
fn results_at(path: &Path, output: &Path) -> Result<Vec<PathBuf>, BaselineError> {
    if path.join(MANIFEST).is_file() {
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
        if place.join(MANIFEST).is_file() {
            results.push(place);
        } else {
            others = true;
        }
    }
    if results.is_empty() && others {
        return Err(BaselineError::NoResult { path: path.display().to_string() });
    }
    Ok(results)
}

impl Baseline {
    fn open(path: &Path) -> Result<Self, BaselineError> {
        let shown = || path.display().to_string();
        let refused = |why: String| BaselineError::Manifest { path: shown(), why };
        let manifest = path.join(MANIFEST);
        let text = fs::read(&manifest).map_err(|error| failed(&manifest, error))?;
        // The version first: another one may have other members.
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?;
        if value.pointer("/tool/name").and_then(|name| name.as_str()) != Some("tokentrail") {
            return Err(BaselineError::NoResult { path: shown() });
        }
        let found = value.get("schema_version").and_then(serde_json::Value::as_u64).unwrap_or_default();
        if found != u64::from(SCHEMA_VERSION) {
            return Err(BaselineError::Schema { path: shown(), found });
        }
        let head: Head = serde_json::from_value(value).map_err(|error| refused(error.to_string()))?;
        let started: jiff::Timestamp =
            head.started_at.parse().map_err(|error: jiff::Error| refused(error.to_string()))?;
        let problems = problems(path, &head)?;
        Ok(Self { path: path.to_owned(), head, started_at: UtcMicros(started.as_microsecond()), problems })
    }
}

/// The ids of a result's problems, from the file that its manifest names.
fn problems(path: &Path, head: &Head) -> Result<HashSet<String>, BaselineError> {
    let file = path.join(problems_file());
    let bytes = fs::read(&file).map_err(|error| failed(&file, error))?;
    let sha256 = redact::hex(digest::digest(&digest::SHA256, &bytes).as_ref());
    let named = head.output.files.iter().find(|named| named.name == problems_file());
    if named.is_none_or(|named| named.sha256 != sha256) {
        return Err(BaselineError::Changed { path: path.display().to_string() });
    }
    let file = File::open(&file).map_err(|error| failed(&file, error))?;
    ids(file).map_err(|error| BaselineError::Table { path: path.display().to_string(), error })
}

fn ids(file: File) -> Result<HashSet<String>, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let only = ProjectionMask::columns(builder.parquet_schema(), ["problem_id"]);
    let mut ids = HashSet::new();
    for batch in builder.with_projection(only).build()? {
        let batch = batch?;
        let column = batch.column_by_name("problem_id").and_then(|column| column.as_string_opt::<i32>());
        let column =
            column.ok_or_else(|| ParquetError::General("no column problem_id of texts".to_owned()))?;
        ids.extend(column.iter().flatten().map(str::to_owned));
    }
    Ok(ids)
}

fn problems_file() -> String {
    file_name(Table::Problems)
}

fn failed(path: &Path, error: io::Error) -> BaselineError {
    BaselineError::Io { path: path.display().to_string(), error }
}
