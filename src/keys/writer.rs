//! Writes to an archive. A document is on the disk before the line that names it, and a line is appended as a whole: whatever
//! stops a writer leaves an archive that can be read.

use super::capture::CaptureLine;
use super::document::Document;
use super::error::KeysError;
use super::stored;
use super::stored::LINES_FILE;
use super::when::CaptureTime;
use serde_json::Map;
use serde_json::Value;
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

/// An archive that is being added to: `captures.jsonl`, locked against other writers until this is dropped.
#[derive(Debug)]
pub struct Writer {
    directory: PathBuf,
    path: PathBuf,
    file: File,
    known: Vec<CaptureLine>,
    notice: Option<String>,
}

impl Writer {
    /// Opens an archive, and creates it where it does not exist. Waits while another writer has it.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or `captures.jsonl` has a line that cannot be understood.
    pub fn open(directory: &Path) -> Result<Self, KeysError> {
        fs::create_dir_all(directory).map_err(KeysError::io(directory))?;
        let path = directory.join(LINES_FILE);
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).append(true).create(true).open(&path).map_err(KeysError::io(&path))?;
        file.lock().map_err(KeysError::io(&path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(KeysError::io(&path))?;
        let mut writer =
            Self { directory: directory.to_owned(), path, file, known: Vec::new(), notice: None };
        writer.finish_last_line(&mut bytes)?;
        let mut faults = Vec::new();
        writer.known = stored::read_lines(&bytes, &mut Vec::new(), &mut faults);
        match faults.into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(writer),
        }
    }

    /// Adds a document that was captured from a source; `members` are what else its line says.
    ///
    /// # Errors
    ///
    /// If it is no key document and no metadata (the archive could not be read any more), or cannot be written.
    pub fn add(
        &mut self,
        body: &[u8],
        time: CaptureTime,
        source: Option<&str>,
        members: Map<String, Value>,
    ) -> Result<Added, KeysError> {
        Document::parse(body).map_err(|reason| KeysError::Malformed {
            file: source.unwrap_or("a document").to_owned(),
            reason,
        })?;
        let sha256 = stored::sha256(body);
        let known = self.known_as(body, &sha256, time, source);
        let notice = self.notice.take();
        if let Some((file, true)) = known {
            return Ok(Added { file, copied: false, recorded: false, notice });
        }
        let copied = known.is_none();
        let file = match known {
            Some((file, _)) => file,
            None => self.store(body, time, source)?,
        };
        let mut line = Map::new();
        line.insert("file".to_owned(), file.clone().into());
        line.insert("sha256".to_owned(), sha256.into());
        self.append(line, time, source, members)?;
        Ok(Added { file, copied, recorded: true, notice })
    }

