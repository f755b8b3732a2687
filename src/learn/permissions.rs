//! Scopes and roles, as tokens hold them together. A policy asks for any of a list, so every value in it lets further tokens
//! pass: the list is kept as short as the tokens that were seen allow.

use super::bounded::Bounded;
use super::draft::{Values, merge_values};
use super::observe::{VALUES_MAX, learnable};
use super::seen::{Seen, Sighting};
use crate::facts::Facts;
use crate::policy::ApiSettings;
use crate::token::{Claims, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// Longest set of values that is kept, in bytes; of a longer one the byte-least values stay.
const SET_BYTES_MAX: usize = 1024;
/// Between the values of a set; no value that is learned holds one.
const BETWEEN: char = '\n';

/// What of a token's scopes and roles could be learned from it.
pub(super) struct Wanted<'t> {
    is_app: bool,
    scopes: Vec<&'t str>,
    roles: Vec<&'t str>,
}

impl<'t> Wanted<'t> {
    /// Where an entry is known: nothing of a token that it admits already, as `scope-missing` and `role-missing` judge that.
    pub(super) fn of(facts: &Facts<'_>, claims: &Claims<'t>) -> Self {
        let is_app = matches!(claims.kind, Kind::App { .. });
        // An application passes by its roles.
        let mut scopes = claims.scp.as_ref().filter(|_| !is_app);
        let mut roles = claims.roles.as_ref();
        if let Some(api) = facts.api {
            let base = facts.context.policy.and_then(|policy| policy.api_named(&api.name));
            // What an operation asks for is no concern of the entry's own list.
            let own = |list: fn(&ApiSettings) -> Option<&Vec<String>>| {
                list(api).is_some() && base.is_some_and(|base| list(base) == list(api))
            };
            let by_role = holds_any(claims.roles.as_ref(), api.roles.as_ref());
            let by_scope = holds_any(claims.scp.as_ref(), api.scopes.as_ref());
            scopes = scopes.filter(|_| own(|api| api.scopes.as_ref()) && !by_role && !by_scope);
            let judged_by_scopes = api.scopes.is_some() && !is_app;
            roles = roles.filter(|_| own(|api| api.roles.as_ref()) && !by_role && !judged_by_scopes);
        }
        let [scopes, roles] = [scopes, roles].map(|list| list.cloned().unwrap_or_default());
        Self { is_app, scopes, roles }
    }
}

fn holds_any(held: Option<&Vec<&str>>, listed: Option<&Vec<String>>) -> bool {
    held.zip(listed).is_some_and(|(held, listed)| held.iter().any(|held| listed.iter().any(|it| it == held)))
}

/// Scopes and roles of tokens for an audience at a place.
#[derive(Clone, Debug)]
pub(super) struct Permissions {
    scopes: Bounded<Seen>,
    roles: Bounded<Seen>,
    scope_sets: Bounded<Seen>,
    /// Of applications.
    app_sets: Bounded<Seen>,
    /// Roles of users.
    user_sets: Bounded<Seen>,
}

impl Default for Permissions {
    fn default() -> Self {
        let values = || Bounded::new(VALUES_MAX);
        Self {
            scopes: values(),
            roles: values(),
            scope_sets: values(),
            app_sets: values(),
            user_sets: values(),
        }
    }
}

impl Permissions {
    /// Adds a request; true if a policy can hold everything that its token says.
    pub(super) fn add(&mut self, wanted: &Wanted<'_>, sighting: Sighting) -> bool {
        let role_sets = if wanted.is_app { &mut self.app_sets } else { &mut self.user_sets };
        let mut usable = true;
        for (values, sets, held) in [
            (&mut self.scopes, &mut self.scope_sets, &wanted.scopes),
            (&mut self.roles, role_sets, &wanted.roles),
        ] {
            let texts: BTreeSet<&str> = held.iter().filter_map(|text| learnable(text)).collect();
            usable &= held.iter().all(|text| learnable(text).is_some());
            for text in &texts {
                if let Some(seen) = values.entry(text) {
                    seen.add(sighting);
                }
            }
            if !texts.is_empty()
                && let Some(seen) = sets.entry(&set_of(&texts))
            {
                seen.add(sighting);
            }
        }
        usable
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.scopes, other.scopes),
            (&mut self.roles, other.roles),
            (&mut self.scope_sets, other.scope_sets),
            (&mut self.app_sets, other.app_sets),
            (&mut self.user_sets, other.user_sets),
        ] {
            mine.merge(theirs, |mine, theirs| mine.merge(&theirs));
        }
    }
}

