//! Arguments of the commands of `keys`.

use super::ListingArgs;
use clap::Args;
use std::path::PathBuf;

/// `keys add`
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  tokentrail keys add jwks.json --captured-at 2026-11-22T10:34:27Z \\\n      \
                       --source https://login.microsoftonline.com/common/discovery/v2.0/keys\n  \
                       tokentrail keys add --keys keys archive-of-a-colleague/"
)]
pub(in crate::cli) struct AddArgs {
    /// Key documents (JWKS) exactly as the issuer served them, PEM certificates, or whole directories and packed archives
    #[arg(required = true, value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// When they were served: RFC 3339, or a date for some time on that day [default: the time that each name begins with]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) captured_at: Option<String>,
    /// Where they were served: the URL of the key document
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) source: Option<String>,
    /// The documents list keys that an issuer had, with `iat`, `exp` and `revoked` (OpenID Federation, historical keys)
    #[arg(long)]
    pub(in crate::cli) historical: bool,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "keys")]
    pub(in crate::cli) keys: PathBuf,
}

/// `keys show`
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  tokentrail keys show --keys keys X5eXk4xyojNFum1kl2Ytv8dlNP4")]
pub(in crate::cli) struct ShowArgs {
    /// The key's kid, else the thumbprint of its certificate or the SHA-256 of its public key (`spki_sha256` of a listing)
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    pub(in crate::cli) kid: String,
    /// The archive: a directory, or a packed file
    #[arg(long, value_name = "DIR", default_value = "keys")]
    pub(in crate::cli) keys: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) listing: ListingArgs,
}

/// `keys diff`
#[derive(Debug, Args)]
#[command(
    after_long_help = "An instant stands for the last complete capture of each source at or before it.\n\nExamples:\n  \
                       tokentrail keys diff keys-of-yesterday keys\n  \
                       tokentrail keys diff --keys keys 2026-11-01 2026-11-20"
)]
pub(in crate::cli) struct DiffArgs {
    /// An archive (a directory or a packed file), or an instant: RFC 3339, a date, or 24h
    #[arg(value_name = "A")]
    pub(in crate::cli) before: String,
    /// What to compare it with: another archive, or another instant
    #[arg(value_name = "B")]
    pub(in crate::cli) after: String,
    /// The archive that A and B are instants of [default: keys, where A and B are no archives]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) keys: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) listing: ListingArgs,
}

/// `keys timeline`
#[derive(Debug, Args)]
#[command(after_long_help = "Example:\n  tokentrail keys timeline --keys keys -o keys.svg")]
pub(in crate::cli) struct TimelineArgs {
    /// The archive: a directory, or a packed file
    #[arg(long, value_name = "DIR", default_value = "keys")]
    pub(in crate::cli) keys: PathBuf,
    /// File to write, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

/// `keys pack`
#[derive(Debug, Args)]
#[command(
    after_long_help = "Whatever reads an archive takes the file for its --keys, with the same result.\n\nExample:\n  \
                       tokentrail keys pack --keys keys -o history.parquet"
)]
pub(in crate::cli) struct PackArgs {
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "keys")]
    pub(in crate::cli) keys: PathBuf,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: PathBuf,
}
