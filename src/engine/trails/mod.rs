//! Trails so far: for each token of a partial the distinct contexts that it was used in.
//!
//! A use that repeats the token's last context is a compare and an update. Trails merge by union; all limits keep what is
//! least by a hash that is the same everywhere, so that results do not depend on how the input was cut.

mod groups;
mod hash;
mod parts;
mod row;
mod state;
mod store;

pub(super) use groups::Judged;
pub(super) use hash::{quick, short};
pub use state::Earlier;
pub(super) use state::state_table;
pub(super) use store::TrailStore;

use super::entry::Entry;
use super::names::{Name, Names, Translation};
use super::places::{Places, index};
use super::segments::Segments;
use super::tokens::TokenNumber;
use super::write::Place;
use crate::facts::{Facts, Outcome};
use crate::policy::Policy;
use crate::redact;
use crate::rules::trails::{Marks, Prefix, family, normal_principal, takes_mutable_claim};
use aws_lc_rs::digest;
use hashbrown::HashMap;
use row::{Row, Rows, Used};
use std::fmt;
use std::net::IpAddr;

/// Addresses, principals and user agents that are remembered with what they stand for; then they are looked at anew.
const REMEMBERED_MAX: usize = 1 << 16;
/// Longest user agent that is remembered, in bytes; a browser's has some 120.
const AGENT_BYTES_MAX: usize = 256;

/// A context of a partial by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct ContextNumber(u32);

impl ContextNumber {
    fn at(self) -> usize {
        index(self.0)
    }
}

/// What tells uses of a token apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(super) struct Context {
    gateway: Option<Name>,
    api: Option<Name>,
    host: Option<Name>,
    agent: Option<Name>,
    principal: Option<Name>,
    origin: Option<Origin>,
    spelling: u32,
    marks: Marks,
    outcome: Outcome,
}

/// Where requests come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
struct Origin {
    network: Option<Name>,
    prefix: Prefix,
}

impl Context {
    /// The same context in another partial's numbers.
    fn translated(self, names: &Translation) -> Self {
        let origin = |origin: Origin| Origin { network: names.optional(origin.network), ..origin };
        Self {
            gateway: names.optional(self.gateway),
            api: names.optional(self.api),
            host: names.optional(self.host),
            agent: names.optional(self.agent),
            principal: names.optional(self.principal),
            origin: self.origin.map(origin),
            ..self
        }
    }

    /// A number that is the same in every partial; nobody can choose it.
    fn hash(&self, names: &Names) -> u64 {
        self.hash_with(names.optional(self.agent), names.optional(self.principal), names)
    }

    /// The same with another user agent and principal, which need no numbers for it.
    fn hash_with(&self, agent: Option<&str>, principal: Option<&str>, names: &Names) -> u64 {
        let Self { gateway, api, host, origin, spelling, marks, outcome, .. } = *self;
        let mut digest = digest::Context::new(&digest::SHA256);
        let text = |name: Option<Name>| names.optional(name);
        let network = text(origin.and_then(|origin| origin.network));
        for text in [text(gateway), text(api), text(host), agent, principal, network] {
            digest.update(&text.map_or(usize::MAX, str::len).to_le_bytes());
            digest.update(text.unwrap_or_default().as_bytes());
        }
        let prefix = origin.map(|origin| origin.prefix.to_string()).unwrap_or_default();
        digest.update(format!("{prefix} {spelling} {} {}", marks.bits(), outcome.name()).as_bytes());
        digest.finish().as_ref().iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
    }

    /// True for the same context, but for what its principal makes of it.
    fn repeats(&self, other: &Self) -> bool {
        let plain = |marks: Marks| marks.without(Marks::MUTABLE_PRINCIPAL);
        Self { marks: plain(self.marks), ..*self } == Self { marks: plain(other.marks), ..*other }
    }
}

/// Distinct contexts by number.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    places: Places,
    list: Segments<Context>,
}

impl Contexts {
    fn get(&self, number: ContextNumber) -> Option<&Context> {
        self.list.get(number.at())
    }

    fn number(&mut self, context: Context) -> ContextNumber {
        let hash = self.places.hash(&context);
        let known = self.places.find(hash, |at| self.list.get(at) == Some(&context));
        ContextNumber(known.unwrap_or_else(|| {
            let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
            self.places.insert(hash, number);
            self.list.push(context);
            number
        }))
    }