fn set_of(texts: &BTreeSet<&str>) -> String {
    let mut set = String::new();
    for text in texts {
        if !set.is_empty() {
            if set.len() + text.len() >= SET_BYTES_MAX {
                break;
            }
            set.push(BETWEEN);
        }
        set.push_str(text);
    }
    set
}

/// Values of a list of which a token needs any.
#[derive(Debug, Default)]
pub struct Needed {
    /// Everything that was seen.
    pub values: Values,
    /// Those that suffice: every token that holds a live value holds one of them.
    pub needed: BTreeSet<String>,
}

/// Scopes and roles of an entry.
#[derive(Debug, Default)]
pub struct Held {
    /// Scopes of users' tokens.
    pub scopes: Needed,
    /// Roles.
    pub roles: Needed,
    scope_sets: Values,
    app_sets: Values,
    user_sets: Values,
}

impl Held {
    pub(super) fn add(&mut self, seen: &Permissions) {
        for (mine, theirs) in [
            (&mut self.scopes.values, &seen.scopes),
            (&mut self.roles.values, &seen.roles),
            (&mut self.scope_sets, &seen.scope_sets),
            (&mut self.app_sets, &seen.app_sets),
            (&mut self.user_sets, &seen.user_sets),
        ] {
            merge_values(mine, &theirs.clone().finish().0);
        }
    }

    /// Chooses what suffices. Where scopes are listed, users are judged by them, and only applications by roles.
    pub(super) fn choose(&mut self) {
        self.scopes.needed = sufficient(&[&self.scope_sets]);
        self.roles.needed = if self.scopes.needed.is_empty() {
            sufficient(&[&self.app_sets, &self.user_sets])
        } else {
            sufficient(&[&self.app_sets])
        };
    }
}

/// Live values, so that each set with a live one holds one of them: again and again the one that most requests brought, the
/// byte-least of several.
fn sufficient(sets: &[&Values]) -> BTreeSet<String> {
    let sets = || sets.iter().flat_map(|sets| sets.iter()).filter(|(_, seen)| seen.accepted > 0);
    let mut values: BTreeMap<&str, Seen> = BTreeMap::new();
    for (set, seen) in sets() {
        set.split(BETWEEN).for_each(|value| values.entry(value).or_default().merge(seen));
    }
    values.retain(|_, seen| seen.is_live());
    let mut open: Vec<(BTreeSet<&str>, u64)> = sets()
        .map(|(set, seen)| {
            (set.split(BETWEEN).filter(|value| values.contains_key(value)).collect(), seen.accepted)
        })
        .collect();
    let mut chosen = BTreeSet::new();
    loop {
        let mut requests: BTreeMap<&str, u64> = BTreeMap::new();
        for (set, accepted) in &open {
            for value in set {
                *requests.entry(value).or_default() += accepted;
            }
        }
        let most = requests.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(a.0)));
        let Some((value, _)) = most else { return chosen };
        chosen.insert(value.to_owned());
        open.retain(|(set, _)| !set.contains(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_few_values_as_suffice() {
        let sets = |sets: &[(&str, u64)]| -> Values {
            let of = |accepted: u64| {
                let mut seen = Seen::default();
                (0..accepted).for_each(|user| seen.add(Sighting::by(user)));
                seen
            };
            sets.iter().map(|(set, accepted)| (set.replace(' ', "\n"), of(*accepted))).collect()
        };
        for (held, chosen) in [
            (&[("Read Write", 9), ("Read", 5)][..], &["Read"][..]),
            (&[("Read Write", 9), ("Admin", 5)], &["Admin", "Read"]),
            (&[("A Common", 5), ("B Common", 5), ("C Common", 5)], &["Common"]),
            // Too few alone, enough together; and too few at all.
            (&[("A Common", 3), ("B Common", 5), ("Once", 1)], &["Common"]),
            (&[], &[]),
        ] {
            let held = sets(held);
            assert_eq!(sufficient(&[&held]).into_iter().collect::<Vec<_>>(), chosen, "{held:?}");
        }
    }
}
