//! What a rule is made of.

use crate::facts::{Answer, Context, Facts, Outcome, Pairing, TokenFacts};
use crate::keys::KeyHistory;
use serde_json::Value;

pub use super::need::{Need, Needs};
pub use super::quiet::Quiet;
pub use super::reason::Reason;

/// Families of the catalogue (rules.md section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// A: token form and header.
    Form,
    /// B: signature and key history.
    Signature,
    /// C: time.
    Time,
    /// D: issuer and tenant.
    Tenant,
    /// E: audience.
    Audience,
    /// F: authorization data.
    Authorization,
    /// G: behaviour across records.
    Behaviour,
}

impl Category {
    /// Every family, in the catalogue's order.
    pub const ALL: [Self; 7] = [
        Self::Form,
        Self::Signature,
        Self::Time,
        Self::Tenant,
        Self::Audience,
        Self::Authorization,
        Self::Behaviour,
    ];

    /// The text of the `category` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Signature => "signature",
            Self::Time => "time",
            Self::Tenant => "tenant",
            Self::Audience => "audience",
            Self::Authorization => "authorization",
            Self::Behaviour => "behaviour",
        }
    }
}

/// Severities, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// 1
    Info,
    /// 2
    Low,
    /// 3
    Medium,
    /// 4
    High,
    /// 5
    Critical,
}

impl Severity {
    /// Every severity, least first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The text of the `severity` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }

    /// The number that OCSF gives it, 1 to 5.
    pub fn id(self) -> i32 {
        match self {
            Self::Info => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::Critical => 5,
        }
    }

    /// One step lower, never below info.
    #[must_use]
    pub fn lowered(self) -> Self {
        match self {
            Self::Info | Self::Low => Self::Info,
            Self::Medium => Self::Low,
            Self::High => Self::Medium,
            Self::Critical => Self::High,
        }
    }
}

/// The severity cells of the catalogue: for an accepted and for a denied request; `None` is "–", no finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    /// Accepted requests.
    pub accepted: Option<Severity>,
    /// Requests denied with 401.
    pub denied: Option<Severity>,
}

impl Cells {
    /// Cells from the letters of the catalogue (`C H M L I -`); any other letter is "–".
    pub const fn new(accepted: char, denied: char) -> Self {
        Self { accepted: letter(accepted), denied: letter(denied) }
    }

    /// The severity for an outcome (rules.md 1.2 and 2.11); `None` if there is no finding.
    pub fn at(self, outcome: Outcome, category: Category) -> Option<Severity> {
        match outcome {
            Outcome::Accepted => self.accepted,
            Outcome::DeniedAuthn => self.denied,
            Outcome::Unknown => self.accepted.map(Severity::lowered),
            Outcome::DeniedAuthz => match (category, self.accepted) {
                (Category::Authorization, _) | (Category::Behaviour, None) => self.denied,
                (_, accepted) => accepted.map(Severity::lowered),
            },
        }
    }
}

const fn letter(letter: char) -> Option<Severity> {
    match letter {
        'C' => Some(Severity::Critical),
        'H' => Some(Severity::High),
        'M' => Some(Severity::Medium),
        'L' => Some(Severity::Low),
        'I' => Some(Severity::Info),
        _ => None,
    }
}

/// Whose problem a finding is (rules.md 2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Somebody attacks.
    Attack,
    /// Somebody uses a token that is not theirs.
    Leak,
    /// The API accepts too much.
    Overreach,
    /// Policy, log or archive do not show enough.
    BlindSpot,
}

impl Lane {
    /// The text of the `lane` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Leak => "leak",
            Self::Overreach => "overreach",
            Self::BlindSpot => "blind-spot",
        }
    }
}

/// How sure a finding is, least first (rules.md 2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Thresholds, derived kinds, shapes.
    Heuristic,
    /// The claims and the record show it.
    Strong,
    /// A signature or a comparison of bytes shows it.
    Proven,
}

impl Confidence {
    /// The text of the `confidence` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heuristic => "heuristic",
            Self::Strong => "strong",
            Self::Proven => "proven",
        }
    }
}

