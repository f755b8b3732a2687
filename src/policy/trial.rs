//! `[[test]]`: requests and tokens with what the policy is to say of them, so that it is reviewed like code. They stand in
//! the policy, in a file that it includes, or in a file of their own that may name its policy.

use super::documents;
use super::documents::Documents;
use super::error::Fault;
use super::error::Place;
use super::error::PolicyError;
use super::located::Located;
use super::located::TextFile;
use super::raw::Text;
use super::raw::TimeText;
use super::values;
use crate::time::UtcMicros;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use std::path::Path;
use std::path::PathBuf;

const A_TOKEN: &str = "a token; write a table of claims that differ from a good token's, or \"absent\"";
const A_NAME: &str = "a name; write a claim such as `scp`, or `header.kid`, `request.time`";
const EXPECTED: &str = "an expectation; write \"quiet\", or a list of rule ids";

/// A request, a token, and what is to be found.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TrialTable {
    /// What it shows.
    name: Text,
    /// The request; what is not stated is as in a usual one that was accepted.
    #[serde(default)]
    request: RequestTable,
    /// How its token differs from a good one for the API: claims by name, `header` (a table), `signature` (a verdict); or
    /// "absent".
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    token: Option<Located<toml::Value>>,
    /// What the good token or the usual request lacks: `scp`, `header.kid`, `request.time`.
    #[serde(default)]
    without: Vec<Text>,
    /// The API that it must belong to; "none" for none.
    api: Option<Text>,
    /// Ids of the rules that must fire, or "quiet": nothing above info may.
    #[schemars(with = "Value")]
    expect: Located<toml::Value>,
}

/// The request of a test.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RequestTable {
    /// Name of the gateway.
    gateway: Option<String>,
    /// Host.
    host: Option<String>,
    /// Method; GET if it is not stated.
    method: Option<String>,
    /// Path.
    path: Option<String>,
    /// Query, without `?`.
    query: Option<String>,
    /// The gateway's own route or API id.
    route: Option<String>,
    /// `http` or `https`; https if it is not stated.
    scheme: Option<String>,
    /// HTTP status; 200 if it is not stated.
    status: Option<i32>,
    /// Target of a redirect.
    location: Option<String>,
    /// When it began; within the life of the good token if it is not stated.
    time: Option<Located<TimeText>>,
    /// Address of the client; 192.0.2.10 if it is not stated.
    client_ip: Option<String>,
    /// User agent.
    user_agent: Option<String>,
    /// Request id.
    request_id: Option<String>,
    /// What the application authorised on; `tid:oid` of the token if it is not stated.
    principal: Option<String>,
    /// Tenant of the data, as logged.
    data_tenant: Option<String>,
    /// Where the token stood, such as `query:access_token`; `header:authorization` if it is not stated.
    token_place: Option<String>,
}

/// A file of tests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TrialDocument {
    /// The policy that is tested, relative to this file.
    policy: Option<Text>,
    #[serde(default)]
    test: Vec<Located<TrialTable>>,
}

/// A `[[test]]`.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Where it stands.
    pub place: Place,
    /// `name`
    pub name: String,
    /// `request`
    pub request: TrialRequest,
    /// `token`
    pub token: TrialToken,
    /// Claims that the good token lacks.
    pub without_claims: Vec<String>,
    /// Header members that it lacks.
    pub without_header: Vec<String>,
    /// Values that the usual request lacks, by their keys.
    pub without_request: Vec<String>,
    /// `api`
    pub api: Option<String>,
    /// Rules that must fire; none if nothing above info may.
    pub expect: Vec<String>,
}

/// `request` of a test.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the key of that name")]
pub struct TrialRequest {
    pub gateway: Option<String>,
    pub host: Option<String>,
    pub method: Option<String>,
    pub path: Option<String>,
    pub query: Option<String>,
    pub route: Option<String>,
    pub scheme: Option<String>,
    pub status: Option<i32>,
    pub location: Option<String>,
    pub time: Option<UtcMicros>,
    pub client_ip: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    pub principal: Option<String>,
    pub data_tenant: Option<String>,
    pub token_place: Option<String>,
}

/// `token` of a test.
#[derive(Clone, Debug)]
pub enum TrialToken {
    /// How it differs from a good one.
    Differs {
        /// Header members.
        header: Map<String, Value>,
        /// Claims.
        claims: Map<String, Value>,
        /// Name of the verdict on its signature.
        signature: Option<String>,
    },
    /// The request has none.
    Absent,
}

/// A file of tests, and the policy that it names.
#[derive(Clone, Debug)]
pub struct TrialFile {
    /// Where the policy lies, if the file names one.
    pub policy: Option<PathBuf>,
    /// Its tests.
    pub trials: Vec<Trial>,
}

