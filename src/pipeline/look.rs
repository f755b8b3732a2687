//! Opening an input: what it is, how it is packed and which format its head shows.

use super::inputs::{Listed, Place};
use super::report::{InputReport, Status};
use super::run::Options;
use super::source::{Broken, Ended, Stream};
use super::wait::Halt;
use crate::engine::Engine;
use crate::record::{Detection, FormatSet};
use std::io;
use std::sync::atomic::AtomicBool;

/// An input that was opened.
pub(super) struct Open<'h> {
    /// Its bytes, from the beginning.
    pub(super) stream: Stream<'h>,
    /// What its head looks like.
    pub(super) detection: Detection,
    /// What is known so far.
    pub(super) report: InputReport,
}

/// What opening an input led to.
pub(super) enum Looked<'h> {
    /// There is something to read.
    Open(Box<Open<'h>>),
    /// That is all there is to say of it.
    Done(Box<InputReport>),
}

/// Opens an input and looks at its head. `whole` says whether an input that cannot be audited is read for its digest.
pub(super) fn look<'h>(
    listed: &Listed,
    formats: &FormatSet,
    options: &Options,
    whole: bool,
    halt: &'h Halt<'h>,
) -> Looked<'h> {
    let mut report = InputReport::new(listed.written(), Status::Complete);
    if let Place::Nowhere { status, error } = &listed.place {
        report.status = *status;
        report.error = Some(error.clone());
        return Looked::Done(Box::new(report));
    }
    let stream = match Stream::open(&listed.place, options.digest && whole, halt) {
        Ok(stream) => stream,
        Err(error) => {
            let missing = error.kind() == io::ErrorKind::NotFound;
            report.status = if missing { Status::Missing } else { Status::Unreadable };
            report.error = Some(error.to_string());
            return Looked::Done(Box::new(report));
        }
    };
    report.packing = Some(stream.packing());
    if let Some(what) = stream.unsupported() {
        end(&mut report, stream.finish(whole), halt);
        report.status = Status::Unsupported;
        report.error = Some(format!("it is {what}"));
        return Looked::Done(Box::new(report));
    }
    if stream.head().is_empty() {
        end(&mut report, stream.finish(whole), halt);
        if report.status == Status::Complete {
            report.status = Status::Empty;
        }
        return Looked::Done(Box::new(report));
    }
    let detection = formats.detect(&listed.source, stream.head(), options.format.as_deref());
    report.format = Some(detection.format.name().to_owned());
    report.format_reason = Some(detection.reason.clone());
    report.hint.clone_from(&detection.hint);
    Looked::Open(Box::new(Open { stream, detection, report }))
}

/// Writes down how reading ended.
pub(super) fn end(report: &mut InputReport, ended: Ended, halt: &Halt<'_>) {
    report.bytes = ended.bytes;
    report.bytes_decompressed = ended.bytes_decompressed;
    report.sha256 = ended.sha256;
    let (status, error) = match ended.broken {
        // A pipe breaks when the run is stopped.
        Some(_) if halt.now() => (Status::Interrupted, None),
        Some(Broken::Truncated(error)) => (Status::Truncated, Some(error)),
        Some(Broken::Unreadable(error)) => (Status::Unreadable, Some(error)),
        None => (Status::Complete, None),
    };
    report.status = status;
    report.error = error;
}

/// Looks at the heads of all inputs and reads nothing more (`--dry-run`).
pub fn survey(
    engine: &Engine,
    formats: &FormatSet,
    inputs: &[Listed],
    options: &Options,
) -> Vec<InputReport> {
    let never = AtomicBool::new(false);
    let halt = Halt::new(&never);
    let planned = |listed: &Listed| match look(listed, formats, options, false, &halt) {
        Looked::Done(report) => *report,
        Looked::Open(open) => {
            let Open { stream, detection, mut report } = *open;
            report.gateway = engine.input(&listed.source, detection.format).gateway().map(str::to_owned);
            end(&mut report, stream.finish(false), &halt);
            if report.status == Status::Complete {
                report.status = Status::Planned;
            }
            report
        }
    };
    inputs.iter().map(planned).collect()
}
