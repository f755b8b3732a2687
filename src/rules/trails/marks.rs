//! What is known of a use beside its texts, a bit each.

use crate::codec;
use crate::codec::algorithm::Algorithm;
use crate::facts::{Facts, Pairing, same_audience};
use crate::policy::Preset;
use crate::time::UtcMicros;
use crate::token::Claims;
use crate::verify::Verdict;

/// See the constants.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Marks(u16);

impl Marks {
    /// Used at or after `exp`.
    pub const EXPIRED: Self = Self(1);
    /// No key can have signed it: the signature fails or is missing, or a MAC stands in place of a signature.
    pub const FORGED: Self = Self(1 << 1);
    /// No key of the issuer fits, although the archive covers the time.
    pub const UNKNOWN_KEY: Self = Self(1 << 2);
    /// The API states its audiences, and the token has another.
    pub const WRONG_AUDIENCE: Self = Self(1 << 3);
    /// The API states its audiences, and the token has one of them.
    pub const OWN_AUDIENCE: Self = Self(1 << 4);
    /// The policy states the tenants, and the token's is another.
    pub const FOREIGN_TENANT: Self = Self(1 << 5);
    /// The issuer is neither Entra's nor listed by the policy.
    pub const FOREIGN_ISSUER: Self = Self(1 << 6);
    /// The application authorised on a claim that can change hands (`email-authz`).
    pub const MUTABLE_PRINCIPAL: Self = Self(1 << 7);
    /// The policy says what the API authorises on.
    pub const AUTHORIZES: Self = Self(1 << 8);
    /// Whoever stole a key could have signed it. Only the table of what a run keeps has it, for the token as a whole.
    pub const DOUBTED: Self = Self(1 << 9);

    /// What a validator may refuse a token for, apart from its time.
    pub const CAUSES: Self = Self(
        Self::FORGED.0
            | Self::UNKNOWN_KEY.0
            | Self::WRONG_AUDIENCE.0
            | Self::FOREIGN_TENANT.0
            | Self::FOREIGN_ISSUER.0,
    );
    /// What makes a place worth a look.
    pub const OF_PLACES: Self =
        Self(Self::FORGED.0 | Self::UNKNOWN_KEY.0 | Self::WRONG_AUDIENCE.0 | Self::FOREIGN_TENANT.0);

    /// What all uses of a token at an API have in common.
    pub fn of_pairing(pairing: &Pairing<'_>) -> Self {
        let mut marks = Self::default();
        if pairing.api.is_some_and(|api| api.authorizes_on.is_some()) {
            marks = marks.with(Self::AUTHORIZES);
        }
        let Some(claims) = pairing.token.claims() else { return marks };
        if let Some(listed) = pairing.api.and_then(|api| api.audiences.as_ref()) {
            let fits = |aud: &str| listed.iter().any(|listed| same_audience(Preset::Dotnet, aud, listed));
            let mark =
                if claims.audience.stated().any(fits) { Self::OWN_AUDIENCE } else { Self::WRONG_AUDIENCE };
            marks = marks.with(mark);
        }
        let of_api = pairing.api.and_then(|api| api.tenants.as_ref());
        let allowed = of_api.or_else(|| pairing.context.policy?.tenancy().allowed.as_ref());
        let allows = |allowed: &Vec<String>, tenant: &str| allowed.iter().any(|allowed| allowed == tenant);
        if let Some((allowed, tenant)) = allowed.zip(claims.tenant())
            && !allows(allowed, tenant)
        {
            marks = marks.with(Self::FOREIGN_TENANT);
        }
        if is_foreign(claims, pairing) { marks.with(Self::FOREIGN_ISSUER) } else { marks }
    }

    /// What is known of a use, given what its token has at the API.
    #[must_use]
    pub fn at_use(self, facts: &Facts<'_>) -> Self {
        let mut marks = self;
        if is_forged(facts) {
            marks = marks.with(Self::FORGED);
        }
        if facts.verdict == Verdict::KeyUnknown && facts.foreign_key.is_none() {
            marks = marks.with(Self::UNKNOWN_KEY);
        }
        let exp = facts.token.claims().and_then(|claims| claims.exp);
        if let (Some(exp), Some(time)) = (exp, facts.time)
            && time.at >= UtcMicros::from_seconds(exp)
        {
            marks = marks.with(Self::EXPIRED);
        }
        marks
    }

    /// These and others.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without others.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// True if one of the others is among them.
    pub fn any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// As a number, for the table.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Of a number.
    pub fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
}

fn is_forged(facts: &Facts<'_>) -> bool {
    match facts.verdict {
        Verdict::Invalid | Verdict::Unsigned => true,
        // Where the issuer's keys are known, a MAC is none of its signatures, and no issuer leaves `alg` out or misspells it.
        Verdict::UnsupportedAlg => {
            let header = facts.token.header().filter(|_| facts.context.keys.is_some());
            header.is_some_and(|header| {
                header.alg.is_none_or(|alg| alg.starts_with("HS") || Algorithm::is_misspelled(alg))
            })
        }
        _ => false,
    }
}

fn is_foreign(claims: &Claims<'_>, pairing: &Pairing<'_>) -> bool {
    let Some(iss) = claims.iss.filter(|iss| !codec::is_blank(iss)) else { return false };
    claims.issuer.is_none() && !pairing.validation.lists_issuer(iss)
}