    /// Records that a source was asked and gave no document; `status` says why (a code of HTTP, or a word), `members` what else
    /// is known. Gives what was put right on the way.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn fail(
        &mut self,
        status: Value,
        time: CaptureTime,
        source: &str,
        members: Map<String, Value>,
    ) -> Result<Option<String>, KeysError> {
        let line = Map::from_iter([("status".to_owned(), status)]);
        self.append(line, time, Some(source), members)?;
        Ok(self.notice.take())
    }

    /// True if the archive holds this very document of a source.
    pub fn holds(&self, body: &[u8], source: &str) -> bool {
        self.same_bodies(body, &stored::sha256(body), Some(source)).next().is_some()
    }

    /// Lines with the same body of the same source.
    fn same_bodies<'w>(
        &'w self,
        body: &'w [u8],
        sha256: &'w str,
        source: Option<&'w str>,
    ) -> impl Iterator<Item = (&'w CaptureLine, &'w String)> {
        let lines = self.known.iter().filter_map(|line| Some((line, line.file.as_ref()?)));
        let of_source = lines.filter(move |(line, file)| {
            let own = line.source.clone().unwrap_or_else(|| stored::directory_of(file));
            own == source.unwrap_or_default()
        });
        // Lines without a digest are compared by the document itself.
        of_source.filter(move |(line, file)| match &line.sha256 {
            Some(recorded) => recorded == sha256,
            None => fs::read(self.directory.join(file)).is_ok_and(|stored| stored == body),
        })
    }

    /// The file that already holds a body of a source, and whether this very capture is recorded.
    fn known_as(
        &self,
        body: &[u8],
        sha256: &str,
        time: CaptureTime,
        source: Option<&str>,
    ) -> Option<(String, bool)> {
        let mut first = None;
        for (line, file) in self.same_bodies(body, sha256, source) {
            if line.time == Some(time) {
                return Some((file.clone(), true));
            }
            first.get_or_insert(file);
        }
        first.map(|file| (file.clone(), false))
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

    /// Appends a line, chained to the one before it.
    fn append(
        &mut self,
        mut line: Map<String, Value>,
        time: CaptureTime,
        source: Option<&str>,
        members: Map<String, Value>,
    ) -> Result<(), KeysError> {
        let captured_at = time.text();
        if CaptureTime::parse(&captured_at) != Some(time) {
            line.insert("ended_at".to_owned(), time.end.to_string().into());
        }
        line.insert("captured_at".to_owned(), captured_at.into());
        line.extend(source.map(|source| ("source".to_owned(), source.into())));
        line.extend(self.known.last().map(|last| ("prev".to_owned(), last.text_sha256.clone().into())));
        for (name, value) in members {
            line.entry(name).or_insert(value);
        }
        let text = Value::Object(line).to_string();
        // What is appended must be what readers understand.
        let parsed = CaptureLine::parse(&text, self.known.len() + 1)
            .map_err(|reason| KeysError::Add(format!("{LINES_FILE}: a line cannot be written: {reason}")))?;
        self.file.write_all(format!("{text}\n").as_bytes()).map_err(KeysError::io(&self.path))?;
        self.file.sync_data().map_err(KeysError::io(&self.path))?;
        self.known.push(parsed);
        Ok(())
    }

    /// Stores a body under a name of its own; returns the path relative to the archive.
    fn store(&self, body: &[u8], time: CaptureTime, source: Option<&str>) -> Result<String, KeysError> {
        let folder = source.map(folder_of).unwrap_or_default();
        let target = self.directory.join(&folder);
        fs::create_dir_all(&target).map_err(KeysError::io(&target))?;
        remove_abandoned(&target);
        let mut temporary = temporary_in(&target).map_err(KeysError::io(&target))?;
        temporary.write_all(body).map_err(KeysError::io(&target))?;
        temporary.as_file().sync_all().map_err(KeysError::io(&target))?;
        // The name is readable as a time again, should the line ever be lost.
        let stem = time.text().replace(':', "");
        for attempt in 1..=NAMES_MAX {
            let name = if attempt == 1 { format!("{stem}.json") } else { format!("{stem}_{attempt}.json") };
            let path = target.join(&name);
            match temporary.persist_noclobber(&path) {
                Ok(_) => {
                    sync_names(&target, &self.directory).map_err(KeysError::io(&target))?;
                    return Ok(if folder.is_empty() { name } else { format!("{folder}/{name}") });
                }
                Err(failed) if failed.error.kind() == std::io::ErrorKind::AlreadyExists => {
                    temporary = failed.file;
                }
                Err(failed) => return Err(KeysError::Io { path, error: failed.error }),
            }
        }
        Err(KeysError::Add(format!(
            "{}: {NAMES_MAX} documents of {stem} are stored already",
            target.display()
        )))
    }
}

/// Different bodies of one source and time that are told apart by a number.
const NAMES_MAX: usize = 1000;

/// Begin and end of the names of documents that are not yet whole.
const TEMPORARY: [&str; 2] = [".adding-", ".tmp"];

/// Public keys are for every reader of the archive, so the file gets the usual permissions, not those of a secret.
fn temporary_in(directory: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY[0]).suffix(TEMPORARY[1]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    builder.tempfile_in(directory)
}

