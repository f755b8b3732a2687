//! Lists that grow with the log, in segments that stay where they are: a list in one piece is copied each time that it has to
//! grow, into memory that the system has to clear first, and stands there twice meanwhile.

use super::places::index;

/// Bytes of a segment: one that a partial gives back when it was merged is just what the next one asks for.
const SEGMENT_BYTES: usize = 256 << 10;

/// Items by place.
#[derive(Debug)]
pub(super) struct Segments<T> {
    /// Full ones but for the last.
    segments: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Self { segments: Vec::new(), len: 0 }
    }
}

impl<T> Segments<T> {
    /// Items of a segment; a power of two, so that a place is cheaply found.
    const ITEMS: usize = match SEGMENT_BYTES / size_of::<T>() {
        0 => 1,
        items => 1 << items.ilog2(),
    };

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds an item behind the last.
    pub(super) fn push(&mut self, item: T) {
        match self.segments.last_mut() {
            Some(last) if last.len() < Self::ITEMS => last.push(item),
            Some(_) => {
                let mut segment = Vec::with_capacity(Self::ITEMS);
                segment.push(item);
                self.segments.push(segment);
            }
            // Most lists are short.
            None => self.segments.push(vec![item]),
        }
        self.len += 1;
    }

    /// The item at a place.
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.segments.get(at / Self::ITEMS)?.get(at % Self::ITEMS)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.segments.get_mut(at / Self::ITEMS)?.get_mut(at % Self::ITEMS)
    }

    /// All items in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.segments.iter().flatten()
    }
}

impl<T> IntoIterator for Segments<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    /// Every segment is given back as soon as its last item was taken.
    fn into_iter(self) -> Self::IntoIter {
        self.segments.into_iter().flatten()
    }
}

/// Texts by place.
#[derive(Debug, Default)]
pub(super) struct Texts {
    blocks: Vec<String>,
    places: Segments<TextPlace>,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug)]
struct TextPlace {
    block: u32,
    start: u32,
    end: u32,
}

impl Texts {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Adds a text behind the last.
    pub(super) fn push(&mut self, text: &str) {
        let fits = |last: &String| last.len() + text.len() <= last.capacity().max(SEGMENT_BYTES);
        if !self.blocks.last().is_some_and(fits) {
            // The first one begins small, and a long text has one of its own.
            let room = if self.blocks.is_empty() { 0 } else { SEGMENT_BYTES };
            self.blocks.push(String::with_capacity(room.max(text.len())));
        }
        let block = short(self.blocks.len() - 1);
        if let Some(last) = self.blocks.last_mut() {
            let start = short(last.len());
            last.push_str(text);
            self.places.push(TextPlace { block, start, end: short(last.len()) });
        }
    }

    /// The text at a place.
    pub(super) fn get(&self, at: usize) -> Option<&str> {
        let TextPlace { block, start, end } = *self.places.get(at)?;
        self.blocks.get(index(block))?.get(index(start)..index(end))
    }
}

/// Blocks are short, and their number is bounded by that of texts.
fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_in_every_segment() {
        let mut list = Segments::default();
        let count = 3 * Segments::<[u64; 5]>::ITEMS + 7;
        for item in 0..count {
            list.push([item; 5]);
        }
        list.get_mut(count - 1).unwrap()[0] = 0;
        assert_eq!((list.len(), list.segments.len()), (count, 4));
        assert!((0..count).all(|at| list.get(at).unwrap()[4] == at));
        assert_eq!(
            (list.get(count - 1), list.get(count)),
            (Some(&[0, count - 1, count - 1, count - 1, count - 1]), None)
        );
        assert!(list.iter().map(|item| item[4]).eq(0..count));
        assert!(list.into_iter().map(|item| item[4]).eq(0..count));
    }

    #[test]
    fn texts_of_any_length_come_back() {
        let long = "\u{e9}".repeat(SEGMENT_BYTES);
        let some = (0..40_000).map(|number| format!("text {number}"));
        let all: Vec<String> = some.clone().chain([String::new(), long]).chain(some).collect();
        let mut texts = Texts::default();
        for text in &all {
            texts.push(text);
        }
        assert!(texts.blocks.len() > 3);
        assert!(all.iter().enumerate().all(|(at, text)| texts.get(at) == Some(text.as_str())));
        assert_eq!((texts.len(), texts.get(all.len())), (all.len(), None));
    }
}
