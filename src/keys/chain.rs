//! The chain of captures: a line may say in `prev` which capture came before it, so that it shows where one was taken out,
//! put in or changed (rules.md 4.4, `archive-tamper`).

use super::capture::CaptureLine;
use super::error::KeysError;
use super::stored::directory_of;
use std::collections::HashMap;

/// What `prev` of the next line may be. Those who write archives chain over all lines or over those of one source, and hash the
/// document or the line; each is taken.
#[derive(Clone, Copy, Default)]
struct Before<'l> {
    document: Option<&'l str>,
    line: Option<&'l str>,
}

impl<'l> Before<'l> {
    fn has(self, digest: &str) -> bool {
        self.document == Some(digest) || self.line == Some(digest)
    }

    fn then(&mut self, line: &'l CaptureLine) {
        self.document = line.sha256.as_deref().or(self.document);
        self.line = Some(&line.text_sha256);
    }
}

/// Checks every `prev` that has a line before it in its source. A first line cannot be checked: an archive may begin anywhere.
/// Gives a [`KeysError::Chain`] for each line whose `prev` is none of those.
pub(super) fn check(lines: &[CaptureLine]) -> Vec<KeysError> {
    let mut broken = Vec::new();
    let mut all = Before::default();
    let mut sources: HashMap<Option<&str>, Before<'_>> = HashMap::new();
    for line in lines {
        let own = sources.entry(line.source.as_deref()).or_default();
        if let (Some(prev), Some(_)) = (&line.prev, own.line)
            && !own.has(prev)
            && !all.has(prev)
        {
            let file = line.file.as_deref().unwrap_or_default();
            broken.push(KeysError::Chain {
                origin: line.source.clone().unwrap_or_else(|| directory_of(file)),
                line: line.number,
                recorded: prev.clone(),
            });
        }
        own.then(line);
        all.then(line);
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize, source: &str, document: char, prev: Option<char>) -> CaptureLine {
        let digest = |letter: char| letter.to_string().repeat(64);
        let prev = prev.map_or("null".to_owned(), |prev| format!("\"{}\"", digest(prev)));
        let text = format!(
            r#"{{"file":"{document}.json","captured_at":"2026-11-22T10:34:27Z","source":"{source}","sha256":"{}","prev":{prev}}}"#,
            digest(document)
        );
        CaptureLine::parse(&text, number).unwrap()
    }

    fn broken(lines: &[CaptureLine]) -> Option<usize> {
        match check(lines).first()? {
            KeysError::Chain { line, .. } => Some(*line),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_whole_chain_holds_over_all_lines_or_over_a_source() {
        let over_all = [line(1, "x", 'a', None), line(2, "y", 'b', Some('a')), line(3, "x", 'c', Some('b'))];
        assert_eq!(broken(&over_all), None);
        let by_source = [line(1, "x", 'a', None), line(2, "y", 'b', None), line(3, "x", 'c', Some('a'))];
        assert_eq!(broken(&by_source), None);
        // An archive may begin in the middle of a chain.
        assert_eq!(broken(&[line(1, "x", 'b', Some('a')), line(2, "x", 'c', Some('b'))]), None);
        let mut lines = [line(1, "x", 'a', None), line(2, "x", 'b', None)];
        lines[1].prev = Some(lines[0].text_sha256.clone());
        assert_eq!(broken(&lines), None);
    }

    #[test]
    fn a_line_that_was_taken_out_or_changed_shows() {
        let taken_out = [line(1, "x", 'a', None), line(3, "x", 'c', Some('b'))];
        assert_eq!(broken(&taken_out), Some(3));
        let changed = [line(1, "x", 'a', None), line(2, "x", 'd', Some('a')), line(3, "x", 'c', Some('b'))];
        assert_eq!(broken(&changed), Some(3));
    }

    #[test]
    fn what_is_no_digest_says_nothing() {
        let text = r#"{"file":"a.json","captured_at":"2026-11-22T10:34:27Z","prev":7}"#;
        assert_eq!(CaptureLine::parse(text, 1).unwrap().prev, None);
    }
}
