//! Which format an input has (contract section 3, formats.md 3.5).

use super::format::{Format, Reader};
use super::path::{Path, Segment};
use super::repair;
use super::set::FormatSet;
use super::wrap::{Span, Splitter, first_value_length};
use super::{Presence, ReadScratch, Unit};
use crate::limits;
use bumpalo::Bump;
use serde_json::Value;
use std::sync::Arc;

/// How an input is cut into units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A unit a line.
    Lines,
    /// A stream of JSON values, to be cut by [`Splitter`].
    Elements,
}

/// What an input was found to be, and why.
#[derive(Clone, Debug)]
pub struct Detection {
    /// The format.
    pub format: Arc<Format>,
    /// How to cut the input into units.
    pub framing: Framing,
    /// Why, in one phrase.
    pub reason: String,
    /// Share of the looked-at units that the format understands, in percent.
    pub confidence: u8,
    /// The one line of gateway configuration that would make this gateway log tokens.
    pub hint: Option<String>,
    /// What a user should know, such as `time_zone=assumed`.
    pub notices: Vec<String>,
}

/// Least share of units that a user format or a template must understand, in percent.
const ENOUGH: usize = 90;
/// Lead that the best template needs over the second, in percent.
const LEAD: usize = 10;
/// Least share of units that a preset's keys must be found in, in percent: a gateway's other lines share the file.
const SIGNED: usize = 10;

pub(super) fn detect(set: &FormatSet, source: &str, head: &[u8], forced: Option<&str>) -> Detection {
    let head = head.get(..head.len().min(limits::DETECT_BYTES)).unwrap_or(head);
    let sample = Sample::of(head);
    if let Some(format) = forced.and_then(|name| set.get(name)) {
        return sample.detection(format, "named by --input-format".to_owned());
    }
    let user = || set.formats.iter().filter(|format| !format.is_preset);
    let by_file = user().filter(|format| format.has_files && format.files.is_match(source));
    if let Some(format) = best(by_file.map(|format| (sample.resolved(format), format))) {
        return sample.detection(Arc::clone(format), "its `files` match the input's path".to_owned());
    }
    let by_trial = |has_files: bool| {
        let tried = user().filter(|format| format.has_files == has_files);
        let tried = tried.map(|format| (sample.resolved(format), format));
        let format = best(tried.filter(|(trial, _)| trial.percent >= ENOUGH))?;
        let reason = "its time or token is found in 90 % of the first records".to_owned();
        Some((Arc::clone(format), reason))
    };
    // A format that names its files and is none of them may still be the only one that reads them; but it must not take a
    // known gateway's other files, whose tokens it may not look for.
    let found = by_trial(false)
        .or_else(|| sample.signed(set))
        .or_else(|| sample.templated(set))
        .or_else(|| by_trial(true));
    if let Some((format, reason)) = found {
        return sample.detection(format, reason);
    }
    // A format that nearly fits is the one that the user meant: dropping it without a word would hide what it shows.
    let near = user().map(|format| (sample.resolved(format).percent, format.name.as_str())).max();
    let reason = match near {
        Some((percent, name)) if percent > 0 => format!(
            "no known format; searched for tokens. Format {name} reads {percent} % of the first records, {ENOUGH} % are \
             needed; --input-format {name} forces it"
        ),
        _ => "no known format; searched for tokens".to_owned(),
    };
    sample.detection(set.scan(), reason)
}

/// How well a format reads a sample; the order is by merit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Trial {
    /// Share of records with a time or a token (or what stands for one).
    percent: usize,
    /// Values of all records.
    values: usize,
}

/// The best of several; of equals the first.
fn best<'f>(tried: impl Iterator<Item = (Trial, &'f Arc<Format>)>) -> Option<&'f Arc<Format>> {
    let mut best: Option<(Trial, &Arc<Format>)> = None;
    for (trial, format) in tried {
        if best.is_none_or(|(known, _)| trial > known) {
            best = Some((trial, format));
        }
    }
    best.map(|(_, format)| format)
}

/// The first units of an input.
struct Sample {
    json_framing: Framing,
    lines: Vec<Vec<u8>>,
    /// Elements if the input is a stream of JSON values, else the lines.
    elements: Vec<Vec<u8>>,
    /// True if nothing in the head would be rejected as no JSON.
    all_json: bool,
}

