//! The archive as a directory: documents exactly as served, and `captures.jsonl` (contract section 4).

use super::capture::Capture;
use super::capture::CaptureLine;
use super::capture::Metadata;
use super::capture::Served;
use super::chain;
use super::document::DOCUMENT_BYTES_MAX;
use super::document::Document;
use super::error::KeysError;
use super::jwk::Material;
use super::jwk::Unusable;
use super::when::CaptureTime;
use crate::redact;
use aws_lc_rs::digest;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// Name of the file that records when each document was captured.
pub(super) const LINES_FILE: &str = "captures.jsonl";

/// Everything that an archive holds, read once.
#[derive(Debug)]
pub struct Archive {
    /// Captures, sorted by source, then time.
    pub captures: Vec<Capture>,
    /// Metadata, sorted by source.
    pub metadata: Vec<Metadata>,
    /// SHA-256 over every document's path and content in the order of the paths, and over `captures.jsonl`: 64
    /// lower-case hexadecimal digits.
    pub sha256: String,
    /// What a reader of the run should know: an unfinished line, keys that cannot be used.
    pub notices: Vec<String>,
}

impl Archive {
    /// Reads a directory and checks every recorded digest.
    ///
    /// # Errors
    ///
    /// See [`KeysError`]; the first fault in the order of the paths is reported.
    pub fn read(directory: &Path) -> Result<Self, KeysError> {
        let (stored, sha256, mut notices) = Stored::read(directory)?;
        let mut archive = Self { captures: Vec::new(), metadata: Vec::new(), sha256, notices: Vec::new() };
        archive.add_lines(&stored, &mut notices)?;
        archive.add_unnamed(&stored)?;
        if !archive.captures.iter().any(|capture| capture.file.is_some()) {
            return Err(KeysError::Empty(directory.to_owned()));
        }
        archive.captures.sort_by(|a, b| (&a.source, a.time, &a.file).cmp(&(&b.source, b.time, &b.file)));
        archive
            .metadata
            .sort_by(|a, b| (&a.source, &a.issuer, &a.jwks_uri).cmp(&(&b.source, &b.issuer, &b.jwks_uri)));
        archive.metadata.dedup();
        notices.extend(malformed_keys(&archive.captures));
        archive.notices = notices;
        Ok(archive)
    }

    fn add_lines(&mut self, stored: &Stored, notices: &mut Vec<String>) -> Result<(), KeysError> {
        for line in &stored.lines {
            let fault = |reason: String| KeysError::Line { line: line.number, reason };
            let Some(file) = &line.file else {
                match (&line.source, line.time) {
                    (Some(source), Some(time)) => self.captures.push(failed(source.clone(), time)),
                    _ => notices.push(format!(
                        "{LINES_FILE}:{}: a failed fetch without `source` is ignored",
                        line.number
                    )),
                }
                continue;
            };
            let Some(document) = stored.documents.get(file) else {
                return Err(fault(format!("{file} is missing from the archive")));
            };
            if let Some(recorded) = line.sha256.as_ref().filter(|recorded| **recorded != document.sha256) {
                return Err(KeysError::Tampered {
                    file: file.clone(),
                    line: line.number,
                    recorded: recorded.clone(),
                    found: document.sha256.clone(),
                });
            }
            let source = line.source.clone().unwrap_or_else(|| directory_of(file));
            let time = line.time.or_else(|| file_name_time(file));
            match (&document.parsed, line.served()) {
                (_, Served::Nothing) => {
                    let time = time.ok_or_else(|| KeysError::NoTime { file: file.clone() })?;
                    self.captures.push(failed(source, time));
                }
                (Err(reason), _) => {
                    return Err(KeysError::Malformed { file: file.clone(), reason: reason.clone() });
                }
                (Ok(parsed), served) => self.add(parsed, file, source, time, served == Served::Complete)?,
            }
        }
        Ok(())
    }