    /// See [`Context::hash`].
    pub(super) fn hash(&self, number: ContextNumber, names: &Names) -> u64 {
        self.get(number).map_or(u64::MAX, |context| context.hash(names))
    }
}

/// What is kept of a token.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct TokenRows {
    /// Beginning of the digest of header and payload; 0 where there are no three parts that decode.
    signed: u64,
    rows: Rows,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Trails {
    contexts: Contexts,
    /// By number of the token.
    tokens: Segments<TokenRows>,
    /// Where addresses belong.
    origins: HashMap<Name, Option<Origin>>,
    /// Normal forms of principals.
    principals: HashMap<Name, Name>,
    agents: Agents,
}

/// Families of user agents.
#[derive(Default)]
struct Agents(HashMap<Box<str>, Name>);

impl fmt::Debug for Agents {
    /// Never a text: it stands here as it was sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agents").field("known", &self.0.len()).finish()
    }
}

/// A use on its way into the trails.
pub(super) struct Observed<'o, 'p> {
    pub(super) facts: &'o Facts<'o>,
    pub(super) entry: &'o Entry,
    pub(super) place: &'o Place<'p>,
    /// What is known of the use.
    pub(super) marks: Marks,
}

impl Trails {
    /// Takes a use into account; gives its context, if it is kept.
    pub(super) fn observe(
        &mut self,
        token: TokenNumber,
        observed: &Observed<'_, '_>,
        names: &mut Names,
    ) -> Option<ContextNumber> {
        self.make_room(token);
        if self.drops(token, observed, names) {
            return None;
        }
        let known = self.tokens.get(token.at()).and_then(|token| token.rows.last());
        let last = known.and_then(|number| self.contexts.get(number).copied());
        let mut context = self.context(observed, last.as_ref(), names);
        let repeated = known.filter(|_| last.is_some_and(|last| last.repeats(&context)));
        let number = repeated.unwrap_or_else(|| {
            if context.principal.is_some() && takes_mutable_claim(observed.facts) {
                context.marks = context.marks.with(Marks::MUTABLE_PRINCIPAL);
            }
            self.contexts.number(context)
        });
        self.add(token, number, observed, names);
        Some(number)
    }

    /// Takes a use in a known context into account.
    pub(super) fn add(
        &mut self,
        token: TokenNumber,
        context: ContextNumber,
        observed: &Observed<'_, '_>,
        names: &Names,
    ) {
        let Self { contexts, tokens, .. } = self;
        if let Some(rows) = tokens.get_mut(token.at()) {
            rows.signed = observed.entry.kept.signed;
            let row = Row::of(context, used(observed));
            rows.rows.add(row, names, |number| contexts.hash(number, names));
        }
    }

    /// True for a use that a token with too many contexts does not keep. It is told before the texts that a sender chooses
    /// get numbers, so that nobody fills the memory with one token.
    fn drops(&mut self, token: TokenNumber, observed: &Observed<'_, '_>, names: &mut Names) -> bool {
        let Some(limit) = self.tokens.get(token.at()).and_then(|token| token.rows.limit()) else {
            return false;
        };
        let Observed { facts, place, .. } = observed;
        let agent = facts.record.user_agent.map(family).filter(|family| !family.is_empty());
        let agent = agent.map(|family| place.cell(family));
        let normal = principal_of(facts).map(normal_principal);
        let principal = normal.as_deref().map(|normal| place.cell(normal));
        let mut context = self.without_texts(observed, names);
        if principal.is_some() && takes_mutable_claim(facts) {
            context.marks = context.marks.with(Marks::MUTABLE_PRINCIPAL);
        }
        context.hash_with(agent.as_deref(), principal.as_deref(), names) > limit
    }

    fn make_room(&mut self, token: TokenNumber) {
        while self.tokens.len() <= token.at() {
            self.tokens.push(TokenRows::default());
        }
    }

    fn context(&mut self, observed: &Observed<'_, '_>, last: Option<&Context>, names: &mut Names) -> Context {
        let Observed { facts, place, .. } = observed;
        let agent = facts.record.user_agent.and_then(|agent| self.agent(agent, place, names));
        let last = last.and_then(|last| last.principal);
        let principal = principal_of(facts).map(|principal| self.principal(principal, last, place, names));
        Context { agent, principal, ..self.without_texts(observed, names) }
    }

