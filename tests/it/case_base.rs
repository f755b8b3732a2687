//! Cases as they are written, and what their requests differ from.

use crate::case_record::RecordSpec;
use crate::mint::{self, TokenSpec, merge, remove};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseFile {
    pub(crate) case: Vec<Case>,
}

/// One case: how it differs from the good one, and what the rule says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) why: String,
    /// Dotted names of what is left out: `token.header.kid`, `record.time`, `policy`, `keys`.
    #[serde(default)]
    pub(crate) without: Vec<String>,
    #[serde(default)]
    pub(crate) token: toml::Table,
    #[serde(default)]
    pub(crate) record: toml::Table,
    /// The requests of a run, for rules over many: each differs from the case as the case does from the good one.
    #[serde(default)]
    pub(crate) uses: Vec<UseSpec>,
    /// The requests of the run before, whose state this one knows.
    pub(crate) earlier: Option<Vec<UseSpec>>,
    /// Takes the place of the good policy. `{rsa-a spki}` stands for that key's digest.
    pub(crate) policy: Option<String>,
    /// Files that the policy names, by their names.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// A name of an archive.
    pub(crate) keys: Option<String>,
    pub(crate) expect: Expect,
    pub(crate) severity: Option<String>,
    pub(crate) confidence: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) actual: Option<String>,
    pub(crate) expected: Option<String>,
    pub(crate) verdict: Option<String>,
    #[serde(default)]
    pub(crate) evidence: toml::Table,
    /// How many findings there are, for rules over trails.
    pub(crate) findings: Option<usize>,
}

/// How one request of a run differs.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UseSpec {
    #[serde(default)]
    pub(crate) token: toml::Table,
    #[serde(default)]
    pub(crate) record: toml::Table,
    /// How the token is spelled, as in `beside`.
    pub(crate) spelled: Option<String>,
    /// So many requests; `{n}` in their texts is the number of each.
    pub(crate) repeat: Option<usize>,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Expect {
    Fires,
    Quiet,
    NotEvaluable,
    Skipped,
}

/// What the requests of a case differ from: the good one with the differences of the case.
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
