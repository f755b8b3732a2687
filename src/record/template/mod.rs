//! Text lines written by a template: literals and fields in turn, as nginx and Apache write them.

mod apache;
mod binding;
mod directive;
mod escape;
mod nginx;
mod structured;

pub(super) use binding::{Binding, Piece, Variable};
pub(super) use directive::{apache_named, apache_text, nginx_named, nginx_text};
pub(super) use escape::{Escapes, as_text};
pub(super) use structured::{Member, members};

use super::credential;
use super::draft::{Draft, Field, Scalar, Target};
use super::errors::{Problem, TemplateProblem};
use super::{Reject, Unit};
use crate::codec::json::marks::Vectors;

/// Gateway whose notation a template uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Nginx,
    Apache,
}

/// The literals and variables of a template, variables that form one value joined.
pub(super) fn pieces(dialect: Dialect, text: &str) -> Result<Vec<Piece>, Problem> {
    let pieces = match dialect {
        Dialect::Nginx => nginx::pieces(text),
        Dialect::Apache => apache::pieces(text),
    }?;
    if pieces.iter().any(|piece| matches!(piece, Piece::Variable(_))) {
        return Ok(pieces);
    }
    Err(problem(0, TemplateProblem::NoField))
}

pub(super) fn problem(at: usize, why: TemplateProblem) -> Problem {
    Problem::Template { column: at + 1, why }
}

/// A compiled template.
#[derive(Debug)]
pub(super) struct Template {
    before: String,
    fields: Vec<TemplateField>,
    escapes: Escapes,
}

/// A field and the literal behind it.
#[derive(Debug)]
pub(super) struct TemplateField {
    targets: Vec<(Target, u16)>,
    after: String,
    end: FieldEnd,
}

/// How the end of a field is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldEnd {
    /// At the next literal, skipping as many as the value itself holds.
    Literal { skip: usize },
    /// At the closing quote.
    Quote,
    /// At the closing bracket if it begins with one.
    Bracket,
    /// At the next literal that does not follow the comma or colon of an upstream list.
    List,
}

impl Template {
    /// Compiles pieces whose variables have been given targets.
    ///
    /// # Errors
    ///
    /// Two variables without text between them.
    pub(super) fn compile(
        pieces: &[Piece],
        escapes: Escapes,
        targets: &mut dyn FnMut(&Variable) -> Vec<(Target, u16)>,
    ) -> Result<Self, Problem> {
        let mut template = Self { before: String::new(), fields: Vec::new(), escapes };
        let mut last_was_field = false;
        for piece in pieces {
            match piece {
                Piece::Literal(text) => {
                    template.last_literal().push_str(text);
                    last_was_field &= text.is_empty();
                }
                Piece::Variable(variable) => {
                    if last_was_field {
                        return Err(problem(
                            variable.column,
                            TemplateProblem::Adjacent(variable.name.clone()),
                        ));
                    }
                    last_was_field = true;
                    let quoted = template.last_literal().ends_with('"');
                    let end = match variable {
                        _ if quoted => FieldEnd::Quote,
                        Variable { bracketed: true, .. } => FieldEnd::Bracket,
                        Variable { list: true, .. } => FieldEnd::List,
                        Variable { format, .. } => FieldEnd::Literal { skip: format.matches(' ').count() },
                    };
                    template.fields.push(TemplateField {
                        targets: targets(variable),
                        after: String::new(),
                        end,
                    });
                }
            }
        }
        for field in &mut template.fields {
            if field.end == FieldEnd::Quote && !field.after.starts_with('"') {
                field.end = FieldEnd::Literal { skip: 0 };
            }
            if field.after != " " && matches!(field.end, FieldEnd::Literal { skip: 1.. }) {
                field.end = FieldEnd::Literal { skip: 0 };
            }
        }
        Ok(template)
    }

    fn last_literal(&mut self) -> &mut String {
        match self.fields.last_mut() {
            Some(field) => &mut field.after,
            None => &mut self.before,
        }
    }