    /// Documents that no line names: imported as they are, with the time of their name.
    fn add_unnamed(&mut self, stored: &Stored) -> Result<(), KeysError> {
        let named: HashSet<&String> = stored.lines.iter().filter_map(|line| line.file.as_ref()).collect();
        for (file, document) in stored.documents.iter().filter(|(file, _)| !named.contains(file)) {
            match &document.parsed {
                Ok(parsed) => self.add(parsed, file, directory_of(file), file_name_time(file), true)?,
                Err(reason) => {
                    return Err(KeysError::Malformed { file: file.clone(), reason: reason.clone() });
                }
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        document: &Document,
        file: &str,
        source: String,
        time: Option<CaptureTime>,
        complete: bool,
    ) -> Result<(), KeysError> {
        match document {
            Document::Keys(keys) => {
                let time = time.ok_or_else(|| KeysError::NoTime { file: file.to_owned() })?;
                let keys = Arc::clone(keys);
                self.captures.push(Capture { source, time, complete, keys, file: Some(file.to_owned()) });
            }
            Document::Metadata { issuer, jwks_uri, cloud } => self.metadata.push(Metadata {
                source,
                issuer: issuer.clone(),
                jwks_uri: jwks_uri.clone(),
                cloud: cloud.clone(),
            }),
        }
        Ok(())
    }
}

/// The files of an archive, before they are given times and sources.
pub(super) struct Stored {
    /// By path relative to the archive.
    pub(super) documents: BTreeMap<String, StoredDocument>,
    pub(super) lines: Vec<CaptureLine>,
}

pub(super) struct StoredDocument {
    pub(super) sha256: String,
    pub(super) parsed: Result<Document, String>,
}

impl Stored {
    /// The files, the archive's digest, and notices.
    pub(super) fn read(directory: &Path) -> Result<(Self, String, Vec<String>), KeysError> {
        let mut notices = Vec::new();
        let mut found = Found::default();
        found.list(directory, "", &mut HashSet::new())?;
        for nested in &found.nested_lines {
            notices.push(format!(
                "{nested} is ignored: only the {LINES_FILE} of the archive's own directory counts"
            ));
        }
        let mut whole = digest::Context::new(&digest::SHA256);
        let mut parsed: BTreeMap<String, Result<Document, String>> = BTreeMap::new();
        let mut documents = BTreeMap::new();
        for (file, path) in &found.documents {
            let bytes = read_document(path, file)?;
            let sha256 = sha256(&bytes);
            whole.update(format!("{file}\0{sha256}\n").as_bytes());
            // An unchanged key set is often stored again and again.
            let parsed = parsed.entry(sha256.clone()).or_insert_with(|| Document::parse(&bytes)).clone();
            documents.insert(file.clone(), StoredDocument { sha256, parsed });
        }
        let mut lines = Vec::new();
        let path = directory.join(LINES_FILE);
        if path.is_file() {
            let bytes = fs::read(&path).map_err(KeysError::io(&path))?;
            whole.update(format!("{LINES_FILE}\0{}\n", sha256(&bytes)).as_bytes());
            lines = read_lines(&bytes, &mut notices)?;
            chain::check(&lines)?;
        }
        let whole = redact::hex(whole.finish().as_ref());
        Ok((Self { documents, lines }, whole, notices))
    }
}

fn read_document(path: &Path, file: &str) -> Result<Vec<u8>, KeysError> {
    let bytes = fs::metadata(path).map_err(KeysError::io(path))?.len();
    if bytes > DOCUMENT_BYTES_MAX {
        let reason = format!("{bytes} bytes are more than a key document has");
        return Err(KeysError::Malformed { file: file.to_owned(), reason });
    }
    fs::read(path).map_err(KeysError::io(path))
}

/// Every line that is finished by a line feed; blank ones aside.
pub(super) fn read_lines(bytes: &[u8], notices: &mut Vec<String>) -> Result<Vec<CaptureLine>, KeysError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = Vec::new();
    for (at, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = at + 1;
        let fault = |reason: &str| KeysError::Line { line: number, reason: reason.to_owned() };
        let Some(text) = text.strip_suffix(b"\n") else {
            notices.push(format!("{LINES_FILE}:{number}: the last line is not finished and is ignored"));
            break;
        };
        let text = std::str::from_utf8(text).map_err(|_| fault("not UTF-8"))?.trim();
        if !text.is_empty() {
            lines.push(CaptureLine::parse(text, number).map_err(|reason| fault(&reason))?);
        }
    }
    Ok(lines)
}

/// The files below a directory.
#[derive(Default)]
struct Found {
    documents: BTreeMap<String, PathBuf>,
    nested_lines: BTreeSet<String>,
}

impl Found {
    /// Lists a directory and everything below it, dot directories aside; links are followed, but none twice.
    fn list(&mut self, directory: &Path, prefix: &str, seen: &mut HashSet<PathBuf>) -> Result<(), KeysError> {
        let own = directory.canonicalize().map_err(KeysError::io(directory))?;
        if !seen.insert(own) {
            return Ok(());
        }
        for entry in fs::read_dir(directory).map_err(KeysError::io(directory))? {
            let path = entry.map_err(KeysError::io(directory))?.path();
            // A name that is not UTF-8 cannot be named in a line; its replacement is only shown.
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            let below = format!("{prefix}{name}");
            let is_document = path.extension().is_some_and(|extension| extension == "json");
            let kind = match fs::metadata(&path) {
                Ok(kind) => kind,
                // A dead link or an editor's lock file beside the documents.
                Err(_) if !is_document => continue,
                Err(error) => return Err(KeysError::Io { path, error }),
            };
            if kind.is_dir() {
                if !name.starts_with('.') {
                    self.list(&path, &format!("{below}/"), seen)?;
                }
            } else if is_document {
                self.documents.insert(below, path);
            } else if name == LINES_FILE && !prefix.is_empty() {
                self.nested_lines.insert(below);
            }
        }
        Ok(())
    }
}

fn failed(source: String, time: CaptureTime) -> Capture {
    Capture { source, time, complete: false, keys: Arc::from([]), file: None }
}

/// The source of a document that no line gives one.
pub(super) fn directory_of(file: &str) -> String {
    file.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned()
}

fn file_name_time(file: &str) -> Option<CaptureTime> {
    CaptureTime::of_file_name(file.rsplit('/').next().unwrap_or(file))
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    redact::hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// One notice for each malformed key, whatever number of documents hold it.
fn malformed_keys(captures: &[Capture]) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut notices = Vec::new();
    for capture in captures {
        for (at, key) in capture.keys.iter().enumerate() {
            let Material::Other { why: Unusable::Malformed, digest } = key.material else { continue };
            if seen.insert((&capture.source, &key.kid, digest)) {
                let kid =
                    key.kid.as_deref().map_or_else(|| "without kid".to_owned(), |kid| format!("{kid:?}"));
                let file = capture.file.as_deref().unwrap_or_default();
                notices.push(format!(
                    "{file}: key {} ({}) is malformed and verifies nothing",
                    at + 1,
                    redact::cut(&kid, 100)
                ));
            }
        }
    }
    notices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::TestKey;
    use serde_json::json;

    struct Fixture(tempfile::TempDir);

    impl Fixture {
        fn new(files: &[(&str, &str)]) -> Self {
            let fixture = Self(tempfile::tempdir().unwrap());
            for (file, text) in files {
                let path = fixture.0.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            fixture
        }

        fn read(&self) -> Result<Archive, String> {
            let root = format!("{}: ", self.0.path().display());
            Archive::read(self.0.path()).map_err(|error| error.to_string().replace(&root, ""))
        }
    }

    fn body() -> String {
        json!({"keys":[TestKey::RsaA.jwk("a")]}).to_string()
    }

    /// Source, time, complete and number of keys of each capture.
    fn summary(archive: &Archive) -> Vec<String> {
        let line = |capture: &Capture| {
            let complete = if capture.complete { "complete" } else { "incomplete" };
            format!("{} {} {complete} {}", capture.source, capture.time.text(), capture.keys.len())
        };
        archive.captures.iter().map(line).collect()
    }

    #[test]
    fn directories_are_sources_and_names_are_times() {
        let body = body();
        let archive = Fixture::new(&[
            ("2026-11-22T10-34-27Z.json", &body),
            ("common/v2.0/2026-11-22.json", &body),
            ("common/v2.0/2026-11-23_common.json", &format!("\u{feff}{body}")),
            ("common/v2.0/openid-configuration.json", r#"{"issuer":"i","jwks_uri":"u"}"#),
            ("common/notes.txt", "x"),
            (".git/objects/broken.json", "x"),
        ]);
        let archive = archive.read().unwrap();
        assert_eq!(
            summary(&archive),
            [
                " 2026-11-22T10:34:27Z complete 1",
                "common/v2.0 2026-11-22 complete 1",
                "common/v2.0 2026-11-23 complete 1"
            ]
        );
        assert_eq!((archive.metadata.len(), archive.metadata[0].source.as_str()), (1, "common/v2.0"));
        assert!(archive.notices.is_empty());
    }

    #[test]
    fn lines_give_times_sources_and_failures() {
        let body = body();
        let lines = [
            json!({"file":"x/a.json","captured_at":"2026-11-22T10:00:00Z","source":"https://idp.example.com/k","sha256":sha256(body.as_bytes())}),
            json!({"file":"x/a.json","captured_at":"2026-11-23T10:00:00Z","source":"https://idp.example.com/k","status":200}),
            json!({"file":"x/a.json","captured_at":"2026-11-24T10:00:00Z","status":206}),
            json!({"file":"x/error.json","captured_at":"2026-11-25T10:00:00Z","status":503,"source":"y"}),
            json!({"captured_at":"2026-11-26T10:00:00Z","status":"timeout","source":"y"}),
            json!({"captured_at":"2026-11-26T10:00:00Z","status":500}),
            json!({"file":"2026-11-27.json"}),
        ];
        let mut text = lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
        text.push_str("\r\n{\"file\":\"x/unfin");
        let fixture = Fixture::new(&[
            ("captures.jsonl", &text),
            ("x/a.json", &body),
            ("x/error.json", "<html>"),
            ("x/captures.jsonl", "nonsense"),
            ("2026-11-27.json", &body),
        ]);
        let archive = fixture.read().unwrap();
        assert_eq!(
            summary(&archive),
            [
                " 2026-11-27 complete 1",
                "https://idp.example.com/k 2026-11-22T10:00:00Z complete 1",
                "https://idp.example.com/k 2026-11-23T10:00:00Z complete 1",
                "x 2026-11-24T10:00:00Z incomplete 1",
                "y 2026-11-25T10:00:00Z incomplete 0",
                "y 2026-11-26T10:00:00Z incomplete 0",
            ]
        );
        assert_eq!(
            archive.notices,
            [
                "x/captures.jsonl is ignored: only the captures.jsonl of the archive's own directory counts",
                "captures.jsonl:9: the last line is not finished and is ignored",
                "captures.jsonl:6: a failed fetch without `source` is ignored",
            ]
        );
    }

    #[test]
    fn faults_name_the_place() {
        let body = body();
        for (files, message) in [
            (
                vec![],
                "No keys in the archive; add a JWKS document with `tokentrail keys add FILE --captured-at TIME`",
            ),
            (vec![("m.json", r#"{"issuer":"i","jwks_uri":"u"}"#)], "No keys in the archive"),
            (vec![("a/keys.json", &*body)], "a/keys.json: no time of capture; name it in captures.jsonl"),
            (vec![("a/2026-11-22.json", "{}")], "a/2026-11-22.json: neither `keys` nor `jwks_uri`"),
            (vec![("2026-11-22.json", "[")], "2026-11-22.json: not JSON at line 1, column 1"),
            (
                vec![("2026-11-22.json", &*body), ("captures.jsonl", "{}\n\n{\"file\":\n")],
                "captures.jsonl:1: neither `file` nor the `status` of a failed fetch",
            ),
            (
                vec![("2026-11-22.json", &*body), ("captures.jsonl", "\n{\"file\":\"gone.json\"}\n")],
                "captures.jsonl:2: gone.json is missing from the archive",
            ),
            (
                vec![("a.json", &*body), ("captures.jsonl", "{\"file\":\"a.json\"}\n")],
                "a.json: no time of capture",
            ),
        ] {
            let error = Fixture::new(&files).read().unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        let lines = format!("{{\"file\":\"2026-11-22.json\",\"sha256\":\"{}\"}}\n", "0".repeat(64));
        let error =
            Fixture::new(&[("2026-11-22.json", &body), ("captures.jsonl", &lines)]).read().unwrap_err();
        assert!(error.contains("tampered") && error.contains("captures.jsonl:1"), "{error}");
        assert!(
            Archive::read(Path::new("no/such/archive")).unwrap_err().to_string().contains("no/such/archive")
        );
    }

    #[test]
    fn malformed_keys_are_kept_and_reported_once() {
        let body = json!({"keys":[TestKey::RsaA.jwk("a"), {"kty":"RSA","kid":"bad"}, {"kty":"new"}, {"kty":"oct","k":"c2VjcmV0"}, 7]}).to_string();
        let archive =
            Fixture::new(&[("x/2026-11-22.json", &body), ("x/2026-11-23.json", &body)]).read().unwrap();
        assert_eq!(archive.captures[0].keys.len(), 5);
        assert_eq!(
            archive.notices,
            [
                "x/2026-11-22.json: key 2 (\"bad\") is malformed and verifies nothing",
                "x/2026-11-22.json: key 5 (without kid) is malformed and verifies nothing",
            ]
        );
    }

    #[test]
    fn the_digest_covers_paths_contents_and_lines() {
        let body = body();
        let digest = |files: &[(&str, &str)]| Fixture::new(files).read().unwrap().sha256;
        let plain = digest(&[("2026-11-22.json", &body)]);
        assert_eq!(plain, digest(&[("2026-11-22.json", &body), ("readme.md", "x")]));
        assert_ne!(plain, digest(&[("2026-11-23.json", &body)]));
        assert_ne!(plain, digest(&[("2026-11-22.json", &format!("{body} "))]));
        assert_ne!(plain, digest(&[("2026-11-22.json", &body), ("captures.jsonl", "\n")]));
    }
}
