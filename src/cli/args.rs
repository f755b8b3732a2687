//! The commands and their arguments (contract sections 2 and 3).

mod audit;
mod fetch;
mod keys;
mod policy;
mod values;

pub(super) use audit::{AuditArgs, FilterArgs, ProgressKind};
pub(super) use fetch::{FetchArgs, FetchCloud, SourceArgs};
pub(super) use keys::{AddArgs, DiffArgs, PackArgs, ShowArgs, TimelineArgs};
pub(super) use policy::{CoverageArgs, ExplainArgs, InitArgs, PolicyCommand, TestArgs};
pub(super) use values::{FailOn, fingerprint, nearest, unknown_rule};

use super::exit::EXIT_CODES;
use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use tokentrail::rules::Category;

const EXAMPLES: &str = "\
Examples:
  tokentrail audit --keys keys/ --policy policy.toml -o out/ logs/
  tokentrail keys fetch --keys keys/ --tenant common
  tokentrail inspect --keys keys/ < token.txt";

/// Tells whether the bearer tokens in API gateway logs were rightly accepted.
///
/// Reads gateway logs that contain bearer tokens, verifies every token offline against an archive of the issuer's keys,
/// compares it with the request it was used for and with your policy, and writes findings to Parquet. Nothing of
/// a log is sent anywhere, and no token is ever written.
#[derive(Debug, Parser)]
#[command(name = "tokentrail", version, max_term_width = 100, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    /// How to say it.
    #[command(flatten)]
    pub(super) messages: Messages,
}

/// Flags of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Run")]
pub(super) struct Messages {
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Print more about what is done (repeat for more)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// When to use colour; `NO_COLOR` is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub(super) color: ColorChoice,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Audit the tokens in logs
    Audit(Box<AuditArgs>),
    /// Write synthetic logs, keys and a policy with planted misuse
    Generate(GenerateArgs),
    /// Build and list the key archive
    #[command(subcommand, disable_help_subcommand = true)]
    Keys(KeysCommand),
    /// Start, check, test and explain a policy
    #[command(subcommand, disable_help_subcommand = true)]
    Policy(PolicyCommand),
    /// List, show and detect log formats
    #[command(subcommand, disable_help_subcommand = true)]
    Formats(FormatsCommand),
    /// List and explain the rules
    #[command(subcommand, disable_help_subcommand = true)]
    Rules(RulesCommand),
    /// Take one token from standard input apart
    Inspect(InspectArgs),
    /// Print a completion script
    Completions {
        /// The shell that is to read it
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// How a listing is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Listing {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// The flag of every listing.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct ListingArgs {
    /// Print a table, or JSON
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Listing,
}

/// `generate`
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  tokentrail generate --lines 100000 --misuse 0.01 -o demo/")]
pub(super) struct GenerateArgs {
    /// Log lines to write
    #[arg(long, value_name = "N")]
    pub(super) lines: Option<u64>,
    /// Seed; the same seed gives the same files everywhere
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Log format of the lines: edge-json, nginx or envoy-json
    #[arg(long, value_name = "NAME")]
    pub(super) format: Option<String>,
    /// How many requests use one token, on average
    #[arg(long, value_name = "N")]
    pub(super) reuse: Option<u32>,
    /// Share of tokens that are misused, 0 to 1
    #[arg(long, value_name = "SHARE")]
    pub(super) misuse: Option<f64>,
    /// Tenants that tokens come from
    #[arg(long, value_name = "N")]
    pub(super) tenants: Option<u32>,
    /// Signing keys in use
    #[arg(long, value_name = "N")]
    pub(super) kids: Option<u32>,
    /// Captures of each key source in the archive
    #[arg(long, value_name = "N")]
    pub(super) captures: Option<u32>,
    /// APIs in the policy
    #[arg(long, value_name = "N")]
    pub(super) apis: Option<u32>,
    /// Hours in which the tokens are issued, up to 72 [default: 72]
    ///
    /// With few hours many tokens are in use at the same time.
    #[arg(long, value_name = "N")]
    pub(super) hours: Option<u32>,
    /// Algorithm of the signatures: RS256 or ES256 (random keys: not the same bytes again)
    #[arg(long, value_name = "ALG")]
    pub(super) alg: Option<String>,
    /// Networks that the tokens come from, up to 7,000,000, instead of a few addresses
    ///
    /// A token has a network of its own, and one of four uses comes from another, so much is found that expected.jsonl does not
    /// name (token-many-ip and the like).
    #[arg(long, value_name = "N")]
    pub(super) addresses: Option<u32>,
    /// Compress the logs
    #[arg(long)]
    pub(super) gzip: bool,
    /// Write one log there, instead of files under logs/; - for standard output
    ///
    /// A pipe into `audit … -` then needs no room for the log.
    #[arg(long, value_name = "FILE", conflicts_with = "gzip")]
    pub(super) log: Option<PathBuf>,
    /// Keep keys and signatures in this file, or take them from it, so that making the corpus again costs no signing
    #[arg(long, value_name = "FILE")]
    pub(super) token_bank: Option<PathBuf>,
    /// Directory to write to; absent or empty
    #[arg(short, long, value_name = "DIR", default_value = "tokentrail-demo")]
    pub(super) output: PathBuf,
}

/// `keys`
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Add captures that others made: documents, directories, certificates
    Add(AddArgs),
    /// Check an archive before it is relied on: tampering, wrong keys, gaps, and sources that logs need
    #[command(
        after_long_help = "Exits with 1 if something is wrong.\n\nExample:\n  tokentrail keys check out/ --keys keys --policy policy.toml --since 30d"
    )]
    Check(KeysCheckArgs),
    /// Capture key documents over HTTPS, and record what came of it: the only command that uses the network
    Fetch(Box<FetchArgs>),
    /// Say which keys were added, removed or changed between two archives or two instants
    Diff(DiffArgs),
    /// Write an archive into one Parquet file, which starts fast and is read like the directory
    Pack(PackArgs),
    /// Tell everything that an archive knows about a key
    Show(ShowArgs),
    /// Draw the life of each key, with captures and gaps
    Timeline(TimelineArgs),
    /// List the keys of an archive, when they were seen, gaps, certificates and issuers
    List {
        /// The archive: a directory, or a packed file
        #[arg(long, value_name = "DIR", default_value = "keys")]
        keys: PathBuf,
        #[command(flatten)]
        listing: ListingArgs,
    },
}

