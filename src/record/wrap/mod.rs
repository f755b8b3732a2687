//! Wrappers around records: envelopes and other streams of JSON values that are no lines.

mod splitter;

pub use splitter::{Span, Splitter};

/// The length of the first JSON value of a text, brackets and quotes counted, nothing else checked; `None` if it does not
/// end.
pub(super) fn first_value_length(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (in_string, byte) {
            (true, b'\\') => at += 1,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 && !in_string && matches!(byte, b'}' | b']') {
            return Some(at);
        }
    }
    None
}
