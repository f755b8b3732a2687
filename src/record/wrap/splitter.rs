//! Cuts a stream of JSON values into units: the elements of `{"records":[…]}` and of arrays, and whole objects, whether they
//! stand on lines of their own, back to back, or spread over many lines.

mod envelope;

use crate::limits;
use crate::record::Reject;
use envelope::Envelope;

/// A unit, or a stretch of the stream that gives none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of its first byte in the stream.
    pub offset: u64,
    /// Line of its first byte, counted from 1.
    pub line: u64,
    /// Length in bytes.
    pub length: u64,
    /// Why it gives no unit; `None` for a unit.
    pub reject: Option<Reject>,
}

/// Longest stretch that is read a second time, from its second line on, after it turned out to be no JSON.
const REREAD_BYTES_MAX: usize = 64 << 10;
/// Deepest nesting of a unit.
const DEPTH_MAX: usize = 512;

/// A streaming cutter with bounded memory. Where the bytes are cut between calls does not matter.
///
/// Give every call the same `emit`: it gets each span and the bytes that are known of it, all of them for a unit, at least
/// the first ones for a reject. White space, commas and brackets between units belong to no span.
#[derive(Debug)]
pub struct Splitter {
    unit_bytes_max: usize,
    /// Offset and line of the next byte.
    offset: u64,
    line: u64,
    /// Containers around the next unit: the envelope and its array.
    around: Vec<Around>,
    state: State,
    /// Start of the current unit or reject.
    start: (u64, u64),
    /// Its bytes from earlier calls.
    held: Vec<u8>,
    /// Its length so far.
    length: usize,
    /// Open containers inside of the unit.
    open: Vec<bool>,
    expect: Expect,
    /// Progress in recognising `"records"` at the first key of a top-level object.
    envelope: Envelope,
    first_newline: Option<usize>,
    /// True right behind a newline.
    at_line_start: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    /// An array whose elements are units.
    Array,
    /// The rest of `{"records":[…]` behind the array.
    Tail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a unit.
    Between,
    /// Inside of a unit, outside of its texts.
    Unit,
    /// In a text of a unit.
    Text { escaped: bool },
    /// In an array element that is no container, up to the comma.
    Bare,
    /// In garbage, up to the end of the line.
    Garbage(Reject),
    /// Behind the array of an envelope, up to its brace.
    Tail { depth: usize, in_text: bool, escaped: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// A member's name, or the end.
    Key,
    Colon,
    Value,
    CommaOrEnd,
}

impl Splitter {
    /// A cutter for one input; units above `unit_bytes_max` are rejected as too long.
    pub fn new(unit_bytes_max: usize) -> Self {
        Self {
            unit_bytes_max,
            offset: 0,
            line: 1,
            around: Vec::new(),
            state: State::Between,
            start: (0, 1),
            held: Vec::new(),
            length: 0,
            open: Vec::new(),
            expect: Expect::Value,
            envelope: Envelope::No,
            first_newline: None,
            at_line_start: false,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8], emit: &mut dyn FnMut(Span, &[u8])) {
        let mut at = 0;
        let mut from = 0;
        while let Some(byte) = bytes.get(at) {
            let plain = self.plain(bytes.get(at..).unwrap_or_default());
            if plain > 0 {
                self.offset += u64::try_from(plain).unwrap_or(0);
                self.length += plain;
                at += plain;
                continue;
            }
            let was_between = self.state == State::Between;
            match self.step(*byte) {
                Step::On => {
                    self.pass(*byte);
                    at += 1;
                    if was_between {
                        from = if self.state == State::Between { at } else { at - 1 };
                    }
                }
                Step::End(reject) => {
                    self.pass(*byte);
                    at += 1;
                    self.finish_span(reject, bytes.get(from..at).unwrap_or_default(), emit);
                    from = at;
                }
                Step::EndBefore(reject) => {
                    self.finish_span(reject, bytes.get(from..at).unwrap_or_default(), emit);
                    from = at;
                }
                Step::Drop => {
                    self.pass(*byte);
                    at += 1;
                    self.held.clear();
                    self.length = 0;
                    from = at;
                }
                Step::Again => {
                    self.held.clear();
                    self.length = 0;
                    from = at;
                }
                Step::Broken => {
                    let (next, restart) = self.broken(bytes, from, at, emit);
                    at = next;
                    from = restart;
                }
            }
        }
        self.hold(bytes.get(from..).unwrap_or_default());
    }