    /// A context without user agent and principal.
    fn without_texts(&mut self, observed: &Observed<'_, '_>, names: &mut Names) -> Context {
        let Observed { facts, entry, place, marks } = observed;
        Context {
            gateway: place.gateway,
            api: place.api,
            host: place.host,
            agent: None,
            principal: None,
            origin: place.client_ip.and_then(|address| self.origin(address, facts.context.policy, names)),
            spelling: entry.kept.spelling,
            marks: *marks,
            outcome: facts.outcome,
        }
    }

    /// The family of a user agent, as it may be written. There are far fewer user agents than uses.
    fn agent(&mut self, raw: &str, place: &Place<'_>, names: &mut Names) -> Option<Name> {
        // What is too short to hold a token of the record is written as it was for others.
        let is_short = |family: &str| family.len() < place.secret_bytes_min;
        let Agents(agents) = &mut self.agents;
        if let Some(known) = agents.get(raw)
            && is_short(names.text(*known))
        {
            return Some(*known);
        }
        let family = Some(family(raw)).filter(|family| !family.is_empty())?;
        let name = place.name(family, names);
        if is_short(family) && raw.len() <= AGENT_BYTES_MAX {
            if agents.len() >= REMEMBERED_MAX {
                agents.clear();
            }
            agents.insert(raw.into(), name);
        }
        Some(name)
    }

    /// The normal form of a principal, as it may be written.
    fn principal(&mut self, raw: &str, last: Option<Name>, place: &Place<'_>, names: &mut Names) -> Name {
        let raw_name = repeated(raw, last, place, names);
        if Some(raw_name) == last {
            return raw_name;
        }
        if let Some(known) = self.principals.get(&raw_name) {
            return *known;
        }
        let normal = place.name(&normal_principal(raw), names);
        if self.principals.len() >= REMEMBERED_MAX {
            self.principals.clear();
        }
        self.principals.insert(raw_name, normal);
        normal
    }

    fn origin(&mut self, address: Name, policy: Option<&Policy>, names: &mut Names) -> Option<Origin> {
        if let Some(known) = self.origins.get(&address) {
            return *known;
        }
        let parsed: Option<IpAddr> = names.text(address).parse().ok();
        // A proxy on the gateway's own machine says nothing of where requests come from.
        let parsed = parsed.map(|address| address.to_canonical()).filter(|address| !address.is_loopback());
        let origin = parsed.map(|parsed| {
            let network = policy.and_then(|policy| policy.network_of(parsed));
            let network = network.map(|network| names.id(&redact::cell(network, &[])));
            Origin { network, prefix: Prefix::of(parsed) }
        });
        if self.origins.len() >= REMEMBERED_MAX {
            self.origins.clear();
        }
        self.origins.insert(address, origin);
        origin
    }

    /// Takes in another part's trails, whose tokens and names have other numbers.
    pub(super) fn absorb(
        &mut self,
        other: Self,
        tokens: &[TokenNumber],
        translation: &Translation,
        names: &Names,
    ) {
        let Self { contexts, tokens: their_tokens, .. } = other;
        // Contexts that no token kept get no number here.
        let mut numbers: Vec<Option<ContextNumber>> = vec![None; contexts.list.len()];
        for (theirs, number) in their_tokens.into_iter().zip(tokens) {
            self.make_room(*number);
            let Self { contexts: mine, tokens, .. } = self;
            let Some(rows) = tokens.get_mut(number.at()) else { continue };
            rows.signed = rows.signed.max(theirs.signed);
            for row in theirs.rows.into_rows() {
                let Some(known) = numbers.get_mut(row.context.at()) else { continue };
                if known.is_none() {
                    let Some(context) = contexts.get(row.context) else { continue };
                    let context = context.translated(translation);
                    if rows.rows.limit().is_some_and(|limit| context.hash(names) > limit) {
                        continue;
                    }
                    *known = Some(mine.number(context));
                }
                let Some(context) = *known else { continue };
                let row = row.translated(context, translation);
                rows.rows.add(row, names, |number| mine.hash(number, names));
            }
        }
    }

    /// Adds what an earlier run kept of a token.
    fn restore_row(&mut self, token: TokenNumber, signed: u64, row: Row, names: &Names) {
        self.make_room(token);
        let Self { contexts, tokens, .. } = self;
        if let Some(rows) = tokens.get_mut(token.at()) {
            rows.signed = signed;
            rows.rows.add(row, names, |number| contexts.hash(number, names));
        }
    }

