//! From a written format to one that reads.

use super::TimeIs;
use super::draft::{Role, Target};
use super::errors::{Located, Problem};
use super::format::Reader;
use super::json::JsonPlan;
use super::path::{Path, Segment};
use super::shape::{Condition, DurationUnit, How, Shape, Source, TimeForm, TimeRule};
use super::spec::{Is, Kind, OneOrMany, Paths, Spec, TimeTable};
use super::template::{Binding, Dialect, Escapes, Member, Piece, Template, Variable, members, pieces};
use crate::time::Zone;
use crate::time::parse;
use std::ops::Range;
use toml::Spanned;

/// A compiled format.
pub(super) struct Compiled {
    pub(super) shape: Shape,
    pub(super) reader: Reader,
    /// What a user should know about it.
    pub(super) notices: Vec<String>,
}

/// The text of a template and how its values are escaped.
pub(super) struct TemplateText {
    pub(super) text: String,
    pub(super) escapes: Escapes,
}

/// Compiles a format; `whole` is its place in the file, `template` the text that it writes or refers to.
pub(super) fn compile(
    spec: &Spec,
    template: Option<TemplateText>,
    whole: &Range<usize>,
) -> Result<Compiled, Located> {
    let kind = spec.kind.unwrap_or(Kind::Json);
    let time = spec.time.as_ref().map(super::spec::TimeSpec::table).unwrap_or_default();
    let unit = spec.duration.as_ref().and_then(|duration| duration.table().unit);
    let duration = match &unit {
        Some(unit) => DurationUnit::named(unit.get_ref()).ok_or_else(|| at(unit, Problem::Unit))?,
        None => DurationUnit::Millis,
    };
    let is_default = if kind == Kind::Scan { TimeIs::End } else { TimeIs::Start };
    let shape = Shape {
        sources: Vec::new(),
        conditions: Vec::new(),
        time: time_rule(&time, is_default)?,
        duration,
        line_limit: spec.line_limit,
        field_limit: spec.field_limit,
        caddy_masks: spec.caddy_masks.unwrap_or(false),
    };
    let mut work = Work {
        spec,
        shape,
        unit_is_given: unit.is_some(),
        time,
        whole,
        time_column: None,
        duration_column: None,
    };
    let reader = match (kind, template) {
        (Kind::Json, None) => work.json()?,
        (Kind::Scan, None) => work.scan(),
        (Kind::Json | Kind::Scan, Some(_)) => return Err(Problem::Misplaced("template").at(whole.clone())),
        (Kind::Nginx | Kind::Apache, None) => return Err(Problem::Missing("template").at(whole.clone())),
        (Kind::Nginx, Some(template)) => work.template(Dialect::Nginx, &template)?,
        (Kind::Apache, Some(template)) => work.template(Dialect::Apache, &template)?,
    };
    let notices = work.notices();
    Ok(Compiled { shape: work.shape, reader, notices })
}

struct Work<'s> {
    spec: &'s Spec,
    shape: Shape,
    unit_is_given: bool,
    time: TimeTable,
    whole: &'s Range<usize>,
    /// Where in the template the most precise time begins.
    time_column: Option<usize>,
    /// Likewise the duration.
    duration_column: Option<usize>,
}

/// Shorthand for a problem about a text of the file.
fn at(text: &Spanned<String>, problem: impl FnOnce(String) -> Problem) -> Located {
    problem(text.get_ref().clone()).at(text.span())
}

fn time_rule(table: &TimeTable, is_default: TimeIs) -> Result<TimeRule, Located> {
    let form = match &table.form {
        Some(name) => TimeForm::named(name.get_ref()).ok_or_else(|| at(name, Problem::TimeForm))?,
        None => TimeForm::Auto,
    };
    let zone = match &table.zone {
        Some(name) => Zone::named(name.get_ref()).ok_or_else(|| at(name, Problem::Zone))?,
        None if table.assume_utc == Some(true) => Zone::Utc,
        None => Zone::Assumed,
    };
    let is = match table.is {
        Some(Is::Start) => TimeIs::Start,
        Some(Is::End) => TimeIs::End,
        None => is_default,
    };
    Ok(TimeRule { form, is, zone })
}

/// Every role that a format may map, with its written paths.
fn roles<'s>(spec: &'s Spec, time: &'s TimeTable) -> impl Iterator<Item = (Role, &'s Paths)> {
    [
        (Role::Time, &time.path),
        (Role::Status, &spec.status),
        (Role::Method, &spec.method),
        (Role::Scheme, &spec.scheme),
        (Role::Host, &spec.host),
        (Role::Path, &spec.path),
        (Role::Query, &spec.query),
        (Role::Url, &spec.url),
        (Role::Request, &spec.request),
        (Role::Route, &spec.route),
        (Role::ClientIp, &spec.client_ip),
        (Role::UserAgent, &spec.user_agent),
        (Role::RequestId, &spec.request_id),
        (Role::Principal, &spec.principal),
        (Role::DataTenant, &spec.data_tenant),
        (Role::Location, &spec.location),
        (Role::GrpcStatus, &spec.grpc_status),
        (Role::Upstream, &spec.upstream),
    ]
    .into_iter()
    .filter_map(|(role, paths)| Some((role, paths.as_ref()?)))
}

