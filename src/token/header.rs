//! The JOSE header of a token (RFC 7515 section 4).

use crate::codec::json::{Object, Value};

/// A header with the members that rules and verification need.
#[derive(Debug)]
pub struct Header<'t> {
    /// `alg`, if it is a string.
    pub alg: Option<&'t str>,
    /// `kid`, if it is a string.
    pub kid: Option<&'t str>,
    /// `x5t`, if it is a string.
    pub x5t: Option<&'t str>,
    /// `typ`, if it is a string.
    pub typ: Option<&'t str>,
    /// `nonce`, if it is a string: the mark of a token for Microsoft Graph.
    pub nonce: Option<&'t str>,
    /// Every member in order.
    pub object: Object<'t>,
}

impl<'t> Header<'t> {
    pub(super) fn new(object: Object<'t>) -> Self {
        let text = |name: &str| object.text(name);
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
        self.alg.is_some_and(|alg| alg.eq_ignore_ascii_case("none"))
    }

    /// True if `alg` names a MAC: HS256, HS384 or HS512.
    pub fn is_symmetric(&self) -> bool {
        matches!(self.alg, Some("HS256" | "HS384" | "HS512"))
    }

    /// The last value of any member.
    pub fn member(&self, name: &str) -> Option<&Value<'t>> {
        self.object.last(name)
    }
}
