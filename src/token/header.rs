//! The JOSE header of a token (RFC 7515 section 4).

use crate::codec::json::{Object, Value};

/// What `alg` asks for, among the algorithms that an access token may use (RFC 7518 section 3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of an exact `alg` text; `None` for one that is not verified here.
    pub fn parse(alg: &str) -> Option<Self> {
        Some(match alg {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }
}

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