    /// Reads one line.
    pub(super) fn read<'a>(
        &'a self,
        unit: &'a [u8],
        vectors: Option<Vectors>,
        draft: &mut Draft<'a, '_>,
    ) -> Result<Unit, Reject> {
        if unit.trim_ascii().is_empty() {
            return Ok(Unit::Ignored);
        }
        let (text, plain) = escape::as_plain_text(unit, vectors, draft.arena, &mut draft.repaired);
        if !self.matches(text, plain, draft) {
            return if text.starts_with('#') { Ok(Unit::Ignored) } else { Err(Reject::NoMatch) };
        }
        Ok(if draft.is_skipped() { Unit::Ignored } else { Unit::Record })
    }

    /// Reads a text; false if the template does not match it.
    pub(super) fn read_text<'a>(&'a self, text: &'a str, draft: &mut Draft<'a, '_>) -> bool {
        self.matches(text, memchr::memchr(b'\\', text.as_bytes()).is_none(), draft)
    }

    /// [`Template::read_text`] for a text of which is known whether it is `plain`, that is, holds no backslash.
    fn matches<'a>(&'a self, text: &'a str, plain: bool, draft: &mut Draft<'a, '_>) -> bool {
        // Values of a plain text are as the client sent them.
        let escapes = if plain { Escapes::None } else { self.escapes };
        let Some(mut rest) = text.strip_prefix(self.before.as_str()) else { return false };
        let length = text.len();
        for (at, field) in self.fields.iter().enumerate() {
            let is_last = at + 1 == self.fields.len();
            let found = if is_last && field.after.is_empty() {
                Some((rest, ""))
            } else {
                field.split(rest, self.escapes, plain)
            };
            if let Some((raw, behind)) = found {
                let line_end = behind.is_empty().then_some(length);
                let line_end = line_end.filter(|_| is_last && field.after.is_empty());
                if !field.targets.is_empty() {
                    field.deliver(raw, escapes, line_end, draft);
                }
                rest = behind;
            } else {
                // A line that ends inside of a field was cut, or is no line of this template.
                if at == 0 || !credential::is_cut_length(length, draft.shape.line_limit) {
                    return false;
                }
                field.deliver(rest, escapes, Some(length), draft);
                return true;
            }
        }
        rest.is_empty()
    }
}

impl TemplateField {
    /// Gives a value to whom it is for; `line_end` as in [`Field`].
    fn deliver<'a>(
        &self,
        raw: &'a str,
        escapes: Escapes,
        line_end: Option<usize>,
        draft: &mut Draft<'a, '_>,
    ) {
        let text = escapes.decoded(raw, draft.arena, &mut draft.repaired);
        for (target, rank) in &self.targets {
            match target {
                Target::Role(role) => draft.offer(*role, Scalar::Text(text), *rank, 0),
                Target::Token(source) => {
                    draft.take_field(*source, Field { text, length: raw.len(), line_end });
                }
                Target::Condition(condition) => {
                    let there = (!credential::is_absent(text)).then_some(Scalar::Text(text));
                    if there.is_some() {
                        draft.test(*condition, there);
                    }
                }
                Target::Composite(_) => {}
            }
        }
    }

    /// The field's value and what is behind its literal. `plain` texts hold no backslash.
    fn split<'t>(&self, text: &'t str, escapes: Escapes, plain: bool) -> Option<(&'t str, &'t str)> {
        let end = match self.end {
            FieldEnd::Quote => escapes.closing_quote(text, &self.after, plain)?,
            FieldEnd::Bracket if text.starts_with('[') => {
                let end = memchr::memchr(b']', text.as_bytes())? + 1;
                begins_with(text.as_bytes().get(end..)?, self.after.as_bytes()).then_some(end)?
            }
            FieldEnd::Bracket | FieldEnd::Literal { skip: 0 } => literal_in(text, &self.after)?,
            FieldEnd::Literal { skip } => literals_in(text, &self.after).nth(skip)?,
            FieldEnd::List => literals_in(text, &self.after).find(|end| !in_list(text, *end))?,
        };
        Some((text.get(..end)?, text.get(end + self.after.len()..)?))
    }
}

