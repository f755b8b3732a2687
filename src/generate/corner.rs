//! Parts of an API that ask for more than the rest of it.

use super::dice::Dice;
use super::world::World;

/// A part of a [`super::world::Style::Plain`] API: a path with an operation of its own in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Corner {
    /// For the members of one group.
    Clerks,
    /// For users who signed in with a second factor and in an authentication context.
    Secure,
    /// For users.
    Desk,
    /// For applications.
    Batch,
    /// For clients with a certificate.
    Partners,
    /// For administrators, though the policy asks for nothing.
    Admin,
}

impl Corner {
    /// Every one.
    pub(super) const ALL: [Self; 6] =
        [Self::Clerks, Self::Secure, Self::Desk, Self::Batch, Self::Partners, Self::Admin];

    /// Its segment of the path.
    pub(super) fn segment(self) -> &'static str {
        match self {
            Self::Clerks => "clerks",
            Self::Secure => "secure",
            Self::Desk => "desk",
            Self::Batch => "batch",
            Self::Partners => "partners",
            Self::Admin => "admin",
        }
    }

    /// Its operation, as the policy states it.
    pub(super) fn operation(self, world: &World) -> String {
        let demand = match self {
            Self::Clerks => format!("groups = [\"{}\"]", world.clerks),
            Self::Secure => "mfa = true, auth-context = [\"c1\"]".to_owned(),
            Self::Desk => "kinds = [\"delegated\"]".to_owned(),
            Self::Batch => "kinds = [\"app\"]".to_owned(),
            Self::Partners => "client-auth = \"certificate\"".to_owned(),
            Self::Admin => "scopes = [], roles = []".to_owned(),
        };
        format!("{{ paths = [\"/v1/{}/**\"], {demand} }}", self.segment())
    }

    /// Where a good token is used: one of four goes to a part that is for its kind.
    pub(super) fn of_good(app: bool, dice: &mut Dice) -> Option<Self> {
        let open: &[Self] = if app {
            &[Self::Batch, Self::Partners]
        } else {
            &[Self::Clerks, Self::Secure, Self::Desk, Self::Partners, Self::Admin]
        };
        let one = open.get(dice.index(open.len())).copied();
        one.filter(|_| dice.chance(250))
    }
}
