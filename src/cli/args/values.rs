//! Values of arguments that are more than a text or a number.

use std::net::IpAddr;
use tokentrail::entra;
use tokentrail::rules;
use tokentrail::rules::Severity;

/// A severity by name.
pub(super) fn severity(text: &str) -> Result<Severity, String> {
    Severity::parse(text).ok_or_else(|| "write info, low, medium, high or critical".to_owned())
}

/// Which findings fail a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct FailOn {
    /// Only those of problems that no baseline knows.
    pub(in crate::cli) new: bool,
    /// The least severity.
    pub(in crate::cli) least: Severity,
}

/// `[new:]SEVERITY`
pub(super) fn fail_on(text: &str) -> Result<FailOn, String> {
    let (new, least) = text.strip_prefix("new:").map_or((false, text), |least| (true, least));
    Ok(FailOn { new, least: severity(least)? })
}

/// Bytes, as a number or with one of the endings K, M and G (powers of 1024).
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let (digits, factor) = match text.trim_end_matches("iB").trim_end_matches('B') {
        text if text.ends_with(['K', 'k']) => (text.get(..text.len() - 1), 1 << 10),
        text if text.ends_with('M') => (text.get(..text.len() - 1), 1 << 20),
        text if text.ends_with('G') => (text.get(..text.len() - 1), 1 << 30),
        text => (Some(text), 1),
    };
    let number: usize =
        digits.and_then(|digits| digits.parse().ok()).ok_or("write a number of bytes, or 16M")?;
    number.checked_mul(factor).filter(|bytes| *bytes > 0).ok_or_else(|| "must be at least 1 byte".to_owned())
}

/// At least one thread.
pub(super) fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("write a number from 1".to_owned()),
        Ok(jobs) => Ok(jobs),
    }
}

/// An id, in lower case if it is a GUID, as the tables hold it.
pub(super) fn id(text: &str) -> Result<String, String> {
    given(text).map(|text| entra::normal_guid(&text).into_owned())
}

/// A value as it is.
pub(super) fn given(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// An address.
pub(super) fn address(text: &str) -> Result<String, String> {
    let parsed: Result<IpAddr, _> = text.trim().parse();
    parsed.map(|address| address.to_string()).map_err(|_| "write an IPv4 or IPv6 address".to_owned())
}

/// A fingerprint. A token itself is refused, and is not named in the message.
pub(in crate::cli) fn fingerprint(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("write the token's SHA-256, 64 hexadecimal digits (column token_sha256); `inspect` prints it"
        .to_owned())
}

/// Id of a rule.
pub(super) fn rule(text: &str) -> Result<String, String> {
    let text = text.trim();
    if rules::find(text).is_some() {
        return Ok(text.to_owned());
    }
    Err(unknown_rule(text))
}

/// What to say about an id that no rule has.
pub(in crate::cli) fn unknown_rule(text: &str) -> String {
    match nearest(text, rules::RULES.iter().map(|rule| rule.id)) {
        Some(id) => format!("there is no such rule; did you mean {id}?"),
        None => "there is no such rule; `tokentrail rules list` names them all".to_owned(),
    }
}

/// The name that differs least, if it differs by little.
pub(in crate::cli) fn nearest<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = names.map(|name| (distance(text, name), name)).min()?;
    (near.0 <= 1 + text.len() / 4).then_some(near.1)
}

/// Letters to change, add or drop (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (at, x) in a.chars().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let change = diagonal + usize::from(x != y);
            diagonal = *cell;
            *cell = change.min(*cell + 1).min(left + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
