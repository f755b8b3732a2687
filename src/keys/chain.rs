//! The chain of captures: a line may say in `prev` which capture came before it, so that it shows where one was taken out,
//! put in or changed (rules.md 4.4, `archive-tamper`).

use super::capture::CaptureLine;
use super::error::KeysError;
use super::stored::{LINES_FILE, directory_of};
use std::collections::HashMap;
use std::fmt;

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

/// What the chain of an archive shows.
#[derive(Default)]
pub(super) struct Chain {
    /// A [`KeysError::Chain`] for each line whose `prev` is none of what it may be.
    pub(super) broken: Vec<KeysError>,
    /// Lines that begin a source and whose `prev` is no capture of the archive.
    pub(super) cuts: Vec<Cut>,
}

/// A line whose capture before it is not in the archive, where an archive may begin: it was cut off there, on purpose or not.
/// What was cut off at the end leaves no trace within the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The source of the line.
    pub source: String,
    /// Line of `captures.jsonl`, counted from 1.
    pub line: usize,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, line } = self;
        write!(
            f,
            "{LINES_FILE}:{line}: the capture before it is not in the archive; what {source} served earlier was cut off"
        )
    }
}

/// Checks every `prev`. At the first line of a source it may be a capture that is no longer there, because an archive may begin
/// anywhere; but where lines are chained over all sources, only the first line of all begins anything.
pub(super) fn check(lines: &[CaptureLine]) -> Chain {
    let mut chain = Chain::default();
    let mut all = Before::default();
    let mut sources: HashMap<Option<&str>, Before<'_>> = HashMap::new();
    let [mut over_all, mut over_source] = [false; 2];
    let mut unknown = Vec::new();
    for line in lines {
        let own = sources.entry(line.source.as_deref()).or_default();
        if let Some(prev) = &line.prev {
            match (own.has(prev), all.has(prev)) {
                (false, false) => unknown.push((line, own.line.is_none(), all.line.is_none())),
                (own, all) => {
                    over_all |= all && !own;
                    over_source |= own && !all;
                }
            }
        }
        own.then(line);
        all.then(line);
    }
    for (line, begins_source, begins_all) in unknown {
        let file = line.file.as_deref().unwrap_or_default();
        let source = line.source.clone().unwrap_or_else(|| directory_of(file));
        if begins_all || (begins_source && (over_source || !over_all)) {
            chain.cuts.push(Cut { source, line: line.number });
        } else {
            let recorded = line.prev.clone().unwrap_or_default();
            chain.broken.push(KeysError::Chain { origin: source, line: line.number, recorded });
        }
    }
    chain
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
        match check(lines).broken.first()? {
            KeysError::Chain { line, .. } => Some(*line),
            other => panic!("{other}"),
        }
    }

    fn cuts(lines: &[CaptureLine]) -> Vec<usize> {
        check(lines).cuts.iter().map(|cut| cut.line).collect()
    }

    #[test]
    fn a_whole_chain_holds_over_all_lines_or_over_a_source() {
        let over_all = [line(1, "x", 'a', None), line(2, "y", 'b', Some('a')), line(3, "x", 'c', Some('b'))];
        assert_eq!(broken(&over_all), None);
        let by_source = [line(1, "x", 'a', None), line(2, "y", 'b', None), line(3, "x", 'c', Some('a'))];
        assert_eq!(broken(&by_source), None);
        assert_eq!((cuts(&over_all), cuts(&by_source)), (vec![], vec![]));
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
    fn a_beginning_that_was_cut_off_shows_and_breaks_nothing() {
        // An archive may begin in the middle of a chain.
        let lines = [line(2, "x", 'b', Some('a')), line(3, "x", 'c', Some('b'))];
        assert_eq!((broken(&lines), cuts(&lines)), (None, vec![2]));
        let of_sources = [
            line(2, "x", 'b', Some('a')),
            line(4, "y", 'd', Some('c')),
            line(5, "x", 'e', Some('b')),
            line(6, "y", 'f', Some('d')),
        ];
        assert_eq!((broken(&of_sources), cuts(&of_sources)), (None, vec![2, 4]));
    }

    #[test]
    fn over_all_lines_a_new_source_begins_nothing() {
        // The line before it was taken out, and the line behind it shows how the lines were chained.
        let lines = [line(1, "x", 'a', None), line(3, "y", 'c', Some('b')), line(4, "x", 'd', Some('c'))];
        assert_eq!((broken(&lines), cuts(&lines)), (Some(3), vec![]));
        let untold = &lines[..2];
        assert_eq!((broken(untold), cuts(untold)), (None, vec![3]));
    }

    #[test]
    fn what_is_no_digest_says_nothing() {
        let text = r#"{"file":"a.json","captured_at":"2026-11-22T10:34:27Z","prev":7}"#;
        assert_eq!(CaptureLine::parse(text, 1).unwrap().prev, None);
    }
}