/// Where a byte is first found: most fields are so short that a search with vectors would take longer to begin.
#[inline]
fn find(byte: u8, text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let Some(near) = text.first_chunk::<16>() else { return memchr::memchr(byte, text) };
    for (eight, start) in near.as_chunks::<8>().0.iter().zip([0, 8]) {
        // The lowest byte that is zero now has the lowest bit, whatever is above it.
        let others = u64::from_le_bytes(*eight) ^ (ONES * u64::from(byte));
        let found = others.wrapping_sub(ONES) & !others & (ONES << 7);
        if found != 0 {
            return Some(start + usize::try_from(found.trailing_zeros() / 8).ok()?);
        }
    }
    memchr::memchr(byte, text.get(16..)?).map(|at| 16 + at)
}

/// Where a literal is first found. It nearly always follows within a few bytes, so that its first byte finds it before a
/// searcher for all of it would have been made.
fn literal_in(text: &str, literal: &str) -> Option<usize> {
    let (bytes, literal) = (text.as_bytes(), literal.as_bytes());
    let Some(first) = literal.first() else { return Some(0) };
    let mut from = 0;
    loop {
        let at = from + find(*first, bytes.get(from..)?)?;
        if begins_with(bytes.get(at..)?, literal) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// `starts_with` for literals of a few bytes, which are compared before a general comparison would have been called.
fn begins_with(text: &[u8], literal: &[u8]) -> bool {
    text.len() >= literal.len() && text.iter().zip(literal).all(|(byte, wanted)| byte == wanted)
}

/// Every place where a literal is found, behind the one before.
fn literals_in(text: &str, literal: &str) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + literal_in(text.get(from..)?, literal)?;
        from = at + literal.len().max(1);
        Some(at)
    })
}

