//! The one place that uses the network: asks an address over HTTPS, within bounds of time, size and place.

use super::address;
use crate::cli::clock;
use crate::cli::exit::Failure;
use rustls::crypto::aws_lc_rs::default_provider;
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};
use tokentrail::keys::CaptureTime;
use tokentrail::redact;
use ureq::http::{HeaderMap, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Error, Proxy};

/// Longest body that is read. Entra's largest key set has some 30 KB.
const BODY_BYTES_MAX: u64 = 4 << 20;
/// Redirects that are followed in a row.
const REDIRECTS_MAX: usize = 5;
/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Wait before the first repetition; each further one doubles it.
const BACKOFF: Duration = Duration::from_millis(500);
/// Longest wait between repetitions.
const BACKOFF_MAX: Duration = Duration::from_secs(8);
/// Headers that are recorded beside every `x-ms-*`.
const HEADERS: [&str; 4] = ["cache-control", "date", "etag", "last-modified"];
/// So many headers are recorded, cut to so many bytes.
const HEADERS_MAX: usize = 24;
const HEADER_BYTES_MAX: usize = 200;

/// What came of asking an address.
pub(super) struct Answer {
    /// From the request to the last byte, of the last attempt.
    pub(super) time: CaptureTime,
    pub(super) attempts: u32,
    /// Those that tell where and when the document was made.
    pub(super) headers: Map<String, Value>,
    /// Where redirects led, if anywhere.
    pub(super) redirected_to: Option<String>,
    /// The body of an answer with status 200, byte for byte.
    pub(super) body: Result<Vec<u8>, Trouble>,
}

/// Why there is no body.
pub(super) struct Trouble {
    /// A code of HTTP, or a word.
    pub(super) status: Value,
    /// For people.
    pub(super) reason: String,
}

impl Trouble {
    pub(super) fn new(status: impl Into<Value>, reason: impl Into<String>) -> Self {
        Self { status: status.into(), reason: reason.into() }
    }

    /// Only what passes by itself is worth asking again.
    fn may_pass(&self) -> bool {
        self.status == "timeout" || self.status.as_u64().is_some_and(|code| (500..600).contains(&code))
    }
}

/// Asks addresses.
pub(super) struct Client {
    agent: Agent,
    timeout: Duration,
    retries: u32,
}

