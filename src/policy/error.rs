//! What can be wrong with a policy: where it stands, what it is, and what to do about it.

use crate::redact;
use std::fmt;
use std::io;

/// A place in a file that the operator wrote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Place {
    /// Path as it was reached.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why a policy cannot be used. Its text is one line that names the place and what to do, and never holds a token.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file or directory cannot be read.
    #[error("{path}: cannot be read ({source}); check the path and its permissions")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something in a file is wrong.
    #[error("{}", one_line(place, fault))]
    At {
        /// Where.
        place: Place,
        /// What.
        fault: Box<Fault>,
    },
}

impl PolicyError {
    pub(super) fn at(place: Place, fault: Fault) -> Self {
        Self::At { place, fault: Box::new(fault) }
    }

    /// The place of the fault; `None` where a whole file could not be read.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Read { .. } => None,
            Self::At { place, .. } => Some(place),
        }
    }
}

/// Names of the file are the operator's, but somebody may have pasted a token into the policy.
fn one_line(place: &Place, fault: &Fault) -> String {
    let text = format!("{place}: {fault}").replace(['\n', '\r'], " ");
    redact::redact(&text, &[]).into_owned()
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes that are no text.
    #[error("the file is not UTF-8; save it as UTF-8")]
    NotUtf8,
    /// Not TOML, or a value of the wrong type.
    #[error("{0}; correct the value (`tokentrail policy schema` lists every key and its type)")]
    Toml(String),
    /// A key that no table of this kind has.
    #[error("unknown key `{}`; {}", brief(key), advice(key, known))]
    UnknownKey {
        /// As written.
        key: String,
        /// Keys of the table.
        known: Vec<String>,
    },
    /// A word that the key does not know.
    #[error("unknown value `{}`; {}", brief(value), advice(value, known))]
    UnknownValue {
        /// As written.
        value: String,
        /// Words that it may be.
        known: Vec<String>,
    },
    /// A reference to something that the policy does not define.
    #[error("no {what} is named `{}`; {}", brief(name), advice(name, known))]
    Unresolved {
        /// Kind of thing.
        what: &'static str,
        /// As written.
        name: String,
        /// Names that are defined.
        known: Vec<String>,
    },
    /// A key that must be there.
    #[error("`{0}` is missing; add it here")]
    Missing(String),
    /// The policy does not say which version of the language it is written in.
    #[error("`version` is missing; begin the policy with `version = 1`")]
    VersionMissing,
    /// A version that this tool does not read.
    #[error("version {0} of the policy is not known to this tool; write `version = 1`")]
    Version(i64),
    /// `include` in an included file.
    #[error("an included file cannot include others; move the pattern to the policy file")]
    NestedInclude,
    /// A path without wildcard that names nothing.
    #[error("`{}` names no file; correct the path (it is relative to the policy file) or remove it", brief(.0))]
    NoSuchFile(String),
    /// A host, path or glob that cannot be read.
    #[error("`{}` cannot be read as a {what}: {why}", brief(pattern))]
    Pattern {
        /// `host`, `path` or `glob`.
        what: &'static str,
        /// As written.
        pattern: String,
        /// Why not, and what to write.
        why: String,
    },
    /// A name or a table twice.
    #[error("{what} `{}` is defined twice, first at {first}; rename or remove one of the two", brief(name))]
    Twice {
        /// Kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// Where it stands first.
        first: Place,
    },
    /// Two entries that no request can tell apart.
    #[error(
        "api `{}` has the same hosts, paths, routes and gateways as api `{}` at {first}; make one of them narrower or \
         merge the two with `operations`",
        brief(name),
        brief(other)
    )]
    SameRequests {
        /// The later entry.
        name: String,
        /// The earlier entry.
        other: String,
        /// Where the earlier one stands.
        first: Place,
    },
    /// A value that has not the form it must have.
    #[error("`{}` is not {expected}", brief(text))]
    Value {
        /// As written.
        text: String,
        /// What it should be, with an example.
        expected: &'static str,
    },
    /// A list that would refuse everything.
    #[error("`{0}` is empty and would refuse every token; list at least one value or remove the key")]
    Empty(&'static str),
    /// A text without a visible character.
    #[error("`{0}` is blank; write a text or remove the key")]
    Blank(&'static str),
    /// An entry that would match everything.
    #[error("{what} would match everything; give at least one of {keys}")]
    Unrestricted {
        /// Kind of thing.
        what: &'static str,
        /// Keys that restrict it.
        keys: &'static str,
    },
    /// A period or range whose end lies before its start.
    #[error("the end lies before the start; swap them or correct one")]
    Reversed,
    /// A line of a watch file that cannot be read.
    #[error("not a line of a watch file: {0}; write JSON lines, or CSV with a header")]
    Watch(String),
}

/// Longest part of a value that a message repeats, in bytes.
const BRIEF_BYTES_MAX: usize = 80;

fn brief(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let cut = redact::cut(&text, BRIEF_BYTES_MAX);
    // Before the cut is seen by the redactor, so that half a token cannot slip through.
    if cut.len() == text.len() { text } else { format!("{}…", redact::redact(cut, &[])) }
}

fn advice(text: &str, known: &[String]) -> String {
    if let Some(near) = nearest(text, known) {
        return format!("did you mean `{near}`?");
    }
    match known {
        [] => "there is none, define it or remove this".to_owned(),
        known if known.len() <= 12 => format!("use one of `{}`", known.join("`, `")),
        _ => "see `tokentrail policy schema` for the names that exist".to_owned(),
    }
}

/// Longest name that is compared letter by letter, in characters.
const COMPARED_CHARS_MAX: usize = 64;

/// The known name that a misspelt one is nearest to; the first of several, `None` if none is near.
pub(super) fn nearest<'k>(text: &str, known: &'k [String]) -> Option<&'k str> {
    let text = fold(text);
    if text.len() > COMPARED_CHARS_MAX {
        return None;
    }
    let distance_max = text.len().div_ceil(3);
    known
        .iter()
        .map(|name| (distance(&text, &fold(name)), name.as_str()))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Letter case, `_` and `-` are no difference worth counting.
