//! Where in a request a token stood.

use crate::record::{Record, TokenHit};

/// A part of a request in which tokens are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A header or cookie of its own, which is where a token belongs.
    Header,
    /// The query of the URL.
    Query,
    /// The path of the URL.
    Path,
    /// The Referer header, which repeats the URL of the page before.
    Referer,
    /// The body.
    Body,
    /// The log does not tell.
    Unknown,
}

impl Place {
    /// The place of a token, by the name that its format gives it and by the URL of its record.
    pub fn of(hit: &TokenHit<'_>, record: &Record<'_>) -> Self {
        let name = hit.place;
        // Nearly every token stands here.
        if name.ends_with("uthorization") {
            return Self::Header;
        }
        let holds = |part| holds(part, hit.value);
        let kind = name.split_once(':').map_or("", |(kind, _)| kind);
        match kind {
            _ if ["referer", "referrer"].into_iter().any(|word| contains_in_any_case(name, word)) => {
                Self::Referer
            }
            "header" | "cookie" => Self::Header,
            "form" => Self::Body,
            _ if holds(record.path) => Self::Path,
            "query" => Self::Query,
            _ if holds(record.query) => Self::Query,
            _ if contains_in_any_case(name, "body") => Self::Body,
            // Columns and whole lines, of which nobody said what they hold.
            "scan" => Self::Unknown,
            _ if matches!(name, "" | "scan" | "token") => Self::Unknown,
            _ => name_alone(name),
        }
    }

    /// True if the token stood in this part of the URL, whatever [`Self::of`] says: of a token in several places the format
    /// names only the first.
    pub fn holds_as_well(self, hit: &TokenHit<'_>, record: &Record<'_>) -> bool {
        match self {
            Self::Path => holds(record.path, hit.value),
            Self::Query => holds(record.query, hit.value),
            _ => false,
        }
    }
}

/// The place that a name stands for on its own: `query` and `path` for themselves, any other field for a header.
fn name_alone(name: &str) -> Place {
    match name {
        "query" => Place::Query,
        "path" => Place::Path,
        _ => Place::Header,
    }
}

/// True if a part of a URL holds a token; nearly all are too short for one.
fn holds(part: Option<&str>, value: &str) -> bool {
    part.is_some_and(|part| part.len() >= value.len() && !value.is_empty() && part.contains(value))
}

fn contains_in_any_case(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_formats_and_columns_tell_the_place() {
        let record = Record { path: Some("/v1/orders"), query: Some("page=2"), ..Record::default() };
        for (name, place) in [
            ("header:authorization", Place::Header),
            ("request.headers.Authorization", Place::Header),
            ("headers.x-forwarded-access-token", Place::Header),
            ("header:x-access-token", Place::Header),
            ("cookie:session@/request/headers/cookie", Place::Header),
            ("query:access_token", Place::Query),
            ("query:access_token@/request/url", Place::Query),
            ("query", Place::Query),
            ("path", Place::Path),
            ("query:access_token@/headers/Referer", Place::Referer),
            ("scan:$http_referer", Place::Referer),
            ("form:access_token@request.body", Place::Body),
            ("scan:/requestBody", Place::Body),
            ("scan", Place::Unknown),
            ("scan:message", Place::Unknown),
            ("token", Place::Unknown),
        ] {
            let hit = TokenHit { value: "abc.def.ghi", place: name, ..TokenHit::default() };
            assert_eq!(Place::of(&hit, &record), place, "{name}");
        }
    }

    #[test]
    fn the_url_tells_where_the_name_does_not() {
        let hit = TokenHit { value: "abc.def.ghi", place: "scan", ..TokenHit::default() };
        let path = Record { path: Some("/v1/abc.def.ghi/x"), ..Record::default() };
        let query = Record { query: Some("jwt=abc.def.ghi"), ..Record::default() };
        assert_eq!(Place::of(&hit, &path), Place::Path);
        assert_eq!(Place::of(&hit, &query), Place::Query);
        let header = TokenHit { place: "header:authorization", ..hit };
        assert_eq!(Place::of(&header, &query), Place::Header);
        assert!(Place::Query.holds_as_well(&header, &query) && !Place::Path.holds_as_well(&header, &query));
    }
}
