//! What to generate.

use std::path::PathBuf;

/// Format of the written logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// JSON lines with keys of our own; `formats.toml` says how to read them.
    #[default]
    EdgeJson,
    /// nginx text; `formats.toml` holds the `log_format`.
    Nginx,
    /// Envoy's JSON access log with the keys of the preset `envoy-json`. It does not log a principal.
    EnvoyJson,
}

impl LogFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::EdgeJson, Self::Nginx, Self::EnvoyJson];

    /// Name as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdgeJson => "edge-json",
            Self::Nginx => "nginx",
            Self::EnvoyJson => "envoy-json",
        }
    }

    /// The format of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Algorithm that the issuer signs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signing {
    /// RSASSA-PKCS1-v1_5 with SHA-256 and 2048-bit keys, as Entra does. The same seed gives the same bytes.
    #[default]
    Rs256,
    /// ECDSA over P-256. Keys and signatures are random: only the plan, not the bytes, depends on the seed.
    Es256,
}

impl Signing {
    /// Value of `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// The algorithm of a name, in any letter case.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256].into_iter().find(|alg| alg.name().eq_ignore_ascii_case(name))
    }
}

/// What to generate and where to.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Log lines, with and without token.
    pub lines: u64,
    /// Seed of every choice. With RS256 the same plan gives the same bytes on every machine.
    pub seed: u64,
    /// Format of the logs.
    pub format: LogFormat,
    /// Requests for each token, on average; at least 1.
    pub reuse: u32,
    /// Share of the tokens that are misused, 0 to 1.
    pub misuse: f64,
    /// Tenants that the policy allows; at least 1.
    pub tenants: u32,
    /// APIs of the policy; at least 1.
    pub apis: u32,
    /// Keys that the issuer signs with in turn; at least 1.
    pub kids: u32,
    /// Captures of each key source; at least [`Plan::CAPTURES_MIN`].
    pub captures: u32,
    /// Hours in which the tokens are issued, 1 to 72. Few hours make many tokens live at the same time.
    pub hours: u32,
    /// Algorithm that the issuer signs with.
    pub alg: Signing,
    /// Networks that the tokens come from, each with one address, 1 to [`Plan::ADDRESSES_MAX`]: a token has one of its own, and
    /// one use of four comes from any other. So many tokens are used from several networks, of which the table of what is
    /// planted knows nothing. `None` for a few addresses, and each token's uses from one.
    pub addresses: Option<u32>,
    /// Whether the logs are compressed with gzip.
    pub gzip: bool,
    /// Folder of the corpus; absent or empty.
    pub out: PathBuf,
    /// File of keys and signatures to use again, or to write if absent.
    pub token_bank: Option<PathBuf>,
}

impl Plan {
    /// Fewer captures would leave more than a day between two of them, and no key could be proven absent.
    pub const CAPTURES_MIN: u32 = 14;
    /// More would lie outside of what the fewest captures prove.
    pub const HOURS_MAX: u32 = 72;

    /// More would lie in networks of other kinds than 11.0.0.0/8 and those that follow.
    pub const ADDRESSES_MAX: u32 = 7_000_000;

    /// A plan of usual size.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self {
            lines: 100_000,
            seed: 1,
            format: LogFormat::default(),
            reuse: 100,
            misuse: 0.01,
            tenants: 8,
            apis: 20,
            kids: 6,
            captures: 27,
            hours: Self::HOURS_MAX,
            alg: Signing::default(),
            addresses: None,
            gzip: false,
            out: out.into(),
            token_bank: None,
        }
    }

    /// Length of the traffic in seconds.
    pub(super) fn seconds(&self) -> i64 {
        i64::from(self.hours) * 3600
    }
}

/// What was generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Log lines.
    pub lines: u64,
    /// Bytes of the logs, before compression.
    pub bytes: u64,
    /// Log files.
    pub files: u64,
    /// Distinct tokens.
    pub tokens: u64,
    /// Tokens that are misused.
    pub planted: u64,
    /// Lines of `expected.jsonl`.
    pub expected: u64,
}

/// Why nothing could be generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A number of the plan is out of range.
    #[error("{name} must be {range}")]
    OutOfRange {
        /// The number.
        name: &'static str,
        /// What is allowed.
        range: &'static str,
    },
    /// The output folder holds something.
    #[error("{}: the folder is not empty; name a new or empty one", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A token bank of another plan, or none at all.
    #[error("{}: {why}; remove the file or name another", path.display())]
    Bank {
        /// The bank.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// A token could not be signed.
    #[error("token {index}: {why}")]
    Token {
        /// Its number.
        index: u64,
        /// Why.
        why: String,
    },
    /// A key could not be made or used.
    #[error("key {index}: {why}")]
    Key {
        /// Its number.
        index: usize,
        /// Why.
        why: String,
    },
}

impl GenerateError {
    /// Puts the file to an error of reading or writing it.
    pub(super) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
