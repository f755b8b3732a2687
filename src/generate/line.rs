//! Log lines, as each format writes them.

use super::dice::Dice;
use super::plan::LogFormat;
use super::plant::{Part, Twist};
use super::spec::Spec;
use super::world::World;
use crate::time::UtcMicros;
use std::borrow::Cow;
use std::fmt::Write;

/// The `log_format` of the nginx corpus; `formats.toml` holds the same text.
pub(super) const NGINX_TEMPLATE: &str = r#"$remote_addr - $remote_user [$msec] "$request" $status $body_bytes_sent $request_time "$host" "$http_referer" "$http_user_agent" "$http_authorization" "$upstream_http_x_principal" $request_id "$http_traceparent" $ssl_protocol $ssl_cipher $upstream_addr $upstream_response_time "$http_accept" "$http_x_correlation_context""#;

const METHODS: [&str; 8] = ["GET", "GET", "GET", "GET", "GET", "POST", "PUT", "DELETE"];
/// Words for query strings.
const QUERIES: [&str; 6] = [
    "",
    "?page=2",
    "?expand=lines&top=50",
    "?fields=id,state,updated",
    "?since=2026-10-01",
    "?sort=-created&limit=100",
];

/// One request.
struct Request<'r> {
    /// Start, in milliseconds since the epoch.
    at_ms: i64,
    duration_ms: i64,
    gateway: &'r str,
    client_ip: Cow<'r, str>,
    user_agent: &'r str,
    method: &'r str,
    host: String,
    url: String,
    status: u64,
    bytes: u64,
    id: String,
    trace: String,
    scheme: &'r str,
    /// The Authorization header; empty for none.
    authorization: String,
    /// The Referer header; empty for none.
    referer: String,
    /// The body; empty for none that is logged.
    body: String,
    /// The key that the application authorised on; empty for none.
    principal: String,
}

/// A use of a token, or a request without one.
pub(super) struct Use<'u> {
    /// Start, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Number of the line among all lines.
    pub number: u64,
    /// Gateway that logs it.
    pub gateway: &'u str,
    /// The token, with its text.
    pub token: Option<(&'u Spec<'u>, &'u str)>,
    /// Without a token: whether it is no health check but asks for what needs one.
    pub bare: bool,
    /// What a scene decides about the request.
    pub fixed: Option<Fixed>,
}

/// What a scene decides about a request.
pub(super) struct Fixed {
    /// Status.
    pub status: u64,
    /// Request id.
    pub id: String,
    /// Path.
    pub url: String,
    /// What the application authorised on, if it is not what it should be.
    pub principal: Option<String>,
    /// Another token that a second Authorization header holds.
    pub beside: Option<String>,
}

/// Appends the line of a request.
pub(super) fn write(world: &World, used: &Use<'_>, out: &mut String) {
    let mut dice = Dice::new(world.seed, "request", used.number);
    let mut request = match used.token {
        Some((spec, text)) => of_token(world, used, spec, text, &mut dice),
        None => without_token(world, used, &mut dice),
    };
    if let Some(Fixed { status, id, url, principal, beside }) = &used.fixed {
        (request.status, request.id, request.url) = (*status, id.clone(), url.clone());
        if let Some(principal) = principal {
            request.principal.clone_from(principal);
        }
        if let Some(other) = beside {
            request.authorization.push_str(", Bearer ");
            request.authorization.push_str(other);
        }
    }
    // Writing to a string cannot fail.
    let _ = match world.format {
        LogFormat::EdgeJson => edge_json(&request, out),
        LogFormat::Nginx => nginx(&request, out),
        LogFormat::EnvoyJson => envoy_json(&request, out),
    };
}

