//! The catalogue: one file a rule, in families.

pub mod kit;
pub mod run;
pub mod trails;

mod archive;
mod audience;
mod authorization;
mod behaviour;
mod claim;
mod form;
mod judge;
mod need;
mod principal;
mod quiet;
mod reason;
mod signature;
mod tenant;
mod time;
mod watched;

pub use judge::{Silence, lacks_of, lacks_of_token, missing, silenced};
pub use kit::{Category, Confidence, Lane, Rule, Severity};
pub use quiet::Quiet;

/// Every rule, by family and then by file name. Made by `build.rs` from the files.
pub static RULES: &[&Rule] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// The rule of an id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn ids_are_file_names_and_folders_are_families() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules");
        for rule in RULES {
            let file = root.join(rule.category.name()).join(format!("{}.rs", rule.id.replace('-', "_")));
            assert!(file.is_file(), "{} is not at {}", rule.id, file.display());
        }
        let mut ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), RULES.len());
    }

    #[test]
    fn every_manual_says_what_why_and_what_to_do() {
        for rule in RULES {
            let lines: Vec<_> = rule.manual.lines().map(str::trim).collect();
            assert!(lines.first().is_some_and(|summary| summary.ends_with('.')), "{}: summary", rule.id);
            for part in ["Why it matters: ", "What to do: ", "Known false positives: "] {
                assert!(lines.iter().any(|line| line.starts_with(part)), "{}: {part}", rule.id);
            }
            assert!(!rule.references.is_empty(), "{}: references", rule.id);
        }
    }
}
