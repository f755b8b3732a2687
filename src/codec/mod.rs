//! Text codecs that remember how a text was spelled, the names of the algorithms, and digits.

pub mod algorithm;
pub mod base64url;
pub mod decimal;
pub mod json;

/// True for a text of nothing but white space. Nearly every text shows at its first byte that it is another.
pub fn is_blank(text: &str) -> bool {
    !text.as_bytes().first().is_some_and(u8::is_ascii_graphic) && text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_is_what_trimming_leaves_nothing_of() {
        for text in ["", " ", "\t\r\n", "\u{a0}\u{2003}", "a", " a", "\u{e9}", "\u{2003}a", "\0", "~"] {
            assert_eq!(is_blank(text), text.trim().is_empty(), "{text:?}");
        }
    }
}
