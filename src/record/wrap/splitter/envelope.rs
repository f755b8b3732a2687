//! Recognises `"records":[`, the beginning of an envelope's array.

const NAME: &[u8] = b"\"records\"";

/// How far the beginning of an array has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Envelope {
    /// Not at all.
    No,
    /// So many bytes of `"records"`.
    Name(usize),
    /// The name, and perhaps the colon.
    Named,
}

impl Envelope {
    /// Follows the name, the colon and the bracket byte by byte.
    pub(super) fn after(self, byte: u8) -> Self {
        match self {
            Self::Name(seen) if NAME.get(seen) == Some(&byte) => {
                if seen + 1 == NAME.len() {
                    Self::Named
                } else {
                    Self::Name(seen + 1)
                }
            }
            Self::Named if matches!(byte, b':' | b'[') => Self::Named,
            _ => Self::No,
        }
    }
}