fn of_token<'u>(
    world: &World,
    used: &'u Use<'u>,
    spec: &'u Spec<'u>,
    text: &str,
    dice: &mut Dice,
) -> Request<'u> {
    let tenant = world.tenant(spec.data_tenant);
    let sent_in = |part| spec.sent_in() == Some(part);
    let path = match spec.corner {
        Some(corner) => format!("/v1/{}", corner.segment()),
        None => spec.api.path(tenant),
    };
    let segment = if sent_in(Part::Path) { format!("/{text}") } else { String::new() };
    let (id, query) = (dice.hex(6), dice.pick(&QUERIES));
    let query = if sent_in(Part::Query) { format!("?access_token={text}") } else { query.to_owned() };
    let elsewhere = [Part::Query, Part::Referer, Part::Body].into_iter().any(sent_in);
    let referer = format!("https://shop.contoso.example/?access_token={text}");
    Request {
        at_ms: used.at_ms,
        duration_ms: dice.between(2, 400),
        gateway: used.gateway,
        client_ip: if used.fixed.is_some() {
            Cow::Borrowed(&spec.client_ip)
        } else {
            spec.ip_of_use(world, used.number)
        },
        user_agent: spec.user_agent,
        method: dice.pick(&METHODS),
        host: spec.api.host(tenant),
        url: format!("{path}{segment}/{id}{query}"),
        status: status(spec.plant.is_some(), dice),
        bytes: dice.below(20_000),
        id: dice.hex(16),
        trace: format!("00-{}-{}-01", dice.hex(16), dice.hex(8)),
        scheme: if spec.twist() == Some(Twist::Cleartext) { "http" } else { "https" },
        authorization: if elsewhere { String::new() } else { format!("Bearer {text}") },
        referer: if sent_in(Part::Referer) { referer } else { String::new() },
        body: if sent_in(Part::Body) { format!("access_token={text}&page=2") } else { String::new() },
        principal: spec.principal(world).unwrap_or_default(),
    }
}

fn without_token<'u>(world: &World, used: &'u Use<'u>, dice: &mut Dice) -> Request<'u> {
    Request {
        at_ms: used.at_ms,
        duration_ms: dice.between(1, 5),
        gateway: used.gateway,
        client_ip: Cow::Borrowed("192.0.2.1"),
        user_agent: "probe/1.0",
        method: "GET",
        host: world.apis.first().map(|api| api.host(world.tenant(0))).unwrap_or_default(),
        url: if used.bare { "/v1/items" } else { "/v1/health" }.to_owned(),
        status: 200,
        bytes: 2,
        id: dice.hex(16),
        trace: format!("00-{}-{}-01", dice.hex(16), dice.hex(8)),
        scheme: "https",
        authorization: String::new(),
        referer: String::new(),
        body: String::new(),
        principal: String::new(),
    }
}

/// Good tokens meet refusals and faults too; planted ones are always accepted.
fn status(planted: bool, dice: &mut Dice) -> u64 {
    match dice.below(1000) {
        0..=39 => 201,
        40..=59 => 204,
        60..=69 => 304,
        _ if planted => 200,
        70..=74 => 401,
        75..=84 => 403,
        85..=114 => 404,
        115..=119 => 500,
        120..=122 => 503,
        _ => 200,
    }
}

fn edge_json(r: &Request<'_>, out: &mut String) -> std::fmt::Result {
    write!(
        out,
        concat!(
            r#"{{"ts":{ts},"dur_ms":{dur},"gateway":"{gateway}","rid":"{rid}","client":"{client}","method":"{method}","#,
            r#""scheme":"{scheme}","host":"{host}","url":"{url}","proto":"HTTP/2.0","status":{status},"bytes":{bytes},"#,
            r#""tls":{{"version":"TLSv1.3","alpn":"h2"}},"#,
            r#""headers":{{"accept":"application/json","user-agent":"{agent}","traceparent":"{trace}","#,
            r#""authorization":{authorization}{referer}}},"principal":{principal}{body},"#,
            r#""upstream":{{"addr":"10.20.{o1}.{o2}:8080","time_ms":{dur},"status":{status}}}}}"#,
            "\n"
        ),
        ts = r.at_ms,
        scheme = r.scheme,
        referer = member_or_nothing("referer", &r.referer),
        body = member_or_nothing("body", &r.body),
        dur = r.duration_ms,
        gateway = r.gateway,
        rid = r.id,
        client = r.client_ip,
        method = r.method,
        host = r.host,
        url = r.url,
        status = r.status,
        bytes = r.bytes,
        agent = r.user_agent,
        trace = r.trace,
        authorization = quoted_or_null(&r.authorization),
        principal = quoted_or_null(&r.principal),
        o1 = r.bytes % 8,
        o2 = r.bytes % 250 + 1,
    )
}