/// Removes what killed writers left: the lock is ours, so nobody is writing these. Leaving one behind harms nobody.
fn remove_abandoned(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(TEMPORARY[0]) && name.ends_with(TEMPORARY[1]) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes new names last through a power failure: those of a directory and of every one between it and the archive.
#[cfg(unix)]
fn sync_names(directory: &Path, archive: &Path) -> std::io::Result<()> {
    for directory in directory.ancestors() {
        File::open(directory)?.sync_all()?;
        if directory == archive {
            break;
        }
    }
    Ok(())
}

/// Directories cannot be opened here.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
fn sync_names(_directory: &Path, _archive: &Path) -> std::io::Result<()> {
    Ok(())
}

/// A directory that names the source again: `https://login.microsoftonline.com/common/discovery/v2.0/keys?appid=X` becomes
/// `login.microsoftonline.com/common/discovery/v2.0/keys/appid=X`, and `idp.example.com:8443` `idp.example.com/8443`, so that a
/// document whose line was never written still serves its own issuers only.
fn folder_of(source: &str) -> String {
    let rest = source.split_once("://").map_or(source, |(_, rest)| rest);
    let segments = rest.split(['/', '?', '&', '\\', ':']).filter(|segment| !segment.is_empty());
    let safe = segments.map(|segment| {
        let keep = |next: char| next.is_ascii_alphanumeric() || matches!(next, '.' | '-' | '_' | '=');
        let text: String =
            segment.chars().take(100).map(|next| if keep(next) { next } else { '_' }).collect();
        // A leading dot would hide the directory, or leave the archive; no directory may take the name of a document.
        let text = if let Some(rest) = text.strip_prefix('.') { format!("_{rest}") } else { text };
        let extension = Path::new(&text).extension().unwrap_or_default().to_ascii_lowercase();
        if extension == "json" || extension == "jsonl" { format!("{text}_") } else { text }
    });
    safe.take(16).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Archive;
    use crate::keys::testing::TestKey;
    use serde_json::json;

    const SOURCE: &str = "https://idp.example.com:8443/keys";

    fn body(kid: &str) -> Vec<u8> {
        json!({"keys":[TestKey::RsaA.jwk(kid)]}).to_string().into_bytes()
    }

    fn at(text: &str) -> CaptureTime {
        CaptureTime::parse(text).unwrap()
    }

    #[test]
    fn captures_and_failures_are_one_chain() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path()).unwrap();
        let period =
            CaptureTime { start: at("2026-11-22T10:00:00.25Z").start, end: at("2026-11-22T10:00:01Z").end };
        let members = Map::from_iter([("status".to_owned(), 200.into()), ("sha256".to_owned(), "no".into())]);
        let added = writer.add(&body("a"), period, Some(SOURCE), members).unwrap();
        assert!(
            added.copied && added.file == "idp.example.com/8443/keys/2026-11-22T100000.25Z.json",
            "{added:?}"
        );
        writer.fail("timeout".into(), at("2026-11-22T11:00:00Z"), SOURCE, Map::new()).unwrap();
        assert!(writer.holds(&body("a"), SOURCE) && !writer.holds(&body("a"), "elsewhere"));
        drop(writer);
        // The chain goes on in another run.
        let mut writer = Writer::open(folder.path()).unwrap();
        writer.add(&body("a"), at("2026-11-22T12:00:00Z"), Some(SOURCE), Map::new()).unwrap();
        let text = fs::read_to_string(folder.path().join(LINES_FILE)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let values: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(values[0]["captured_at"], "2026-11-22T10:00:00.25Z");
        assert_eq!(
            (&values[0]["ended_at"], &values[0]["status"]),
            (&json!("2026-11-22T10:00:01Z"), &json!(200))
        );
        assert_eq!(values[0]["sha256"], stored::sha256(&body("a")), "what the writer knows comes first");
        assert_eq!(values[0].get("prev"), None);
        for at in [1, 2] {
            assert_eq!(values[at]["prev"], stored::sha256(lines[at - 1].as_bytes()));
        }
        let archive = Archive::read(folder.path()).unwrap();
        let complete: Vec<bool> = archive.captures.iter().map(|capture| capture.complete).collect();
        assert_eq!(complete, [true, false, true]);
    }

    #[test]
    fn a_stop_within_a_line_leaves_an_archive_that_is_read_and_goes_on() {
        let whole = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(whole.path()).unwrap();
        for (kid, time) in [("a", "2026-11-22"), ("b", "2026-11-23")] {
            writer.add(&body(kid), at(time), Some(SOURCE), Map::new()).unwrap();
        }
        // It holds the lock.
        drop(writer);
        let lines = fs::read(whole.path().join(LINES_FILE)).unwrap();
        let first = lines.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        // Enough of them: each waits for the disk. The last two lack the line feed alone, and that and the brace.
        let cuts = (first..lines.len() - 2).step_by(29);
        for cut in cuts.chain(lines.len() - 2..lines.len()) {
            fs::write(whole.path().join(LINES_FILE), &lines[..cut]).unwrap();
            Archive::read(whole.path()).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
            let mut writer = Writer::open(whole.path()).unwrap();
            writer.fail(500.into(), at("2026-11-24"), SOURCE, Map::new()).unwrap();
            drop(writer);
            let archive = Archive::read(whole.path()).unwrap();
            assert!(archive.captures.iter().any(|capture| !capture.complete), "cut at {cut}");
        }
    }

    #[test]
    fn what_no_reader_would_take_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path()).unwrap();
        let refused = writer.add(b"<html>", at("2026-11-22"), Some(SOURCE), Map::new()).unwrap_err();
        assert!(refused.to_string().contains("not JSON"), "{refused}");
        writer.fail(json!({}), at("2026-11-22"), SOURCE, Map::new()).unwrap_err();
        assert_eq!(fs::read_to_string(folder.path().join(LINES_FILE)).unwrap(), "");
    }

    #[test]
    fn what_a_killed_writer_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(".adding-x.tmp");
        fs::write(&left, "half").unwrap();
        let mut writer = Writer::open(folder.path()).unwrap();
        writer.add(&body("a"), at("2026-11-22"), None, Map::new()).unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn folders_stay_in_the_archive() {
        assert_eq!(folder_of("https://h.example/../a b/.x?appid=1&c=2"), "h.example/_./a_b/_x/appid=1/c=2");
        assert_eq!(folder_of("https://h.example:8443/keys"), "h.example/8443/keys");
        assert_eq!(folder_of("https://h.example/jwks.JSON"), "h.example/jwks.JSON_");
        assert_eq!(folder_of("captures.jsonl"), "captures.jsonl_");
        assert_eq!(folder_of("contoso"), "contoso");
        assert_eq!(folder_of("///"), "");
    }
}
