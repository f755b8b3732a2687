//! The library part of `keys add`: a document goes into the archive exactly as it was served.

use super::capture::CaptureLine;
use super::document::Document;
use super::error::KeysError;
use super::stored;
use super::stored::LINES_FILE;
use super::when::CaptureTime;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The document in the archive, relative to it.
    pub file: String,
    /// False if the archive already held the same body of the same source: only a line was added.
    pub copied: bool,
    /// False if this very capture was already recorded: nothing was added.
    pub recorded: bool,
    /// What was put right on the way.
    pub notice: Option<String>,
}

/// Adds documents that were captured from one source at one time. The archive is created where it does not exist; nothing
/// in it is ever overwritten. Without a source the documents serve every issuer.
///
/// # Errors
///
/// See [`KeysError`]. Every document is read and checked before the first is added.
pub fn add(
    directory: &Path,
    files: &[PathBuf],
    captured_at: CaptureTime,
    source: Option<&str>,
) -> Result<Vec<Added>, KeysError> {
    let mut bodies = Vec::new();
    for path in files {
        let bytes = fs::read(path).map_err(KeysError::io(path))?;
        Document::parse(&bytes)
            .map_err(|reason| KeysError::Malformed { file: path.display().to_string(), reason })?;
        bodies.push(bytes);
    }
    fs::create_dir_all(directory).map_err(KeysError::io(directory))?;
    let mut lines = Lines::open(directory)?;
    bodies.iter().map(|bytes| lines.add(directory, bytes, captured_at, source)).collect()
}

/// `captures.jsonl`, locked against other writers until it is dropped.
struct Lines {
    path: PathBuf,
    file: File,
    known: Vec<CaptureLine>,
    notice: Option<String>,
}

