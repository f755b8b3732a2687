//! Reads the policy file and what it includes.

use super::error::Fault;
use super::error::Place;
use super::error::PolicyError;
use super::folder;
use super::folder::FindError;
use super::folder::Folder;
use super::folder::PolicyFile;
use super::located::Located;
use super::located::TextFile;
use super::raw::Document;
use super::raw::Text;
use serde::de::DeserializeOwned;
use std::fmt;
use std::path::PathBuf;

/// Something that is probably not meant so, but does no harm.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Notice {
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub text: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// A file with its tables.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) file: TextFile,
    pub(super) document: Document,
}

/// The policy file first, then its includes in byte order of their paths.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) parsed: Vec<Parsed>,
    pub(super) files: Vec<PolicyFile>,
    pub(super) notices: Vec<Notice>,
}

impl Documents {
    pub(super) fn read(name: String, bytes: Vec<u8>, folder: Folder<'_>) -> Result<Self, PolicyError> {
        let mut documents = Self { parsed: Vec::new(), files: Vec::new(), notices: Vec::new() };
        documents.add(name, bytes)?;
        let Some(main) = documents.parsed.first() else { return Ok(documents) };
        check_version(main, true)?;
        let Some(include) = &main.document.include else { return Ok(documents) };
        let paths = found(&main.file, &include.value, folder, &mut documents.notices)?;
        for path in paths {
            let bytes = folder.read(&path)?;
            documents.add(path.display().to_string(), bytes)?;
            if let Some(added) = documents.parsed.last() {
                check_version(added, false)?;
                if let Some(nested) = &added.document.include {
                    return Err(added.file.error(nested.start, Fault::NestedInclude));
                }
            }
        }
        Ok(documents)
    }

    fn add(&mut self, name: String, bytes: Vec<u8>) -> Result<(), PolicyError> {
        self.files.push(PolicyFile::new(name.clone(), &bytes));
        let file = TextFile::new(name, bytes)?;
        let document: Document = parse(&file)?;
        self.parsed.push(Parsed { file, document });
        Ok(())
    }

    /// A table that may stand in one of the files.
    pub(super) fn table<'d, T>(
        &'d self,
        name: &str,
        table: impl Fn(&'d Document) -> Option<&'d Located<T>>,
    ) -> Result<Option<(&'d TextFile, &'d Located<T>)>, PolicyError> {
        let mut found: Option<(&TextFile, &Located<T>)> = None;
        for parsed in &self.parsed {
            let Some(table) = table(&parsed.document) else { continue };
            if let Some((first, earlier)) = found {
                let fault =
                    Fault::Twice { what: "table", name: name.to_owned(), first: first.place(earlier.start) };
                return Err(parsed.file.error(table.start, fault));
            }
            found = Some((&parsed.file, table));
        }
        Ok(found)
    }
}

/// Files that patterns name, each once, in byte order. A path that names nothing is an error, a glob a notice.
pub(super) fn found(
    file: &TextFile,
    patterns: &[Text],
    folder: Folder<'_>,
    notices: &mut Vec<Notice>,
) -> Result<Vec<PathBuf>, PolicyError> {
    let mut paths = Vec::new();
    for pattern in patterns {
        let found = folder.find(&pattern.value).map_err(|error| match error {
            FindError::Policy(error) => error,
            FindError::Glob(error) => bad_glob(file, pattern, &error),
        })?;
        if found.is_empty() && !folder::is_glob(&pattern.value) {
            return Err(file.error(pattern.start, Fault::NoSuchFile(pattern.value.clone())));
        }
        if found.is_empty() {
            let text = format!("`{}` matches no file; correct the pattern or remove it", pattern.value);
            notices.push(Notice { place: file.place(pattern.start), text });
        }
        paths.extend(found);
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// The error of a glob that cannot be read.
pub(super) fn bad_glob(file: &TextFile, pattern: &Text, error: &globset::Error) -> PolicyError {
    let fault =
        Fault::Pattern { what: "glob", pattern: pattern.value.clone(), why: error.kind().to_string() };
    file.error(pattern.start, fault)
}

fn check_version(parsed: &Parsed, required: bool) -> Result<(), PolicyError> {
    match &parsed.document.version {
        Some(version) if version.value == 1 => Ok(()),
        Some(version) => Err(parsed.file.error(version.start, Fault::Version(version.value))),
        None if required => Err(parsed.file.error(0, Fault::VersionMissing)),
        None => Ok(()),
    }
}

/// The tables of a file.
pub(super) fn parse<T: DeserializeOwned>(file: &TextFile) -> Result<T, PolicyError> {
    toml::from_str(&file.text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        file.error(start, fault(error.message()))
    })
}

/// serde tells unknown names only in its message, whose form it keeps stable: "unknown field `x`, expected one of
/// `a`, `b`".
fn fault(message: &str) -> Fault {
    let unknown = |prefix: &str| {
        let (name, expected) = message.strip_prefix(prefix)?.rsplit_once("`, expected ")?;
        Some((name.to_owned(), quoted(expected)))
    };
    if let Some((key, known)) = unknown("unknown field `") {
        return Fault::UnknownKey { key, known };
    }
    if let Some((value, known)) = unknown("unknown variant `") {
        return Fault::UnknownValue { value, known };
    }
    match message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(key) => Fault::Missing(key.to_owned()),
        None => Fault::Toml(message.trim().to_owned()),
    }
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_read_from_the_message() {
        let known = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(
            fault("unknown field `x`, expected one of `a`, `b`"),
            Fault::UnknownKey { key: "x".to_owned(), known: known.clone() }
        );
        assert_eq!(
            fault("unknown variant `x`, expected `a` or `b`"),
            Fault::UnknownValue { value: "x".to_owned(), known }
        );
        assert_eq!(fault("missing field `name`"), Fault::Missing("name".to_owned()));
        assert_eq!(fault("invalid type"), Fault::Toml("invalid type".to_owned()));
    }
}