/// A part of the text that tells one cause of a rule's findings from another (contract section 7, `problem_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CausePart {
    /// `aud`
    Aud,
    /// The claim that the evidence names.
    Claim,
    /// The client id.
    Client,
    /// `tid`
    Tid,
}

/// Where evidence says what the deployment's own validator answers.
pub const PRESET_VERDICT: &str = "preset_verdict";
/// Where evidence says what a strict validator answers.
pub const STRICT_VERDICT: &str = "strict_verdict";

/// What a rule found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// One sentence.
    pub message: String,
    /// What would have been right.
    pub expected: Option<String>,
    /// The one value that was judged.
    pub actual: Option<String>,
    /// Further facts by name.
    pub facts: Vec<(&'static str, Value)>,
    /// Cells that take the place of the rule's own.
    pub cells: Option<Cells>,
    /// Confidence that takes the place of the rule's own.
    pub confidence: Option<Confidence>,
}

impl Evidence {
    /// Evidence with its one sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// Adds the judged value.
    #[must_use]
    pub fn actual(mut self, actual: impl Into<String>) -> Self {
        self.actual = Some(actual.into());
        self
    }

    /// Adds what would have been right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    /// Adds what the deployment's own validator and a strict one answer, where they differ: an accepted request that
    /// even its own validator refuses points at a bypass, one that only the strict one refuses does not.
    #[must_use]
    pub fn answers(self, preset: Answer, strict: Answer) -> Self {
        if preset == strict {
            return self;
        }
        self.fact(PRESET_VERDICT, preset.name()).fact(STRICT_VERDICT, strict.name())
    }

    /// Replaces the rule's confidence.
    #[must_use]
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = Some(confidence);
        self
    }

    /// Replaces the rule's severity cells.
    #[must_use]
    pub fn cells(mut self, cells: Cells) -> Self {
        self.cells = Some(cells);
        self
    }
}

/// What a check says.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// Nothing to report.
    Quiet,
    /// A finding.
    Fires(Box<Evidence>),
    /// It could not look.
    NotEvaluable(Reason),
}

impl Check {
    /// A finding.
    pub fn fires(evidence: Evidence) -> Self {
        Self::Fires(Box::new(evidence))
    }
}

/// What a rule says about something that is no token.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it is about (`kid:…`, `source:…`); one statement a subject.
    pub subject: String,
    /// The evidence.
    pub evidence: Evidence,
}