impl Lines {
    fn open(directory: &Path) -> Result<Self, KeysError> {
        let path = directory.join(LINES_FILE);
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).append(true).create(true).open(&path).map_err(KeysError::io(&path))?;
        file.lock().map_err(KeysError::io(&path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(KeysError::io(&path))?;
        let mut lines = Self { path, file, known: Vec::new(), notice: None };
        lines.finish_last_line(&mut bytes)?;
        let mut faults = Vec::new();
        lines.known = stored::read_lines(&bytes, &mut Vec::new(), &mut faults);
        if let Some(fault) = faults.into_iter().next() {
            return Err(fault);
        }
        Ok(lines)
    }

    /// An earlier writer may have been stopped in the middle of a line. Readers ignore it; behind a further line it would
    /// stand as a malformed one. A whole line only lacks its line feed; anything else is cut off.
    fn finish_last_line(&mut self, bytes: &mut Vec<u8>) -> Result<(), KeysError> {
        let start = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let tail = bytes.get(start..).unwrap_or_default();
        if tail.is_empty() {
            return Ok(());
        }
        let whole = std::str::from_utf8(tail).is_ok_and(|text| CaptureLine::parse(text.trim(), 0).is_ok());
        if whole {
            self.file.write_all(b"\n").map_err(KeysError::io(&self.path))?;
            bytes.push(b'\n');
            self.notice = Some(format!("{LINES_FILE}: the last line lacked its line feed and was finished"));
        } else {
            self.notice = Some(format!(
                "{LINES_FILE}: the last line was not finished; its {} bytes were removed",
                tail.len()
            ));
            bytes.truncate(start);
            let length = u64::try_from(start).unwrap_or(u64::MAX);
            self.file.set_len(length).map_err(KeysError::io(&self.path))?;
        }
        self.file.seek(SeekFrom::End(0)).map_err(KeysError::io(&self.path))?;
        Ok(())
    }

    fn add(
        &mut self,
        directory: &Path,
        bytes: &[u8],
        time: CaptureTime,
        source: Option<&str>,
    ) -> Result<Added, KeysError> {
        let sha256 = stored::sha256(bytes);
        let same_source = |line: &&CaptureLine| {
            let file = line.file.as_deref().unwrap_or_default();
            let own = line.source.clone().unwrap_or_else(|| stored::directory_of(file));
            own == source.unwrap_or_default()
        };
        let same_body = |line: &&CaptureLine| {
            let file = line.file.as_ref().map(|file| directory.join(file));
            // Lines without a digest are compared by the document itself.
            line.sha256.as_deref() == Some(&sha256)
                || line.sha256.is_none()
                    && file.is_some_and(|file| fs::read(file).is_ok_and(|stored| stored == bytes))
        };
        let candidates = self.known.iter().filter(|line| line.file.is_some());
        let stored: Vec<&CaptureLine> = candidates.filter(same_source).filter(same_body).collect();
        let known = stored.iter().find(|line| line.time == Some(time)).or(stored.first());
        let stored = known.and_then(|line| Some((line.file.clone()?, line.time == Some(time))));
        let notice = self.notice.take();
        if let Some((file, true)) = stored {
            return Ok(Added { file, copied: false, recorded: false, notice });
        }
        let copied = stored.is_none();
        let file = match stored {
            Some((file, _)) => file,
            None => store(directory, bytes, time, source)?,
        };
        self.record(&file, time, source, sha256)?;
        Ok(Added { file, copied, recorded: true, notice })
    }

    fn record(
        &mut self,
        file: &str,
        time: CaptureTime,
        source: Option<&str>,
        sha256: String,
    ) -> Result<(), KeysError> {
        let mut line = json!({"file": file, "captured_at": time.text(), "sha256": sha256});
        if let (Some(source), Some(members)) = (source, line.as_object_mut()) {
            members.insert("source".to_owned(), source.into());
        }
        let text = format!("{line}\n");
        self.file.write_all(text.as_bytes()).map_err(KeysError::io(&self.path))?;
        self.file.sync_data().map_err(KeysError::io(&self.path))?;
        self.known.push(CaptureLine {
            number: 0,
            file: Some(file.to_owned()),
            time: Some(time),
            source: source.map(str::to_owned),
            sha256: Some(sha256),
            status: None,
            prev: None,
            text_sha256: String::new(),
        });
        Ok(())
    }
}

/// Stores a body under a name of its own; returns the path relative to the archive.
fn store(
    directory: &Path,
    bytes: &[u8],
    time: CaptureTime,
    source: Option<&str>,
) -> Result<String, KeysError> {
    let folder = source.map(folder_of).unwrap_or_default();
    let target = directory.join(&folder);
    fs::create_dir_all(&target).map_err(KeysError::io(&target))?;
    let mut temporary = temporary_in(&target).map_err(KeysError::io(&target))?;
    temporary.write_all(bytes).map_err(KeysError::io(&target))?;
    temporary.as_file().sync_all().map_err(KeysError::io(&target))?;
    // The name is readable as a time again, should the line ever be lost.
    let stem = time.text().replace(':', "");
    for attempt in 1..=NAMES_MAX {
        let name = if attempt == 1 { format!("{stem}.json") } else { format!("{stem}_{attempt}.json") };
        let path = target.join(&name);
        match temporary.persist_noclobber(&path) {
            Ok(_) if folder.is_empty() => return Ok(name),
            Ok(_) => return Ok(format!("{folder}/{name}")),
            Err(failed) if failed.error.kind() == std::io::ErrorKind::AlreadyExists => {
                temporary = failed.file;
            }
            Err(failed) => return Err(KeysError::Io { path, error: failed.error }),
        }
    }
    Err(KeysError::Add(format!("{}: {NAMES_MAX} documents of {stem} are stored already", target.display())))
}

/// Different bodies of one source and time that are told apart by a number.
const NAMES_MAX: usize = 1000;

/// Public keys are for every reader of the archive, so the file gets the usual permissions, not those of a secret.
fn temporary_in(directory: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".adding-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    builder.tempfile_in(directory)
}

/// A directory that names the source again: `https://login.microsoftonline.com/common/discovery/v2.0/keys?appid=X` becomes
/// `login.microsoftonline.com/common/discovery/v2.0/keys/appid=X`.
fn folder_of(source: &str) -> String {
    let rest = source.split_once("://").map_or(source, |(_, rest)| rest);
    let segments = rest.split(['/', '?', '&', '\\']).filter(|segment| !segment.is_empty());
    let safe = segments.map(|segment| {
        let keep = |next: char| next.is_ascii_alphanumeric() || matches!(next, '.' | '-' | '_' | '=');
        let text: String =
            segment.chars().take(100).map(|next| if keep(next) { next } else { '_' }).collect();
        // A leading dot would hide the directory, or leave the archive.
        if let Some(rest) = text.strip_prefix('.') { format!("_{rest}") } else { text }
    });
    safe.take(16).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Archive;
    use crate::keys::KeyHistory;
    use crate::keys::testing::TestKey;

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
            add(&self.archive(), &[self.body(kid)], time, source).unwrap().remove(0)
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
        let refused = add(&fixture.archive(), &[fixture.body("a"), page], time, None).unwrap_err();
        assert!(refused.to_string().contains("page.html: not JSON at line 1, column 1"), "{refused}");
        assert!(!fixture.archive().exists());
    }

    #[test]
    fn folders_stay_in_the_archive() {
        assert_eq!(folder_of("https://h.example/../a b/.x?appid=1&c=2"), "h.example/_./a_b/_x/appid=1/c=2");
        assert_eq!(folder_of("contoso"), "contoso");
        assert_eq!(folder_of("///"), "");
    }
}
