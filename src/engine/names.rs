//! Texts of a partial by number, so that keys are small and a repeated text is stored once.

use super::distinct;
use super::places::{Places, index};
use super::segments::Texts;
use hashbrown::HashMap;
use std::borrow::Cow;
use std::num::NonZeroU32;

/// A text of [`Names`]. Never zero, so that an optional one takes no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Name(NonZeroU32);

impl Name {
    /// Place among the texts.
    fn at(self) -> usize {
        index(self.0.get() - 1)
    }

    fn from_place(at: usize) -> Self {
        let number = u32::try_from(at).unwrap_or(u32::MAX - 1);
        Self(NonZeroU32::MIN.saturating_add(number))
    }
}

/// Numbered texts. Numbers differ between partials: [`Names::absorb`] translates.
#[derive(Debug, Default)]
pub(super) struct Names {
    places: Places,
    texts: Texts,
    /// A bit for each text that the redactor leaves as it is.
    clean: Vec<u64>,
    /// Where a list is packed.
    packing: String,
    /// Hashes of texts for counting distinct ones, made when first asked for.
    hashes: HashMap<Name, u64>,
}

impl Names {
    /// The number of a text; allocates only for a new one.
    pub(super) fn id(&mut self, text: &str) -> Name {
        let hash = self.places.hash(text);
        self.find(hash, text).unwrap_or_else(|| self.insert(hash, text))
    }

    /// Adds a text that is not there yet.
    fn insert(&mut self, hash: u32, text: &str) -> Name {
        let id = Name::from_place(self.texts.len());
        self.texts.push(text);
        self.places.insert(hash, id.0.get() - 1);
        id
    }

    /// The number of a text that is known, and known to be left as it is by the redactor.
    pub(super) fn clean_id(&self, text: &str) -> Option<Name> {
        self.find(self.places.hash(text), text).filter(|id| self.is_clean(*id))
    }

    /// True if a number is that of a text, and it is known to be left as it is by the redactor.
    pub(super) fn is_of_clean(&self, id: Name, text: &str) -> bool {
        self.text(id) == text && self.is_clean(id)
    }

    fn is_clean(&self, id: Name) -> bool {
        let (word, bit) = (id.at() / 64, id.at() % 64);
        self.clean.get(word).is_some_and(|bits| bits >> bit & 1 == 1)
    }

    /// The number of a text as the redactor leaves it; one that it was seen to leave as it is, it does not get again.
    pub(super) fn id_of_redacted<'t>(
        &mut self,
        text: &'t str,
        redact: impl FnOnce() -> Cow<'t, str>,
    ) -> Name {
        let hash = self.places.hash(text);
        let known = self.find(hash, text);
        if let Some(id) = known.filter(|id| self.is_clean(*id)) {
            return id;
        }
        match redact() {
            Cow::Borrowed(whole) if whole.len() == text.len() => {
                let id = known.unwrap_or_else(|| self.insert(hash, text));
                self.mark_clean(id);
                id
            }
            other => self.id(&other),
        }
    }

    /// The number of a text that the redactor was seen to leave as it is.
    pub(super) fn id_of_clean(&mut self, text: &str) -> Name {
        let id = self.id(text);
        self.mark_clean(id);
        id
    }

    fn mark_clean(&mut self, id: Name) {
        let (word, bit) = (id.at() / 64, id.at() % 64);
        if self.clean.len() <= word {
            self.clean.resize(word + 1, 0);
        }
        if let Some(bits) = self.clean.get_mut(word) {
            *bits |= 1 << bit;
        }
    }

    fn find(&self, hash: u32, text: &str) -> Option<Name> {
        let place = self.places.find(hash, |at| self.text(Name::from_place(at)) == text)?;
        Some(Name::from_place(index(place)))
    }

    /// The text of a number.
    pub(super) fn text(&self, id: Name) -> &str {
        self.texts.get(id.at()).unwrap_or_default()
    }

    /// The number of a list of texts, packed into one.
    pub(super) fn list<'t>(&mut self, items: impl Iterator<Item = Cow<'t, str>>) -> Name {
        let mut packing = std::mem::take(&mut self.packing);
        packing.clear();
        pack(items, &mut packing);
        let id = self.id(&packing);
        self.packing = packing;
        id
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
        Translation(other.iter().map(|text| self.id(text)).collect())
    }

    /// All texts in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.texts.len()).map(|at| self.text(Name::from_place(at)))
    }
}

/// Numbers of one partial as numbers of another.
pub(super) struct Translation(Vec<Name>);

impl Translation {
    /// A number of the absorbed partial in the absorbing one.
    pub(super) fn of(&self, id: Name) -> Name {
        self.0.get(id.at()).copied().unwrap_or(id)
    }

    /// The same for an optional number.
    pub(super) fn optional(&self, id: Option<Name>) -> Option<Name> {
        id.map(|id| self.of(id))
    }
}

/// Some texts as one, each behind its length (`5:alpha4:beta`), so that a list is a name like any other.
fn pack<'t>(texts: impl Iterator<Item = Cow<'t, str>>, out: &mut String) {
    for text in texts {
        push_number(text.len(), out);
        out.push(':');
        out.push_str(&text);
    }
}

/// Appends decimal digits; the formatter of the standard library takes ten times as long.
fn push_number(number: usize, out: &mut String) {
    if number >= 10 {
        push_number(number / 10, out);
    }
    out.push(u8::try_from(number % 10).map_or('0', |digit| char::from(b'0' + digit)));
}

/// The texts of a packed list.
pub(super) fn unpacked(mut packed: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (length, rest) = packed.split_once(':')?;
        let (text, rest) = rest.split_at_checked(length.parse().ok()?)?;
        packed = rest;
        Some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number_and_comes_back() {
        let mut names = Names::default();
        let ids: Vec<Name> = ["a", "", "bc", "a"].iter().map(|text| names.id(text)).collect();
        assert_eq!(ids[0], ids[3]);
        assert_eq!(ids.iter().map(|id| names.text(*id)).collect::<Vec<_>>(), ["a", "", "bc", "a"]);
        assert_eq!(names.clean_id("a"), None);
        assert_eq!(names.id_of_clean("a"), ids[0]);
        assert_eq!(
            (names.clean_id("a"), names.clean_id("bc"), names.clean_id("z")),
            (Some(ids[0]), None, None)
        );
        let mut other = Names::default();
        other.id("bc");
        let translation = other.absorb(&names);
        assert_eq!(other.text(translation.of(ids[2])), "bc");
        assert_eq!(other.iter().collect::<Vec<_>>(), ["bc", "a", ""]);
    }

    #[test]
    fn lists_are_packed_and_unpacked() {
        for list in [&[][..], &[""], &["a", "7:b", "\u{e9}:"]] {
            let mut names = Names::default();
            let id = names.list(list.iter().map(|text| (*text).into()));
            assert_eq!(unpacked(names.text(id)).collect::<Vec<_>>(), list);
        }
    }
}
