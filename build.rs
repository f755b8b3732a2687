//! Lists the rule files into one sorted table, so that a rule is added by its file and its `mod` line alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const FAMILIES: [&str; 7] = ["form", "signature", "time", "tenant", "audience", "authorization", "behaviour"];

fn main() {
    println!("cargo::rerun-if-changed=src/rules");
    name_commit();
    let mut table = String::from("&[\n");
    for family in FAMILIES {
        let folder = Path::new("src/rules").join(family);
        let mut files: Vec<PathBuf> = fs::read_dir(&folder)
            .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
            .unwrap_or_default();
        files.sort();
        for stem in files.iter().filter_map(|file| file.file_stem()?.to_str()).filter(|stem| *stem != "mod") {
            let _ = writeln!(table, "    &{family}::{stem}::RULE,");
        }
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("rules.rs");
    if let Err(error) = fs::write(&out, table) {
        println!("cargo::error=cannot write {}: {error}", out.display());
    }
}

/// Tells `run.json` the commit of a release build; a debug build would only be compiled again at every commit.
fn name_commit() {
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") && Path::new(".git").exists() {
        for file in [".git/HEAD", ".git/logs/HEAD"] {
            println!("cargo::rerun-if-changed={file}");
        }
        let commit = Command::new("git").args(["rev-parse", "HEAD"]).output();
        if let Some(commit) = commit.ok().filter(|commit| commit.status.success()) {
            println!("cargo::rustc-env=TOKENTRAIL_COMMIT={}", String::from_utf8_lossy(&commit.stdout).trim());
        }
    }
}
