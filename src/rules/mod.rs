//! The catalogue: one file a rule, in families.

pub mod kit;
pub mod run;

mod audience;
mod authorization;
mod behaviour;
mod form;
mod signature;
mod tenant;
mod time;

pub use kit::{Category, Confidence, Lane, Rule, Severity};

/// Every rule, by family and then by file name. Made by `build.rs` from the files.
pub static RULES: &[&Rule] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// The rule of an id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id).copied()
}
