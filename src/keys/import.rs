//! Captures that others made (`keys add`): documents, directories and packed archives, certificates, and the keys that an
//! OpenID Federation issuer says it had.

use super::archive::Archive;
use super::capture::{CaptureLine, Served};
use super::document::Document;
use super::error::KeysError;
use super::files::{Files, TOO_LONG, read_bounded};
use super::pack;
use super::statement;
use super::stored::{Stored, directory_of};
use super::when::CaptureTime;
use super::writer::{Added, Writer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What is said of everything that is imported at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Import<'a> {
    /// When it was captured. Files may say it by their names; names of files within a directory go before this.
    pub captured_at: Option<CaptureTime>,
    /// Where it was served. Without it a file serves every issuer, and a directory is taken as an archive is.
    pub source: Option<&'a str>,
    /// The documents list an issuer's keys with `iat`, `exp` and `revoked` (OpenID Federation 1.0, historical keys).
    pub historical: bool,
}

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Every document, by time within a directory.
    pub added: Vec<Added>,
    /// Failed fetches that were taken over.
    pub failed: usize,
    /// What should be known about it.
    pub notices: Vec<String>,
}

/// One line to be written.
pub(super) struct Piece {
    /// `None` for a failed fetch.
    pub(super) body: Option<Vec<u8>>,
    pub(super) time: CaptureTime,
    pub(super) source: Option<String>,
    /// What else the line says.
    pub(super) members: Map<String, Value>,
}

/// Adds captures to an archive, which is created where it does not exist; nothing in it is ever overwritten.
///
/// # Errors
///
/// See [`KeysError`]. Everything is read and checked before the first capture is added.
pub fn import(archive: &Path, paths: &[PathBuf], import: &Import<'_>) -> Result<Imported, KeysError> {
    let mut imported = Imported::default();
    let mut pieces = Vec::new();
    for path in paths {
        pieces.extend(read(path, import, &mut imported.notices)?);
    }
    if archive.is_file() {
        return Err(KeysError::Add(format!(
            "{}: a packed archive is never changed; add to the directory that it was made of, and pack it again",
            archive.display()
        )));
    }
    let mut writer = Writer::open(archive)?;
    for Piece { body, time, source, mut members } in pieces {
        if let Some(body) = body {
            let added = writer.add(&body, time, source.as_deref(), members)?;
            imported.notices.extend(added.notice.clone());
            imported.added.push(added);
        } else {
            let status = members.remove("status").unwrap_or_default();
            imported.notices.extend(writer.fail(status, time, &source.unwrap_or_default(), members)?);
            imported.failed += 1;
        }
    }
    Ok(imported)
}

fn read(path: &Path, import: &Import<'_>, notices: &mut Vec<String>) -> Result<Vec<Piece>, KeysError> {
    if path.is_dir() {
        return archived(path, import, notices);
    }
    if pack::is_packed(path) {
        return archived(path, import, notices);
    }
    let malformed = |reason: String| KeysError::Malformed { file: path.display().to_string(), reason };
    let file = fs::File::open(path).map_err(KeysError::io(path))?;
    let bytes = read_bounded(file).map_err(KeysError::io(path))?;
    let bytes = bytes.ok_or_else(|| malformed(TOO_LONG.to_owned()))?;
    let time = import.captured_at.or_else(|| name_time(path)).ok_or_else(|| no_time(&path.display()))?;
    let source = import.source.map(str::to_owned);
    if bytes.trim_ascii_start().starts_with(b"-----BEGIN ") {
        let body = statement::certificates(&bytes)
            .map_err(|reason| KeysError::Add(format!("{}: {reason}", path.display())))?;
        return Ok(vec![Piece { body: Some(body), time, source, members: partly("certificate") }]);
    }
    if import.historical {
        return statement::historical(&bytes, time, source.as_deref(), notices).map_err(malformed);
    }
    let document = Document::parse(&bytes).map_err(malformed)?;
    if matches!(document, Document::Keys(_)) && statement::is_historical(&bytes) {
        notices.push(format!(
            "{}: its keys say when they were revoked; with --historical each is taken as seen from `iat` to `exp` or `revoked`, \
             without it all of them as served at {}",
            path.display(),
            time.text()
        ));
    }
    Ok(vec![Piece { body: Some(bytes), time, source, members: Map::new() }])
}

