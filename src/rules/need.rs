//! What rules need.

/// What a rule needs. A missing input of the run skips the rule; one of a record makes it not evaluable there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Readable claims.
    Claims,
    /// A readable header.
    Header,
    /// A key archive.
    Keys,
    /// The judged time of the record.
    Time,
    /// A policy, whatever it says.
    Policy,
    /// `audiences` of some API.
    Audiences,
    /// `tenancy.allowed`, or `tenants` of some API.
    Tenants,
    /// `authorizes-on` of some API.
    AuthorizesOn,
    /// `max-auth-age` of some API.
    MaxAuthAge,
    /// `validation.clouds`
    Clouds,
    /// `tenancy.partners`
    Partners,
    /// `keys.compromised`
    CompromisedKeys,
    /// `keys.custom-key-apps`
    CustomKeyApps,
    /// `scopes` of some API.
    Scopes,
    /// `roles` of some API.
    Roles,
    /// `groups` of some API.
    Groups,
    /// `defined-scopes` or `defined-roles` of some API.
    DefinedPermissions,
    /// `kinds` of some API.
    Kinds,
    /// `clients` of some API.
    Clients,
    /// `client-auth` of some API, above public.
    ClientAuth,
    /// `mfa` of some API.
    Mfa,
    /// `auth-context` of some API.
    AuthContext,
    /// `multi-tenant` of some API.
    MultiTenant,
    /// `watch.files`
    WatchFiles,
    /// `watch.revocations`
    Revocations,
    /// What an earlier run kept (`--baseline`).
    Baseline,
}

/// Several needs, a bit each, so that what a token lacks is held against all rules at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs(u32);

impl Need {
    #[expect(clippy::as_conversions, reason = "From is not const")]
    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl Needs {
    /// These needs.
    pub const fn of(needs: &[Need]) -> Self {
        let mut bits = 0;
        let mut rest = needs;
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// These, and those of some others that `holds` is true for.
    #[must_use]
    pub fn and_where(self, others: &[Need], holds: impl Fn(Need) -> bool) -> Self {
        let others = others.iter().filter(|need| holds(**need));
        Self(others.fold(self.0, |bits, need| bits | need.bit()))
    }

    /// True if some are in both.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
