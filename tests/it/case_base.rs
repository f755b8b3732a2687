//! What the requests of a case differ from: the good one with the differences of the case.

use crate::case_record::RecordSpec;
use crate::mint::{self, TokenSpec, merge, remove};

/// See the module.
pub(crate) struct Base {
    name: String,
    token: toml::Table,
    record: toml::Table,
}

impl Base {
    /// The good token and record.
    pub(crate) fn new(name: &str, token: toml::Table, record: toml::Table) -> Self {
        Self { name: name.to_owned(), token, record }
    }

    /// Leaves out dotted names and puts differences over the rest.
    pub(crate) fn change(&mut self, without: &[String], token: &toml::Table, record: &toml::Table) {
        for path in without {
            match path.split_once('.') {
                Some(("token", rest)) => remove(&mut self.token, rest),
                Some(("record", rest)) => remove(&mut self.record, rest),
                _ => {}
            }
        }
        merge(&mut self.token, token);
        merge(&mut self.record, record);
    }

    /// A request that differs in nothing.
    pub(crate) fn plain(&self) -> (TokenSpec, RecordSpec) {
        self.differing(&toml::Table::new(), &toml::Table::new())
    }

    /// A request with differences of its own.
    pub(crate) fn differing(&self, token: &toml::Table, record: &toml::Table) -> (TokenSpec, RecordSpec) {
        let (mut mine, mut my_record) = (self.token.clone(), self.record.clone());
        merge(&mut mine, token);
        merge(&mut my_record, record);
        mint::dates_to_seconds(&mut mine);
        let token = mine.try_into().unwrap_or_else(|error| panic!("{}: token: {error}", self.name));
        let record = my_record.try_into().unwrap_or_else(|error| panic!("{}: record: {error}", self.name));
        (token, record)
    }
}