/// What a line says beside a document that is not all that a source served.
pub(super) fn partly(statement: &str) -> Map<String, Value> {
    Map::from_iter([("status".to_owned(), json!(206)), ("statement".to_owned(), statement.into())])
}

/// The captures of a directory or a packed archive, by time: those of its lines, and documents with the time in their name.
fn archived(path: &Path, import: &Import<'_>, notices: &mut Vec<String>) -> Result<Vec<Piece>, KeysError> {
    let files = Files::read(path)?;
    let (_, faults) = Archive::of(&files, path);
    // Times that are missing are given.
    let excused =
        |fault: &KeysError| matches!(fault, KeysError::NoTime { .. }) && import.captured_at.is_some();
    if let Some(fault) = faults.into_iter().find(|fault| !excused(fault)) {
        return Err(fault);
    }
    let (stored, found) = Stored::of(&files, &mut Vec::new());
    notices.extend(found);
    let mut lines: BTreeMap<&str, Vec<&CaptureLine>> = BTreeMap::new();
    for line in &stored.lines {
        lines.entry(line.file.as_deref().unwrap_or_default()).or_default().push(line);
    }
    let written = written_lines(&files);
    let failed = |line: &CaptureLine| {
        let source = import.source.map(str::to_owned).or(Some(line.source.clone()?));
        Some(Piece { body: None, time: line.time?, source, members: members(&written, line) })
    };
    // A failed fetch that no reader understands is left out.
    let mut pieces: Vec<Piece> = lines.remove("").into_iter().flatten().filter_map(failed).collect();
    let mut timeless = Vec::new();
    for (file, sha256) in &files.documents {
        let Some(body) = files.bodies.get(sha256) else { continue };
        let directory = Some(directory_of(file)).filter(|directory| !directory.is_empty());
        let mut add = |line: Option<&CaptureLine>| {
            let source = import.source.map(str::to_owned).or_else(|| line?.source.clone());
            let source = source.or_else(|| directory.clone());
            let time = line.and_then(|line| line.time).or_else(|| name_time(Path::new(file)));
            let members = line.map(|line| members(&written, line)).unwrap_or_default();
            // An error page is no document; that it was served is a failed fetch.
            let served = line.is_none_or(|line| line.served() != Served::Nothing);
            match time.or(import.captured_at) {
                Some(time) => {
                    pieces.push(Piece { body: served.then(|| body.clone()), time, source, members });
                }
                None => timeless.push((body.clone(), source)),
            }
        };
        match lines.get(file.as_str()) {
            Some(lines) => lines.iter().for_each(|line| add(Some(line))),
            None => add(None),
        }
    }
    pieces.sort_by_key(|piece| piece.time);
    // Only metadata needs no time; it is kept with the first capture's.
    if let Some(time) = pieces.first().map(|piece| piece.time) {
        let metadata = timeless.into_iter();
        pieces.extend(metadata.map(|(body, source)| Piece {
            body: Some(body),
            time,
            source,
            members: Map::new(),
        }));
    }
    Ok(pieces)
}

/// The lines of `captures.jsonl` by their numbers.
fn written_lines(files: &Files) -> Vec<&[u8]> {
    let bytes = files.lines.as_deref().unwrap_or_default();
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).split(|byte| *byte == b'\n').collect()
}

/// What a line says beside its document, time and place: status, headers, whatever its writer knew.
fn members(written: &[&[u8]], line: &CaptureLine) -> Map<String, Value> {
    let text = line.number.checked_sub(1).and_then(|at| written.get(at)).copied().unwrap_or_default();
    let mut members: Map<String, Value> = serde_json::from_slice(text).unwrap_or_default();
    for own in ["file", "captured_at", "ended_at", "source", "sha256", "prev"] {
        members.remove(own);
    }
    members
}

fn name_time(path: &Path) -> Option<CaptureTime> {
    CaptureTime::of_file_name(path.file_name()?.to_str()?)
}

