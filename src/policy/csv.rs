//! CSV as spreadsheets write it (RFC 4180): commas, optional double quotes, CRLF or LF.

/// A cell and the byte offset at which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) start: usize,
}

/// A quote that is opened and never closed, at this byte offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenQuote(pub(super) usize);

/// Rows of cells; blank lines are left out.
pub(super) fn rows(text: &str) -> Result<Vec<Vec<Cell>>, OpenQuote> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let start = text.len() - rest.len();
        let (cell, after) = cell(rest).ok_or(OpenQuote(start))?;
        row.push(Cell { text: cell, start });
        if let Some(next) = after.strip_prefix(',') {
            rest = next;
            if rest.is_empty() {
                row.push(Cell { text: String::new(), start: text.len() });
            }
            continue;
        }
        rest = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or(after);
        finish(&mut rows, &mut row);
    }
    finish(&mut rows, &mut row);
    Ok(rows)
}

fn finish(rows: &mut Vec<Vec<Cell>>, row: &mut Vec<Cell>) {
    let row = std::mem::take(row);
    if row.iter().any(|cell| !cell.text.trim().is_empty()) {
        rows.push(row);
    }
}

/// One cell and what follows it: a comma, a line end or nothing. `None` for a quote that is never closed.
fn cell(text: &str) -> Option<(String, &str)> {
    let mut cell = String::new();
    let mut rest = text;
    if let Some(mut quoted) = text.strip_prefix('"') {
        loop {
            let (part, after) = quoted.split_once('"')?;
            cell.push_str(part);
            let Some(next) = after.strip_prefix('"') else {
                rest = after;
                break;
            };
            cell.push('"');
            quoted = next;
        }
    }
    let end = rest.find([',', '\n']).unwrap_or(rest.len());
    let (before, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let end = if !after.starts_with(',') && before.ends_with('\r') { end - 1 } else { end };
    let (plain, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    cell.push_str(plain);
    // A lone carriage return at the end of the text is part of the line end.
    Some((cell, if after == "\r" { "" } else { after }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(csv: &str) -> Vec<Vec<String>> {
        rows(csv).unwrap().into_iter().map(|row| row.into_iter().map(|cell| cell.text).collect()).collect()
    }

    #[test]
    fn cells_may_be_quoted() {
        assert_eq!(texts("a,b\r\n1,\"2,\"\"x\"\"\n3\"\r\n"), [["a", "b"], ["1", "2,\"x\"\n3"]]);
        assert_eq!(texts("a,\n\n,b"), [["a", ""], ["", "b"]]);
        assert_eq!(texts("a,"), [["a", ""]]);
        assert_eq!(texts("a\r"), [["a"]]);
        assert_eq!(texts(""), Vec::<Vec<String>>::new());
        assert_eq!(rows("a\n\"b"), Err(OpenQuote(2)));
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends(text in "[a\",\r\n é]{0,40}") {
            let _ = rows(&text);
        }
    }
}
