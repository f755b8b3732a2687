//! What an archive holds, however it is stored: captures of key documents, and metadata.

use super::jwk::Jwk;
use super::when::CaptureTime;
use crate::redact;
use aws_lc_rs::digest;
use serde_json::Value;
use std::sync::Arc;

/// One fetch of one source, good or failed.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The source: the URL of its line, else the directory relative to the archive (`/` separators, empty at the root).
    pub source: String,
    /// When it was made.
    pub time: CaptureTime,
    /// True if the source's whole key set was read: status 200 or imported, and parsed. Only then does the absence of a
    /// key mean anything.
    pub complete: bool,
    /// The keys, in the document's order; none for a failed fetch. Documents may share them.
    pub keys: Arc<[Arc<Jwk>]>,
    /// The document, relative to the archive; `None` for a failed fetch.
    pub file: Option<String>,
}

/// An OpenID configuration kept beside the key sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The source, as for captures.
    pub source: String,
    /// `issuer`
    pub issuer: Option<String>,
    /// `jwks_uri`
    pub jwks_uri: String,
    /// `cloud_instance_name`
    pub cloud: Option<String>,
}

/// One line of `captures.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CaptureLine {
    /// Line, counted from 1.
    pub(super) number: usize,
    /// Document relative to the archive, with `/` separators.
    pub(super) file: Option<String>,
    pub(super) time: Option<CaptureTime>,
    pub(super) source: Option<String>,
    /// Lower-case hexadecimal.
    pub(super) sha256: Option<String>,
    pub(super) status: Option<i64>,
    /// Digest of the capture before it, lower-case hexadecimal; what is no digest is left out.
    pub(super) prev: Option<String>,
    /// SHA-256 of the line itself, lower-case hexadecimal.
    pub(super) text_sha256: String,
}

/// What the status of a fetch says about its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// The whole key set.
    Complete,
    /// Keys that the source served, but perhaps not all.
    Partly,
    /// An error page.
    Nothing,
}

impl CaptureLine {
    /// Reads a line without its line end.
    pub(super) fn parse(text: &str, number: usize) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("not JSON at column {}", error.column()))?;
        if !value.is_object() {
            return Err("not a JSON object".to_owned());
        }
        let member = |name: &str| match value.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(format!("`{name}` is not a string")),
        };
        let status = match value.get("status") {
            None | Some(Value::Null) => None,
            Some(Value::Number(number)) => Some(number.as_i64().unwrap_or(-1)),
            // A failed fetch may say `timeout` where there was no answer at all.
            Some(Value::String(text)) => Some(text.trim().parse().unwrap_or(-1)),
            Some(_) => return Err("`status` is neither a number nor a string".to_owned()),
        };
        let sha256 = member("sha256")?.map(str::to_ascii_lowercase);
        if sha256.as_ref().is_some_and(|text| !is_digest(text)) {
            return Err("`sha256` is not 64 hexadecimal digits".to_owned());
        }
        let file = member("file")?.map(relative_file).transpose()?;
        let time = line_time(member("captured_at")?, member("ended_at")?)?;
        let prev = value.get("prev").and_then(Value::as_str).map(str::to_ascii_lowercase);
        let line = Self {
            number,
            file,
            time,
            source: member("source")?.map(str::to_owned),
            sha256,
            status,
            prev: prev.filter(|text| is_digest(text)),
            text_sha256: redact::hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()),
        };
        match (&line.file, line.status, line.time) {
            (None, None, _) => Err("neither `file` nor the `status` of a failed fetch".to_owned()),
            (None, _, None) => Err("a failed fetch without `captured_at`".to_owned()),
            _ => Ok(line),
        }
    }

    pub(super) fn served(&self) -> Served {
        match self.status {
            None | Some(200) => Served::Complete,
            Some(201..=299 | 304) => Served::Partly,
            Some(_) => Served::Nothing,
        }
    }
}

/// True for the 64 hexadecimal digits of a SHA-256.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn line_time(captured_at: Option<&str>, ended_at: Option<&str>) -> Result<Option<CaptureTime>, String> {
    let read = |name: &str, text: &str| {
        CaptureTime::parse(text).ok_or_else(|| format!("`{name}` is no ISO 8601 time"))
    };
    let Some(started) = captured_at.map(|text| read("captured_at", text)).transpose()? else {
        return Ok(None);
    };
    let Some(ended) = ended_at.map(|text| read("ended_at", text)).transpose()? else {
        return Ok(Some(started));
    };
    if ended.end < started.start {
        return Err("`ended_at` lies before `captured_at`".to_owned());
    }
    Ok(Some(CaptureTime { start: started.start, end: ended.end }))
}

/// A path below the archive, with `/` separators and without `.` segments.
fn relative_file(text: &str) -> Result<String, String> {
    let text = text.replace('\\', "/");
    let windows_drive = text.get(1..2) == Some(":");
    let segments: Vec<&str> =
        text.split('/').filter(|segment| !segment.is_empty() && *segment != ".").collect();
    if text.starts_with('/') || windows_drive || segments.is_empty() || segments.contains(&"..") {
        return Err("`file` is no path below the archive".to_owned());
    }
    Ok(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let read = |text: &str| CaptureLine::parse(text, 1);
        let line = read(
            r#"{"file":"./a//b.json","captured_at":"2026-11-22T10:34:27Z","ended_at":"2026-11-22T10:34:29Z","prev":7}"#,
        );
        let line = line.unwrap();
        assert_eq!(line.file.as_deref(), Some("a/b.json"));
        assert_eq!(line.time.unwrap().end.to_string(), "2026-11-22T10:34:29Z");
        assert_eq!(line.served(), Served::Complete);
        let failed =
            read(r#"{"status":503,"captured_at":"2026-11-22T10:34:27Z","source":"common"}"#).unwrap();
        assert_eq!((failed.file.clone(), failed.served()), (None, Served::Nothing));
        assert_eq!(
            read(r#"{"status":"timeout","captured_at":"2026-11-22"}"#).unwrap().served(),
            Served::Nothing
        );
        assert_eq!(read(r#"{"status":304,"file":"a.json"}"#).unwrap().served(), Served::Partly);
        assert_eq!(read(r#"{"status":null,"file":"a.json"}"#).unwrap().served(), Served::Complete);
    }

    #[test]
    fn malformed_lines_say_why() {
        for (text, reason) in [
            ("", "not JSON at column 0"),
            ("[1]", "not a JSON object"),
            ("{}", "neither `file` nor the `status` of a failed fetch"),
            (r#"{"status":500}"#, "a failed fetch without `captured_at`"),
            (r#"{"file":7}"#, "`file` is not a string"),
            (r#"{"file":"../a.json"}"#, "`file` is no path below the archive"),
            (r#"{"file":"/etc/x.json"}"#, "`file` is no path below the archive"),
            (r#"{"file":"C:\\x.json"}"#, "`file` is no path below the archive"),
            (r#"{"file":"a.json","sha256":"abc"}"#, "`sha256` is not 64 hexadecimal digits"),
            (r#"{"file":"a.json","captured_at":"yesterday"}"#, "`captured_at` is no ISO 8601 time"),
            (
                r#"{"file":"a.json","captured_at":"2026-11-22T10:00:00Z","ended_at":"2026-11-22T09:00:00Z"}"#,
                "`ended_at` lies before `captured_at`",
            ),
        ] {
            assert_eq!(CaptureLine::parse(text, 1), Err(reason.to_owned()), "{text}");
        }
    }
}
