//! Lists the rule files into one sorted table, so that a rule is added by its file and its `mod` line alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const FAMILIES: [&str; 7] = ["form", "signature", "time", "tenant", "audience", "authorization", "behaviour"];

fn main() {
    println!("cargo::rerun-if-changed=src/rules");
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
