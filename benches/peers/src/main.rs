//! What the tool is measured against: the loop that one would write with the usual libraries, and the libraries alone.
//!
//! Every command prints one line of JSON: what it counted, and the CPU time of the part that is named in its description.

mod codec;
mod corpus;
mod equal;
mod naive;
mod parsed;
mod tables;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
usage: peers naive  [--cache] [-j N] KEYS LOG...  serde_json + jsonwebtoken + rayon over JSON lines; with --cache a DashMap of
                                                  verdicts. Signatures only: no claim is checked.
       peers equal  [--cache] [-j N] CORPUS OUT LOG...
                                                  the same with every mapped field, all claims, audience, tenant and times by
                                                  CORPUS/policy.toml, and two Parquet tables in the folder OUT
       peers parsed KEYS LOG...                   aws-lc-rs ParsedPublicKey over the distinct tokens, on one thread; the CPU time
                                                  is that of the verifications alone
       peers inflate FILE...                      gzip into nothing
       peers unzstd FILE...                       zstd into nothing
       peers pack FILE OUT                        compresses to OUT.gz (level 6) or OUT.zst (level 3), by its name
KEYS is a folder of key documents (JWKS), or one of them; LOG are files of `tokentrail generate`, format edge-json.";

/// Why a peer stopped.
pub(crate) type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("peers: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<Value, Failure> {
    let (command, rest) = arguments.split_first().ok_or(USAGE)?;
    match command.as_str() {
        "naive" | "equal" => {
            let (mut cache, mut threads, mut files) = (false, 0, Vec::new());
            let mut rest = rest.iter();
            while let Some(argument) = rest.next() {
                match argument.as_str() {
                    "--cache" => cache = true,
                    "-j" => threads = rest.next().ok_or(USAGE)?.parse()?,
                    file => files.push(PathBuf::from(file)),
                }
            }
            match (command.as_str(), files.as_slice()) {
                ("naive", [keys, logs @ ..]) => naive::run(keys, logs, cache, threads),
                ("equal", [corpus, out, logs @ ..]) => equal::run(corpus, out, logs, cache, threads),
                _ => Err(USAGE.into()),
            }
        }
        "parsed" => {
            let files = paths(rest);
            let (keys, logs) = files.split_first().ok_or(USAGE)?;
            parsed::run(keys, logs)
        }
        "inflate" => codec::inflate(&paths(rest)),
        "unzstd" => codec::unzstd(&paths(rest)),
        "pack" => match rest {
            [file, out] => codec::pack(Path::new(file), Path::new(out)),
            _ => Err(USAGE.into()),
        },
        _ => Err(USAGE.into()),
    }
}

fn paths(arguments: &[String]) -> Vec<PathBuf> {
    arguments.iter().map(PathBuf::from).collect()
}