fn fold(text: &str) -> Vec<char> {
    text.chars()
        .take(COMPARED_CHARS_MAX + 1)
        .map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() })
        .collect()
}

/// Levenshtein distance, one row at a time.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.iter().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        for (other, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let substituted = diagonal + usize::from(letter != other);
            diagonal = *cell;
            *cell = substituted.min(diagonal + 1).min(before + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        let of = |left: &str, right: &str| distance(&fold(left), &fold(right));
        assert_eq!(of("kitten", "sitting"), 3);
        assert_eq!(of("", "abc"), 3);
        assert_eq!(of("abc", ""), 3);
        assert_eq!(of("max_auth_age", "max-auth-age"), 0);
    }

    #[test]
    fn only_near_names_are_offered() {
        let known = ["audiences".to_owned(), "tenants".to_owned()];
        assert_eq!(nearest("audience", &known), Some("audiences"));
        assert_eq!(nearest("Tenant", &known), Some("tenants"));
        assert_eq!(nearest("zebra", &known), None);
        assert_eq!(nearest(&"a".repeat(1000), &known), None);
    }

    #[test]
    fn no_token_reaches_a_message() {
        let header = crate::codec::base64url::encode(br#"{"alg":"RS256","typ":"JWT"}"#);
        let token = format!("{header}.{header}.c2lnbmF0dXJl");
        let place = Place { file: "p.toml".to_owned(), line: 1, column: 1 };
        for fault in [
            Fault::UnknownKey { key: token.clone(), known: vec![] },
            Fault::Value { text: token.clone(), expected: "a duration" },
            Fault::Toml(format!("invalid value: string \"{token}\"")),
            Fault::Value { text: token.repeat(20), expected: "a duration" },
        ] {
            let text = PolicyError::at(place.clone(), fault).to_string();
            assert!(!text.contains(&header), "{text}");
        }
    }
}
