//! A compiled format, and the reading of one unit with it.

use super::draft::{Draft, Field, RawToken};
use super::field_scan::Scanner;
use super::fill;
use super::json::{self, JsonPlan, JsonScratch};
use super::scan;
use super::shape::Shape;
use super::template::{self, Template};
use super::{Record, Reject, Unit};
use bumpalo::Bump;
use std::fmt;

/// What is said where times name no zone and the format does not either.
pub(super) const ZONE_NOTICE: &str =
    "time_zone=assumed: the times name no zone and are read as UTC; set `zone` in the format";

/// A log format: a preset, or one of the user's.
pub struct Format {
    pub(super) name: String,
    pub(super) is_preset: bool,
    pub(super) description: String,
    pub(super) shape: Shape,
    pub(super) reader: Reader,
    pub(super) notices: Vec<String>,
    pub(super) hint: Option<String>,
    pub(super) files: globset::GlobSet,
    pub(super) has_files: bool,
    pub(super) signature: Vec<Vec<String>>,
}

/// How a format takes a unit apart.
#[derive(Debug)]
pub(super) enum Reader {
    Json(Box<JsonPlan>),
    Template(Box<Template>),
    Scan,
}

/// Memory that is used again from unit to unit; one a thread.
pub struct ReadScratch {
    json: JsonScratch,
    tokens: Vec<RawToken<'static>>,
    zone_assumed: bool,
}

impl Default for ReadScratch {
    /// With the fast path for JSON where this processor has one.
    fn default() -> Self {
        Self::with(Scanner::detect())
    }
}

impl ReadScratch {
    /// Without code that only some processors can run. The records are the same.
    pub fn portable() -> Self {
        Self::with(Scanner::off())
    }

    fn with(scanner: Scanner) -> Self {
        Self { json: JsonScratch::new(scanner), tokens: Vec::new(), zone_assumed: false }
    }

    /// Units of JSON that were read without a parse, for tests.
    #[doc(hidden)]
    pub fn unparsed_units(&self) -> u64 {
        self.json.scanner.units
    }

    /// True once a time without zone has been read as UTC because the format names no zone (`time_zone=assumed`).
    pub fn zone_assumed(&self) -> bool {
        self.zone_assumed
    }
}

impl fmt::Debug for ReadScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadScratch").field("zone_assumed", &self.zone_assumed).finish_non_exhaustive()
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Format").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Format {
    /// Its name: `kong`, or whatever stands behind `format.` in the formats file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if it comes with the tool.
    pub fn is_preset(&self) -> bool {
        self.is_preset
    }

    /// What it is for, in one sentence; empty where the user gave none.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The one line of gateway configuration that would log tokens, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What a user should know about it, such as `time_zone=assumed`.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// True if units are JSON values.
    pub fn is_json(&self) -> bool {
        matches!(self.reader, Reader::Json(_))
    }

    /// Reads one unit: a line with or without its end, or an element of an envelope. The unit itself stays as it is.
    /// Where the answer is [`Unit::Ignored`] the record is empty.
    ///
    /// # Errors
    ///
    /// The unit gives no record.
    pub fn read<'a>(
        &'a self,
        unit: &'a [u8],
        arena: &'a Bump,
        scratch: &mut ReadScratch,
    ) -> Result<(Unit, Record<'a>), Reject> {
        let unit = without_line_end(unit);
        let mut tokens = recycled(std::mem::take(&mut scratch.tokens));
        let mut draft = Draft::new(&self.shape, arena, &mut tokens);
        let outcome = match &self.reader {
            Reader::Json(plan) => json::read(plan, unit, &mut scratch.json, &mut draft),
            Reader::Template(template) => template.read(unit, scratch.json.scanner.vectors, &mut draft),
            Reader::Scan => Ok(read_scan(unit, &mut draft)),
        };
        let result = match outcome {
            Ok(Unit::Record) => {
                let mut record = fill::record(&mut draft, &mut scratch.zone_assumed);
                if matches!(self.reader, Reader::Scan) {
                    record.time = scan::time(unit)
                        .and_then(|stamp| fill::instant(&self.shape.time, stamp, &mut scratch.zone_assumed));
                }
                Ok((Unit::Record, record))
            }
            Ok(Unit::Ignored) => Ok((Unit::Ignored, Record::default())),
            Err(reject) => Err(reject),
        };
        scratch.tokens = recycled(tokens);
        result
    }
}

fn read_scan<'a>(unit: &'a [u8], draft: &mut Draft<'a, '_>) -> Unit {
    if unit.trim_ascii().is_empty() {
        return Unit::Ignored;
    }
    let text = template::as_text(unit, draft.arena, &mut draft.repaired);
    draft.take_field(0, Field { text, length: text.len(), line_end: Some(unit.len()) });
    Unit::Record
}

/// Without the byte order mark that the first line may have, and without its end.
fn without_line_end(unit: &[u8]) -> &[u8] {
    let unit = unit.strip_prefix(b"\xef\xbb\xbf").unwrap_or(unit);
    let unit = unit.strip_suffix(b"\n").unwrap_or(unit);
    unit.strip_suffix(b"\r").unwrap_or(unit)
}

/// The same memory for other tokens.
fn recycled<'to>(mut tokens: Vec<RawToken<'_>>) -> Vec<RawToken<'to>> {
    tokens.clear();
    tokens.into_iter().map_while(|_| None).collect()
}

#[cfg(test)]
mod tests;
