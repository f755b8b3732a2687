//! `policy`: starts a policy, checks it, explains which entry wins, tests it, tells what it does not cover, prints its schema.

mod coverage;
mod good;
mod init;
mod test;

use super::args::{ExplainArgs, Listing, PolicyCommand, unknown_rule};
use super::console;
use super::console::Console;
use super::exit::{Failure, Outcome};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use tokentrail::policy;
use tokentrail::policy::{Accept, Explanation, Notice, Policy, Request};
use tokentrail::rules;
use tokentrail::sink::{Align, counted, table, visible};

/// Runs a command of `policy`.
pub(super) fn run(command: &PolicyCommand, console: Console) -> Outcome {
    match command {
        PolicyCommand::Check { policy, listing } => check(policy.path(), listing.format, console),
        PolicyCommand::Explain(args) => explain(args, console),
        PolicyCommand::Init(args) => init::run(args, console),
        PolicyCommand::Test(args) => test::run(args),
        PolicyCommand::Coverage(args) => coverage::run(args),
        PolicyCommand::Schema => console::print_json(&policy::schema()),
    }
}

/// Reads a policy; a fault names file, line and column.
pub(super) fn load(file: &Path) -> Result<Policy, Failure> {
    Policy::load(file).map_err(Failure::usage)
}

fn check(file: &Path, format: Listing, console: Console) -> Outcome {
    let policy = load(file)?;
    if format == Listing::Json {
        return console::print_json(&json!({
            "valid": true,
            "sha256": policy.sha256(),
            "files": policy.files(),
            "watch": policy.watch_files(),
            "apis": policy.apis().iter().map(|api| &api.name).collect::<Vec<_>>(),
            "gateways": policy.gateways().iter().map(|gateway| &gateway.name).collect::<Vec<_>>(),
            "accepts": policy.accepts().len(),
            "notices": noticed(&policy),
        }));
    }
    notices(&policy, console);
    console::print(&described(&policy))
}

/// Says what is probably not meant so.
pub(super) fn notices(policy: &Policy, console: Console) {
    for notice in noticed(policy) {
        console.note(&format!("note: {}\n", visible(&notice.to_string())));
    }
}

/// What is probably not meant so; which rules there are, a policy itself does not know.
fn noticed(policy: &Policy) -> Vec<Notice> {
    let accepts = policy.accepts().iter().enumerate();
    let unknown = accepts.filter(|(_, accept)| rules::find(&accept.rule).is_none());
    let unknown = unknown.filter_map(|(index, Accept { rule, .. })| {
        let text = format!("rule {rule}: {}; the exception never applies", unknown_rule(rule));
        Some(Notice { place: policy.accept_place(index)?.clone(), text })
    });
    policy.notices().iter().cloned().chain(unknown).collect()
}

/// A policy in a few lines.
pub(super) fn described(policy: &Policy) -> String {
    let count = |number: usize, noun: &str| counted(u64::try_from(number).unwrap_or(u64::MAX), noun);
    let mut out = format!(
        "valid: {}, {}, {}\n",
        count(policy.apis().len(), "API"),
        count(policy.gateways().len(), "gateway"),
        count(policy.accepts().len(), "accepted exception"),
    );
    for file in policy.files().iter().chain(policy.watch_files()) {
        let _ = writeln!(out, "  {}  {}", file.sha256, visible(&file.path));
    }
    out
}

fn explain(args: &ExplainArgs, console: Console) -> Outcome {
    let policy = load(args.policy.path())?;
    notices(&policy, console);
    let path = args.path.as_deref().map(|path| path.split('?').next().unwrap_or(path));
    let request = Request {
        gateway: args.gateway.as_deref(),
        host: args.host.as_deref(),
        method: args.method.as_deref(),
        path,
        route: args.route.as_deref(),
    };
    let explanation = policy.explain(request);
    match args.listing.format {
        Listing::Json => console::print_json(&explanation),
        Listing::Table => console::print(&text(&explanation)),
    }
}

fn text(explanation: &Explanation) -> String {
    let api = explanation.api.as_deref().unwrap_or("none");
    let mut out = format!("api  {}\nwhy  {}\n", visible(api), visible(&explanation.why));
    if explanation.ambiguous {
        out.push_str("     only the byte-least name decided; run.json counts such records as ambiguous\n");
    }
    if let Some(operation) = &explanation.operation {
        let place = operation.place.to_string();
        let _ = writeln!(out, "operation {} ({}) overrides it", operation.number, visible(&place));
    }
    let left = |headings: [&'static str; 3]| headings.map(|heading| (heading, Align::Left));
    let entries: Vec<Vec<String>> = explanation.entries.iter().map(|entry| entry.row().to_vec()).collect();
    let values: Vec<Vec<String>> = explanation.values.iter().map(|value| value.row().to_vec()).collect();
    let _ = write!(out, "\n{}", table(&left(["entry", "place", "match"]), &entries));
    let _ = write!(out, "\n{}", table(&left(["key", "value", "from"]), &values));
    out
}