impl TrialFile {
    /// Reads a file of tests that is no policy itself.
    ///
    /// # Errors
    /// The first thing that is wrong, with its file, line and column.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| PolicyError::Read { path: name.clone(), source })?;
        let file = TextFile::new(name, bytes)?;
        let document: TrialDocument = documents::parse(&file)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let policy = document.policy.as_ref().map(|policy| folder.join(&policy.value));
        let trials = document.test.iter().map(|table| trial(&file, table)).collect::<Result<_, _>>()?;
        Ok(Self { policy, trials })
    }

    /// True if a file is a policy: it states the version of the language.
    pub fn is_policy(path: &Path) -> bool {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("version"))
    }
}

/// The tests of a policy and its included files.
pub(super) fn trials(documents: &Documents) -> Result<Vec<Trial>, PolicyError> {
    let tables = documents
        .parsed
        .iter()
        .flat_map(|parsed| parsed.document.test.iter().map(move |table| trial(&parsed.file, table)));
    tables.collect()
}

fn trial(file: &TextFile, table: &Located<TrialTable>) -> Result<Trial, PolicyError> {
    let table = &table.value;
    let mut trial = Trial {
        place: file.place(table.name.start),
        name: values::visible(file, "name", &table.name)?,
        request: request(file, &table.request)?,
        token: token(file, table.token.as_ref())?,
        without_claims: Vec::new(),
        without_header: Vec::new(),
        without_request: Vec::new(),
        api: table.api.as_ref().map(|api| api.value.clone()),
        expect: expect(file, &table.expect)?,
    };
    for name in &table.without {
        let bare = name.value.strip_prefix("token.").unwrap_or(&name.value);
        let bare = bare.strip_prefix("claims.").unwrap_or(bare);
        let (list, bare) = match bare.split_once('.') {
            Some(("header", member)) => (&mut trial.without_header, member),
            Some(("request", key)) => (&mut trial.without_request, key),
            _ => (&mut trial.without_claims, bare),
        };
        if bare.is_empty() {
            return Err(wrong(file, name.start, &name.value, A_NAME));
        }
        list.push(bare.to_owned());
    }
    Ok(trial)
}

fn request(file: &TextFile, table: &RequestTable) -> Result<TrialRequest, PolicyError> {
    let time = table
        .time
        .as_ref()
        .map(|time| values::parse_instant(&time.value.0).ok_or_else(|| values::not_a_time(file, time)));
    let table = table.clone();
    Ok(TrialRequest {
        gateway: table.gateway,
        host: table.host,
        method: table.method,
        path: table.path,
        query: table.query,
        route: table.route,
        scheme: table.scheme,
        status: table.status,
        location: table.location,
        time: time.transpose()?,
        client_ip: table.client_ip,
        user_agent: table.user_agent,
        request_id: table.request_id,
        principal: table.principal,
        data_tenant: table.data_tenant,
        token_place: table.token_place,
    })
}

fn token(file: &TextFile, value: Option<&Located<toml::Value>>) -> Result<TrialToken, PolicyError> {
    let (mut header, mut claims, mut signature) = (Map::new(), Map::new(), None);
    let Some(located) = value else { return Ok(TrialToken::Differs { header, claims, signature }) };
    let refused = || wrong(file, located.start, "token", A_TOKEN);
    let table = match &located.value {
        toml::Value::String(word) if word == "absent" => return Ok(TrialToken::Absent),
        toml::Value::Table(table) => table,
        _ => return Err(refused()),
    };
    for (name, value) in table {
        match (name.as_str(), value) {
            ("header", toml::Value::Table(members)) => header.extend(members.iter().map(member)),
            ("claims", toml::Value::Table(members)) => claims.extend(members.iter().map(member)),
            ("signature", toml::Value::String(verdict)) => signature = Some(verdict.clone()),
            ("signature", _) => return Err(refused()),
            _ => claims.extend([member((name, value))]),
        }
    }
    Ok(TrialToken::Differs { header, claims, signature })
}

fn member((name, value): (&String, &toml::Value)) -> (String, Value) {
    (name.clone(), json(value))
}

/// A TOML date-time becomes seconds since the epoch, as claims have them.
fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::Table(table) => table.iter().map(member).collect(),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Datetime(at) => {
            let instant = values::parse_instant(&at.to_string());
            instant.map_or_else(|| at.to_string().into(), |at| (at.0 / crate::time::SECOND).into())
        }
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(truth) => (*truth).into(),
    }
}

fn expect(file: &TextFile, value: &Located<toml::Value>) -> Result<Vec<String>, PolicyError> {
    let refused = |text: &str| wrong(file, value.start, text, EXPECTED);
    match &value.value {
        toml::Value::String(word) if word == "quiet" => Ok(Vec::new()),
        toml::Value::Array(rules) => {
            let rules = rules.iter().map(|rule| rule.as_str().map(str::to_owned));
            rules.collect::<Option<_>>().ok_or_else(|| refused("expect"))
        }
        other => Err(refused(other.as_str().unwrap_or("expect"))),
    }
}

fn wrong(file: &TextFile, start: usize, text: &str, expected: &'static str) -> PolicyError {
    file.error(start, Fault::Value { text: text.to_owned(), expected })
}
