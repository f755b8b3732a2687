//! What all uses of a record have in common.

use super::Partial;
use crate::facts::{self, Context, DataTenant, Facts, JudgedTime, Outcome, Position, TokenFacts, Tokenless};
use crate::policy::{ApiSettings, Validation};
use crate::record::{Record, TokenHit};
use crate::verify::Verdict;

/// See the module.
pub(super) struct Shared<'a> {
    pub(super) record: &'a Record<'a>,
    pub(super) position: Position<'a>,
    pub(super) time: Option<JudgedTime>,
    pub(super) outcome: Outcome,
    pub(super) gateway: Option<&'a str>,
    pub(super) api: Option<&'a ApiSettings>,
    pub(super) validation: &'a Validation,
    pub(super) principal: Option<&'a str>,
    pub(super) data_tenant: DataTenant<'a>,
}

impl<'a> Shared<'a> {
    /// One use of one token.
    pub(super) fn with(
        &'a self,
        hit: TokenHit<'a>,
        token: &'a TokenFacts,
        verdict: Verdict,
        context: Context<'a>,
    ) -> Facts<'a> {
        Facts {
            record: self.record,
            position: self.position,
            hit,
            time: self.time,
            outcome: self.outcome,
            gateway: self.gateway,
            api: self.api,
            validation: self.validation,
            principal: self.principal,
            data_tenant: &self.data_tenant,
            token,
            verdict,
            doubted: facts::is_doubted(token, context, self.time),
            foreign_key: None,
            context,
        }
    }
}

impl Shared<'_> {
    /// Shows a record without a token value to the rules that speak about it.
    pub(super) fn observe_tokenless(&self, partial: &mut Partial) {
        let Self { record, position, time, outcome, gateway, api, .. } = *self;
        for state in &mut partial.runs {
            state.observe_tokenless(&Tokenless { record, position, time, outcome, gateway, api });
        }
    }
}
