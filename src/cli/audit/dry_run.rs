//! `audit --dry-run`: what would be read and with what, from the heads of the inputs alone.

use super::super::args::AuditArgs;
use super::super::console;
use super::super::exit::{Exit, Outcome};
use super::super::formats;
use super::super::policy;
use super::prepare;
use super::prepare::Prepared;
use std::fmt::Write as _;
use tokentrail::engine::Engine;
use tokentrail::facts::Context;
use tokentrail::keys::KeyHistory;
use tokentrail::pipeline;
use tokentrail::pipeline::Status;
use tokentrail::rules;
use tokentrail::sink::{Align, table, visible};

/// Prints the plan. It is what was asked for, so it goes to standard output.
pub(super) fn run(prepared: &Prepared, engine: &Engine, args: &AuditArgs) -> Outcome {
    let reports = pipeline::survey(engine, &prepared.formats, &prepared.inputs, &prepare::options(args));
    let mut out = format!("Inputs\n{}", formats::detected(&reports));
    for report in &reports {
        if let Some(gateway) = &report.gateway {
            let _ = writeln!(out, "{} belongs to gateway {}", visible(&report.source), visible(gateway));
        }
    }
    let _ = write!(out, "\nKeys\n{}", keys(prepared.keys.as_deref()));
    let _ = write!(out, "\nPolicy\n{}", effective_policy(prepared));
    let _ = write!(out, "\nRules\n{}", rules_to_run(prepared));
    console::print(&out)?;
    let readable = |status: Status| matches!(status, Status::Planned | Status::Empty | Status::PassedOver);
    Ok(if reports.iter().all(|report| readable(report.status)) { Exit::Clean } else { Exit::Incomplete })
}

fn keys(history: Option<&KeyHistory>) -> String {
    let Some(history) = history else {
        return "no archive was given (--keys DIR): no signature would be verified\n".to_owned();
    };
    let row = |source: &tokentrail::keys::SourceRow| {
        let name = if source.source.is_empty() { "." } else { &source.source };
        let at = |at: Option<tokentrail::time::UtcMicros>| at.map_or_else(String::new, |at| at.to_string());
        vec![
            name.to_owned(),
            source.serves.clone(),
            source.keys.len().to_string(),
            source.captures.to_string(),
            at(source.first_capture),
            at(source.last_capture),
        ]
    };
    let rows: Vec<Vec<String>> = history.listing().iter().map(row).collect();
    let headings = [
        ("source", Align::Left),
        ("serves", Align::Left),
        ("keys", Align::Right),
        ("captures", Align::Right),
        ("first capture", Align::Left),
        ("last capture", Align::Left),
    ];
    let mut out = table(&headings, &rows);
    for notice in history.notices() {
        let _ = writeln!(out, "note: {}", visible(notice));
    }
    out
}

fn effective_policy(prepared: &Prepared) -> String {
    let Some(given) = &prepared.policy else {
        return "none was given (--policy FILE): only what every Entra token must fulfil would be judged\n"
            .to_owned();
    };
    let mut out = policy::described(given);
    for notice in given.notices() {
        let _ = writeln!(out, "note: {}", visible(&notice.to_string()));
    }
    let list = |items: &Option<Vec<String>>| {
        items.as_ref().map_or_else(|| "any".to_owned(), |items| items.join(", "))
    };
    let rows: Vec<Vec<String>> = given
        .apis()
        .iter()
        .map(|api| {
            vec![api.name.clone(), api.stage.name().to_owned(), list(&api.audiences), list(&api.tenants)]
        })
        .collect();
    out.push_str(&table(
        &["api", "stage", "audiences", "tenants"].map(|heading| (heading, Align::Left)),
        &rows,
    ));
    out
}

fn rules_to_run(prepared: &Prepared) -> String {
    let context = Context {
        policy: prepared.policy.as_deref(),
        keys: prepared.keys.as_deref(),
        baseline: prepared.earlier.is_some(),
    };
    let mut run = Vec::new();
    let mut out = String::new();
    for rule in &prepared.rules {
        match rules::missing(rule, context) {
            None => run.push(rule.id),
            Some(missing) => drop(writeln!(out, "{} would be skipped for want of {missing}", rule.id)),
        }
    }
    format!("{} would run: {}\n{out}", run.len(), run.join(", "))
}
