//! Values that remember where they stand, and the files they stand in.

use super::error::Fault;
use super::error::Place;
use super::error::PolicyError;
use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use serde::Deserialize;
use serde::Deserializer;
use std::borrow::Cow;

/// A value of a TOML file with the byte offset at which it begins.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) start: usize,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        let start = spanned.span().start;
        Ok(Self { value: spanned.into_inner(), start })
    }
}

/// In the schema a located value is the value.
impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A file of the policy, with its lines found.
#[derive(Debug)]
pub(super) struct TextFile {
    pub(super) name: String,
    pub(super) text: String,
    line_starts: Vec<usize>,
}

impl TextFile {
    /// # Errors
    /// If the bytes are not UTF-8, with the place of the first that is not.
    pub(super) fn new(name: String, bytes: Vec<u8>) -> Result<Self, PolicyError> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::of_text(name, text)),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Err(Self::of_text(name, text).error(good, Fault::NotUtf8))
            }
        }
    }

    fn of_text(name: String, text: String) -> Self {
        let ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1);
        let line_starts = std::iter::once(0).chain(ends).collect();
        Self { name, text, line_starts }
    }

    /// Line and column of a byte offset.
    pub(super) fn place(&self, offset: usize) -> Place {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        Place { file: self.name.clone(), line, column }
    }

    pub(super) fn error(&self, offset: usize, fault: Fault) -> PolicyError {
        PolicyError::at(self.place(offset), fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let file = TextFile::of_text("p".to_owned(), "ab\nüx\n".to_owned());
        let at = |offset| (file.place(offset).line, file.place(offset).column);
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(1), (1, 2));
        assert_eq!(at(3), (2, 1));
        assert_eq!(at(5), (2, 2));
        assert_eq!(at(7), (3, 1));
        assert_eq!(at(999), (3, 1));
    }
}