impl Sample {
    fn of(head: &[u8]) -> Self {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let whole = if head.len() < limits::DETECT_BYTES - 3 {
            head
        } else {
            // The last line may go on behind the head.
            let end = memchr::memrchr(b'\n', head).map_or(head.len(), |end| end + 1);
            head.get(..end).unwrap_or(head)
        };
        let lines: Vec<Vec<u8>> = whole
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
            .filter(|line| !line.trim_ascii().is_empty())
            .take(limits::DETECT_RECORDS)
            .map(<[u8]>::to_vec)
            .collect();
        let json_framing = json_framing(&lines);
        let (elements, all_json) = match json_framing {
            Framing::Elements => elements(head),
            Framing::Lines => (lines.clone(), false),
        };
        Self { json_framing, lines, elements, all_json }
    }

    fn framing(&self, format: &Format) -> Framing {
        match format.reader {
            Reader::Json(_) => self.json_framing,
            Reader::Scan if self.all_json => self.json_framing,
            Reader::Scan | Reader::Template(_) => Framing::Lines,
        }
    }

    fn units(&self, format: &Format) -> &[Vec<u8>] {
        if self.framing(format) == Framing::Elements { &self.elements } else { &self.lines }
    }

    /// Reads the units and counts what is found.
    fn resolved(&self, format: &Arc<Format>) -> Trial {
        self.tried(format, is_resolved).0
    }

    fn tried(&self, format: &Format, counts: impl Fn(&super::Record<'_>) -> bool) -> (Trial, bool) {
        let mut scratch = ReadScratch::default();
        let (mut seen, mut good, mut values) = (0, 0, 0);
        for unit in self.units(format) {
            let arena = Bump::new();
            match format.read(unit, &arena, &mut scratch) {
                Ok((Unit::Ignored, _)) => {}
                Ok((Unit::Record, record)) => {
                    seen += 1;
                    good += usize::from(counts(&record));
                    values += value_count(&record);
                }
                Err(_) => seen += 1,
            }
        }
        (Trial { percent: percent(good, seen), values }, scratch.zone_assumed())
    }

    /// The preset whose keys most units have, the earlier one of equals, if its time is found in them.
    fn signed(&self, set: &FormatSet) -> Option<(Arc<Format>, String)> {
        let values: Vec<Value> = self.elements.iter().filter_map(|unit| json_value(unit)).collect();
        let mut best: Option<(usize, &Arc<Format>, String)> = None;
        for format in set.formats.iter().filter(|format| format.is_preset) {
            for keys in &format.signature {
                let signed = values.iter().filter(|value| has_all(value, keys)).count();
                let share = percent(signed, self.elements.len());
                if share >= SIGNED && best.as_ref().is_none_or(|(known, ..)| share > *known) {
                    best = Some((
                        share,
                        format,
                        format!("{share} % of the first records have {}", keys.join(" and ")),
                    ));
                }
            }
        }
        let (_, format, reason) = best?;
        let read = self.resolved(format);
        (read.percent > 0).then(|| (Arc::clone(format), reason))
    }

    /// The template that matches most lines, if it leads.
    fn templated(&self, set: &FormatSet) -> Option<(Arc<Format>, String)> {
        let mut tried: Vec<(usize, &Arc<Format>)> = set
            .formats
            .iter()
            .filter(|format| format.is_preset && format.name != "apache-combined")
            .filter(|format| matches!(format.reader, Reader::Template(_)))
            .map(|format| (self.tried(format, |record| record.time.is_some()).0.percent, format))
            .collect();
        tried.sort_by_key(|(share, _)| std::cmp::Reverse(*share));
        let (share, format) = *tried.first()?;
        let second = tried.get(1).map_or(0, |(share, _)| *share);
        let wins = share >= ENOUGH && share >= second + LEAD;
        wins.then(|| (Arc::clone(format), format!("{share} % of the first lines match its template")))
    }

    fn detection(&self, format: Arc<Format>, reason: String) -> Detection {
        let (trial, zone_assumed) =
            self.tried(&format, |record| matches!(format.reader, Reader::Template(_)) || is_resolved(record));
        let mut notices = format.notices.clone();
        if zone_assumed && notices.is_empty() {
            notices.push(super::format::ZONE_NOTICE.to_owned());
        }
        Detection {
            framing: self.framing(&format),
            confidence: u8::try_from(trial.percent).unwrap_or(100),
            hint: format.hint.clone(),
            notices,
            reason,
            format,
        }
    }
}

/// True if a record has a token (or what stands for one) or a time that can be true: seconds read as milliseconds lie in
/// 1970, and show that the format is another one's.
fn is_resolved(record: &super::Record<'_>) -> bool {
    const YEAR_2000: i64 = 946_684_800 * crate::time::SECOND;
    record.presence != Presence::Absent || record.time.is_some_and(|time| time.at.0 >= YEAR_2000)
}

fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(0)
}

