//! The JOSE header of a token (RFC 7515 section 4).

use crate::codec::json::{Object, Value};

/// A header with the members that rules and verification need.
#[derive(Debug)]
pub struct Header {
    /// `alg`, if it is a string.
    pub alg: Option<String>,
    /// `kid`, if it is a string.
    pub kid: Option<String>,
    /// `x5t`, if it is a string.
    pub x5t: Option<String>,
    /// `typ`, if it is a string.
    pub typ: Option<String>,
    /// `nonce`, if it is a string: the mark of a token for Microsoft Graph.
    pub nonce: Option<String>,
    /// Every member in order.
    pub object: Object,
}

impl Header {
    pub(super) fn new(object: Object) -> Self {
        let text = |name: &str| object.text(name).map(str::to_owned);
        Self {
            alg: text("alg"),
            kid: text("kid"),
            x5t: text("x5t"),
            typ: text("typ"),
            nonce: text("nonce"),
            object,
        }
    }

    /// True if `alg` is `none` in any letter case (RFC 7519 section 6).
    pub fn is_unsigned(&self) -> bool {
        self.alg.as_deref().is_some_and(|alg| alg.eq_ignore_ascii_case("none"))
    }

    /// True if `alg` names a MAC: HS256, HS384 or HS512.
    pub fn is_symmetric(&self) -> bool {
        matches!(self.alg.as_deref(), Some("HS256" | "HS384" | "HS512"))
    }

    /// The last value of any member.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.object.last(name)
    }
}
