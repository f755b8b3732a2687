//! When a rule speaks: what it needs, where it is silent, and how severe its finding is.

use super::kit::{Category, Check, Evidence, Judge, Need, Needs, Quiet, Reason, Rule, Severity, Statement};
use crate::facts::{Context, Facts, JudgedTime, Outcome, Pairing, TokenFacts};
use crate::policy::{ApiSettings, Auth, Policy};
use crate::record::TimeIs;
use crate::verify::Verdict;

/// The input of the run that a rule lacks, as run.json names it (`keys`, `policy`, `policy: audiences`); `None` if the
/// rule can run.
pub fn missing(rule: &Rule, context: Context<'_>) -> Option<&'static str> {
    rule.needs.iter().find_map(|need| missing_input(*need, context))
}

fn missing_input(need: Need, context: Context<'_>) -> Option<&'static str> {
    let stated = |name: &'static str, states: fn(&Policy) -> bool| match context.policy {
        None => Some("policy"),
        Some(policy) => (!states(policy)).then_some(name),
    };
    match need {
        Need::Claims | Need::Header | Need::Time => None,
        Need::Keys => context.keys.is_none().then_some("keys"),
        Need::Policy => stated("policy", |_| true),
        Need::Audiences => stated("policy: audiences", Policy::states_audiences),
        Need::Tenants => stated("policy: tenancy.allowed or tenants", Policy::states_tenants),
        Need::AuthorizesOn => stated("policy: authorizes-on", Policy::states_authorizes_on),
        Need::MaxAuthAge => stated("policy: max-auth-age", Policy::states_max_auth_age),
        Need::Clouds => {
            stated("policy: validation.clouds", |policy| policy.validation(None).clouds.is_some())
        }
        Need::Partners => stated("policy: tenancy.partners", |policy| !policy.tenancy().partners.is_empty()),
        Need::CompromisedKeys => {
            stated("policy: keys.compromised", |policy| !policy.keys().compromised.is_empty())
        }
        Need::CustomKeyApps => {
            stated("policy: keys.custom-key-apps", |policy| !policy.keys().custom_key_apps.is_empty())
        }
        Need::WatchFiles => stated("policy: watch.files", |policy| policy.watch_list().is_some()),
        Need::Revocations => stated("policy: watch.revocations", |policy| policy.revocation_list().is_some()),
        Need::Scopes
        | Need::Roles
        | Need::Groups
        | Need::DefinedPermissions
        | Need::Kinds
        | Need::Clients
        | Need::ClientAuth
        | Need::Mfa
        | Need::AuthContext
        | Need::MultiTenant => missing_demand(need, context.policy),
        Need::Baseline => (!context.baseline).then_some("baseline"),
    }
}

/// What no API of the policy demands.
fn missing_demand(need: Need, policy: Option<&Policy>) -> Option<&'static str> {
    let Some(policy) = policy else { return Some("policy") };
    let any = |demands: fn(&ApiSettings) -> bool| policy.every_settings().any(demands);
    let (name, demanded) = match need {
        Need::Scopes => ("policy: scopes", any(|api| api.scopes.is_some())),
        Need::Roles => ("policy: roles", any(|api| api.roles.is_some())),
        Need::Groups => ("policy: groups", any(|api| api.groups.is_some())),
        Need::DefinedPermissions => (
            "policy: defined-scopes or defined-roles",
            any(|api| api.defined_scopes.is_some() || api.defined_roles.is_some()),
        ),
        Need::Kinds => ("policy: kinds", any(|api| api.kinds.is_some())),
        Need::Clients => ("policy: clients", any(|api| api.clients.is_some())),
        Need::ClientAuth => ("policy: client-auth", any(|api| api.client_auth > 0)),
        Need::Mfa => ("policy: mfa", any(|api| api.mfa)),
        Need::AuthContext => ("policy: auth-context", any(|api| api.auth_context.is_some())),
        Need::MultiTenant => ("policy: multi-tenant", any(|api| api.multi_tenant)),
        _ => return None,
    };
    (!demanded).then_some(name)
}

/// True where a rule has nothing to say about a request, whatever the token holds: time, audience and authorization
/// rules on public routes (rules.md 2.10), and all but form, signature and behaviour rules on a forgery that was
/// refused (rules.md 1.3 and 2.11).
pub fn silenced(rule: &Rule, facts: &Facts<'_>) -> bool {
    Silence::of(facts.api, facts.verdict, facts.outcome).covers(rule.category)
}

/// Families that have nothing to say about a use; see [`silenced`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    public: bool,
    refused: bool,
}

impl Silence {
    /// What is silent at a use of a token at an API.
    pub fn of(api: Option<&ApiSettings>, verdict: Verdict, outcome: Outcome) -> Self {
        let forgery = matches!(verdict, Verdict::Invalid | Verdict::Unsigned);
        Self {
            public: api.is_some_and(|api| api.auth == Auth::None),
            refused: forgery && outcome == Outcome::DeniedAuthn,
        }
    }

    /// True if rules of a family are silent.
    pub fn covers(self, category: Category) -> bool {
        let public =
            self.public && matches!(category, Category::Time | Category::Audience | Category::Authorization);
        let refused =
            self.refused && !matches!(category, Category::Form | Category::Signature | Category::Behaviour);
        public || refused
    }
}

impl Rule {
    /// Judges a token alone, for rules of [`Judge::Token`]; quiet for every other rule. `lacks` is what the token lacks
    /// ([`lacks_of_token`]). The result holds for all its requests that [`silenced`] lets through.
    pub fn judge_token(&self, token: &TokenFacts, lacks: Needs, context: Context<'_>) -> Check {
        let Judge::Token(check) = self.judge else { return Check::Quiet };
        let lacking = || self.needs.iter().find_map(|need| lacking_in_token(*need, token));
        match self.needs_of.meets(lacks).then(lacking).flatten() {
            Some(reason) => Check::NotEvaluable(reason),
            None => check(token, context),
        }
    }