impl Client {
    /// A client that trusts the certificates of a file, else the roots that are built in, and goes through the proxy of the
    /// environment.
    pub(super) fn new(ca_file: Option<&Path>, timeout: Duration, retries: u32) -> Result<Self, Failure> {
        let roots = match ca_file {
            Some(path) => RootCerts::Specific(Arc::new(certificates(path)?)),
            None => RootCerts::WebPki,
        };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
            .root_certs(roots)
            .build();
        let config = Agent::config_builder()
            .https_only(true)
            .http_status_as_error(false)
            // Followed here, and only within one authority.
            .max_redirects(0)
            .proxy(proxy()?)
            .tls_config(tls)
            .timeout_connect(Some(timeout.min(CONNECT_MAX)))
            .user_agent(concat!("tokentrail/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .build();
        Ok(Self { agent: config.new_agent(), timeout, retries })
    }

    /// Asks an address, again where that may help.
    pub(super) fn get(&self, address: &Uri) -> Answer {
        let mut attempts = 1;
        loop {
            let mut answer = self.attempt(address);
            answer.attempts = attempts;
            let again = attempts <= self.retries && answer.body.as_ref().is_err_and(Trouble::may_pass);
            if !again {
                return answer;
            }
            thread::sleep(BACKOFF.saturating_mul(1 << (attempts - 1).min(8)).min(BACKOFF_MAX));
            attempts += 1;
        }
    }

    fn attempt(&self, address: &Uri) -> Answer {
        let start = clock::now();
        let clock = Instant::now();
        let mut answer = Answer {
            time: CaptureTime::instant(start),
            attempts: 1,
            headers: Map::new(),
            redirected_to: None,
            body: Ok(Vec::new()),
        };
        answer.body = self.follow(address, clock, &mut answer);
        // Measured by a clock that nobody sets meanwhile.
        let micros = i64::try_from(clock.elapsed().as_micros()).unwrap_or(i64::MAX);
        answer.time.end = start.plus(micros);
        answer
    }

    /// Asks an address and those that it redirects to.
    fn follow(&self, address: &Uri, clock: Instant, answer: &mut Answer) -> Result<Vec<u8>, Trouble> {
        let mut next = address.clone();
        for _ in 0..=REDIRECTS_MAX {
            // No time at all means no bound to the client.
            let left = self.timeout.saturating_sub(clock.elapsed()).max(Duration::from_millis(1));
            let request = self.agent.get(next.clone()).config().timeout_global(Some(left)).build();
            let mut response = request.call().map_err(|error| self.trouble(&error))?;
            answer.headers = recorded(response.headers());
            let code = response.status().as_u16();
            match code {
                200 => {
                    let body = response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec();
                    return body.map_err(|error| self.trouble(&error));
                }
                301 | 302 | 303 | 307 | 308 => {
                    let location = response.headers().get("location");
                    let location = location.and_then(|text| text.to_str().ok()).unwrap_or_default();
                    next = redirected(address, &next, location)?;
                    answer.redirected_to = Some(next.to_string());
                }
                _ => return Err(Trouble::new(code, format!("answered with status {code}"))),
            }
        }
        Err(Trouble::new("redirect", format!("redirects more than {REDIRECTS_MAX} times")))
    }

    fn trouble(&self, error: &Error) -> Trouble {
        let timeout = || format!("no whole answer within {} s", self.timeout.as_secs_f32());
        match error {
            Error::Timeout(_) => Trouble::new("timeout", timeout()),
            Error::HostNotFound => Trouble::new("dns", "the host is not known"),
            Error::BodyExceedsLimit(_) => {
                Trouble::new("too-large", format!("the body has more than {BODY_BYTES_MAX} bytes"))
            }
            Error::Tls(why) => Trouble::new("tls", *why),
            Error::Rustls(error) => Trouble::new("tls", error.to_string()),
            Error::ConnectProxyFailed(why) => Trouble::new("proxy", why),
            Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
            {
                Some(error) => Trouble::new("tls", error.to_string()),
                // The standard library has no kind for it.
                None if error.to_string().starts_with("failed to lookup") => {
                    Trouble::new("dns", error.to_string())
                }
                None => match error.kind() {
                    ErrorKind::TimedOut | ErrorKind::WouldBlock => Trouble::new("timeout", timeout()),
                    ErrorKind::ConnectionRefused => Trouble::new("refused", "the connection was refused"),
                    ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::UnexpectedEof => Trouble::new("reset", "the connection broke off"),
                    _ => Trouble::new("connection", error.to_string()),
                },
            },
            error => Trouble::new("protocol", error.to_string()),
        }
    }
}

/// Where a redirect leads, if it may be followed.
fn redirected(first: &Uri, from: &Uri, location: &str) -> Result<Uri, Trouble> {
    let next = address::join(from, location)
        .map_err(|why| Trouble::new("redirect", format!("redirects to {location}, which is {why}")))?;
    if address::same_authority(first, &next) {
        Ok(next)
    } else {
        Err(Trouble::new("redirect", format!("redirects to another host, {}", address::host(&next))))
    }
}

/// The headers that are recorded.
fn recorded(headers: &HeaderMap) -> Map<String, Value> {
    let wanted = headers
        .iter()
        .filter(|(name, _)| HEADERS.contains(&name.as_str()) || name.as_str().starts_with("x-ms-"));
    let texts = wanted.take(HEADERS_MAX).map(|(name, value)| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let clean = redact::redact(&text, &[]);
        (name.as_str().to_owned(), redact::cut(&clean, HEADER_BYTES_MAX).into())
    });
    texts.collect()
}

/// The certificates of a PEM file.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let bad = |why: String| Failure::say(format!("--ca-file {}: {why}", path.display()));
    let pem = fs::read(path).map_err(|error| bad(error.to_string()))?;
    let mut found = Vec::new();
    let mut roots = rustls::RootCertStore::empty();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| bad("not a PEM file".to_owned()))? {
            roots.add(certificate.der().to_vec().into()).map_err(|error| bad(error.to_string()))?;
            found.push(certificate.to_owned());
        }
    }
    if found.is_empty() {
        return Err(bad("no PEM certificate in it".to_owned()));
    }
    Ok(found)
}

/// The proxy of the environment, less what `NO_PROXY` names. One that cannot be used is not passed by.
fn proxy() -> Result<Option<Proxy>, Failure> {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        // Its text may hold a password.
        if env::var(name).is_ok_and(|text| !text.is_empty() && Proxy::new(&text).is_err()) {
            return Err(Failure::say(format!("{name} is no address of a proxy; write http://host:port")));
        }
    }
    Ok(Proxy::try_from_env())
}