fn value_count(record: &super::Record<'_>) -> usize {
    [
        record.time.is_some(),
        record.status.is_some(),
        record.method.is_some(),
        record.host.is_some(),
        record.path.is_some(),
        record.client_ip.is_some(),
        record.request_id.is_some(),
        record.presence != Presence::Absent,
    ]
    .into_iter()
    .filter(|there| *there)
    .count()
}

/// Lines, unless the lines are no whole objects each: arrays, envelopes, objects back to back or over several lines.
fn json_framing(lines: &[Vec<u8>]) -> Framing {
    let mut whole = 0;
    let mut open = 0;
    for line in lines {
        let line = line.trim_ascii();
        match line.first() {
            Some(b'[')
                if matches!(
                    line.get(1..).unwrap_or_default().trim_ascii_start().first(),
                    Some(b'{' | b'[') | None
                ) =>
            {
                return Framing::Elements;
            }
            Some(b'{') => match first_value_length(line) {
                Some(length) => {
                    let rest = line.get(length..).unwrap_or_default().trim_ascii_start();
                    if matches!(rest.first(), Some(b'{' | b'[')) || is_envelope(line) {
                        return Framing::Elements;
                    }
                    whole += 1;
                }
                None if is_envelope(line) => return Framing::Elements,
                None => open += 1,
            },
            _ => {}
        }
    }
    // A few cut lines do not make a stream, and an object over several lines has no whole one in front.
    let first_is_open = lines.first().is_some_and(|line| {
        let line = line.trim_ascii();
        line.first() == Some(&b'{') && first_value_length(line).is_none()
    });
    if open > 0 && (whole == 0 || (first_is_open && whole < lines.len() / 2)) {
        Framing::Elements
    } else {
        Framing::Lines
    }
}

/// True for `{"records":[` at the start of a line.
fn is_envelope(line: &[u8]) -> bool {
    let rest = line.strip_prefix(b"{").unwrap_or_default().trim_ascii_start();
    let Some(rest) = rest.strip_prefix(b"\"records\"") else { return false };
    rest.trim_ascii_start()
        .strip_prefix(b":")
        .is_some_and(|rest| rest.trim_ascii_start().first() == Some(&b'['))
}

/// The first units of a stream of JSON values, and whether there is nothing else in it.
fn elements(head: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut out = Vec::new();
    let mut all_json = true;
    let mut splitter = Splitter::new(limits::DETECT_BYTES);
    splitter.feed(head, &mut |span: Span, bytes| {
        all_json &= span.reject.is_none();
        if span.reject.is_none() && out.len() < limits::DETECT_RECORDS {
            out.push(bytes.to_vec());
        }
    });
    (out, all_json)
}

fn json_value(unit: &[u8]) -> Option<Value> {
    let unit = unit.trim_ascii();
    if unit.first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(unit).ok().or_else(|| serde_json::from_str(&repair::object(unit)?.text).ok())
}

fn has_all(value: &Value, keys: &[String]) -> bool {
    keys.iter().all(|key| {
        if let Some((path, suffix)) = key.split_once("$=") {
            return text_at(value, path).is_some_and(|text| text.ends_with(suffix));
        }
        match key.split_once('=') {
            Some((path, wanted)) => text_at(value, path) == Some(wanted),
            None => at(value, key).is_some(),
        }
    })
}

fn text_at<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    at(value, path)?.as_str()
}

fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let path = Path::parse(path).ok()?;
    path.segments.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(name) => value.get(name),
        Segment::Index(index) => value.get(index),
        Segment::Every => value.get(0),
    })
}
