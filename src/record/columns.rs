//! Records whose fields come as columns: the same reading of tokens, paths, addresses and codes as in lines.

use super::credential::{self, Found};
use super::draft::ACCESS_TOKEN_PLACE;
use super::query;
use super::{Presence, Record, TokenHit};
use bumpalo::Bump;
use std::collections::HashSet;

/// A value of a column that may hold tokens.
#[derive(Clone, Copy, Debug)]
pub struct TokenField<'a> {
    /// Name for [`TokenHit::place`].
    pub place: &'a str,
    /// The value, with or without a scheme word.
    pub value: &'a str,
}

impl<'a> Record<'a> {
    /// Completes a record whose other fields are set as columns have them: tokens are read from `fields` and, as in every
    /// format, from `access_token` in query and path; the path loses its query, the address its port, and codes that mean
    /// "no response" are dropped.
    #[must_use]
    pub fn completed(mut self, fields: impl Iterator<Item = TokenField<'a>>, arena: &'a Bump) -> Self {
        let url = self.path.map(query::split_url).unwrap_or_default();
        let mut hits: Vec<TokenHit<'a>> = Vec::new();
        let mut presence = Presence::Absent;
        for field in fields {
            take(field, field.value, &mut presence, &mut hits);
        }
        for text in [self.query, self.path].into_iter().flatten() {
            for raw in query::parameters(text, "access_token") {
                let value = query::percent_decoded(raw, arena);
                let whole = if text.ends_with(value) { text } else { "" };
                take(TokenField { place: ACCESS_TOKEN_PLACE, value }, whole, &mut presence, &mut hits);
            }
        }
        self.scheme = self.scheme.or(url.scheme);
        self.host = self.host.or(url.host);
        self.path = url.path;
        self.query = self
            .query
            .map(|text| text.strip_prefix('?').unwrap_or(text))
            .filter(|text| !text.is_empty())
            .or(url.query);
        self.client_ip = self.client_ip.and_then(query::client_ip);
        self.status = self.status.filter(|code| (100..=999).contains(code));
        self.presence = presence;
        if presence == Presence::Present {
            let mut seen = HashSet::new();
            hits.retain(|hit| seen.insert(hit.value));
            self.tokens = arena.alloc_slice_copy(&hits);
        }
        self
    }
}

/// Reads a field; `whole` is the field as it was logged, whose length tells whether a logger cut it.
fn take<'a>(field: TokenField<'a>, whole: &str, presence: &mut Presence, hits: &mut Vec<TokenHit<'a>>) {
    let cut = credential::is_cut_length(whole.len(), None);
    credential::read(field.value, false, &mut |found| {
        *presence = (*presence).min(found.presence());
        if let Found::Token(value, scheme) = found {
            hits.push(TokenHit { value, place: field.place, scheme, at_cut: cut && whole.ends_with(value) });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_like_fields() {
        let arena = Bump::new();
        let token = format!("{}.e30.c2ln", crate::codec::base64url::encode(br#"{"alg":"none"}"#));
        let (bearer, query) = (format!("Bearer {token}"), format!("a=1&access_token={token}"));
        let record = Record {
            path: Some("https://api.contoso.example/v1/x?y=1"),
            query: Some(&query),
            client_ip: Some("203.0.113.7:4711"),
            status: Some(0),
            ..Record::default()
        };
        let field = TokenField { place: "token", value: &bearer };
        let record = record.completed([field].into_iter(), &arena);
        assert_eq!(record.tokens.len(), 1);
        assert_eq!((record.tokens[0].value, record.tokens[0].place), (token.as_str(), "token"));
        assert_eq!((record.host, record.path), (Some("api.contoso.example"), Some("/v1/x")));
        assert_eq!((record.client_ip, record.status), (Some("203.0.113.7"), None));
        let masked = TokenField { place: "token", value: "***" };
        assert_eq!(Record::default().completed([masked].into_iter(), &arena).presence, Presence::Masked);
        assert_eq!(Record::default().completed([].into_iter(), &arena).presence, Presence::Absent);
    }
}