    /// Judges a token at an API, for rules of [`Judge::Api`]; quiet for every other rule. `lacks` is what both lack
    /// ([`lacks_of`]). The result holds for all requests with both that [`silenced`] lets through.
    pub fn judge_pairing(&self, pairing: &Pairing<'_>, lacks: Needs) -> Check {
        let Judge::Api(check) = self.judge else { return Check::Quiet };
        match self.lacking_of(pairing, lacks) {
            Some(reason) => Check::NotEvaluable(reason),
            None => check(pairing),
        }
    }

    /// [`Self::lacking`], looked for only if something of what both lack ([`lacks_of`]) is needed.
    pub fn lacking_of(&self, pairing: &Pairing<'_>, lacks: Needs) -> Option<Reason> {
        self.needs_of.meets(lacks).then(|| self.lacking(pairing)).flatten()
    }

    /// What a rule needs that a token or the matched entry of the policy does not give, whatever the request is.
    pub fn lacking(&self, pairing: &Pairing<'_>) -> Option<Reason> {
        let lacking = |need: &Need| {
            lacking_in_token(*need, pairing.token).or_else(|| lacking_in_policy(*need, pairing.api))
        };
        self.needs.iter().find_map(lacking)
    }

    /// When a rule of [`Judge::Timed`] says nothing about a token at an API, if it has all that it needs of them
    /// ([`Self::lacking`]); never known of every other rule.
    pub fn quiet(&self, pairing: &Pairing<'_>) -> Quiet {
        match self.judge {
            Judge::Timed(quiet, _) => quiet(pairing),
            _ => Quiet::NEVER,
        }
    }

    /// Judges one use of a token, by rules of every kind but those over many requests and over the key archive;
    /// quiet for these, and where the rule is [`silenced`].
    pub fn judge_use(&self, facts: &Facts<'_>) -> Check {
        if silenced(self, facts) {
            return Check::Quiet;
        }
        let check = match self.judge {
            Judge::Token(_) | Judge::Run(_) | Judge::Trails(_) | Judge::Archive(_) => {
                return self.judge_token(facts.token, lacks_of_token(facts.token), facts.context);
            }
            Judge::Api(_) => return self.judge_pairing(&facts.pairing(), lacks_of(&facts.pairing())),
            Judge::Use(check) | Judge::Timed(_, check) => check,
        };
        let timeless = || facts.time.is_none() && self.needs.contains(&Need::Time);
        match self.lacking(&facts.pairing()).or_else(|| timeless().then_some(Reason::NO_TIME)) {
            Some(reason) => Check::NotEvaluable(reason),
            None => check(facts),
        }
    }

    /// Judges the key history, for rules of [`Judge::Archive`]; nothing for every other rule and without a history.
    pub fn judge_archive(&self, context: Context<'_>) -> Vec<Statement> {
        match (self.judge, context.keys) {
            (Judge::Archive(check), Some(keys)) => check(keys),
            _ => Vec::new(),
        }
    }

    /// The severity of a finding at a request; `None` if the catalogue has none for this outcome.
    ///
    /// Findings of the time family are one step lower where only the end of the request is known.
    pub fn severity(
        &self,
        evidence: &Evidence,
        outcome: Outcome,
        time: Option<JudgedTime>,
    ) -> Option<Severity> {
        let severity = evidence.cells.unwrap_or(self.cells).at(outcome, self.category)?;
        let by_end = self.category == Category::Time && time.is_some_and(|time| time.is == TimeIs::End);
        Some(if by_end { severity.lowered() } else { severity })
    }
}

/// Needs that a token does not meet.
pub fn lacks_of_token(token: &TokenFacts) -> Needs {
    let of_token = &[Need::Claims, Need::Header];
    Needs::default().and_where(of_token, |need| lacking_in_token(need, token).is_some())
}

/// Needs that a token and the matched entry of the policy do not meet, whatever the request is.
pub fn lacks_of(pairing: &Pairing<'_>) -> Needs {
    let of_policy = &[Need::Audiences, Need::AuthorizesOn];
    let lacks = lacks_of_token(pairing.token);
    lacks.and_where(of_policy, |need| lacking_in_policy(need, pairing.api).is_some())
}

/// What of a need the token does not give.
fn lacking_in_token(need: Need, token: &TokenFacts) -> Option<Reason> {
    match need {
        Need::Claims => token.claims().is_none().then_some(Reason::NO_CLAIMS),
        Need::Header => {
            // The header of an encrypted token speaks of encryption (RFC 7516 section 4), not of a signature.
            let unsigned_form = matches!(token.signature.verdict, Verdict::Opaque | Verdict::Encrypted);
            (unsigned_form || token.header().is_none()).then_some(Reason::NO_HEADER)
        }
        _ => None,
    }
}

/// What of a need the matched entry of the policy does not state.
fn lacking_in_policy(need: Need, api: Option<&ApiSettings>) -> Option<Reason> {
    match need {
        Need::Audiences => unstated(api, |api| api.audiences.is_some()),
        Need::AuthorizesOn => unstated(api, |api| api.authorizes_on.is_some()),
        _ => None,
    }
}

fn unstated(api: Option<&ApiSettings>, states: fn(&ApiSettings) -> bool) -> Option<Reason> {
    match api {
        None => Some(Reason::NO_API),
        Some(api) => (!states(api)).then_some(Reason::NOT_STATED),
    }
}
