//! Why a rule could not look.

/// Why a rule could not judge a record; a kebab-case word that run.json counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(pub &'static str);

impl Reason {
    /// No entry of the policy matches the request.
    pub const NO_API: Self = Self("no-api");
    /// The matched entry does not state what the rule compares with.
    pub const NOT_STATED: Self = Self("not-stated");
    /// The record has no time.
    pub const NO_TIME: Self = Self("no-time");
    /// The claims cannot be read (opaque, encrypted, malformed or cut).
    pub const NO_CLAIMS: Self = Self("no-claims");
    /// The header cannot be read.
    pub const NO_HEADER: Self = Self("no-header");
    /// The token lacks the claim that the rule judges.
    pub const CLAIM_ABSENT: Self = Self("claim-absent");
    /// The record does not name the principal.
    pub const NO_PRINCIPAL: Self = Self("no-principal");
    /// The request does not name the tenant of the data.
    pub const NO_DATA_TENANT: Self = Self("no-data-tenant");
    /// The tenant of the data cannot be mapped to an id.
    pub const UNRESOLVED_TENANT: Self = Self("unresolved-tenant");
    /// The signature was not verified, so no key can be judged.
    pub const NOT_VERIFIED: Self = Self("not-verified");
    /// The archive has no capture near enough.
    pub const NO_COVERAGE: Self = Self("no-coverage");
    /// The verifying key carries no `issuer`.
    pub const NO_KEY_ISSUER: Self = Self("no-key-issuer");
    /// The verifying key was published without a certificate.
    pub const NO_CERTIFICATE: Self = Self("no-certificate");
    /// The verifying key does not name its cloud, or nothing names the issuer's.
    pub const NO_KEY_CLOUD: Self = Self("no-key-cloud");
    /// A mark stands where the token was.
    pub const MASKED: Self = Self("masked");
    /// The log shows no token anywhere, so nobody knows whether the request had one.
    pub const TOKENS_NOT_LOGGED: Self = Self("tokens-not-logged");
    /// The claims do not tell whether the token is a user's or an application's.
    pub const KIND_UNKNOWN: Self = Self("kind-unknown");
    /// The groups do not stand in the token, because they are too many.
    pub const GROUPS_OVERAGE: Self = Self("groups-overage");
    /// The log does not tell where in the request the token stood.
    pub const NO_PLACE: Self = Self("no-place");
    /// The log does not show the scheme word in front of the token.
    pub const NO_AUTH_SCHEME: Self = Self("no-auth-scheme");
    /// The proof that belongs to the token is part of the TLS handshake, which the log does not show.
    pub const PROOF_NOT_LOGGED: Self = Self("proof-not-logged");
    /// The record does not tell whether it came over TLS.
    pub const NO_SCHEME: Self = Self("no-scheme");
    /// The record does not name the client's own address.
    pub const NO_CLIENT_ADDRESS: Self = Self("no-client-address");
    /// The record names no user agent.
    pub const NO_USER_AGENT: Self = Self("no-user-agent");
    /// The record names no path.
    pub const NO_PATH: Self = Self("no-path");
    /// Nothing earlier is known that it could be compared with.
    pub const NOTHING_BEFORE: Self = Self("nothing-before");

    /// Every reason.
    pub const ALL: [Self; 26] = [
        Self::NO_API,
        Self::NOT_STATED,
        Self::NO_TIME,
        Self::NO_CLAIMS,
        Self::NO_HEADER,
        Self::CLAIM_ABSENT,
        Self::NO_PRINCIPAL,
        Self::NO_DATA_TENANT,
        Self::UNRESOLVED_TENANT,
        Self::NOT_VERIFIED,
        Self::NO_COVERAGE,
        Self::NO_KEY_ISSUER,
        Self::NO_CERTIFICATE,
        Self::NO_KEY_CLOUD,
        Self::MASKED,
        Self::TOKENS_NOT_LOGGED,
        Self::KIND_UNKNOWN,
        Self::GROUPS_OVERAGE,
        Self::NO_PLACE,
        Self::NO_AUTH_SCHEME,
        Self::PROOF_NOT_LOGGED,
        Self::NO_SCHEME,
        Self::NO_CLIENT_ADDRESS,
        Self::NO_USER_AGENT,
        Self::NO_PATH,
        Self::NOTHING_BEFORE,
    ];

    /// The reason of a word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.0 == word)
    }

    /// Equality that compares the words only where they are not one and the same: this is asked at every use.
    pub(crate) fn is(self, other: Self) -> bool {
        std::ptr::eq(self.0, other.0) || self == other
    }
}
