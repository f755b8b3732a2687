//! The arguments of `audit` (contract section 3).

use super::super::exit::EXIT_CODES;
use super::values;
use super::values::FailOn;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use tokentrail::limits;
use tokentrail::rules::Severity;

const EXAMPLES: &str = "\
Examples:
  Last night's logs against the key archive and the policy:
    tokentrail audit --keys keys/ --policy policy.toml -o out/ logs/
  One day, failing on high findings, with the manifest on standard output:
    tokentrail audit --keys keys/ --since 2026-11-22 --until 2026-11-23 --fail-on high \\
        --summary-json - logs/
  The same every night, failing on what the nights before did not have:
    tokentrail audit --keys keys/ --policy policy.toml --baseline nights/ --fail-on new:high \
        -o nights/2026-11-22 logs/
  What a run would read, without reading it:
    tokentrail audit --dry-run --keys keys/ --policy policy.toml logs/
  A log from a pipe:
    zcat access.log.gz | tokentrail audit --input-format nginx -";

/// `audit`
#[derive(Args, Debug)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(in crate::cli) struct AuditArgs {
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    #[command(flatten)]
    pub(in crate::cli) keys: KeysArgs,
    #[command(flatten)]
    pub(in crate::cli) rules: RulesArgs,
    #[command(flatten)]
    pub(in crate::cli) filters: FilterArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
    #[command(flatten)]
    pub(in crate::cli) run: RunArgs,
}

/// What is read.
#[derive(Args, Debug)]
#[command(next_help_heading = "Input")]
pub(in crate::cli) struct InputArgs {
    /// Log files, directories, globs, or - for standard input
    ///
    /// Directories are read with everything below them; gzip and zstd are recognised. A file that is named twice is
    /// read once.
    #[arg(required = true, value_name = "INPUT")]
    pub(in crate::cli) inputs: Vec<String>,
    /// Format of every input (see `formats list`)
    ///
    /// Without it, each file's format is detected from its first records.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) input_format: Option<String>,
    /// File with formats of your own
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) formats: Option<PathBuf>,
    /// Longest line in bytes [default: 8M]
    ///
    /// A longer one is counted as rejected, and the run as incomplete.
    #[arg(long, value_name = "BYTES", default_value_t = limits::LINE_BYTES_MAX, value_parser = values::bytes, hide_default_value = true)]
    pub(in crate::cli) max_line: usize,
    /// Exit with 3 if an input has no token
    #[arg(long)]
    pub(in crate::cli) require_tokens: bool,
}

/// What signatures are verified with.
#[derive(Args, Debug)]
#[command(next_help_heading = "Keys")]
pub(in crate::cli) struct KeysArgs {
    /// Key archive, a directory or a packed file; without one no signature can be verified
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) keys: Option<PathBuf>,
    /// Exit with 2 without an archive, with 3 if it does not cover a token
    #[arg(long)]
    pub(in crate::cli) require_keys: bool,
}

/// What is judged.
#[derive(Args, Debug)]
#[command(next_help_heading = "Policy and rules")]
pub(in crate::cli) struct RulesArgs {
    /// What you expect of tokens; never found by itself
    ///
    /// Without one, the rules that need it are listed as skipped.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) policy: Option<PathBuf>,
    /// Run these rules only (repeatable, or separated by commas)
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = values::rule)]
    pub(in crate::cli) rule: Vec<String>,
    /// Run all but these rules (repeatable, or separated by commas)
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = values::rule)]
    pub(in crate::cli) skip_rule: Vec<String>,
    /// Leave out lesser findings: info, low, medium, high or critical
    #[arg(long, value_name = "SEVERITY", value_parser = values::severity)]
    pub(in crate::cli) min_severity: Option<Severity>,
}