/// The items of a list, each with its rank and its place in the file.
fn ranked(paths: &Paths) -> impl Iterator<Item = (u16, &str, Range<usize>)> {
    let whole = paths.span();
    paths.get_ref().iter().zip(0_u16..).map(move |(path, rank)| {
        // A text that stands alone has only the place of the whole value.
        let span = if path.span().is_empty() { whole.clone() } else { path.span() };
        (rank, path.get_ref().as_str(), span)
    })
}

impl Work<'_> {
    fn json(&mut self) -> Result<Reader, Located> {
        let mut plan = JsonPlan::default();
        for (role, paths) in roles(self.spec, &self.time) {
            for (rank, text, span) in ranked(paths) {
                let path = Path::parse(text).map_err(|problem| problem.at(span))?;
                plan.trie.insert(&path, Target::Role(role), rank);
            }
        }
        let duration = self.spec.duration.as_ref().and_then(|duration| duration.table().path);
        for (rank, text, span) in duration.iter().flat_map(ranked) {
            let path = Path::parse(text).map_err(|problem| problem.at(span))?;
            plan.trie.insert(&path, Target::Role(Role::Duration), rank);
        }
        for (_, text, span) in self.spec.token.iter().flat_map(ranked) {
            let (how, path) = token_source(text).map_err(|problem| problem.at(span))?;
            let source = self.source(Source { label: text.to_owned(), how });
            plan.trie.insert(&path, source, 0);
        }
        for skip in self.skips() {
            let path = Path::parse(skip.get_ref()).map_err(|problem| problem.at(skip.span()))?;
            let condition = Target::Condition(self.shape.conditions.len());
            self.condition();
            plan.trie.insert(&path, condition, 0);
        }
        if plan.trie.root().is_none() {
            return Err(Problem::Missing("token").at(self.whole.clone()));
        }
        Ok(Reader::Json(Box::new(plan)))
    }

    fn scan(&mut self) -> Reader {
        self.source(Source { label: "scan".to_owned(), how: How::Scan });
        Reader::Scan
    }

    fn source(&mut self, source: Source) -> Target {
        self.shape.sources.push(source);
        Target::Token(self.shape.sources.len() - 1)
    }

    fn skips(&self) -> Vec<Spanned<String>> {
        self.spec.skip_if.iter().flat_map(OneOrMany::iter).map(|skip| skip.path.clone()).collect()
    }

    /// Adds the next condition of `skip_if`.
    fn condition(&mut self) {
        let next = self.shape.conditions.len();
        let skip = self.spec.skip_if.iter().flat_map(OneOrMany::iter).nth(next);
        self.shape.conditions.extend(skip.map(|skip| Condition {
            equals: skip.equals.clone(),
            not_equals: skip.not_equals.clone(),
            prefix: skip.prefix.clone(),
            suffix: skip.suffix.clone(),
            contains: skip.contains.clone(),
            absent: skip.absent,
        }));
    }

    fn template(&mut self, dialect: Dialect, template: &TemplateText) -> Result<Reader, Located> {
        let written = self.spec.template.as_ref().map_or(self.whole.clone(), Spanned::span);
        let pieces = pieces(dialect, &template.text).map_err(|problem| problem.at(written.clone()))?;
        self.time_and_duration(&pieces);
        let own = self.own_variables(&pieces)?;
        if let Some(members) = members(&pieces).map_err(|problem| problem.at(written.clone()))? {
            return Ok(Reader::Json(Box::new(self.structured(&members, &own))));
        }
        let template =
            Template::compile(&pieces, template.escapes, &mut |variable| self.targets(variable, &own))
                .map_err(|problem| problem.at(written))?;
        Ok(Reader::Template(Box::new(template)))
    }

    /// A template that writes JSON: its keys are the paths.
    fn structured(&mut self, members: &[Member], own: &[(String, Target)]) -> JsonPlan {
        let mut plan = JsonPlan::default();
        for member in members {
            let path =
                Path { segments: member.path.iter().cloned().map(Segment::Key).collect(), literal: None };
            if let [Piece::Variable(variable)] = member.pieces.as_slice() {
                for (target, rank) in self.targets(variable, own) {
                    plan.trie.insert(&path, target, rank);
                }
                continue;
            }
            // Texts of several fields are read where they can be; where they cannot, the other members still are.
            let composite =
                Template::compile(&member.pieces, Escapes::None, &mut |variable| self.targets(variable, own));
            if let Ok(template) = composite {
                plan.trie.insert(&path, Target::Composite(plan.composites.len()), 0);
                plan.composites.push(template);
            }
        }
        plan
    }

    /// Takes the most precise time and duration of a template.
    fn time_and_duration(&mut self, pieces: &[Piece]) {
        let bindings = || {
            variables(pieces).flat_map(|variable| variable.bindings.iter().map(|one| (variable.column, one)))
        };
        let times = bindings().filter_map(|(column, binding)| match binding {
            Binding::Time { form, is, precision } => Some((*precision, column, form, *is)),
            _ => None,
        });
        if let Some((_, column, form, is)) = times.max_by_key(|(precision, ..)| *precision) {
            self.time_column = Some(column);
            if self.time.form.is_none() && self.time.path.is_none() {
                self.shape.time.form = form.clone();
            }
            if self.time.is.is_none() {
                self.shape.time.is = is;
            }
        }
        let durations = bindings().filter_map(|(column, binding)| match binding {
            Binding::Duration { unit, precision } => Some((*precision, column, *unit)),
            _ => None,
        });
        if let Some((_, column, unit)) = durations.max_by_key(|(precision, ..)| *precision) {
            self.duration_column = Some(column);
            if !self.unit_is_given {
                self.shape.duration = unit;
            }
        }
    }

    /// The roles, token sources and conditions that the format gives to variables by name.
    fn own_variables(&mut self, pieces: &[Piece]) -> Result<Vec<(String, Target)>, Located> {
        let mut own = Vec::new();
        let known = |text: &str, span: Range<usize>| {
            let found = variables(pieces)
                .find(|variable| variable.name == text || variable.name == format!("${text}"));
            found
                .map(|variable| variable.name.clone())
                .ok_or_else(|| Problem::NoSuchVariable(text.to_owned()).at(span))
        };
        let duration = self.spec.duration.as_ref().and_then(|duration| duration.table().path);
        let mapped = roles(self.spec, &self.time).chain(duration.iter().map(|paths| (Role::Duration, paths)));
        for (role, paths) in mapped {
            for (_, text, span) in ranked(paths) {
                own.push((known(text, span)?, Target::Role(role)));
            }
        }
        for (_, text, span) in self.spec.token.iter().flat_map(ranked) {
            let (how, name) = prefixed(text).map_err(|problem| problem.at(span.clone()))?;
            let name = known(name, span)?;
            self.shape.sources.push(Source { label: text.to_owned(), how });
            own.push((name, Target::Token(self.shape.sources.len() - 1)));
        }
        for skip in self.skips() {
            own.push((known(skip.get_ref(), skip.span())?, Target::Condition(self.shape.conditions.len())));
            self.condition();
        }
        Ok(own)
    }

    fn targets(&mut self, variable: &Variable, own: &[(String, Target)]) -> Vec<(Target, u16)> {
        let named: Vec<(Target, u16)> =
            own.iter().filter(|(name, _)| *name == variable.name).map(|(_, target)| (*target, 0)).collect();
        let mapped = |role| own.iter().any(|(_, target)| *target == Target::Role(role));
        let tokens_are_named = named.iter().any(|(target, _)| matches!(target, Target::Token(_)));
        let mut targets = named;
        for binding in &variable.bindings {
            match binding {
                Binding::Role(role, rank) if !mapped(*role) => targets.push((Target::Role(*role), rank + 1)),
                Binding::Time { .. } if self.time_column == Some(variable.column) && !mapped(Role::Time) => {
                    targets.push((Target::Role(Role::Time), 1));
                }
                Binding::Duration { .. }
                    if self.duration_column == Some(variable.column) && !mapped(Role::Duration) =>
                {
                    targets.push((Target::Role(Role::Duration), 1));
                }
                Binding::Token(source) if !tokens_are_named => targets.push((self.source(source.clone()), 0)),
                _ => {}
            }
        }
        targets
    }

    fn notices(&self) -> Vec<String> {
        let zoneless = match &self.shape.time.form {
            TimeForm::Strftime(format) => !parse::strftime_names_a_zone(format),
            _ => self
                .time
                .form
                .as_ref()
                .is_some_and(|form| matches!(form.get_ref().as_str(), "haproxy" | "log4j")),
        };
        if zoneless && matches!(self.shape.time.zone, Zone::Assumed) {
            return vec![super::format::ZONE_NOTICE.to_owned()];
        }
        Vec::new()
    }
}

fn variables(pieces: &[Piece]) -> impl Iterator<Item = &Variable> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Variable(variable) => Some(variable),
        Piece::Literal(_) => None,
    })
}

fn token_source(text: &str) -> Result<(How, Path), Problem> {
    let (how, path) = prefixed(text)?;
    Ok((how, Path::parse(path)?))
}

/// Splits `header:NAME@path` and its kin; a text without prefix is a path.
fn prefixed(text: &str) -> Result<(How, &str), Problem> {
    let Some((prefix, rest)) =
        text.split_once(':').filter(|(prefix, _)| prefix.bytes().all(|byte| byte.is_ascii_lowercase()))
    else {
        return Ok((How::Value, text));
    };
    if prefix == "scan" {
        return Ok((How::Scan, rest));
    }
    let wrong = || Problem::TokenSource(text.to_owned());
    let (name, path) =
        rest.split_once('@').filter(|(name, path)| !name.is_empty() && !path.is_empty()).ok_or_else(wrong)?;
    let how = match prefix {
        "header" => How::Header(name.to_owned()),
        "cookie" => How::Cookie(name.to_owned()),
        "query" | "form" => How::Query(name.to_owned()),
        _ => return Err(wrong()),
    };
    Ok((how, path))
}
