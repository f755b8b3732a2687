//! Text for people: nothing that a log or a token says may steer the terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Characters that steer a terminal, or that turn the direction of what follows, as `\u{..}`; line feeds and tabs are
/// among them, so that a value stays on its line.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::new(), |mut out, char| {
        if steers(char) {
            let _ = write!(out, "{}", char.escape_unicode());
        } else {
            out.push(char);
        }
        out
    }))
}

fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Columns in which numbers stand to the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells below their headings, in columns as wide as their widest cell; the last column is not padded.
pub fn table(headings: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let cell = |row: &[String], at: usize| {
        row.get(at).map_or(Cow::Borrowed(""), |text| visible(text).into_owned().into())
    };
    let heads: Vec<String> = headings.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let all = || std::iter::once(heads.as_slice()).chain(rows.iter().map(Vec::as_slice));
    let widths: Vec<usize> = (0..headings.len())
        .map(|at| all().map(|row| cell(row, at).chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in all() {
        let mut line = String::new();
        for (at, ((_, align), width)) in headings.iter().zip(&widths).enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            let text = cell(row, at);
            let _ = match align {
                Align::Left => write!(line, "{gap}{text:<width$}"),
                Align::Right => write!(line, "{gap}{text:>width$}"),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A number with its digits in groups of three: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number and its noun: `1 token`, `2 tokens`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(visible("plain é"), "plain é");
        assert_eq!(visible("a\u{1b}[31mb\n\u{202e}c\u{9b}d"), r"a\u{1b}[31mb\u{a}\u{202e}c\u{9b}d");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "1,000".to_owned()]];
        let text = table(&[("name", Align::Left), ("count", Align::Right)], &rows);
        assert_eq!(text, "name  count\na         1\nbcd   1,000\n");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "token"), counted(2, "token")], ["1 token", "2 tokens"]);
    }
}
