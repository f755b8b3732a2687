//! Adds to a policy what was seen since: values to lists that are there, and entries for places that none matches. Nothing
//! that stands there is removed or changed, and a list that is not there is not begun, since that would refuse what was
//! allowed.

use super::super::super::exit::Failure;
use std::fmt::Write as _;
use std::path::Path;
use tokentrail::entra;
use tokentrail::learn::{Draft, Lists, Seen, Values, entry, is_live_tenant, quoted};
use tokentrail::policy::{ApiSettings, Policy};
use toml_edit::{Array, Document, DocumentMut, Item, TableLike, Value};

/// A policy with what was added to it.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) text: String,
    /// What was added, a line each.
    pub(super) added: Vec<String>,
    /// What somebody has to decide, a line each.
    pub(super) open: Vec<String>,
}

/// Which of the values that were seen are added.
type IsLive<'s> = &'s dyn Fn(&str, &Seen) -> bool;
/// A list of an entry by its key: its values in force, what was seen, and which of that is live.
type Stated<'s> = (&'static str, Option<&'s Vec<String>>, &'s Values, IsLive<'s>);

/// Adds a draft to the text of a policy.
pub(super) fn merged(path: &Path, text: &str, policy: &Policy, draft: &Draft) -> Result<Merged, Failure> {
    let parsed = Document::parse(text)
        .map_err(|error| Failure::usage(anyhow::Error::new(error).context(path.display().to_string())))?;
    let inline = parsed.get("api").filter(|api| api.is_value()).and_then(Item::span);
    let mut document = parsed.into_mut();
    let mut merged = Merged::default();
    let allowed = policy.tenancy().allowed.as_ref();
    let tenancy = document.get_mut("tenancy").and_then(Item::as_table_like_mut);
    merged.extend("tenancy", tenancy, ("allowed", allowed, &draft.tenants, &is_live_tenant));
    for (name, lists) in &draft.known {
        let Some(settings) = policy.api_named(name) else { continue };
        let known = |client: &str, _: &Seen| lists.known_clients.contains(client);
        let scopes = |scope: &str, _: &Seen| lists.permissions.scopes.needed.contains(scope);
        let roles = |role: &str, _: &Seen| lists.permissions.roles.needed.contains(role);
        for stated in stated(settings, lists, [&known, &scopes, &roles]) {
            merged.extend(name, table_of(&mut document, name), stated);
        }
    }
    merged.text = if merged.added.is_empty() { text.to_owned() } else { document.to_string() };
    for api in &draft.apis {
        let line = format!("[[api]] {}: {}", quoted(&api.name), api.lists.seen.told());
        if !api.is_live() {
            merged.open.push(format!("{line}; no audience was seen there often enough"));
            continue;
        }
        if let Some(inline) = &inline {
            return Err(inline_apis(path, text, inline.start));
        }
        if !merged.text.ends_with('\n') {
            merged.text.push('\n');
        }
        let _ = write!(merged.text, "\n{}", entry(api));
        merged.added.push(line);
    }
    // What reads and writes TOML knows `\n` alone.
    if !merged.added.is_empty()
        && text.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n"))
    {
        merged.text = merged.text.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    Ok(merged)
}

/// TOML allows no `[[api]]` table behind a list of that name.
fn inline_apis(path: &Path, text: &str, start: usize) -> Failure {
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Failure::say(format!(
        "{}:{line}:{column}: further entries cannot follow the list `api = […]`; write its entries as [[api]] tables",
        path.display()
    ))
}

fn by_itself(_: &str, seen: &Seen) -> bool {
    seen.is_live()
}

fn stated<'s>(
    settings: &'s ApiSettings,
    lists: &'s Lists,
    [known, scopes, roles]: [IsLive<'s>; 3],
) -> [Stated<'s>; 5] {
    [
        ("audiences", settings.audiences.as_ref(), &lists.audiences, &by_itself),
        ("clients", settings.clients.as_ref(), &lists.clients, known),
        ("scopes", settings.scopes.as_ref(), &lists.permissions.scopes.values, scopes),
        ("roles", settings.roles.as_ref(), &lists.permissions.roles.values, roles),
        ("tenants", settings.tenants.as_ref(), &lists.tenants, &is_live_tenant),
    ]
}

/// The table of an API by its name, if it stands in this file.
fn table_of<'d>(document: &'d mut DocumentMut, name: &str) -> Option<&'d mut dyn TableLike> {
    let is_named = |table: &dyn TableLike| table.get("name").and_then(Item::as_str) == Some(name);
    match document.get_mut("api")? {
        Item::ArrayOfTables(tables) => {
            let table = tables.iter_mut().find(|table| is_named(*table))?;
            Some(table)
        }
        Item::Value(Value::Array(tables)) => {
            let mut tables = tables.iter_mut().filter_map(Value::as_inline_table_mut);
            let table = tables.find(|table| is_named(*table))?;
            Some(table)
        }
        _ => None,
    }
}

impl Merged {
    /// Adds values to a list that is in force.
    fn extend(
        &mut self,
        place: &str,
        table: Option<&mut dyn TableLike>,
        (key, stated, seen, is_live): Stated<'_>,
    ) {
        let Some(stated) = stated else { return };
        let is_stated = |value: &str| {
            stated
                .iter()
                .any(|known| known == value || (entra::is_guid(known) && known.eq_ignore_ascii_case(value)))
        };
        let missing: Vec<(&String, &Seen)> =
            seen.iter().filter(|(value, seen)| seen.accepted > 0 && !is_stated(value)).collect();
        let mut array = table.and_then(|table| table.get_mut(key)).and_then(Item::as_array_mut);
        for (value, seen) in missing {
            let line = format!("{place}: {key}: {}, {}", quoted(value), seen.told());
            match &mut array {
                Some(array) if is_live(value, seen) => {
                    push(array, value, &seen.told());
                    self.added.push(line);
                }
                Some(_) => self.open.push(line),
                None => self
                    .open
                    .push(format!("{line} (the list stands elsewhere: in a profile or an included file)")),
            }
        }
    }
}

/// Adds a value behind the others, in lines of its own where these are; comments stay behind the values that they follow.
fn push(array: &mut Array, value: &str, comment: &str) {
    let prefix = |value: &Value| {
        value.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned()
    };
    let last = array.iter().last().map(prefix).unwrap_or_default();
    let Some((_, indent)) = last.rsplit_once('\n') else {
        array.push(value);
        return;
    };
    let behind = if array.trailing_comma() { array.trailing().as_str().unwrap_or_default() } else { "" };
    let before = format!("{}\n{indent}", behind.trim_end());
    array.push_formatted(Value::from(value).decorated(before, ""));
    array.set_trailing_comma(true);
    array.set_trailing(format!(" # {comment}\n"));
}
