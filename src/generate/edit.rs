//! Small differences of a token, as rows of the planting table state them: members that are other, further, or missing.

use super::spec::Spec;
use super::world::World;

/// What a member is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// The member is this JSON text, in which `{tid}`, `{uri}` and the like stand for the token's own (see [`filled`]).
    Json(&'static str),
    /// The member is a number: this many seconds after the token's `iat`.
    AfterIssue(i64),
    /// A text of so many letters.
    Filler(usize),
    /// The value that it would have, every letter in the other case.
    OtherCase,
    /// There is no such member.
    Absent,
}

/// Members of a header or of claims, by name.
pub(super) type Edits = &'static [(&'static str, Edit)];

impl Edit {
    /// The member's JSON text, where it would be `value` otherwise; `None` if it is left out.
    pub(super) fn json(self, value: Option<&str>, world: &World, spec: &Spec<'_>) -> Option<String> {
        match self {
            Self::Json(text) => Some(filled(text, world, spec)),
            Self::AfterIssue(seconds) => Some((spec.iat + seconds).to_string()),
            Self::Filler(letters) => Some(format!("\"{}\"", "a".repeat(letters))),
            Self::OtherCase => value.map(|value| value.chars().map(other_case).collect()),
            Self::Absent => None,
        }
    }
}

fn other_case(letter: char) -> char {
    if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
}

/// A text with the token's own values put in.
pub(super) fn filled(text: &str, world: &World, spec: &Spec<'_>) -> String {
    let tenant = world.tenant(spec.tenant);
    // Of the same family, because IPv4 and IPv6 addresses may be one machine's.
    let elsewhere = if spec.client_ip.contains(':') { "2001:db8:ffff:ff00::7" } else { "198.18.0.7" };
    let values = [
        ("{tid}", tenant.id.as_str()),
        ("{uri}", spec.api.uri.as_str()),
        ("{app}", spec.api.app_id.as_str()),
        ("{client}", spec.client),
        ("{oid}", spec.oid.as_str()),
        ("{mail}", spec.mail.as_str()),
        ("{bystander}", world.bystander.as_str()),
        ("{watched}", world.watched.as_str()),
        ("{elsewhere}", elsewhere),
    ];
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}
