//! Synthetic gateway logs, keys and policy with planted misuse, to try, to test and to measure with.
//!
//! What must be found is written from a planting table of its own; nothing of the rules' code is used, and no clock is read:
//! the traffic lies in the first days of November 2026. The corpus is written part by part, each part by one thread, so
//! memory stays bounded whatever its size. One part is a file, or a piece of one long log for whoever cannot store it.

mod archive;
mod authorized;
mod bank;
mod behaviour;
mod certificate;
mod config;
mod corner;
mod dice;
mod edit;
mod edited;
mod flawed;
mod keyring;
mod line;
mod mint;
mod part;
mod plan;
mod plant;
mod scenes;
mod spec;
mod tampered;
#[cfg(test)]
mod tests;
mod world;

pub use plan::{GenerateError, LogFormat, Plan, Signing, Summary};

use bank::Bank;
use keyring::KeyRing;
use part::{Corpus, Made, Part};
use rayon::prelude::*;
use std::fs;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use world::World;

/// Lines of a log file, more or less; with a token of the usual size some 110 MB. Uses of a token are mixed with others'
/// within a file, so this is also the reach of a cache that would see them all.
const LINES_PER_PART: u64 = 50_000;
/// Small corpora are split too, so that a folder is read as one would be in earnest.
const PARTS_MIN: u64 = 4;
/// One line of so many is a health check without a token.
const LINES_PER_HEALTH_CHECK: u64 = 50;
/// Parts of one long log that are in memory at the same time.
const PARTS_HELD_MAX: usize = 4;

/// Writes a corpus: `logs/`, `keys/`, `policy.toml`, `formats.toml` (unless the format is a preset's), `expected.jsonl`
/// and `README.txt`. The same plan gives the same bytes, whatever the machine and the number of threads, if it signs with
/// RS256.
///
/// # Errors
///
/// If a number of the plan is out of range, the folder is not empty, the token bank belongs to another plan, or a file
/// cannot be written. What was written until then stays.
pub fn generate(plan: &Plan) -> Result<Summary, GenerateError> {
    run(plan, None)
}

/// Writes a corpus as [`generate`] does, but its logs as one: the bytes of `logs/` in the order of the files' numbers.
///
/// # Errors
///
/// As [`generate`], and if the log cannot be written.
pub fn generate_into(plan: &Plan, log: &mut dyn Write) -> Result<Summary, GenerateError> {
    run(plan, Some(log))
}

fn run(plan: &Plan, log: Option<&mut dyn Write>) -> Result<Summary, GenerateError> {
    check(plan)?;
    let [tokens, uses, health] = budget(plan);
    let (bank, ring) = match &plan.token_bank {
        Some(path) => {
            let (bank, ring) = Bank::open(plan, path, tokens)?;
            (Some(bank), ring)
        }
        None => (None, KeyRing::make(plan)?),
    };
    let summary = write(plan, &ring, bank.as_ref(), [tokens, uses, health], log)?;
    bank.map_or(Ok(()), Bank::finish)?;
    Ok(summary)
}

/// Tokens and their uses, and requests without a token; the rest of the lines are those of the scenes.
fn budget(plan: &Plan) -> [u64; 3] {
    let health = plan.lines / LINES_PER_HEALTH_CHECK;
    let uses = plan.lines - health - behaviour::lines(plan);
    [uses.div_ceil(u64::from(plan.reuse)).max(1), uses, health]
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
        ((1..=Plan::HOURS_MAX).contains(&plan.hours), "hours", "from 1 to 72"),
        (
            plan.addresses.is_none_or(|addresses| (1..=Plan::ADDRESSES_MAX).contains(&addresses)),
            "addresses",
            "from 1 to 7000000",
        ),
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
    log: Option<&mut dyn Write>,
) -> Result<Summary, GenerateError> {
    let world = World::new(plan);
    make_folder(plan)?;
    archive::write(plan, &world, ring, &folder_in(plan, "keys")?)?;
    let beside = |name: &str, text: String| {
        let path = plan.out.join(name);
        fs::write(&path, text).map_err(GenerateError::file(&path))
    };
    // All that an audit needs lies there before the log begins, so that it can read the log through a pipe.
    if let Some(text) = config::formats(plan.format) {
        beside("formats.toml", text)?;
    }
    beside("watch.jsonl", config::watched(&world))?;
    beside("revoked.csv", config::revoked(&world))?;
    beside("policy.toml", config::policy(&world, ring)?)?;
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
    let make = |part: u64| corpus.make(part, slice(tokens, part), slice(health, part));
    let one_log = log.is_some();
    let stage = behaviour::play(plan, &world, ring)?;
    let written = if let Some(log) = log {
        let written = stream(parts, make, log)?;
        behaviour::write_log(&stage.logs, log)?;
        written
    } else {
        let logs = folder_in(plan, "logs")?;
        behaviour::write_files(&stage.logs, plan, &logs)?;
        store(&logs, parts, make)?
    };
    let mut summary = Summary::default();
    let mut expected = if plan.misuse > 0.0 { tampered::expected(&world, ring)? } else { String::new() };
    expected.push_str(&behaviour::expected_of_gateways(plan, one_log));
    for part in written.into_iter().chain([stage.part]) {
        summary = add(summary, part.summary);
        expected.push_str(&part.expected);
    }
    beside("expected.jsonl", expected)?;
    let later = !(one_log || stage.expected_later.is_empty());
    if later {
        beside("expected-later.jsonl", stage.expected_later)?;
    }
    beside("README.txt", config::readme(plan, summary, one_log, later))?;
    Ok(summary)
}

/// Writes each part as a file.
fn store<'c>(
    logs: &Path,
    parts: u64,
    make: impl Fn(u64) -> Result<Made<'c>, GenerateError> + Sync,
) -> Result<Vec<Part>, GenerateError> {
    (0..parts).into_par_iter().map(|part| make(part)?.write_file(logs)).collect()
}

/// Writes all parts into one log, in order; as many as fit are made at the same time.
fn stream<'c>(
    parts: u64,
    make: impl Fn(u64) -> Result<Made<'c>, GenerateError> + Sync,
    log: &mut dyn Write,
) -> Result<Vec<Part>, GenerateError> {
    let held = rayon::current_num_threads().min(PARTS_HELD_MAX);
    let numbers: Vec<u64> = (0..parts).collect();
    let mut written = Vec::with_capacity(numbers.len());
    for numbers in numbers.chunks(held.max(1)) {
        let pieces: Result<Vec<(Part, Vec<u8>)>, GenerateError> =
            numbers.par_iter().map(|part| make(*part)?.to_bytes()).collect();
        for (part, bytes) in pieces? {
            log.write_all(&bytes).map_err(GenerateError::file(Path::new("the log")))?;
            written.push(part);
        }
    }
    log.flush().map_err(GenerateError::file(Path::new("the log")))?;
    Ok(written)
}

/// Makes the folder of the corpus, or takes an empty one.
fn make_folder(plan: &Plan) -> Result<(), GenerateError> {
    let out: &Path = &plan.out;
    fs::create_dir_all(out).map_err(GenerateError::file(out))?;
    if fs::read_dir(out).map_err(GenerateError::file(out))?.next().is_some() {
        return Err(GenerateError::NotEmpty { path: out.to_owned() });
    }
    Ok(())
}

/// Makes a folder in that of the corpus.
fn folder_in(plan: &Plan, name: &str) -> Result<PathBuf, GenerateError> {
    let folder = plan.out.join(name);
    fs::create_dir(&folder).map_err(GenerateError::file(&folder))?;
    Ok(folder)
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
