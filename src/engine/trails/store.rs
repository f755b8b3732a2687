//! Trails as rules see them: what this run saw of a token, and what an earlier one kept of it.

use super::parts::Part;
use super::row::{Row, limit_of};
use super::{Context, Earlier, Trails};
use crate::engine::names::{Name, Names};
use crate::engine::tokens::{TokenNumber, TokenSummary, Tokens};
use crate::redact::Fingerprint;
use crate::rules::trails::{First, Place, STEPS_MAX, Step, Store, Trail, mark_echoes};
use crate::verify::Verdict;

/// What a run, or an earlier one, knows.
#[derive(Clone, Copy)]
pub(super) struct Known<'e> {
    pub(super) names: &'e Names,
    pub(super) tokens: &'e Tokens,
    pub(super) trails: &'e Trails,
    pub(super) earlier: bool,
}

/// See the module. Tokens of this run come first, then those that only the earlier one saw.
pub(in crate::engine) struct TrailStore<'e> {
    pub(super) present: Known<'e>,
    pub(super) past: Option<Known<'e>>,
    /// Numbers of the earlier run's tokens that this run did not see.
    past_only: Vec<TokenNumber>,
    /// True if the run has keys: only what they vouch for is believed then.
    verified: bool,
}

impl<'e> TrailStore<'e> {
    /// `earlier` is what an earlier run kept.
    pub(in crate::engine) fn new(
        names: &'e Names,
        tokens: &'e Tokens,
        trails: &'e Trails,
        earlier: Option<&'e Earlier>,
        verified: bool,
    ) -> Self {
        let present = Known { names, tokens, trails, earlier: false };
        let past = earlier.map(|Earlier { names, tokens, trails, .. }| Known {
            names,
            tokens,
            trails,
            earlier: true,
        });
        let unseen = |(token, number): (&TokenSummary, u32)| {
            tokens.number(token.fingerprint).is_none().then_some(TokenNumber(number))
        };
        let past_only = past.map(|past| past.tokens.summaries().zip(0..).filter_map(unseen).collect());
        Self { present, past, past_only: past_only.unwrap_or_default(), verified }
    }

    /// How many tokens this run saw.
    pub(super) fn present_count(&self) -> u32 {
        u32::try_from(self.present.tokens.len()).unwrap_or(u32::MAX)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.present_count().saturating_add(u32::try_from(self.past_only.len()).unwrap_or(0))
    }

    /// What is known of a token: by this run, by the earlier one, or both.
    pub(super) fn known(&self, number: u32) -> impl Iterator<Item = (Known<'e>, TokenNumber)> {
        let present = (number < self.present_count()).then_some((self.present, TokenNumber(number)));
        let past = self.past.and_then(|past| {
            let number = if let Some((present, number)) = present {
                past.tokens.number(present.tokens.get(number)?.fingerprint)
            } else {
                let at = number.checked_sub(self.present_count())?;
                self.past_only.get(usize::try_from(at).ok()?).copied()
            };
            Some((past, number?))
        });
        present.into_iter().chain(past)
    }

    /// True if the claims of a token may count against others: by what is known of it first, and doubted by none.
    pub(super) fn believes(&self, number: u32) -> bool {
        let mut known = self.known(number).filter_map(|(known, token)| known.tokens.get(token));
        known.next().is_some_and(|token| token.is_believed(self.verified))
            && !known.any(|token| token.doubted)
    }
}

impl<'e> TrailStore<'e> {
    /// The contexts of a token.
    pub(super) fn contexts(&self, number: u32) -> impl Iterator<Item = &'e Context> {
        let of = |(known, token): (Known<'e>, TokenNumber)| known.trails.rows_of(token, known.names);
        self.known(number).flat_map(of).map(|(.., context)| context)
    }

    /// A trail with some of its steps.
    pub(super) fn trail_of(&self, number: u32, parts: impl Iterator<Item = Part>) -> Trail<'_> {
        let mut trail = self.without_steps(number);
        trail.steps.extend(parts.filter_map(|part| {
            let (known, token) = self.known(number).find(|(known, _)| known.earlier == part.earlier)?;
            let (row, context) = known.trails.row(token, usize::from(part.row))?;
            Some(Step { echo: part.echo, ..known.step(part.row, row, context) })
        }));
        trail
    }

    fn without_steps(&self, number: u32) -> Trail<'_> {
        let mut trail = blank();
        for (at, (known, token)) in self.known(number).enumerate() {
            let Some(summary) = known.tokens.get(token) else { continue };
            // Of this run, if it knows the token.
            if at == 0 {
                describe(&mut trail, summary, known.names);
                trail.believed = self.believes(number);
            }
            trail.signed = trail.signed.or(known.trails.signed(token));
        }
        trail
    }
}

