//! A use that repeats the token's last one in all but its time and its ids costs little: the rules of uses are not asked
//! again, and the trail goes on where it stood.
//!
//! Rules of [`Judge::Use`](crate::rules::kit::Judge::Use) look at the verdict, the place of the token, host, principal, tenant
//! of the data and address, which most uses of a token at an API have in common. Where all of them had nothing to say, this is remembered
//! with what they looked at. A build with debug assertions asks them nevertheless.

use super::names::Name;
use super::plans::Plan;
use super::trails::ContextNumber;
use crate::facts::{DataTenant, Facts, Outcome, Place};
use crate::keys::KeyId;
use crate::rules::trails::Marks;
use crate::verify::Verdict;
use std::sync::Arc;

/// A use about which the rules of uses had nothing to say.
#[derive(Default)]
pub(super) struct Settled {
    /// What it looked like to them.
    seen: Option<Seen>,
    /// Its texts, one behind the other: those that rules look at, then those that only trails do.
    texts: String,
    lengths: [Option<usize>; TEXTS],
    /// The rules that could not look.
    pub(super) plan: Arc<Plan>,
    /// Its place in a partial's trails.
    pub(super) trail: Option<Trailed>,
}

/// What is compared beside texts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    verdict: Verdict,
    foreign_key: Option<KeyId>,
    data_tenant_is_known: bool,
}

/// Where the trail of a use stands, and what it depends on beside texts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Trailed {
    /// Id of the partial.
    pub(super) partial: u64,
    pub(super) gateway: Option<Name>,
    pub(super) marks: Marks,
    pub(super) outcome: Outcome,
    pub(super) context: Option<ContextNumber>,
}

/// Longest texts that are remembered, in bytes together; those of a browser have some 250.
const TEXT_BYTES_MAX: usize = 1024;
/// Texts of a use.
const TEXTS: usize = 6;
/// The first of them that no rule of uses looks at.
const OF_TRAILS: usize = 5;

impl Settled {
    /// True for a use whose repetitions can be recognised: one token, in a header, at a known time, in a record whose URL is
    /// too short to hold it as well.
    pub(super) fn suits(facts: &Facts<'_>) -> bool {
        let bytes: usize = texts(facts).into_iter().flatten().map(str::len).sum();
        bytes <= TEXT_BYTES_MAX && is_alone(facts) && Place::of(&facts.hit, facts.record) == Place::Header
    }

    /// Remembers a use that [`Self::suits`].
    pub(super) fn remember(&mut self, facts: &Facts<'_>, plan: Arc<Plan>, trail: Option<Trailed>) {
        let texts = texts(facts);
        self.seen = Some(Seen::of(facts));
        self.lengths = texts.map(|text| text.map(str::len));
        self.texts.clear();
        self.texts.extend(texts.into_iter().flatten());
        self.plan = plan;
        self.trail = trail;
    }

    /// How much of a use repeats the remembered one.
    pub(super) fn compare(&self, facts: &Facts<'_>) -> Repeats {
        if self.seen != Some(Seen::of(facts)) || !is_alone(facts) {
            return Repeats::Nothing;
        }
        let mut rest = self.texts.as_bytes();
        for (at, (text, length)) in texts(facts).into_iter().zip(self.lengths).enumerate() {
            let same = text.map(str::len) == length
                && rest.split_off(..length.unwrap_or_default()) == Some(text.unwrap_or_default().as_bytes());
            if !same {
                return if at < OF_TRAILS { Repeats::Nothing } else { Repeats::WhatRulesSee };
            }
        }
        Repeats::Everything
    }
}

/// How much of a use repeats an earlier one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    Nothing,
    /// What rules of uses look at.
    WhatRulesSee,
    /// The texts that trails keep as well.
    Everything,
}

impl Seen {
    fn of(facts: &Facts<'_>) -> Self {
        Self {
            verdict: facts.verdict,
            foreign_key: facts.foreign_key,
            data_tenant_is_known: matches!(facts.data_tenant, DataTenant::Tenant(_)),
        }
    }
}

fn texts<'f>(facts: &Facts<'f>) -> [Option<&'f str>; TEXTS] {
    let data_tenant = match facts.data_tenant {
        DataTenant::Absent => None,
        DataTenant::Unresolved(tenant) | DataTenant::Tenant(tenant) => Some(&**tenant),
    };
    let record = facts.record;
    [Some(facts.hit.place), record.host, facts.principal, data_tenant, record.client_ip, record.user_agent]
}

/// True for the only token of a record, if the URL cannot hold it.
fn is_alone(facts: &Facts<'_>) -> bool {
    let is_short = |part: Option<&str>| part.is_none_or(|part| part.len() < facts.hit.value.len());
    let record = facts.record;
    record.tokens.len() == 1 && facts.time.is_some() && is_short(record.path) && is_short(record.query)
}
