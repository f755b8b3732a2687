//! A draft as TOML. Whatever a log says stands in quotes, escaped, so that nothing in it can become a key of the policy.

use super::draft::{Api, CLIENTS_MAX, Draft, Lists, Open, Values};
use super::permissions::Needed;
use super::seen::Seen;
use crate::entra::{self, PERSONAL_TENANT};
use crate::sink::{counted, visible};
use std::fmt::Write as _;

/// Review lines of one kind.
const REVIEW_MAX: usize = 50;

/// A TOML basic string (toml.io, version 1.0.0, strings).
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            char if visible(char.encode_utf8(&mut [0; 4])) != *char.encode_utf8(&mut [0; 4]) => {
                let _ = write!(out, "\\U{:08X}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// The whole of a new policy; `head` are lines of comment about where it comes from.
pub fn policy(draft: &Draft, head: &[String]) -> String {
    let mut out = String::new();
    for line in head {
        let _ = writeln!(out, "# {}", visible(line));
    }
    out.push_str("version = 1\n\n[tenancy]\n");
    list_by("allowed", &draft.tenants, is_live_tenant, "no tenant id", &mut out);
    validation(draft, &mut out);
    for api in &draft.apis {
        out.push('\n');
        out.push_str(&if api.is_live() { entry(api) } else { commented(api) });
    }
    if !draft.open.is_empty() {
        out.push_str("\n# Places that no entry was made for:\n");
        out.push_str(&open(&draft.open));
    }
    out
}

/// True if a tenant may stand in a list; a `tid` that is no id cannot, however often it was seen.
pub fn is_live_tenant(tenant: &str, seen: &Seen) -> bool {
    seen.is_live() && entra::is_guid(tenant)
}

/// An entry that somebody has to complete.
fn commented(api: &Api) -> String {
    let mut out = String::from(
        "# review: no audience was seen here often enough, so nothing would check it; add `audiences` and remove the `# `\n",
    );
    for line in entry(api).lines() {
        let _ = writeln!(out, "# {line}");
    }
    out
}

/// What tokens show of how they are signed, where it is not what a policy takes for granted.
fn validation(draft: &Draft, out: &mut String) {
    let mut text = String::new();
    let live = draft.algorithms.iter().filter(|(_, seen)| seen.is_live());
    if live.into_iter().any(|(algorithm, _)| algorithm != "RS256") {
        list("algorithms", &draft.algorithms, &mut text);
    }
    list("issuers", &draft.issuers, &mut text);
    if !text.is_empty() {
        let _ = write!(out, "\n[validation]\n{text}");
    }
}

/// An `[[api]]` table.
pub fn entry(api: &Api) -> String {
    let texts = |texts: &[String]| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
    let Lists { seen, unusable, unverified, without_token, .. } = &api.lists;
    let mut out = format!(
        "# {}\n[[api]]\nname = {}\nhosts = [{}]\npaths = [{}]\n",
        seen.told(),
        quoted(&api.name),
        texts(&api.hosts),
        texts(&api.paths),
    );
    settings(&api.lists, &mut out);
    if *unusable > 0 {
        let requests = counted(*unusable, "accepted request");
        let _ = writeln!(
            out,
            "# review: {requests} with a genuine token that lacks an audience, or says something that no policy can hold"
        );
    }
    if *unverified > 0 {
        let requests = counted(*unverified, "accepted request");
        let _ = writeln!(out, "# review: {requests} with a token that no key vouches for");
    }
    if *without_token > 0 {
        let requests = counted(*without_token, "accepted request");
        let _ = writeln!(out, "# review: {requests} without a token; auth = \"optional\" if that is right");
    }
    out
}

fn settings(lists: &Lists, out: &mut String) {
    list("audiences", &lists.audiences, out);
    review("audiences", lists.foreign.iter(), "mostly used elsewhere", out);
    let clients = lists.known_clients.len();
    if clients > CLIENTS_MAX {
        let _ =
            writeln!(out, "# review: clients: {clients} of them; any may call it as long as none is listed");
    } else {
        list_by("clients", &lists.clients, |client, _| lists.known_clients.contains(client), "", out);
    }
    needed("scopes", &lists.permissions.scopes, out);
    needed("roles", &lists.permissions.roles, out);
    let is_live = |kind: &str| lists.kinds.get(kind).is_some_and(Seen::is_live);
    if is_live("b2c") || is_live("ciam") {
        list("issuer-kinds", &lists.kinds, out);
    }
    if lists.tenants.get(PERSONAL_TENANT).is_some_and(Seen::is_live) {
        out.push_str("personal-accounts = true\n");
    }
}

/// A list of live values, one a line, and what else was seen as review lines. Without a live value there is no list.
fn list(key: &str, values: &Values, out: &mut String) {
    list_by(key, values, |_, seen| seen.is_live(), "", out);
}

/// A list of which a token needs any.
fn needed(key: &str, Needed { values, needed }: &Needed, out: &mut String) {
    list_by(key, values, |value, _| needed.contains(value), "no token needs it to pass", out);
}

/// As [`list`]; `why` says what keeps a value out that was seen often enough.
fn list_by(key: &str, values: &Values, is_listed: impl Fn(&str, &Seen) -> bool, why: &str, out: &mut String) {
    let (listed, rest): (Vec<_>, Vec<_>) = values.iter().partition(|(text, seen)| is_listed(text, seen));
    if !listed.is_empty() {
        let _ = writeln!(out, "{key} = [");
        for (text, seen) in listed {
            let _ = writeln!(out, "    {}, # {}", quoted(text), seen.told());
        }
        out.push_str("]\n");
    }
    let (often, seldom): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(_, seen)| seen.is_live());
    review(key, often.into_iter(), why, out);
    review(key, seldom.into_iter(), "", out);
}

/// Values that somebody has to look at.
fn review<'v>(key: &str, values: impl Iterator<Item = (&'v String, &'v Seen)>, why: &str, out: &mut String) {
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    let lines: Vec<String> = values
        .map(|(text, seen)| format!("# review: {key}: {}, {}{why}\n", quoted(text), seen.told()))
        .collect();
    lines.iter().take(REVIEW_MAX).for_each(|line| out.push_str(line));
    if let Some(rest) = lines.len().checked_sub(REVIEW_MAX).filter(|rest| *rest > 0) {
        let _ = writeln!(out, "# review: {key}: and {rest} more");
    }
}

