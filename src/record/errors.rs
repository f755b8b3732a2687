//! Everything that can be wrong with a formats file, each with its place.

use std::fmt;

/// Where in a file something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

impl Place {
    /// The place of a byte of a text.
    pub(super) fn of(file: &str, text: &str, byte: usize) -> Self {
        let before = text.get(..text.floor_char_boundary(byte)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { file: file.to_owned(), line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why formats could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A format cannot be used as it is written.
    #[error("{at}: {problem}")]
    Invalid {
        /// Where.
        at: Place,
        /// What.
        problem: Problem,
    },
}

/// What is wrong with a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not TOML, or a key or value that no format has.
    #[error("{message}{}", did_you_mean(.nearest.as_deref()))]
    Toml {
        /// What the TOML reader says.
        message: String,
        /// The known name that is nearest to an unknown one.
        nearest: Option<String>,
    },
    /// A user format has the name of a preset.
    #[error("`{0}` is the name of a preset; choose another name, and write `extends = \"{0}\"` to build on it")]
    PresetName(String),
    /// `extends` names nothing.
    #[error("`{name}` is no preset{}; `formats list` shows them", did_you_mean(.nearest.as_deref()))]
    UnknownBase {
        /// The name.
        name: String,
        /// The preset that is nearest to it.
        nearest: Option<String>,
    },
    /// `kind` differs from that of the preset.
    #[error("`kind` must be that of the preset it extends, or be left out")]
    KindOfBase,
    /// A key that this kind of format needs.
    #[error("a format of this kind needs `{0}`")]
    Missing(&'static str),
    /// A key that this kind of format has no use for.
    #[error("a format of this kind cannot have `{0}`")]
    Misplaced(&'static str),
    /// A path that cannot be read.
    #[error("`{path}` is no path: {why}; write `a.b[0]`, `a[\"b.c\"]`, `a[*]` or `/a/b/0`")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A token source with an unknown prefix.
    #[error("`{0}` is no token source; write a path, `header:NAME@path`, `cookie:NAME@path`, `query:NAME@path` or `scan:path`")]
    TokenSource(String),
    /// `time.as` is unknown.
    #[error("`{0}` is no time form; write auto, epoch, epoch_ms, epoch_us, epoch_ns, rfc3339, clf, log4j, haproxy or strftime:…")]
    TimeForm(String),
    /// `zone` is unknown.
    #[error("`{0}` is no time zone; write a name such as `Europe/Berlin`, an offset such as `+01:00`, or `UTC`")]
    Zone(String),
    /// `unit` is unknown.
    #[error("`{0}` is no unit; write s, ms, us or ns")]
    Unit(String),
    /// A glob that cannot be read.
    #[error("`{0}` is no glob")]
    Glob(String),
    /// A template that cannot be read.
    #[error("at character {column} of the template: {why}")]
    Template {
        /// Character of the template, counted from 1.
        column: usize,
        /// What is wrong.
        why: TemplateProblem,
    },
    /// A role names a variable that the template does not have.
    #[error("the template has no `{0}`")]
    NoSuchVariable(String),
    /// The gateway's configuration does not have the named format.
    #[error("{file} has no log format `{name}`")]
    NoSuchLogFormat {
        /// The configuration file.
        file: String,
        /// The name.
        name: String,
    },
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// Two fields without a literal between them.
    #[error("`{0}` follows a field without any text between them, so nobody can tell where it begins")]
    Adjacent(String),
    /// A `$` or `%` that begins nothing.
    #[error("this begins no variable")]
    NoVariable,
    /// A template without any field.
    #[error("the template has no field")]
    NoField,
    /// A JSON template that is no JSON.
    #[error("the template begins like JSON and is none")]
    NotJson,
    /// A quoted text without end, or a directive without its semicolon.
    #[error("the directive does not end")]
    Unterminated,
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// A problem and the bytes of the formats file that it is about.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) span: std::ops::Range<usize>,
    pub(super) problem: Problem,
}

impl Problem {
    pub(super) fn at(self, span: std::ops::Range<usize>) -> Located {
        Located { span, problem: self }
    }
}

/// The name that needs the fewest edits to become `wanted`, if it is near enough to be meant.
pub(super) fn nearest<'n>(wanted: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let limit = wanted.chars().count().div_ceil(3).max(1);
    let scored = known.into_iter().map(|name| (edits(wanted, name), name));
    scored.filter(|(edits, _)| *edits <= limit).min().map(|(_, name)| name)
}

/// Levenshtein distance.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, left) in from.chars().enumerate() {
        let mut next = vec![at + 1];
        for (column, right) in to.iter().enumerate() {
            let above = row.get(column + 1).copied().unwrap_or(usize::MAX - 1);
            let diagonal = row.get(column).copied().unwrap_or(usize::MAX - 1);
            let beside = next.last().copied().unwrap_or(usize::MAX - 1);
            next.push((above + 1).min(beside + 1).min(diagonal + usize::from(left != *right)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested() {
        assert_eq!(nearest("tokn", ["time", "token", "status"]), Some("token"));
        assert_eq!(nearest("zzzz", ["time", "token"]), None);
    }

    #[test]
    fn places_count_from_one() {
        let place = Place::of("f.toml", "a\n\u{e9}b = 1", 5);
        assert_eq!(place.to_string(), "f.toml:2:3");
    }
}