/// True if the text up to here ends inside of `a, b : c`, as nginx lists upstreams.
fn in_list(text: &str, end: usize) -> bool {
    let (before, after) = text.as_bytes().split_at_checked(end).unwrap_or_default();
    matches!(before, [.., b',' | b':']) || matches!(after, [b' ', b':', b' ', ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::draft::{RawToken, Role};
    use crate::record::shape::{DurationUnit, Shape, TimeForm, TimeRule};
    use bumpalo::Bump;

    fn shape(line_limit: Option<usize>) -> Shape {
        let time =
            TimeRule { form: TimeForm::Auto, is: crate::record::TimeIs::End, zone: crate::time::Zone::Utc };
        Shape {
            sources: Vec::new(),
            conditions: Vec::new(),
            time,
            duration: DurationUnit::Seconds,
            line_limit,
            field_limit: None,
            caddy_masks: false,
        }
    }

    /// Maps every variable that binds to a role and nothing else.
    fn compile(dialect: Dialect, text: &str, escapes: Escapes) -> Result<Template, Problem> {
        Template::compile(&pieces(dialect, text)?, escapes, &mut |variable| {
            let roles = variable.bindings.iter().filter_map(|binding| match binding {
                Binding::Role(role, rank) => Some((Target::Role(*role), *rank)),
                Binding::Time { .. } => Some((Target::Role(Role::Time), 0)),
                _ => None,
            });
            roles.collect()
        })
    }

    fn role(template: &Template, shape: &Shape, line: &[u8], wanted: Role) -> Option<String> {
        let arena = Bump::new();
        let mut tokens: Vec<RawToken<'_>> = Vec::new();
        let mut draft = Draft::new(shape, &arena, &mut tokens);
        template.read(line, Vectors::detect(), &mut draft).ok()?;
        draft.text(wanted).map(str::to_owned)
    }

    #[test]
    fn nginx_lines_are_matched_to_their_end() {
        let text = r#"$remote_addr - $remote_user [$time_local] "$request" $status "$http_user_agent" $upstream_addr $request_id"#;
        let template = compile(Dialect::Nginx, text, Escapes::Nginx).unwrap();
        let shape = shape(None);
        let line = br#"203.0.113.7 - a b [22/Nov/2026:10:34:27 +0000] "GET /x HTTP/1.1" 200 "a\x22b\xC3\xA9" 10.0.4.7:80, 10.0.4.8:80 : 10.0.4.9:80 6f0c"#;
        let read = |wanted| role(&template, &shape, line, wanted);
        assert_eq!(read(Role::ClientIp).as_deref(), Some("203.0.113.7"));
        assert_eq!(read(Role::Time).as_deref(), Some("22/Nov/2026:10:34:27 +0000"));
        assert_eq!(read(Role::UserAgent).as_deref(), Some("a\"b\u{e9}"));
        assert_eq!(read(Role::RequestId).as_deref(), Some("6f0c"));
        assert_eq!(role(&template, &shape, b"something else", Role::Status), None);
    }

    #[test]
    fn apache_quotes_are_escaped_by_backslashes() {
        let text = r#"%a %l %u %t \"%r\" %>s \"%{User-Agent}i\" %D"#;
        let template = compile(Dialect::Apache, text, Escapes::Apache).unwrap();
        let shape = shape(None);
        let line =
            br#"203.0.113.7 - - [22/Nov/2026:10:34:27 +0000] "GET /x HTTP/1.1" 200 "a\"b\\\xc3\xa9" 43112"#;
        assert_eq!(role(&template, &shape, line, Role::UserAgent).as_deref(), Some("a\"b\\\u{e9}"));
        assert_eq!(
            role(&template, &shape, line, Role::Time).as_deref(),
            Some("[22/Nov/2026:10:34:27 +0000]")
        );
    }

    #[test]
    fn adjacent_fields_are_refused_where_they_stand() {
        let refused = compile(Dialect::Nginx, "$status$request_time x", Escapes::Nginx).unwrap_err();
        assert_eq!(refused, problem(7, TemplateProblem::Adjacent("$request_time".to_owned())));
        assert!(compile(Dialect::Apache, "%s%D", Escapes::Apache).is_err());
        assert!(compile(Dialect::Nginx, "nothing", Escapes::Nginx).is_err());
        assert!(compile(Dialect::Nginx, "$uri$is_args$args $status", Escapes::Nginx).is_ok());
    }

    #[test]
    fn a_line_of_the_declared_length_may_end_inside_a_field() {
        let template = compile(Dialect::Nginx, r#"$status "$request" $request_id"#, Escapes::Nginx).unwrap();
        let line = br#"200 "GET /x"#;
        assert_eq!(role(&template, &shape(Some(line.len())), line, Role::Request).as_deref(), Some("GET /x"));
        assert_eq!(role(&template, &shape(None), line, Role::Request), None);
    }

    proptest::proptest! {
        #[test]
        fn bytes_are_found_wherever_they_are(text: Vec<u8>, byte: u8, at in 0..40_usize) {
            for byte in [byte, text.get(at).copied().unwrap_or(byte)] {
                proptest::prop_assert_eq!(find(byte, &text), text.iter().position(|other| *other == byte));
            }
        }

        #[test]
        fn literals_are_found_as_the_standard_library_finds_them(text in "[ab\u{e9}]{0,12}", literal in "[ab\u{e9}]{1,3}") {
            let found: Vec<usize> = text.match_indices(&literal).map(|(at, _)| at).collect();
            proptest::prop_assert_eq!(literal_in(&text, &literal), found.first().copied());
            proptest::prop_assert_eq!(literals_in(&text, &literal).collect::<Vec<_>>(), found);
        }

        #[test]
        fn no_template_and_no_line_panics(text in "[$%a-z{}\"\\\\ :\\[\\]]{0,30}", line in "\\PC{0,40}") {
            for (dialect, escapes) in [(Dialect::Nginx, Escapes::Nginx), (Dialect::Nginx, Escapes::Json), (Dialect::Apache, Escapes::Apache)] {
                if let Ok(template) = compile(dialect, &text, escapes) {
                    let _ = role(&template, &shape(None), line.as_bytes(), Role::Status);
                }
                let _ = members(&pieces(dialect, &text).unwrap_or_default());
            }
        }
    }
}
