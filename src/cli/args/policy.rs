//! The arguments of `policy` (contract section 2).

use super::ListingArgs;
use clap::{Args, Subcommand};
use std::path::Path;
use std::path::PathBuf;
use tokentrail::limits;

/// How tests are written, for `policy test --help` and the manual page.
const TESTS: &str = "\
A file of tests is TOML; tests may also stand in the policy itself, beside its [[api]] tables:

  policy = \"policy.toml\"          # the policy, relative to this file; --policy wins

  [[test]]
  name = \"orders takes its own tokens\"
  request = { host = \"orders.contoso.example\", method = \"GET\", path = \"/v1/orders\" }
  api = \"orders\"                  # the entry that must win; \"none\" for none
  expect = \"quiet\"                # nothing above info may fire

  [[test]]
  name = \"and no others\"
  request = { host = \"orders.contoso.example\", path = \"/v1/orders\" }
  token = { aud = \"api://billing\" }
  expect = [\"wrong-aud\"]          # these must fire; others may

The token is a good one for the API that the request belongs to: its first audience, tenant, client,
scopes or roles, signed by a published key and within its life. `token` states what differs: claims
by name (an array or a table too; a TOML date-time becomes seconds), `header = { alg = \"none\" }`,
`signature = \"invalid\"` (any verdict of the column `signature`), or \"absent\" in place of the table.
`without = [\"scp\", \"header.kid\", \"request.time\"]` leaves things out.

Of the request may be stated: gateway, host, method, path, query, route, scheme, status, location,
time, client-ip, user-agent, request-id, principal, data-tenant, token-place (`query:access_token`;
else header:authorization). Without them it is a GET over https
at 2026-01-15T12:00:00Z from 192.0.2.10 that was answered with 200, by tid:oid where the API
authorizes on a principal.

There are no keys: rules that need an archive cannot fire, nor can those that need many requests. A
`signature` that is not valid is therefore never quiet.

Exit codes: 0 all tests hold, 1 one does not, 2 a file cannot be used.";

/// `policy`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PolicyCommand {
    /// Print a policy to start from, or a draft learned from logs
    Init(InitArgs),
    /// Check a policy and the files that it includes
    Check {
        #[command(flatten)]
        policy: PolicyFile,
        #[command(flatten)]
        listing: ListingArgs,
    },
    /// Say which entry wins for a request, and where each value comes from
    #[command(
        after_long_help = "Example:\n  tokentrail policy explain policy.toml --host orders.contoso.example --method POST --path /v1/orders"
    )]
    Explain(ExplainArgs),
    /// Try a policy on requests and tokens that are written down with what is to be found
    #[command(after_long_help = TESTS)]
    Test(TestArgs),
    /// List what no entry of the policy matched, from the results of audits
    #[command(after_long_help = "Example:\n  tokentrail policy coverage out/")]
    Coverage(CoverageArgs),
    /// Print the JSON Schema of policies
    Schema,
}

/// The policy that a command is about, with or without the flag that `audit` has for it.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct PolicyFile {
    /// The policy
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The same
    #[arg(long = "policy", value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl PolicyFile {
    /// Where it lies.
    pub(in crate::cli) fn path(&self) -> &Path {
        self.file.as_deref().or(self.policy.as_deref()).unwrap_or(Path::new(""))
    }
}

/// `policy explain`
#[derive(Args, Debug)]
pub(in crate::cli) struct ExplainArgs {
    #[command(flatten)]
    pub(in crate::cli) policy: PolicyFile,
    /// Gateway of the request
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) gateway: Option<String>,
    /// Host of the request
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) host: Option<String>,
    /// Method of the request
    #[arg(long, value_name = "METHOD")]
    pub(in crate::cli) method: Option<String>,
    /// Path of the request
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) path: Option<String>,
    /// Route that the gateway logs
    #[arg(long, value_name = "ROUTE")]
    pub(in crate::cli) route: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) listing: ListingArgs,
}

/// `policy test`
#[derive(Args, Debug)]
pub(in crate::cli) struct TestArgs {
    /// Files with [[test]] tables
    #[arg(required = true, value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// The policy; without it, the one that a file names or is
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) listing: ListingArgs,
}

/// `policy coverage`
#[derive(Args, Debug)]
pub(in crate::cli) struct CoverageArgs {
    /// Results of audits
    #[arg(required = true, value_name = "OUT")]
    pub(in crate::cli) results: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) listing: ListingArgs,
}
/// `policy init`
#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples:\n  tokentrail policy init > policy.toml\n  tokentrail policy init --keys keys/ logs/ > draft.toml\n  tokentrail policy init --keys keys/ --merge policy.toml -o policy.toml logs/\n\nValues are learned from tokens with a valid signature alone, so nothing is learned from claims without\n--keys. A value is live if its requests were accepted and it was seen with 5 identities or on 2 days\n(a client: wherever it was seen; scopes and roles: as few as let the tokens pass that were seen); the\nrest stands in lines that begin with `# review:`. Read the draft before you use it: what was accepted\nneed not have been right."
)]
pub(in crate::cli) struct InitArgs {
    /// Logs to learn from: files, directories, globs, or - for standard input
    #[arg(value_name = "INPUT")]
    pub(in crate::cli) inputs: Vec<String>,
    /// Key archive, to tell genuine tokens from others
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) keys: Option<PathBuf>,
    /// File with formats of your own
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) formats: Option<PathBuf>,
    /// Format of every input (see `formats list`)
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) input_format: Option<String>,
    /// Policy to add to; nothing of it is removed or changed
    #[arg(long, value_name = "FILE", requires = "inputs")]
    pub(in crate::cli) merge: Option<PathBuf>,
    /// Write the policy there instead of to standard output
    ///
    /// A file that exists is replaced only if it is the one that --merge names.
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Longest line in bytes [default: 8M]
    #[arg(long, value_name = "BYTES", default_value_t = limits::LINE_BYTES_MAX, value_parser = super::values::bytes, hide_default_value = true)]
    pub(in crate::cli) max_line: usize,
    /// Threads [default: one for each core]
    #[arg(short, long, value_name = "N", value_parser = super::values::jobs)]
    pub(in crate::cli) jobs: Option<usize>,
}