/// What a rule looks at.
#[derive(Clone, Copy)]
pub enum Judge {
    /// The token alone: runs once a distinct token and is remembered with it.
    Token(fn(&TokenFacts, Context<'_>) -> Check),
    /// The token at an API of the policy: runs once for both and is remembered with the token.
    Api(fn(&Pairing<'_>) -> Check),
    /// A use of a token, whenever it is: looks at the verdict, the place of the token in the record, host, principal, tenant of
    /// the data and client address, and at nothing else of a request, so that it need not run again where they repeat.
    Use(fn(&Facts<'_>) -> Check),
    /// A use of a token, about which the rule says nothing at most times: the first function tells when, once for token and
    /// API, the second runs at the other requests.
    Timed(fn(&Pairing<'_>) -> Quiet, fn(&Facts<'_>) -> Check),
    /// Many uses: observes, merges, concludes.
    Run(&'static dyn super::run::RunRule),
    /// Trails of tokens, in groups, once everything was seen.
    Trails(super::trails::TrailRule),
    /// The key history alone, whatever the log holds: runs once a run, and speaks about subjects.
    Archive(fn(&KeyHistory) -> Vec<Statement>),
}

/// One rule of the catalogue: everything about it in one value.
pub struct Rule {
    /// Kebab-case id, for ever.
    pub id: &'static str,
    /// The manual that `rules explain` prints: the doc comment of the rule.
    pub manual: &'static str,
    /// Family.
    pub category: Category,
    /// Severity cells.
    pub cells: Cells,
    /// Lane.
    pub lane: Lane,
    /// Confidence of its findings, unless the evidence says otherwise.
    pub confidence: Confidence,
    /// Where the rule comes from.
    pub references: &'static [&'static str],
    /// What it needs.
    pub needs: &'static [Need],
    /// The same as [`Needs`].
    pub needs_of: Needs,
    /// What tells its problems apart.
    pub cause: &'static [CausePart],
    /// The check.
    pub judge: Judge,
}

/// The cause of rules that name none of their own.
pub const CLIENT_AND_TENANT: &[CausePart] = &[CausePart::Client, CausePart::Tid];

/// Declares the rule of a file. The doc comment becomes its manual: the first sentence is the summary, then why it
/// matters, what to do, and known false positives.
///
/// ```text
/// rule! {
///     /// `aud` does not name this API.
///     ///
///     /// More text.
///     "wrong-aud", Audience, "C/I", Overreach, Strong,
///     references: ["RFC 7519 section 4.1.3"],
///     needs: [Claims, Audiences],
///     cause: [Aud, Client, Tid],
///     judge: Use(check),
/// }
/// ```
macro_rules! rule {
    (
        $(#[doc = $doc:literal])+
        $id:literal, $category:ident, $cells:literal, $lane:ident, $confidence:ident,
        references: [$($reference:literal),+ $(,)?],
        needs: [$($need:ident),* $(,)?],
        $(cause: [$($cause:ident),+ $(,)?],)?
        judge: $kind:ident($($judge:expr),+) $(,)?
    ) => {
        $(#[doc = $doc])+
        pub(crate) static RULE: $crate::rules::kit::Rule = $crate::rules::kit::Rule {
            id: $id,
            manual: concat!($($doc, "\n"),+),
            category: $crate::rules::kit::Category::$category,
            cells: $crate::rules::kit::cells_of($cells),
            lane: $crate::rules::kit::Lane::$lane,
            confidence: $crate::rules::kit::Confidence::$confidence,
            references: &[$($reference),+],
            needs: &[$($crate::rules::kit::Need::$need),*],
            needs_of: $crate::rules::kit::Needs::of(&[$($crate::rules::kit::Need::$need),*]),
            cause: rule!(@cause $($($cause),+)?),
            judge: $crate::rules::kit::Judge::$kind($($judge),+),
        };
    };
    (@cause) => { $crate::rules::kit::CLIENT_AND_TENANT };
    (@cause $($cause:ident),+) => { &[$($crate::rules::kit::CausePart::$cause),+] };
}
pub(crate) use rule;

/// Cells from the catalogue's `accepted/denied` notation, for example `C/I` or `I/-`.
pub(crate) const fn cells_of(text: &str) -> Cells {
    let [accepted, b'/', denied] = text.as_bytes() else { panic!("cells are written accepted/denied") };
    Cells::new(ascii(*accepted), ascii(*denied))
}

#[expect(clippy::as_conversions, reason = "char::from is not const")]
const fn ascii(byte: u8) -> char {
    byte as char
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_follow_the_outcome() {
        let cells = cells_of("C/M");
        assert_eq!(cells.at(Outcome::Accepted, Category::Form), Some(Severity::Critical));
        assert_eq!(cells.at(Outcome::DeniedAuthn, Category::Form), Some(Severity::Medium));
        assert_eq!(cells.at(Outcome::Unknown, Category::Form), Some(Severity::High));
        assert_eq!(cells.at(Outcome::DeniedAuthz, Category::Form), Some(Severity::High));
        assert_eq!(cells.at(Outcome::DeniedAuthz, Category::Authorization), Some(Severity::Medium));
        let silent = cells_of("-/M");
        assert_eq!(silent.at(Outcome::Unknown, Category::Behaviour), None);
        assert_eq!(silent.at(Outcome::DeniedAuthz, Category::Behaviour), Some(Severity::Medium));
        assert_eq!(silent.at(Outcome::DeniedAuthz, Category::Form), None);
        assert_eq!(cells_of("I/-").at(Outcome::Unknown, Category::Form), Some(Severity::Info));
    }
}
