//! The arguments of `keys fetch`, which are the keys of `sources.toml` too.

use super::ListingArgs;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::path::PathBuf;
use tokentrail::entra::Cloud;

/// How `sources.toml` is written, for `keys fetch --help` and the manual page.
const HELP: &str = "\
Without a source it captures those of sources.toml in the archive; its keys are the flags:

  [[source]]
  tenant = [\"common\", \"72f988bf-86f1-41af-91ab-2d7cd011db47\"]
  appid = [\"6e74172b-be56-4843-9ff4-e66a39bb12e3\"]   # APIs with custom signing keys
  # v1 = true, v2 = true; cloud = \"us-government\" or \"china\"
  [[source]]
  b2c = [\"contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_sign_in\"]
  ciam = [\"contoso\"]
  url = [\"https://idp.example.com/.well-known/openid-configuration\"]
  key-host = []        # other hosts that its jwks_uri may name

Each capture is a line of captures.jsonl, chained to the one before; an unchanged document is stored
once. What fails is recorded as failed. HTTPS_PROXY and NO_PROXY are honoured.

Exit codes: 0 all captured, 2 bad arguments, 3 something failed (and is recorded), 4 the archive
cannot be written.

Example, every hour:
  17 * * * *  tokentrail keys fetch -q --keys /var/lib/tokentrail/keys --tenant common";

/// `keys fetch`
#[derive(Args, Debug)]
#[command(after_long_help = HELP)]
pub(in crate::cli) struct FetchArgs {
    /// What to capture.
    #[command(flatten)]
    pub(in crate::cli) sources: SourceArgs,
    /// The archive
    #[arg(long, value_name = "DIR", default_value = "keys")]
    pub(in crate::cli) keys: PathBuf,
    /// Trust the certificates of this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ca_file: Option<PathBuf>,
    /// Longest time for one answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(in crate::cli) timeout: u64,
    /// How often to ask again after a timeout or a server's error
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(..=10))]
    pub(in crate::cli) retries: u32,
    #[command(flatten)]
    pub(in crate::cli) listing: ListingArgs,
}

/// What to capture: the flags, or a `[[source]]` table of `sources.toml`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(in crate::cli) struct SourceArgs {
    /// Entra tenant: GUID, common, organizations or consumers (repeatable)
    #[arg(long, value_name = "TENANT")]
    pub(in crate::cli) tenant: Vec<String>,
    /// Only the key document of v1 tokens [default: v1 and v2]
    #[arg(long)]
    pub(in crate::cli) v1: bool,
    /// Only the key document of v2 tokens
    #[arg(long)]
    pub(in crate::cli) v2: bool,
    /// Cloud of the tenants [default: global]
    #[arg(long, value_name = "CLOUD")]
    pub(in crate::cli) cloud: Option<FetchCloud>,
    /// API with custom signing keys: its documents of the tenants, beside the plain ones (repeatable)
    #[arg(long, value_name = "GUID")]
    pub(in crate::cli) appid: Vec<String>,
    /// Azure AD B2C policy (repeatable)
    #[arg(long, value_name = "HOST/TENANT/POLICY")]
    pub(in crate::cli) b2c: Vec<String>,
    /// External ID tenant, by GUID or name: both of its hosts (repeatable)
    #[arg(long, value_name = "TENANT")]
    pub(in crate::cli) ciam: Vec<String>,
    /// Anybody's openid-configuration or key document (repeatable)
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) url: Vec<String>,
    /// Host that an openid-configuration may name for its keys although it is not its own (repeatable)
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) key_host: Vec<String>,
}

/// A cloud whose keys can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum FetchCloud {
    /// The worldwide one
    Global,
    /// Azure for US government
    UsGovernment,
    /// 21Vianet
    China,
}

impl FetchCloud {
    pub(in crate::cli) fn cloud(self) -> Cloud {
        match self {
            Self::Global => Cloud::Global,
            Self::UsGovernment => Cloud::UsGovernment,
            Self::China => Cloud::China,
        }
    }
}
