//! Cases of rules over trails: their uses go through an engine with that one rule, in two partials that are saved and merged.

use crate::case_record::RecordSpec;
use crate::mint;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use std::sync::Arc;
use tokentrail::engine::{Concluded, Earlier, Engine, Filters, Partial, Rows, Setup};
use tokentrail::findings::FindingRow;
use tokentrail::keys::KeyHistory;
use tokentrail::policy::Policy;
use tokentrail::rules::Rule;
use tokentrail::rules::kit::Evidence;

/// A token value and the record that carries it.
pub(crate) type CaseUse = (String, RecordSpec);

/// What a rule says of some uses; `earlier` are those of the run before.
pub(crate) fn concluded(
    rule: &'static Rule,
    policy: Option<&Arc<Policy>>,
    keys: Option<&Arc<KeyHistory>>,
    earlier: Option<&[CaseUse]>,
    uses: &[CaseUse],
) -> Concluded {
    let setup = || Setup {
        policy: policy.cloned(),
        keys: keys.cloned(),
        rules: vec![rule],
        filters: Filters::default(),
        occurrences: false,
        activity: false,
        portable: false,
    };
    let Some(earlier) = earlier else { return run(&Engine::new(setup()), uses) };
    let state = run(&Engine::new(setup()), earlier).tables.state;
    let batch = state.batch(0..state.rows()).unwrap();
    run(&Engine::with_earlier(setup(), Arc::new(Earlier::read([batch]).unwrap())), uses)
}

fn run(engine: &Engine, uses: &[CaseUse]) -> Concluded {
    let lines: Vec<(i64, &CaseUse)> = (1..).zip(uses).collect();
    let (odd, even): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(line, _)| line % 2 == 1);
    let restored = |partial| engine.restore(&engine.save(&partial).unwrap()).unwrap();
    let mut whole = restored(audited(engine, &even));
    whole.merge(restored(audited(engine, &odd)));
    engine.conclude(restored(whole))
}

/// Some uses, each with its line, in a partial.
pub(crate) fn audited(engine: &Engine, uses: &[(i64, &CaseUse)]) -> Partial {
    let (mut partial, mut scratch, mut rows) = (engine.partial(), engine.scratch(), Rows::default());
    let texts = |of: fn(&RecordSpec) -> &Option<String>| -> ArrayRef {
        Arc::new(uses.iter().map(|(_, (_, record))| of(record).clone()).collect::<StringArray>())
    };
    let tokens = uses.iter().map(|(_, (token, _))| Some(format!("Bearer {token}")));
    let times = uses.iter().map(|(_, (_, record))| record.time.as_ref().map(mint::micros_of));
    let status = uses.iter().map(|(_, (_, record))| record.status.map(i64::from));
    let columns: [(&str, ArrayRef); 13] = [
        ("token", Arc::new(tokens.collect::<StringArray>())),
        ("time", Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))),
        ("status", Arc::new(status.collect::<Int64Array>())),
        ("line", Arc::new(uses.iter().map(|(line, _)| Some(*line)).collect::<Int64Array>())),
        ("method", texts(|record| &record.method)),
        ("host", texts(|record| &record.host)),
        ("path", texts(|record| &record.path)),
        ("client_ip", texts(|record| &record.client_ip)),
        ("user_agent", texts(|record| &record.user_agent)),
        ("request_id", texts(|record| &record.request_id)),
        ("principal", texts(|record| &record.principal)),
        ("data_tenant", texts(|record| &record.data_tenant)),
        ("gateway", texts(|record| &record.gateway)),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    );
    engine.audit_batch(&batch.unwrap(), &mut scratch, &mut partial, &mut rows).unwrap();
    partial
}

/// The differences of a request, with its number in place of `{n}`.
pub(crate) fn numbered(table: &toml::Table, number: usize) -> toml::Table {
    let fill = |value: &toml::Value| match value {
        toml::Value::String(text) => text.replace("{n}", &number.to_string()).into(),
        toml::Value::Table(table) => numbered(table, number).into(),
        other => other.clone(),
    };
    table.iter().map(|(name, value)| (name.clone(), fill(value))).collect()
}

/// The finding of a rule that matters most.
pub(crate) fn worst<'c>(concluded: &'c Concluded, rule: &Rule) -> Option<&'c FindingRow> {
    let findings = concluded.tables.findings.iter().filter(|finding| finding.rule == rule.id);
    findings.rev().max_by_key(|finding| finding.severity)
}

/// How many findings a rule has.
pub(crate) fn count(concluded: &Concluded, rule: &Rule) -> usize {
    concluded.tables.findings.iter().filter(|finding| finding.rule == rule.id).count()
}

/// The evidence of a finding as its rule gave it.
pub(crate) fn evidence(finding: &FindingRow) -> Evidence {
    let facts: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&finding.evidence).unwrap();
    let facts = facts.into_iter().map(|(name, value)| (&*name.leak(), value));
    Evidence {
        message: finding.message.clone(),
        expected: finding.expected.clone(),
        actual: finding.actual.clone(),
        facts: facts.collect(),
        ..Evidence::default()
    }
}
