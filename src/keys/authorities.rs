//! The authority of each issuer, looked for once among the sources, of which an archive may hold hundreds.

use super::Authority;
use crate::limits;
use hashbrown::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// What the sources answered. Bounded, because tokens name any issuer; the sources are asked again about further ones.
#[derive(Debug, Default)]
pub(super) struct Authorities {
    known: RwLock<HashMap<Box<str>, Option<Authority>>>,
}

impl Authorities {
    /// The authority of an issuer; `find` asks the sources. Each caller gets one of its own, so that workers do not count the
    /// references of the same one.
    pub(super) fn of(&self, iss: &str, find: impl FnOnce() -> Option<Authority>) -> Option<Arc<Authority>> {
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(iss) {
            return known.clone().map(Arc::new);
        }
        let found = find();
        if iss.len() <= limits::CELL_BYTES_MAX {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() < limits::ISSUERS_KNOWN_MAX {
                known.insert(iss.into(), found.clone());
            }
        }
        found.map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_are_asked_once_and_no_more_is_kept_than_the_limit() {
        let authorities = Authorities::default();
        let authority = || Some(Authority { sources: Vec::new() });
        assert!(authorities.of("a", authority).is_some());
        assert!(authorities.of("a", || panic!("it is known")).is_some());
        assert!(authorities.of("b", || None).is_none());
        assert!(authorities.of("b", || panic!("it is known")).is_none());
        let long = "x".repeat(limits::CELL_BYTES_MAX + 1);
        assert!(authorities.of(&long, || None).is_none());
        for made_up in 0..2 * limits::ISSUERS_KNOWN_MAX {
            assert!(authorities.of(&made_up.to_string(), authority).is_some());
        }
        assert_eq!(authorities.known.read().unwrap().len(), limits::ISSUERS_KNOWN_MAX);
        assert!(authorities.of(&long, authority).is_some());
    }
}