    /// Tells that the stream is over; `truncated` if the input broke off rather than ended.
    pub fn finish(&mut self, truncated: bool, emit: &mut dyn FnMut(Span, &[u8])) {
        let reject = match self.state {
            State::Between | State::Tail { depth: 0, in_text: false, .. } => return,
            State::Garbage(reject) => reject,
            _ if self.length > self.unit_bytes_max => Reject::TooLong,
            _ if truncated => Reject::TruncatedInput,
            _ => Reject::Json,
        };
        self.finish_span(Some(reject), &[], emit);
    }

    /// Bytes ahead that change nothing: the inside of texts and of garbage.
    fn plain(&self, ahead: &[u8]) -> usize {
        let end = match self.state {
            State::Text { escaped: false } if self.envelope == Envelope::No => {
                memchr::memchr3(b'"', b'\\', b'\n', ahead)
            }
            State::Garbage(_) => memchr::memchr(b'\n', ahead),
            _ => return 0,
        };
        end.unwrap_or(ahead.len())
    }

    fn pass(&mut self, byte: u8) {
        self.at_line_start = byte == b'\n';
        self.offset += 1;
        if byte == b'\n' {
            self.line += 1;
            if self.first_newline.is_none() && self.state != State::Between {
                self.first_newline = Some(self.length);
            }
        }
        if self.state != State::Between {
            self.length += 1;
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = match self.state {
            State::Between => 0,
            State::Garbage(_) | State::Tail { .. } => limits::EXCERPT_BYTES_MAX,
            _ => self.unit_bytes_max,
        };
        // Once bytes have been left out, those behind them would not be the span's.
        let joins = self.held.len() + bytes.len() == self.length;
        let taken = if joins { room.saturating_sub(self.held.len()).min(bytes.len()) } else { 0 };
        self.held.extend_from_slice(bytes.get(..taken).unwrap_or_default());
    }

    fn finish_span(&mut self, reject: Option<Reject>, bytes: &[u8], emit: &mut dyn FnMut(Span, &[u8])) {
        let reject = if self.length > self.unit_bytes_max { Some(Reject::TooLong) } else { reject };
        let (offset, line) = self.start;
        let length = u64::try_from(self.length).unwrap_or(u64::MAX);
        let span = Span { offset, line, length, reject };
        if self.held.is_empty() {
            emit(span, bytes);
        } else {
            self.hold(bytes);
            emit(span, &self.held);
        }
        self.held.clear();
        self.length = 0;
        self.first_newline = None;
        self.state = State::Between;
    }

    fn begin(&mut self, state: State) -> Step {
        self.start = (self.offset, self.line);
        self.length = 0;
        self.first_newline = None;
        self.open.clear();
        self.state = state;
        Step::On
    }

    /// Deals with a unit that is no JSON, at the byte that shows it. Its first line is rejected; the rest is read again, if
    /// it is not too much. Gives where to go on, and where the next span begins at the earliest.
    fn broken(
        &mut self,
        bytes: &[u8],
        from: usize,
        at: usize,
        emit: &mut dyn FnMut(Span, &[u8]),
    ) -> (usize, usize) {
        self.around.clear();
        let newline = self.first_newline.filter(|_| self.length <= REREAD_BYTES_MAX.min(self.unit_bytes_max));
        let Some(newline) = newline else {
            self.state = State::Garbage(if self.length > self.unit_bytes_max {
                Reject::TooLong
            } else {
                Reject::Json
            });
            return (at, from);
        };
        let first = newline + 1;
        let (offset, line) = self.start;
        let mut again = std::mem::take(&mut self.held);
        let in_held = again.len();
        again.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        let head = again.get(..first).unwrap_or_default();
        let length = u64::try_from(first).unwrap_or(u64::MAX);
        emit(Span { offset, line, length, reject: Some(Reject::Json) }, head);
        self.offset = offset + length;
        self.line = line + 1;
        self.length = 0;
        self.first_newline = None;
        self.state = State::Between;
        if first >= in_held {
            // The second line begins in these bytes.
            let next = from + (first - in_held);
            return (next, next);
        }
        self.feed(again.get(first..in_held).unwrap_or_default(), emit);
        (from, from)
    }

    fn step(&mut self, byte: u8) -> Step {
        match self.state {
            State::Between => self.between(byte),
            State::Unit => self.in_unit(byte),
            State::Text { escaped } => self.in_text(byte, escaped),
            State::Bare => match byte {
                b',' | b']' | b'\n' => Step::EndBefore(Some(Reject::Json)),
                _ => Step::On,
            },
            State::Garbage(reject) => {
                if byte == b'\n' {
                    Step::End(Some(reject))
                } else {
                    Step::On
                }
            }
            State::Tail { depth, in_text, escaped } => self.in_tail(byte, depth, in_text, escaped),
        }
    }

    fn between(&mut self, byte: u8) -> Step {
        match byte {
            0xEF | 0xBB | 0xBF if self.offset < 3 => Step::On,
            b']' if self.around.last() == Some(&Around::Array) => {
                self.around.pop();
                if self.around.last() == Some(&Around::Tail) {
                    self.around.pop();
                    self.envelope = Envelope::No;
                    self.begin(State::Tail { depth: 0, in_text: false, escaped: false });
                }
                Step::On
            }
            b'{' => {
                self.expect = Expect::Key;
                self.envelope = if self.around.is_empty() { Envelope::Name(0) } else { Envelope::No };
                let step = self.begin(State::Unit);
                self.open.push(true);
                step
            }
            b'[' if self.around.is_empty() => {
                self.around.push(Around::Array);
                Step::On
            }
            b'[' => {
                self.expect = Expect::Value;
                self.envelope = Envelope::No;
                let step = self.begin(State::Unit);
                self.open.push(false);
                step
            }
            // Brackets here are what is left of a container whose beginning was rejected.
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b'}' | b']' => Step::On,
            _ if self.around.last() == Some(&Around::Array) => {
                self.envelope = Envelope::No;
                self.begin(State::Bare)
            }
            _ => self.begin(State::Garbage(Reject::Json)),
        }
    }

    fn in_unit(&mut self, byte: u8) -> Step {
        if self.length > self.unit_bytes_max && byte == b'\n' {
            self.around.clear();
            return Step::End(Some(Reject::TooLong));
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            return Step::On;
        }
        self.watch_envelope(byte);
        let in_object = self.open.last() == Some(&true);
        match byte {
            b'"' if matches!(self.expect, Expect::Key | Expect::Value) => {
                self.state = State::Text { escaped: false };
                Step::On
            }
            b'{' | b'[' if self.expect == Expect::Value => {
                if byte == b'[' && self.envelope == Envelope::Named {
                    self.around.extend([Around::Tail, Around::Array]);
                    self.state = State::Between;
                    return Step::Drop;
                }
                if self.open.len() >= DEPTH_MAX {
                    return Step::Broken;
                }
                self.open.push(byte == b'{');
                self.expect = if byte == b'{' { Expect::Key } else { Expect::Value };
                Step::On
            }
            b'}' | b']' if in_object == (byte == b'}') => {
                self.open.pop();
                self.expect = Expect::CommaOrEnd;
                if self.open.is_empty() { Step::End(None) } else { Step::On }
            }
            b':' if self.expect == Expect::Colon => {
                self.expect = Expect::Value;
                Step::On
            }
            b',' if matches!(self.expect, Expect::CommaOrEnd | Expect::Value) => {
                self.expect = if in_object { Expect::Key } else { Expect::Value };
                Step::On
            }
            b'{' | b'[' | b'}' | b']' | b':' | b'"' => Step::Broken,
            // Numbers and words, and the lists that nginx writes in their place.
            _ if matches!(self.expect, Expect::Value | Expect::CommaOrEnd)
                || (in_object && self.expect == Expect::Key) =>
            {
                self.expect = Expect::CommaOrEnd;
                Step::On
            }
            _ => Step::Broken,
        }
    }

    fn in_text(&mut self, byte: u8, escaped: bool) -> Step {
        self.watch_envelope(byte);
        match byte {
            // No JSON text holds a raw newline: this line was cut off.
            b'\n' => {
                if self.length > self.unit_bytes_max {
                    self.around.clear();
                    return Step::End(Some(Reject::TooLong));
                }
                self.around.clear();
                Step::End(Some(Reject::Json))
            }
            b'\\' if !escaped => {
                self.state = State::Text { escaped: true };
                Step::On
            }
            b'"' if !escaped => {
                self.state = State::Unit;
                self.expect = if self.expect == Expect::Key { Expect::Colon } else { Expect::CommaOrEnd };
                Step::On
            }
            _ => {
                self.state = State::Text { escaped: false };
                Step::On
            }
        }
    }

    /// Follows `"records":[` at the first key of a top-level object.
    fn watch_envelope(&mut self, byte: u8) {
        let next = self.envelope.after(byte);
        let outside = next == Envelope::Named && self.envelope == Envelope::Named && self.open.len() != 1;
        self.envelope = if outside { Envelope::No } else { next };
    }

    /// Follows a further `"records":[` behind the first one; true at its bracket.
    fn is_further_array(&mut self, byte: u8, in_text: bool) -> bool {
        if self.envelope == Envelope::Named && byte == b'[' {
            return true;
        }
        let white = self.envelope == Envelope::Named && byte.is_ascii_whitespace();
        if !white {
            let next = self.envelope.after(byte);
            let begins = next == Envelope::No && byte == b'"' && !in_text;
            self.envelope = if begins { Envelope::Name(1) } else { next };
        }
        false
    }

    /// Skips what stands between the array of an envelope and its closing brace.
    fn in_tail(&mut self, byte: u8, depth: usize, in_text: bool, escaped: bool) -> Step {
        if depth == 0 && !escaped && self.is_further_array(byte, in_text) {
            self.around.extend([Around::Tail, Around::Array]);
            self.state = State::Between;
            return Step::Drop;
        }
        let (depth, in_text, escaped) = match byte {
            // No JSON text holds a raw newline, and nothing inside of a container begins a line without indentation: the
            // envelope was cut off, and what follows must not vanish in it.
            b'\n' if in_text => return Step::End(Some(Reject::Json)),
            b'{' if !in_text && depth > 0 && self.at_line_start => {
                return Step::EndBefore(Some(Reject::Json));
            }
            // An envelope that was cut off ends with its line at the latest when a new one begins.
            b'{' if !in_text && depth == 0 && self.first_newline.is_some() => {
                self.state = State::Between;
                return Step::Again;
            }
            _ if escaped => (depth, in_text, false),
            b'\\' if in_text => (depth, true, true),
            b'"' => (depth, !in_text, false),
            b'{' | b'[' if !in_text => (depth + 1, false, false),
            b'}' if !in_text && depth == 0 => {
                self.state = State::Between;
                return Step::Drop;
            }
            b'}' | b']' if !in_text => (depth.saturating_sub(1), false, false),
            _ => (depth, in_text, false),
        };
        self.state = State::Tail { depth, in_text, escaped };
        Step::On
    }
}

enum Step {
    /// The byte belongs to the span, or stands between spans.
    On,
    /// The span ends with this byte.
    End(Option<Reject>),
    /// The span ended before this byte.
    EndBefore(Option<Reject>),
    /// What has been held is no unit and no reject.
    Drop,
    /// The byte stands between spans after all.
    Again,
    /// The unit is no JSON.
    Broken,
}

#[cfg(test)]
mod tests;