fn member_or_nothing(name: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(",\"{name}\":\"{text}\"") }
}

fn quoted_or_null(text: &str) -> String {
    if text.is_empty() { "null".to_owned() } else { format!("\"{text}\"") }
}

fn nginx(r: &Request<'_>, out: &mut String) -> std::fmt::Result {
    write!(
        out,
        concat!(
            r#"{client} - - [{end}] "{method} {url} HTTP/2.0" {status} {bytes} {duration} "{host}" "{referer}" "{agent}" "#,
            r#""{authorization}" "{principal}" {rid} "{trace}" TLSv1.3 TLS_AES_256_GCM_SHA384 10.20.{o1}.{o2}:8080 "#,
            r#"{duration} "application/json" "gateway={gateway},pool={host}-pool-a,policy=default""#,
            "\n"
        ),
        client = r.client_ip,
        referer = or_dash(&r.referer),
        end = Seconds(r.at_ms + r.duration_ms),
        method = r.method,
        url = r.url,
        status = r.status,
        bytes = r.bytes,
        duration = Seconds(r.duration_ms),
        host = r.host,
        agent = r.user_agent,
        authorization = or_dash(&r.authorization),
        principal = or_dash(&r.principal),
        rid = r.id,
        trace = r.trace,
        o1 = r.bytes % 8,
        o2 = r.bytes % 250 + 1,
        gateway = r.gateway,
    )
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn envoy_json(r: &Request<'_>, out: &mut String) -> std::fmt::Result {
    write!(
        out,
        concat!(
            r#"{{"authority":"{host}","authorization":{authorization},"bytes_received":0,"bytes_sent":{bytes},"#,
            r#""connection_termination_details":null,"downstream_local_address":"10.8.1.5:8443","#,
            r#""downstream_remote_address":"{address}:51234","duration":{duration},"method":"{method}","path":"{url}","#,
            r#""protocol":"HTTP/2","request_id":"{rid}","requested_server_name":"{host}","response_code":{status},"#,
            r#""response_code_details":"via_upstream","response_flags":"-","route_name":"default","start_time":"{start}","#,
            r#""upstream_cluster":"outbound|8080||{host}.svc.cluster.local","upstream_host":"10.20.{o1}.{o2}:8080","#,
            r#""upstream_local_address":"10.8.1.5:40112","upstream_service_time":"{duration}","#,
            r#""upstream_transport_failure_reason":null,"user_agent":"{agent}","x_forwarded_for":"{client}"}}"#,
            "\n"
        ),
        host = r.host,
        authorization = quoted_or_null(&r.authorization),
        bytes = r.bytes,
        address =
            if r.client_ip.contains(':') { format!("[{}]", r.client_ip) } else { r.client_ip.to_string() },
        duration = r.duration_ms,
        method = r.method,
        url = r.url,
        rid = r.id,
        status = r.status,
        start = Millis(r.at_ms),
        o1 = r.bytes % 8,
        o2 = r.bytes % 250 + 1,
        agent = r.user_agent,
        client = r.client_ip,
    )
}

/// Milliseconds as seconds with three decimals, as nginx writes `$msec` and `$request_time`.
struct Seconds(i64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0.div_euclid(1000), self.0.rem_euclid(1000))
    }
}

/// Milliseconds since the epoch as RFC 3339 in UTC.
struct Millis(i64);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", UtcMicros(self.0 * 1000))
    }
}
