//! `result_digest`: one hash that is equal for equal results on any machine (contract section 7).
//!
//! It is the SHA-256 of a JSON text without white space, its objects' members sorted by name:
//!
//! ```text
//! {"counts": {"accepts", "all", "ambiguous", "distinct_tokens", "findings", "gateways", "inputs", "not_evaluable",
//!             "occurrences_not_written", "problems", "skipped", "uncovered", "verdicts"},
//!  "filters": as in run.json, "formats": [sha256], "inputs": [{"sha256", "source"}], "keys": sha256 or null,
//!  "policy": [sha256], "schema_version": number, "tables": [{"name", "rows", "sha256"}], "tool_version": text,
//!  "watch": [sha256]}
//! ```
//!
//! The members of `counts` are those of `run.json` (`inputs` the counts of each input in order, `gateways` each name with
//! its `records` and `tokens`, `accepts` the counts of each exception in the order of the policy); digests of files stand in the order of `run.json`. No path but `source`, no time of the
//! run, no argument goes in.

use crate::redact;
use crate::sink::input::Input;
use crate::sink::manifest::{HashedFile, Manifest};
use aws_lc_rs::digest;
use serde_json::{Value, json};

/// The digest of a result, 64 hexadecimal digits.
pub(super) fn of(manifest: &Manifest) -> String {
    let text = canonical(manifest).to_string();
    redact::hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn canonical(manifest: &Manifest) -> Value {
    let files = |files: &[HashedFile]| files.iter().map(|file| file.sha256.clone()).collect::<Vec<_>>();
    let inputs =
        manifest.inputs.iter().map(|input| json!({ "source": input.source, "sha256": input.sha256 }));
    let tables = manifest.output.files.iter();
    let tables = tables.map(|file| json!({ "name": file.table, "rows": file.rows, "sha256": file.sha256 }));
    sorted(json!({
        "schema_version": manifest.schema_version,
        "tool_version": manifest.tool.version,
        "policy": files(&manifest.policy),
        "keys": manifest.keys.as_ref().map(|keys| &keys.sha256),
        "formats": files(&manifest.formats),
        "watch": files(&manifest.watch),
        "filters": manifest.filters,
        "inputs": inputs.collect::<Vec<_>>(),
        "counts": counts(manifest),
        "tables": tables.collect::<Vec<_>>(),
    }))
}

fn counts(manifest: &Manifest) -> Value {
    let each = |input: &Input| json!(input.counts);
    let gateways = manifest.gateways.iter();
    let gateways = gateways.map(|it| json!({ "name": it.name, "records": it.records, "tokens": it.tokens }));
    json!({
        "all": manifest.counts,
        "inputs": manifest.inputs.iter().map(each).collect::<Vec<_>>(),
        "gateways": gateways.collect::<Vec<_>>(),
        "skipped": manifest.rules.skipped,
        "not_evaluable": manifest.rules.not_evaluable,
        "verdicts": manifest.verdicts,
        "distinct_tokens": manifest.distinct_tokens,
        "findings": manifest.findings,
        "problems": manifest.problems,
        "uncovered": manifest.uncovered,
        "ambiguous": manifest.ambiguous,
        "accepts": manifest.accepts.iter().map(|accept| accept.count).collect::<Vec<_>>(),
        "occurrences_not_written": manifest.output.occurrences_not_written,
    })
}

/// The same value with its members sorted by name, whatever map another crate's features gave `serde_json`.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            members.into_iter().map(|(name, value)| (name, sorted(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Concluded, Totals};
    use crate::pipeline::Outcome;
    use crate::sink::manifest::{Given, Written};
    use crate::time::UtcMicros;

    fn manifest(totals: Totals) -> Manifest {
        let outcome =
            Outcome { concluded: Concluded { totals, ..Concluded::default() }, ..Outcome::default() };
        Manifest::new(&Given::default(), &outcome, Written::default())
    }

    #[test]
    fn only_results_count() {
        let a = manifest(Totals::default());
        let mut b = manifest(Totals::default());
        b.finish(UtcMicros(5), UtcMicros(6), 3);
        b.arguments.push("-j4".into());
        assert_eq!(of(&a), of(&b));
        assert_eq!(a.result_digest, of(&a));
        assert_ne!(a.result_digest, manifest(Totals { uncovered: 1, ..Totals::default() }).result_digest);
    }

    #[test]
    fn the_text_is_sorted_and_without_white_space() {
        let text = canonical(&manifest(Totals::default())).to_string();
        assert!(
            text.starts_with(r#"{"counts":{"accepts":[],"all":{"absent""#)
                || text.starts_with(r#"{"counts":{"accepts":[],"all":{"#),
            "{text}"
        );
        let names: Vec<usize> =
            ["\"counts\"", "\"filters\"", "\"formats\"", "\"keys\"", "\"policy\"", "\"watch\""]
                .iter()
                .map(|name| text.find(name).unwrap())
                .collect();
        assert!(names.is_sorted(), "{text}");
        assert!(!text.contains(": ") && !text.contains('\n'));
    }
}
