//! What refresh tokens look like (rules.md, rule `refresh-token-sent`). Microsoft documents no form, so these are shapes
//! that were observed, and no proof.

/// Longest value with Entra's prefix that is still taken for something else, in bytes.
const ENTRA_BYTES_MAX: usize = 400;

/// Whose refresh token a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshShape {
    /// A work or school account's: `0.A` or `1.A`, and long.
    Entra,
    /// A personal Microsoft account's: `M.C`.
    Personal,
}

impl RefreshShape {
    /// The shape of a value without its scheme word.
    pub(super) fn of(value: &str) -> Option<Self> {
        let entra = value.starts_with("0.A") || value.starts_with("1.A");
        if entra && value.len() > ENTRA_BYTES_MAX {
            Some(Self::Entra)
        } else if value.starts_with("M.C") {
            Some(Self::Personal)
        } else {
            None
        }
    }

    /// Name for evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Personal => "personal account",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_told_by_prefix_and_length() {
        let long = "x".repeat(400);
        for (value, shape) in [
            (format!("0.A{long}"), Some(RefreshShape::Entra)),
            (format!("1.A{long}.{long}"), Some(RefreshShape::Entra)),
            (format!("1.B{long}"), None),
            (format!("0.A{}", "x".repeat(397)), None),
            ("M.C507_BL2.0.U.x".to_owned(), Some(RefreshShape::Personal)),
            ("M.R3_x".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(RefreshShape::of(&value), shape, "{value}");
        }
    }
}
