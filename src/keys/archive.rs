//! The archive as a directory: documents exactly as served, and `captures.jsonl` (contract section 4).

use super::capture::Capture;
use super::capture::CaptureLine;
use super::capture::Metadata;
use super::capture::Served;
use super::chain::Cut;
use super::document::Document;
use super::error::KeysError;
use super::files::Files;
use super::jwk::Jwk;
use super::jwk::Material;
use super::jwk::Unusable;
use super::stored::LINES_FILE;
use super::stored::Stored;
use super::stored::directory_of;
use super::when::CaptureTime;
use crate::redact;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

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
    /// Where it is not what was captured. Only [`Archive::inspect`] gives such an archive.
    pub tampering: Vec<Tampering>,
    /// Sources whose beginning is not there any more; among the notices too.
    pub cuts: Vec<Cut>,
}

/// A place where an archive is not what was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tampering {
    /// The source of the capture; empty for the archive's own directory.
    pub source: String,
    /// Line of `captures.jsonl`, counted from 1.
    pub line: usize,
    /// What does not fit.
    pub fault: String,
}

impl Tampering {
    fn of(fault: &KeysError) -> Option<Self> {
        match fault {
            KeysError::Tampered { origin, line, .. } | KeysError::Chain { origin, line, .. } => {
                Some(Self { source: origin.clone(), line: *line, fault: fault.to_string() })
            }
            _ => None,
        }
    }
}

impl Archive {
    /// Reads a directory, or the one file that [`pack`](super::pack()) makes of it, and checks every recorded digest.
    ///
    /// # Errors
    ///
    /// See [`KeysError`]; the first fault is reported, those of `captures.jsonl` before those of unnamed documents.
    pub fn read(directory: &Path) -> Result<Self, KeysError> {
        Self::whole(&Files::read(directory)?, directory)
    }

    /// [`Self::read`] for files that were read.
    pub(super) fn whole(files: &Files, directory: &Path) -> Result<Self, KeysError> {
        let (archive, faults) = Self::of(files, directory);
        faults.into_iter().next().map_or(Ok(archive), Err)
    }

    /// Reads as much of an archive as can be read, and gives everything that is wrong with the rest; that there is nothing to
    /// verify with, if nothing else is.
    ///
    /// # Errors
    ///
    /// If a file or folder cannot be read.
    pub fn inspect(directory: &Path) -> Result<(Self, Vec<KeysError>), KeysError> {
        Ok(Self::of(&Files::read(directory)?, directory))
    }

    /// [`Self::inspect`] for files that were read.
    pub(super) fn of(files: &Files, directory: &Path) -> (Self, Vec<KeysError>) {
        let mut faults = Vec::new();
        let (stored, mut notices) = Stored::of(files, &mut faults);
        let mut archive = Self {
            captures: Vec::new(),
            metadata: Vec::new(),
            sha256: files.sha256(),
            notices: Vec::new(),
            tampering: Vec::new(),
            cuts: stored.cuts.clone(),
        };
        for line in &stored.lines {
            faults.extend(archive.add_line(line, &stored, &mut notices).err());
        }
        archive.add_unnamed(&stored, &mut faults);
        if faults.is_empty() && !archive.captures.iter().any(|capture| capture.file.is_some()) {
            faults.push(KeysError::Empty(directory.to_owned()));
        }
        archive.captures.sort_by(|a, b| (&a.source, a.time, &a.file).cmp(&(&b.source, b.time, &b.file)));
        archive
            .metadata
            .sort_by(|a, b| (&a.source, &a.issuer, &a.jwks_uri).cmp(&(&b.source, &b.issuer, &b.jwks_uri)));
        archive.metadata.dedup();
        notices.extend(malformed_keys(&archive.captures));
        archive.notices = notices;
        archive.tampering = faults.iter().filter_map(Tampering::of).collect();
        (archive, faults)
    }

