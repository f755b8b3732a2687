//! Synthetic gateway logs, keys and policy with planted misuse, to try, to test and to measure with.
//!
//! What must be found is written from a planting table of its own; nothing of the rules' code is used, and no clock is read:
//! the traffic lies in the first days of November 2026. The corpus is written part by part, each part by one thread, so
//! memory stays bounded whatever its size.

mod archive;
mod bank;
mod config;
mod dice;
mod keyring;
mod line;
mod mint;
mod part;
mod plan;
mod plant;
mod spec;
#[cfg(test)]
mod tests;
mod world;

pub use plan::{GenerateError, LogFormat, Plan, Signing, Summary};

use bank::Bank;
use keyring::KeyRing;
use part::{Corpus, Part};
use rayon::prelude::*;
use std::fs;
use std::ops::Range;
use std::path::Path;
use world::World;

/// Lines of a log file, more or less; with a token of the usual size some 70 MB.
const LINES_PER_PART: u64 = 1 << 15;
/// Small corpora are split too, so that a folder is read as one would be in earnest.
const PARTS_MIN: u64 = 4;
/// One line of so many is a health check without a token.
const LINES_PER_HEALTH_CHECK: u64 = 50;

/// Writes a corpus: `logs/`, `keys/`, `policy.toml`, `formats.toml` (unless the format is a preset's), `expected.jsonl`
/// and `README.txt`. The same plan gives the same bytes, whatever the machine and the number of threads, if it signs with
/// RS256.
///
/// # Errors
///
/// If a number of the plan is out of range, the folder is not empty, the token bank belongs to another plan, or a file
/// cannot be written. What was written until then stays.
pub fn generate(plan: &Plan) -> Result<Summary, GenerateError> {
    check(plan)?;
    let health = plan.lines / LINES_PER_HEALTH_CHECK;
    let uses = plan.lines - health;
    let tokens = uses.div_ceil(u64::from(plan.reuse)).max(1);
    let (bank, ring) = match &plan.token_bank {
        Some(path) => {
            let (bank, ring) = Bank::open(plan, path, tokens)?;
            (Some(bank), ring)
        }
        None => (None, KeyRing::make(plan)?),
    };
    let summary = write(plan, &ring, bank.as_ref(), [tokens, uses, health])?;
    bank.map_or(Ok(()), Bank::finish)?;
    Ok(summary)
}

fn check(plan: &Plan) -> Result<(), GenerateError> {
    let rules = [
        (plan.lines >= 1, "lines", "at least 1"),
        (plan.reuse >= 1, "reuse", "at least 1"),
        ((0.0..=1.0).contains(&plan.misuse), "misuse", "a share from 0 to 1"),
        ((1..=10_000).contains(&plan.tenants), "tenants", "from 1 to 10000"),
        ((1..=1000).contains(&plan.apis), "apis", "from 1 to 1000"),
        ((1..=256).contains(&plan.kids), "kids", "from 1 to 256"),
        ((Plan::CAPTURES_MIN..=10_000).contains(&plan.captures), "captures", "from 14 to 10000"),
    ];
    match rules.iter().find(|(holds, _, _)| !holds) {
        Some((_, name, range)) => Err(GenerateError::OutOfRange { name, range }),
        None => Ok(()),
    }
}

/// Writes everything, given the keys.
fn write(
    plan: &Plan,
    ring: &KeyRing,
    bank: Option<&Bank>,
    [tokens, uses, health]: [u64; 3],
) -> Result<Summary, GenerateError> {
    let world = World::new(plan);
    let [logs, keys] = folders(plan)?;
    archive::write(plan, &world, ring, &keys)?;
    let corpus = Corpus {
        plan,
        world: &world,
        ring,
        bank,
        tokens,
        uses,
        misuse_ppm: parts_per_million(plan.misuse),
        unpublished_until: archive::unpublished_until(plan, ring),
    };
    let parts = plan.lines.div_ceil(LINES_PER_PART).max(PARTS_MIN).min(tokens);
    let slice =
        |whole: u64, part: u64| -> Range<u64> { share(whole, part, parts)..share(whole, part + 1, parts) };
    let written: Result<Vec<Part>, GenerateError> = (0..parts)
        .into_par_iter()
        .map(|part| corpus.write_part(&logs, part, slice(tokens, part), slice(health, part)))
        .collect();
    let mut summary = Summary::default();
    let mut expected = String::new();
    for part in written? {
        summary = add(summary, part.summary);
        expected.push_str(&part.expected);
    }
    let mut files = vec![
        ("policy.toml", config::policy(&world, ring)?),
        ("expected.jsonl", expected),
        ("README.txt", config::readme(plan, summary)),
    ];
    files.extend(config::formats(plan.format).map(|text| ("formats.toml", text)));
    for (name, text) in files {
        let path = plan.out.join(name);
        fs::write(&path, text).map_err(GenerateError::file(&path))?;
    }
    Ok(summary)
}

/// Makes the folders of the corpus.
fn folders(plan: &Plan) -> Result<[std::path::PathBuf; 2], GenerateError> {
    let out: &Path = &plan.out;
    fs::create_dir_all(out).map_err(GenerateError::file(out))?;
    if fs::read_dir(out).map_err(GenerateError::file(out))?.next().is_some() {
        return Err(GenerateError::NotEmpty { path: out.to_owned() });
    }
    let folders = [out.join("logs"), out.join("keys")];
    for folder in &folders {
        fs::create_dir(folder).map_err(GenerateError::file(folder))?;
    }
    Ok(folders)
}

/// Start of a part's share of some whole.
fn share(whole: u64, part: u64, parts: u64) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(part) / u128::from(parts)).unwrap_or(whole)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the share was checked to lie between 0 and 1"
)]
fn parts_per_million(share: f64) -> u64 {
    (share * 1e6).round() as u64
}

fn add(a: Summary, b: Summary) -> Summary {
    Summary {
        lines: a.lines + b.lines,
        bytes: a.bytes + b.bytes,
        files: a.files + b.files,
        tokens: a.tokens + b.tokens,
        planted: a.planted + b.planted,
        expected: a.expected + b.expected,
    }
}
