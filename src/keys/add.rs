//! The library part of `keys add`: a document goes into the archive exactly as it was served.

use super::document::Document;
use super::error::KeysError;
use super::when::CaptureTime;
use super::writer::Added;
use super::writer::Writer;
use serde_json::Map;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

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
    let mut writer = Writer::open(directory)?;
    bodies.iter().map(|bytes| writer.add(bytes, captured_at, source, Map::new())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Archive;
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
}