    fn add_line(
        &mut self,
        line: &CaptureLine,
        stored: &Stored,
        notices: &mut Vec<String>,
    ) -> Result<(), KeysError> {
        let Some(file) = &line.file else {
            match (&line.source, line.time) {
                (Some(source), Some(time)) => self.captures.push(failed(source.clone(), time)),
                _ => notices.push(format!(
                    "{LINES_FILE}:{}: a failed fetch without `source` is ignored",
                    line.number
                )),
            }
            return Ok(());
        };
        let source = line.source.clone().unwrap_or_else(|| directory_of(file));
        let Some(document) = stored.documents.get(file) else {
            let reason = format!("{file} is missing from the archive");
            return Err(KeysError::Line { line: line.number, reason });
        };
        if let Some(recorded) = line.sha256.as_ref().filter(|recorded| **recorded != document.sha256) {
            return Err(KeysError::Tampered {
                file: file.clone(),
                origin: source,
                line: line.number,
                recorded: recorded.clone(),
                found: document.sha256.clone(),
            });
        }
        let time = line.time.or_else(|| file_name_time(file));
        match (&document.parsed, line.served()) {
            (_, Served::Nothing) => {
                let time = time.ok_or_else(|| KeysError::NoTime { file: file.clone() })?;
                self.captures.push(failed(source, time));
                Ok(())
            }
            (Err(reason), _) => Err(KeysError::Malformed { file: file.clone(), reason: reason.clone() }),
            (Ok(parsed), served) => self.add(parsed, file, source, time, served == Served::Complete),
        }
    }

    /// Documents that no line names: imported as they are, with the time of their name.
    fn add_unnamed(&mut self, stored: &Stored, faults: &mut Vec<KeysError>) {
        let named: HashSet<&String> = stored.lines.iter().filter_map(|line| line.file.as_ref()).collect();
        for (file, document) in stored.documents.iter().filter(|(file, _)| !named.contains(file)) {
            let added = match &document.parsed {
                Ok(parsed) => self.add(parsed, file, directory_of(file), file_name_time(file), true),
                Err(reason) => Err(KeysError::Malformed { file: file.clone(), reason: reason.clone() }),
            };
            faults.extend(added.err());
        }
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

fn failed(source: String, time: CaptureTime) -> Capture {
    Capture { source, time, complete: false, keys: Arc::from([]), file: None }
}

fn file_name_time(file: &str) -> Option<CaptureTime> {
    CaptureTime::of_file_name(file.rsplit('/').next().unwrap_or(file))
}

/// One notice for each malformed key, whatever number of documents hold it.
fn malformed_keys(captures: &[Capture]) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut notices = Vec::new();
    let mut sets = HashSet::new();
    for capture in captures {
        // Captures of an unchanged document share its keys.
        if !sets.insert((&capture.source, Arc::as_ptr(&capture.keys).cast::<Arc<Jwk>>())) {
            continue;
        }
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
    use crate::keys::stored::sha256;
    use crate::keys::testing::TestKey;
    use serde_json::json;
    use std::fs;

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
    fn an_inspection_goes_on_behind_a_fault() {
        let body = body();
        let wrong = "0".repeat(64);
        let lines = [
            format!(r#"{{"file":"x/2026-11-22.json","source":"common","sha256":"{wrong}"}}"#),
            "nonsense".to_owned(),
            r#"{"file":"gone.json"}"#.to_owned(),
            r#"{"file":"x/2026-11-23.json","source":"common"}"#.to_owned(),
        ];
        let fixture = Fixture::new(&[
            ("captures.jsonl", &lines.map(|line| line + "\n").concat()),
            ("x/2026-11-22.json", &body),
            ("x/2026-11-23.json", &body),
            ("y/2026-11-24.json", "{}"),
        ]);
        let (archive, faults) = Archive::inspect(fixture.0.path()).unwrap();
        assert_eq!(summary(&archive), ["common 2026-11-23 complete 1"]);
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let places =
            ["captures.jsonl:2", "x/2026-11-22.json: tampered", "captures.jsonl:3", "y/2026-11-24.json"];
        assert!(faults.iter().zip(places).all(|(fault, place)| fault.starts_with(place)), "{faults:#?}");
        assert_eq!(faults.len(), places.len());
        let [tampering] = archive.tampering.as_slice() else { panic!("{:?}", archive.tampering) };
        assert_eq!((tampering.source.as_str(), tampering.line), ("common", 1));
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