/// Which records are kept.
#[derive(Args, Debug)]
#[command(next_help_heading = "Filters")]
pub(in crate::cli) struct FilterArgs {
    /// Records from this time on: RFC 3339, a date (UTC), or 24h before now
    ///
    /// Records without a time are kept, and counted.
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Records before this time
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
    /// Tenant id (this and the following: repeatable, or separated by commas)
    #[arg(long, value_name = "GUID", value_delimiter = ',', value_parser = values::id)]
    pub(in crate::cli) tid: Vec<String>,
    /// Object id of a user or service principal
    #[arg(long, value_name = "GUID", value_delimiter = ',', value_parser = values::id)]
    pub(in crate::cli) oid: Vec<String>,
    /// Client (application) id
    #[arg(long, value_name = "GUID", value_delimiter = ',', value_parser = values::id)]
    pub(in crate::cli) client: Vec<String>,
    /// Client address
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = values::address)]
    pub(in crate::cli) ip: Vec<String>,
    /// Key id
    #[arg(long, value_name = "KID", value_delimiter = ',', value_parser = values::given)]
    pub(in crate::cli) kid: Vec<String>,
    /// Token identifier claim
    #[arg(long, value_name = "UTI", value_delimiter = ',', value_parser = values::given)]
    pub(in crate::cli) uti: Vec<String>,
    /// Session id claim
    #[arg(long, value_name = "SID", value_delimiter = ',', value_parser = values::given)]
    pub(in crate::cli) sid: Vec<String>,
    /// Fingerprint of a token, 64 hexadecimal digits (never the token itself)
    // Checked later: the parser would repeat a wrong value, and that may be a token.
    #[arg(long, value_name = "SHA256", value_delimiter = ',')]
    pub(in crate::cli) token: Vec<String>,
    /// Gateway
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = values::given)]
    pub(in crate::cli) gateway: Vec<String>,
    /// API of the policy
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = values::given)]
    pub(in crate::cli) api: Vec<String>,
}

/// What is written.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct OutputArgs {
    /// Directory of the result: absent, empty, or an earlier result
    ///
    /// Results are built beside it and put in place when the run ends; an interrupted run leaves DIR.partial.
    #[arg(short, long, value_name = "DIR", default_value = "tokentrail-out")]
    pub(in crate::cli) output: PathBuf,
    /// Do not write occurrences.parquet
    #[arg(long)]
    pub(in crate::cli) no_occurrences: bool,
    /// Write at most N occurrences of a finding; the rest is counted
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_occurrences: Option<u64>,
    /// Do not write activity.parquet
    #[arg(long)]
    pub(in crate::cli) no_activity: bool,
    /// Do not hash the inputs
    #[arg(long)]
    pub(in crate::cli) no_input_digest: bool,
    /// Earlier result to compare problems with, or a directory of results (repeatable)
    ///
    /// A problem is then new, ongoing (in the latest result) or returned (only in an earlier one). Results are ordered by
    /// the start of their runs; an empty directory holds none yet, so that a first night can name it.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) baseline: Vec<PathBuf>,
    /// Exit with 1 at a finding of this severity or above; new:SEVERITY for new problems only
    ///
    /// Accepted findings and those of APIs under observation do not count. `new:` needs --baseline.
    #[arg(long, value_name = "SEVERITY", value_parser = values::fail_on)]
    pub(in crate::cli) fail_on: Option<FailOn>,
    /// Write run.json there too; - for standard output
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) summary_json: Option<PathBuf>,
}

/// How it runs.
#[derive(Args, Debug)]
#[command(next_help_heading = "Run")]
pub(in crate::cli) struct RunArgs {
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", value_parser = values::jobs)]
    pub(in crate::cli) jobs: Option<usize>,
    /// Progress: auto, bar, plain or none
    #[arg(long, value_name = "KIND", default_value = "auto", hide_possible_values = true)]
    pub(in crate::cli) progress: ProgressKind,
    /// Print inputs, formats, policy and key coverage, and stop
    ///
    /// Reads no more than the heads of the inputs, and writes nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Use no CPU-specific code (same result)
    ///
    /// Signatures and JSON fields are then left to the libraries alone: slower, for doubts about a processor.
    #[arg(long)]
    pub(in crate::cli) portable: bool,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ProgressKind {
    /// A bar on a terminal, else plain lines
    Auto,
    /// A bar
    Bar,
    /// A line every 30 seconds
    Plain,
    /// Nothing
    None,
}