/// `keys check`
#[derive(Debug, Args)]
pub(super) struct KeysCheckArgs {
    /// Results of audits: the archive must answer for the issuers of their tokens
    #[arg(value_name = "OUT")]
    pub(super) results: Vec<PathBuf>,
    /// The archive: a directory, or a packed file
    #[arg(long, value_name = "DIR", default_value = "keys")]
    pub(super) keys: PathBuf,
    /// The archive must have the keys for what this policy's APIs take: tenants, issuers, applications with keys of their own
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// Beginning of the time that the archive must answer for: RFC 3339, a date, or 24h
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// End of that time
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    #[command(flatten)]
    pub(super) listing: ListingArgs,
}

/// `formats`
#[derive(Debug, Subcommand)]
pub(super) enum FormatsCommand {
    /// List the log formats
    List {
        /// File with formats of your own
        #[arg(long, value_name = "FILE")]
        formats: Option<PathBuf>,
        #[command(flatten)]
        listing: ListingArgs,
    },
    /// Print a format's definition, to start one of your own from
    Show {
        /// Name of the format
        name: String,
        /// File with formats of your own
        #[arg(long, value_name = "FILE")]
        formats: Option<PathBuf>,
    },
    /// Say which format files have, and why
    Detect {
        /// Log files, directories, globs, or - for standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
        /// File with formats of your own
        #[arg(long, value_name = "FILE")]
        formats: Option<PathBuf>,
        #[command(flatten)]
        listing: ListingArgs,
    },
}

/// How the rules are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum RuleListing {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// For documents
    Md,
}

fn family(name: &str) -> Result<Category, String> {
    Category::ALL.into_iter().find(|family| family.name() == name).ok_or_else(|| {
        let names = Category::ALL.map(Category::name).join(", ");
        format!("no such family; there are {names}")
    })
}

/// `rules`
#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// List the rules
    List {
        /// Only this family: form, signature, time, tenant, audience, authorization or behaviour
        #[arg(long, value_name = "FAMILY", value_parser = family)]
        family: Option<Category>,
        /// Print a table, JSON, or Markdown
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: RuleListing,
    },
    /// Print a rule's manual
    Explain {
        /// Id of the rule
        id: String,
        #[command(flatten)]
        listing: ListingArgs,
    },
}

/// `inspect`
#[derive(Args, Debug)]
#[command(
    after_long_help = "The token is read from standard input, so that it stays out of the shell's history; a whole\nAuthorization header will do. Its claims are printed, its signature never.\n\nExample:\n  tokentrail inspect --keys keys/ < token.txt"
)]
pub(super) struct InspectArgs {
    /// Standard input, the only place that a token is read from
    #[arg(value_name = "-", hide = true)]
    pub(super) input: Option<String>,
    /// Key archive to verify the signature with
    #[arg(long, value_name = "DIR")]
    pub(super) keys: Option<PathBuf>,
    #[command(flatten)]
    pub(super) listing: ListingArgs,
}
