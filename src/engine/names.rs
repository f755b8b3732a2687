//! Texts of a partial by number, so that keys are small and a repeated text is stored once.

use super::distinct;
use super::places::{Places, index};
use super::segments::Texts;
use crate::codec::decimal;
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
    /// Texts that the redactor leaves as they are.
    clean: Bits,
    /// Packed lists of such texts; as one text, a list might be another matter.
    clean_lists: Bits,
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
        self.clean.get(id.at())
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
                self.clean.set(id.at());
                id
            }
            other => self.id(&other),
        }
    }

    /// The number of a text that the redactor was seen to leave as it is.
    pub(super) fn id_of_clean(&mut self, text: &str) -> Name {
        let id = self.id(text);
        self.clean.set(id.at());
        id
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
        pack(items, &mut packing);
        let id = self.id(&packing);
        self.packing = packing;
        id
    }

    /// The number of a list of texts as the redactor leaves them, packed into one. Tokens have few different lists, and one
    /// that it was seen to leave as it is, it does not get again.
    pub(super) fn list_of_redacted<'t>(
        &mut self,
        items: &[&'t str],
        redact: impl Fn(&'t str) -> Cow<'t, str>,
    ) -> Name {
        let mut packing = std::mem::take(&mut self.packing);
        pack(items.iter(), &mut packing);
        let hash = self.places.hash(&*packing);
        let known = self.find(hash, &packing);
        let id = known.filter(|id| self.clean_lists.get(id.at())).unwrap_or_else(|| {
            let redacted: Vec<Cow<'t, str>> = items.iter().map(|item| redact(item)).collect();
            if redacted.iter().zip(items).all(|(redacted, item)| redacted == item) {
                let id = known.unwrap_or_else(|| self.insert(hash, &packing));
                self.clean_lists.set(id.at());
                return id;
            }
            pack(redacted.iter(), &mut packing);
            self.id(&packing)
        });
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

/// A set of places.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn get(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|bits| bits >> (at % 64) & 1 == 1)
    }

    fn set(&mut self, at: usize) {
        if self.0.len() <= at / 64 {
            self.0.resize(at / 64 + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(at / 64) {
            *bits |= 1 << (at % 64);
        }
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
fn pack(texts: impl Iterator<Item = impl AsRef<str>>, out: &mut String) {
    out.clear();
    for text in texts {
        let text = text.as_ref();
        decimal::push_unsigned(u64::try_from(text.len()).unwrap_or(u64::MAX), out);
        out.push(':');
        out.push_str(text);
    }
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
        let whole = |item| Cow::Borrowed(item);
        let mut names = Names::default();
        for list in [&[][..], &[""], &["a", "7:b", "\u{e9}:"]] {
            let id = names.list_of_redacted(list, whole);
            assert_eq!(unpacked(names.text(id)).collect::<Vec<_>>(), list);
            // It is not asked for again.
            assert_eq!(names.list_of_redacted(list, |_| panic!("it is known")), id);
            // As a text it may be another matter.
            assert!(!names.is_clean(id));
        }
        let stars = |item| if item == "a" { Cow::Borrowed("***") } else { Cow::Borrowed(item) };
        let mut names = Names::default();
        for _ in 0..2 {
            let id = names.list_of_redacted(&["a", "b"], stars);
            assert_eq!(unpacked(names.text(id)).collect::<Vec<_>>(), ["***", "b"]);
        }
    }
}
