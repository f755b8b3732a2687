//! `rules`: the catalogue, from the rules themselves.

use super::args::{Listing, RuleListing, RulesCommand, unknown_rule};
use super::console;
use super::exit::{Failure, Outcome};
use serde_json::{Value, json};
use std::fmt::Write as _;
use tokentrail::rules;
use tokentrail::rules::Rule;
use tokentrail::rules::Severity;
use tokentrail::rules::kit::Need;
use tokentrail::sink::{Align, table};

/// Runs a command of `rules`.
pub(super) fn run(command: &RulesCommand) -> Outcome {
    match command {
        RulesCommand::List { family, format } => {
            let is_listed = |rule: &&&Rule| family.is_none_or(|family| rule.category == family);
            let listed: Vec<&Rule> = rules::RULES.iter().filter(is_listed).copied().collect();
            match format {
                RuleListing::Json => {
                    console::print_json(&listed.iter().map(|rule| described(rule)).collect::<Vec<_>>())
                }
                RuleListing::Table => console::print(&list(&listed)),
                RuleListing::Md => console::print(&markdown(&listed)),
            }
        }
        RulesCommand::Explain { id, listing } => {
            let Some(rule) = rules::find(id) else {
                return Err(Failure::say(format!("rule {id}: {}", unknown_rule(id))));
            };
            match listing.format {
                Listing::Json => console::print_json(&described(rule)),
                Listing::Table => console::print(&explain(rule)),
            }
        }
    }
}

fn list(rules: &[&Rule]) -> String {
    let headings = ["rule", "category", "accepted", "denied", "lane", "confidence", "what"];
    let rows: Vec<Vec<String>> = rules
        .iter()
        .map(|rule| {
            let words = [
                rule.id,
                rule.category.name(),
                severity(rule.cells.accepted),
                severity(rule.cells.denied),
                rule.lane.name(),
                rule.confidence.name(),
            ];
            words.into_iter().map(str::to_owned).chain([summary(rule)]).collect()
        })
        .collect();
    table(&headings.map(|heading| (heading, Align::Left)), &rows)
}

/// The list as a Markdown table, a row a rule.
fn markdown(rules: &[&Rule]) -> String {
    let mut out = String::from(
        "| rule | family | accepted | denied | lane | what |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for rule in rules {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} |",
            rule.id,
            rule.category.name(),
            severity(rule.cells.accepted),
            severity(rule.cells.denied),
            rule.lane.name(),
            summary(rule).replace('|', "\\|"),
        );
    }
    out
}

fn explain(rule: &Rule) -> String {
    let mut out = format!("{}\n\n{}\n\n", rule.id, manual(rule));
    let needs: Vec<&str> = rule.needs.iter().map(|need| need_name(*need)).collect();
    let lines = [
        ("category", rule.category.name().to_owned()),
        ("severity", severity(rule.cells.accepted).to_owned() + " if the request was accepted"),
        ("", severity(rule.cells.denied).to_owned() + " if it was denied with 401"),
        ("lane", rule.lane.name().to_owned()),
        ("confidence", rule.confidence.name().to_owned()),
        ("needs", if needs.is_empty() { "nothing".to_owned() } else { needs.join(", ") }),
    ];
    let references = rule.references.iter().enumerate();
    let references =
        references.map(|(at, text)| (if at == 0 { "references" } else { "" }, (*text).to_owned()));
    for (name, value) in lines.into_iter().chain(references) {
        let _ = writeln!(out, "{name:<12}{value}");
    }
    out
}

fn described(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "category": rule.category.name(),
        "severity": {
            "accepted": rule.cells.accepted.map(Severity::name),
            "denied": rule.cells.denied.map(Severity::name),
        },
        "lane": rule.lane.name(),
        "confidence": rule.confidence.name(),
        "needs": rule.needs.iter().map(|need| need_name(*need)).collect::<Vec<_>>(),
        "references": rule.references,
        "summary": summary(rule),
        "manual": manual(rule),
    })
}

fn severity(severity: Option<Severity>) -> &'static str {
    severity.map_or("-", Severity::name)
}

/// The manual without the space that a doc comment leaves at the start of each line.
fn manual(rule: &Rule) -> String {
    let lines: Vec<&str> = rule.manual.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

/// The first sentence of the manual.
fn summary(rule: &Rule) -> String {
    let manual = manual(rule);
    let paragraph = manual.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match paragraph.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => paragraph,
    }
}

/// What a rule needs, as a user would say it.
fn need_name(need: Need) -> &'static str {
    match need {
        Need::Claims => "readable claims",
        Need::Header => "a readable header",
        Need::Baseline => "an earlier result (--baseline)",
        Need::Keys => "a key archive (--keys)",
        Need::Time => "a time in the record",
        Need::Policy => "a policy (--policy)",
        Need::Audiences => "audiences of an API (policy)",
        Need::Tenants => "tenants (policy)",
        Need::AuthorizesOn => "authorizes-on of an API (policy)",
        Need::MaxAuthAge => "max-auth-age (policy)",
        Need::Clouds => "clouds (policy)",
        Need::Partners => "partners (policy)",
        Need::CompromisedKeys => "compromised keys (policy)",
        Need::CustomKeyApps => "custom-key-apps (policy)",
        Need::Scopes => "scopes of an API (policy)",
        Need::Roles => "roles of an API (policy)",
        Need::Groups => "groups of an API (policy)",
        Need::DefinedPermissions => "defined-scopes or defined-roles of an API (policy)",
        Need::Kinds => "kinds of an API (policy)",
        Need::Clients => "clients of an API (policy)",
        Need::ClientAuth => "client-auth of an API (policy)",
        Need::Mfa => "mfa of an API (policy)",
        Need::AuthContext => "auth-context of an API (policy)",
        Need::MultiTenant => "multi-tenant of an API (policy)",
        Need::WatchFiles => "watch files (policy)",
        Need::Revocations => "revocations (policy)",
    }
}
