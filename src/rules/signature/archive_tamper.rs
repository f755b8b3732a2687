//! `archive-tamper`

use crate::keys::{KeyHistory, Tampering};
use crate::limits;
use crate::rules::kit::{Evidence, Statement, rule};
use std::collections::BTreeMap;

rule! {
    /// The key archive is not what was captured.
    ///
    /// Why it matters: every verdict rests on the archive. A document whose digest is not the recorded one, or a chain of
    /// captures that is broken, means that somebody changed, removed or added captures: a forged key could be among them, or a
    /// withdrawn one be made to look alive. `audit` refuses such an archive (exit 2); `keys check` says where it is wrong.
    ///
    /// What to do: restore the archive from a copy (it is a plain directory; git or object-store versions will do), find
    /// out who could write to it, and audit again what was audited since.
    ///
    /// Known false positives: archives that were copied by a tool that changes line ends or re-formats JSON.
    "archive-tamper", Signature, "C/C", BlindSpot, Proven,
    references: ["CWE-353"],
    needs: [Keys],
    judge: Archive(check),
}

fn check(keys: &KeyHistory) -> Vec<Statement> {
    let mut sources: BTreeMap<&str, Vec<&Tampering>> = BTreeMap::new();
    for tampering in keys.tampering() {
        sources.entry(&tampering.source).or_default().push(tampering);
    }
    sources.into_iter().filter_map(statement).collect()
}

fn statement((source, places): (&str, Vec<&Tampering>)) -> Option<Statement> {
    let first = places.first()?;
    let lines: Vec<usize> = places.iter().map(|place| place.line).take(limits::LISTED_MAX).collect();
    let evidence = Evidence::new("The archive is not what was captured.")
        .expected("every document and every line as they were recorded")
        .actual(first.fault.clone())
        .fact("places", places.len())
        .fact("lines", lines);
    Some(Statement { subject: format!("source:{source}"), evidence })
}
