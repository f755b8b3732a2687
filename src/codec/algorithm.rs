//! The closed list of signature algorithms; floor 0, because keys and tokens both speak of them.

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

    /// True for the name of one of them in the wrong letter case, which RFC 7515 section 4.1.1 makes another name.
    pub fn is_misspelled(alg: &str) -> bool {
        let right =
            if alg.eq_ignore_ascii_case("EdDSA") { "EdDSA".to_owned() } else { alg.to_ascii_uppercase() };
        right != alg && Self::parse(&right).is_some()
    }

    /// True for the RSA algorithms, whose signatures are as long as the modulus.
    pub fn is_rsa(self) -> bool {
        !matches!(self, Self::Es256 | Self::Es384 | Self::EdDsa)
    }

    /// Length in bytes of every signature of this algorithm; `None` for RSA, where the key decides.
    pub fn signature_bytes(self) -> Option<usize> {
        match self {
            Self::Es256 | Self::EdDsa => Some(64),
            Self::Es384 => Some(96),
            _ => None,
        }
    }
}