fn no_time(path: &dyn std::fmt::Display) -> KeysError {
    KeysError::Add(format!(
        "{path}: no time of capture; give --captured-at, or let the file name begin with a UTC time such as \
         2026-11-22T103427Z.json (file time stamps are not evidence)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyHistory;
    use crate::keys::stored::LINES_FILE;
    use crate::keys::testing::TestKey;
    use serde_json::json;

    struct Fixture(tempfile::TempDir);

    impl Fixture {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn archive(&self) -> PathBuf {
            self.0.path().join("keys")
        }

        fn body(&self, kid: &str) -> PathBuf {
            let path = self.0.path().join(format!("{kid}.txt"));
            fs::write(&path, json!({"keys":[TestKey::RsaA.jwk(kid)]}).to_string()).unwrap();
            path
        }

        fn add(&self, kid: &str, at: &str) -> Added {
            let time = CaptureTime::parse(at).unwrap();
            let source = Some("https://login.microsoftonline.com/common/discovery/v2.0/keys");
            let what = Import { captured_at: Some(time), source, historical: false };
            import(&self.archive(), &[self.body(kid)], &what).unwrap().added.remove(0)
        }

        fn history(&self) -> KeyHistory {
            KeyHistory::new(Archive::read(&self.archive()).unwrap())
        }
    }

    #[test]
    fn a_document_is_stored_once_and_recorded_each_time() {
        let fixture = Fixture::new();
        let first = fixture.add("a", "2026-11-22T10:34:27Z");
        assert_eq!(
            first.file,
            "login.microsoftonline.com/common/discovery/v2.0/keys/2026-11-22T103427Z.json"
        );
        assert!(first.copied && first.recorded);
        let again = fixture.add("a", "2026-11-23T10:34:27Z");
        assert_eq!((again.file, again.copied, again.recorded), (first.file.clone(), false, true));
        assert!(!fixture.add("a", "2026-11-22T10:34:27Z").recorded, "the same capture twice");
        let other = fixture.add("b", "2026-11-22T10:34:27Z");
        assert!(other.file.ends_with("2026-11-22T103427Z_2.json"), "{}", other.file);
        let history = fixture.history();
        assert_eq!(history.sources().map(|(_, source)| source.captures.len()).collect::<Vec<_>>(), [3]);
        assert_eq!(history.notices(), [""; 0]);
        fs::remove_file(fixture.archive().join(LINES_FILE)).unwrap();
        let (_, source) = fixture.history().sources.into_iter().enumerate().next().unwrap();
        assert_eq!(source.captures[0].time.text(), "2026-11-22T10:34:27Z", "the name alone tells the time");
    }

    #[test]
    fn an_unfinished_last_line_is_finished_or_removed() {
        for (tail, notice) in [
            (
                r#"{"status":500,"captured_at":"2026-11-22T10:00:00Z","source":"https://x.example/k"}"#,
                "was finished",
            ),
            (r#"{"file":"lo"#, "bytes were removed"),
        ] {
            let fixture = Fixture::new();
            fixture.add("a", "2026-11-22T10:34:27Z");
            let path = fixture.archive().join(LINES_FILE);
            let mut text = fs::read_to_string(&path).unwrap();
            text.push_str(tail);
            fs::write(&path, text).unwrap();
            let added = fixture.add("a", "2026-11-23");
            assert!(added.notice.unwrap().contains(notice));
            assert_eq!(fixture.history().notices(), [""; 0]);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.ends_with('\n') && text.contains(r#""captured_at":"2026-11-23""#), "{text}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused_and_nothing_added() {
        let fixture = Fixture::new();
        let page = fixture.0.path().join("page.html");
        fs::write(&page, "<html>").unwrap();
        let time = CaptureTime::parse("2026-11-22").unwrap();
        let what = Import { captured_at: Some(time), ..Import::default() };
        let refused = import(&fixture.archive(), &[fixture.body("a"), page], &what).unwrap_err();
        assert!(refused.to_string().contains("page.html: not JSON at line 1, column 1"), "{refused}");
        assert!(!fixture.archive().exists());
    }
}