/// Places as review lines, those with most requests first.
pub fn open(places: &[Open]) -> String {
    let requests = |place: &Open| place.seen.accepted + place.unverified + place.without_token;
    let mut ranked: Vec<&Open> = places.iter().collect();
    ranked.sort_by(|a, b| {
        requests(b).cmp(&requests(a)).then_with(|| (&a.host, &a.path).cmp(&(&b.host, &b.path)))
    });
    let mut out = String::new();
    for place in ranked.iter().take(REVIEW_MAX) {
        let mut told = vec![place.seen.told()];
        if place.unverified > 0 {
            told.push(format!("{} that no key vouches for", counted(place.unverified, "accepted request")));
        }
        if place.without_token > 0 {
            told.push(format!("{} without a token", counted(place.without_token, "accepted request")));
        }
        let (host, path) = (quoted(&place.host), quoted(&place.path));
        let _ = writeln!(out, "# review: hosts = [{host}] paths = [{path}]: {}", told.join("; "));
    }
    if let Some(rest) = ranked.len().checked_sub(REVIEW_MAX).filter(|rest| *rest > 0) {
        let _ =
            writeln!(out, "# review: and {}", counted(u64::try_from(rest).unwrap_or(u64::MAX), "more place"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_quotes() {
        for text in ["plain", "a\"b\\", "a\n[[api]]\nb", "\u{202e}\u{7f}\u{0}", "\u{1f980}é"] {
            let line = quoted(text);
            assert!(!line.contains('\n'), "{line}");
            let table: toml::Table = format!("x = {line}\n# {line}\n").parse().unwrap();
            assert_eq!(table["x"].as_str(), Some(text));
        }
    }
}