impl Store for TrailStore<'_> {
    fn trail(&self, number: u32) -> Trail<'_> {
        let mut trail = self.without_steps(number);
        for (known, token) in self.known(number) {
            let rows = known.trails.rows_of(token, known.names);
            // There are never more than some thousand.
            let number_of = |at| u16::try_from(at).unwrap_or(u16::MAX);
            trail.steps.extend(rows.map(|(at, row, context)| known.step(number_of(at), row, context)));
        }
        mark_echoes(&mut trail.steps);
        trail
    }
}

fn blank<'t>() -> Trail<'t> {
    Trail {
        token: Fingerprint([0; 32]),
        signed: None,
        verdict: Verdict::Opaque,
        believed: false,
        iss: None,
        aud: None,
        tid: None,
        oid: None,
        sub: None,
        client: None,
        uti: None,
        sid: None,
        kid: None,
        app: false,
        iat: None,
        exp: None,
        steps: Vec::new(),
    }
}

fn describe<'e>(trail: &mut Trail<'e>, token: &TokenSummary, names: &'e Names) {
    let text = |name: Option<Name>| names.optional(name);
    let texts = &token.texts;
    trail.token = token.fingerprint;
    trail.verdict = token.verdict;
    trail.iss = text(texts.iss);
    trail.aud = text(texts.aud);
    trail.tid = text(texts.tid);
    trail.oid = text(texts.oid);
    trail.sub = text(texts.sub);
    trail.client = text(texts.client_id);
    trail.uti = text(texts.uti);
    trail.sid = text(texts.sid);
    trail.kid = text(texts.kid).filter(|kid| !kid.is_empty());
    trail.app = is_app(token, names);
    trail.iat = token.iat.seconds();
    trail.exp = token.exp.seconds();
}

/// True for an application's own token.
pub(super) fn is_app(token: &TokenSummary, names: &Names) -> bool {
    token.derived.is_some_and(|(_, kind)| names.text(kind) == "app")
}

impl Trails {
    /// Beginning of the digest of a token's header and payload.
    pub(super) fn signed(&self, token: TokenNumber) -> Option<u64> {
        Some(self.tokens.get(token.at())?.signed).filter(|signed| *signed != 0)
    }

    /// The rows of a token, each with its place for [`Self::row`] and its context; see [`STEPS_MAX`].
    pub(super) fn rows_of(
        &self,
        token: TokenNumber,
        names: &Names,
    ) -> impl Iterator<Item = (usize, &Row, &Context)> {
        let rows = self.tokens.get(token.at()).map_or(&[][..], |token| token.rows.as_slice());
        let limit = if rows.len() > STEPS_MAX {
            limit_of(rows, |number| self.contexts.hash(number, names))
        } else {
            u64::MAX
        };
        let kept = rows
            .iter()
            .enumerate()
            .filter(move |(_, row)| limit == u64::MAX || self.contexts.hash(row.context, names) <= limit);
        kept.filter_map(|(at, row)| Some((at, row, self.contexts.get(row.context)?)))
    }

    /// A row of a token by its place, with its context.
    pub(super) fn row(&self, token: TokenNumber, at: usize) -> Option<(&Row, &Context)> {
        let row = self.tokens.get(token.at())?.rows.as_slice().get(at)?;
        Some((row, self.contexts.get(row.context)?))
    }
}

impl<'e> Known<'e> {
    /// What a row says, which is `number` among those of its token.
    fn step(self, number: u16, row: &'e Row, context: &'e Context) -> Step<'e> {
        let Self { names, earlier, .. } = self;
        let text = |name: Option<Name>| names.optional(name);
        let at = &row.first;
        Step {
            row: number,
            gateway: text(context.gateway),
            api: text(context.api),
            outcome: context.outcome,
            place: context
                .origin
                .map(|origin| Place { network: text(origin.network), prefix: origin.prefix }),
            agent: text(context.agent),
            host: text(context.host),
            principal: text(context.principal),
            marks: context.marks,
            spelling: context.spelling,
            count: row.count,
            undated: row.undated,
            first: First {
                time: at.time().map_or(i64::MAX, |time| time.0),
                source: text(at.source),
                line: at.line(),
                offset: at.offset(),
            },
            spans: row.spans(),
            ids: row.ids(),
            routes: row.routes(),
            earlier,
            echo: false,
        }
    }
}
