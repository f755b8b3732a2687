//! Texts of a partial by number, so that keys are small and a repeated address is stored once.

use super::distinct;
use std::collections::HashMap;
use std::sync::Arc;

/// A text of [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Name(u32);

/// Numbered texts. Numbers differ between partials: [`Names::absorb`] translates.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: HashMap<Arc<str>, Name>,
    texts: Vec<Arc<str>>,
    /// Hashes of texts for counting distinct ones, made when first asked for.
    hashes: HashMap<Name, u64>,
}

impl Names {
    /// The number of a text; allocates only for a new one.
    pub(super) fn id(&mut self, text: &str) -> Name {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = Name(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.ids.insert(text, id);
        id
    }

    /// The text of a number.
    pub(super) fn text(&self, id: Name) -> &str {
        usize::try_from(id.0).ok().and_then(|at| self.texts.get(at)).map_or("", |text| text)
    }

    /// The hash of a text that counts distinct ones.
    pub(super) fn hash(&mut self, id: Name) -> u64 {
        if let Some(hash) = self.hashes.get(&id) {
            return *hash;
        }
        let hash = distinct::hash(self.text(id));
        self.hashes.insert(id, hash);
        hash
    }

    /// The text of an optional number.
    pub(super) fn optional(&self, id: Option<Name>) -> Option<&str> {
        id.map(|id| self.text(id))
    }

    /// Takes in another partial's texts; the result translates its numbers.
    pub(super) fn absorb(&mut self, other: &Self) -> Translation {
        Translation(other.texts.iter().map(|text| self.id(text)).collect())
    }

    /// All texts in the order of their numbers.
    pub(super) fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }
}

/// Numbers of one partial as numbers of another.
pub(super) struct Translation(Vec<Name>);

impl Translation {
    /// A number of the absorbed partial in the absorbing one.
    pub(super) fn of(&self, id: Name) -> Name {
        usize::try_from(id.0).ok().and_then(|at| self.0.get(at)).copied().unwrap_or(id)
    }

    /// The same for an optional number.
    pub(super) fn optional(&self, id: Option<Name>) -> Option<Name> {
        id.map(|id| self.of(id))
    }
}