    /// Contexts and tokens, to be saved.
    pub(super) fn parts(&self) -> (Vec<Context>, Vec<TokenRows>) {
        (self.contexts.list.iter().copied().collect(), self.tokens.iter().cloned().collect())
    }

    /// Trails that were saved.
    pub(super) fn restore(contexts: Vec<Context>, tokens: Vec<TokenRows>) -> Self {
        let mut trails = Self::default();
        for context in contexts {
            trails.contexts.number(context);
        }
        for token in tokens {
            trails.tokens.push(token);
        }
        trails
    }
}

fn principal_of<'f>(facts: &Facts<'f>) -> Option<&'f str> {
    facts.principal.filter(|principal| !principal.trim().is_empty())
}

/// The number of a text that most likely is the one of the token's last use.
fn repeated(text: &str, last: Option<Name>, place: &Place<'_>, names: &mut Names) -> Name {
    // What is too short to hold a token of the record and stands there already is as it may be written.
    match last {
        Some(last) if text.len() < place.secret_bytes_min && names.text(last) == text => last,
        _ => place.name(text, names),
    }
}

fn used(observed: &Observed<'_, '_>) -> Used {
    let Observed { facts, place, .. } = observed;
    let record = facts.record;
    // Zero stands for none.
    let id = record.request_id.map_or(0, |id| short(quick(id.as_bytes(), 0)).max(1));
    let host = record.host.unwrap_or_default();
    let route = record.path.map_or(0, |path| match facts.outcome {
        Outcome::Accepted | Outcome::DeniedAuthn => {
            short(quick(path.as_bytes(), quick(host.as_bytes(), 0))).max(1)
        }
        // Whoever probes must not be able to choose routes that fall together.
        Outcome::DeniedAuthz => hash::strong(host, path).max(1),
        Outcome::Unknown => 0,
    });
    Used { at: place.at, id, route, probes: facts.outcome == Outcome::DeniedAuthz }
}

#[cfg(test)]
mod tests {
    use crate::codec::base64url;
    use crate::engine::{Engine, Filters, Partial, Rows, Setup};
    use crate::rules::RULES;
    use crate::rules::kit::Judge;
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use std::ops::Range;
    use std::sync::Arc;

    /// A token with another user agent in each request.
    fn audited(engine: &Engine, requests: Range<u32>) -> Partial {
        let part = |json: &str| base64url::encode(json.as_bytes());
        let token = format!("Bearer {}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(r#"{"iss":"i"}"#));
        let tokens: StringArray = requests.clone().map(|_| Some(token.clone())).collect();
        let agents: StringArray = requests.map(|n| Some(format!("agent-{n}"))).collect();
        let columns: [(&str, ArrayRef); 2] = [("token", Arc::new(tokens)), ("user_agent", Arc::new(agents))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut partial = engine.partial();
        engine.audit_batch(&batch, &mut engine.scratch(), &mut partial, &mut Rows::default()).unwrap();
        partial
    }

    #[test]
    fn one_token_does_not_fill_the_memory() {
        let engine = Engine::new(Setup {
            policy: None,
            keys: None,
            rules: RULES.iter().copied().filter(|rule| matches!(rule.judge, Judge::Trails(_))).collect(),
            filters: Filters::default(),
            occurrences: false,
            activity: false,
            portable: false,
        });
        let mut whole = audited(&engine, 0..20_000);
        // Each time that the limit is halved it takes twice as many requests to fill what was made free.
        let few = 7_000;
        assert!(whole.trails.contexts.list.len() < few, "{}", whole.trails.contexts.list.len());
        assert!(whole.names.iter().count() < few, "{}", whole.names.iter().count());
        whole.merge(audited(&engine, 20_000..40_000));
        assert!(whole.trails.contexts.list.len() < few + 1_000, "{}", whole.trails.contexts.list.len());
        // A context that is kept is found again, and the same ones are kept whatever came first.
        let kept = |partial: &Partial| -> std::collections::BTreeSet<String> {
            let rows = partial.trails.rows_of(super::TokenNumber(0), &partial.names);
            rows.filter_map(|(.., context)| partial.names.optional(context.agent))
                .map(str::to_owned)
                .collect()
        };
        let mut backwards = audited(&engine, 20_000..40_000);
        backwards.merge(audited(&engine, 0..20_000));
        assert_eq!(kept(&backwards), kept(&whole));
        assert_eq!(kept(&whole).len(), crate::rules::trails::STEPS_MAX);
    }
}
