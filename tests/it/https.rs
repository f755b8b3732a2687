//! An HTTPS server on loopback with a CA of its own, which behaves as well or as badly as it is told.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How an address answers.
#[derive(Clone)]
pub enum Reply {
    /// 200 with a body.
    Body(String),
    /// Another status, with a page.
    Status(u16),
    /// 302 to a place.
    Redirect(String),
    /// 503 so many times, then 200 with a body.
    Flaps(usize, String),
    /// Takes the request and says nothing.
    Hangs,
    /// 200 with a body of 10 GB, sent for as long as anybody reads.
    Huge(Length),
    /// A header without an end.
    EndlessHead,
    /// A body that comes byte by byte.
    Drips,
    /// Announces more than it sends.
    Breaks(String),
}

/// How a body says where it ends.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// By `content-length`.
    Announced,
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    Untold,
}

/// The server; it lives as long as the test's process.
pub struct Https {
    pub port: u16,
    /// Certificate of its CA.
    pub ca_pem: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    replies: BTreeMap<String, Reply>,
    asked: Vec<String>,
    /// Bytes of huge bodies that somebody took.
    taken: u64,
}

impl Https {
    pub fn start() -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(vec![]).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let state = Arc::clone(&shared);
                // A client that goes away, or trusts nobody here, is none of the server's business.
                thread::spawn(move || drop(answer(StreamOwned::new(connection, socket), &state)));
            }
        });
        Self { port, ca_pem, state }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    pub fn set(&self, path: &str, reply: Reply) {
        self.state.lock().unwrap().replies.insert(path.to_owned(), reply);
    }

    /// Paths that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    /// Bytes of huge bodies that were taken since the last call: read, or on their way.
    pub fn taken(&self) -> u64 {
        std::mem::take(&mut self.state.lock().unwrap().taken)
    }
}

fn answer(mut stream: StreamOwned<ServerConnection, TcpStream>, state: &Mutex<State>) -> std::io::Result<()> {
    let head = head_of(&mut stream)?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let reply = {
        let mut state = state.lock().unwrap();
        state.asked.push(path.clone());
        let reply = state.replies.get(&path).cloned().unwrap_or(Reply::Status(404));
        if let Reply::Flaps(left @ 1.., body) = &reply {
            state.replies.insert(path, Reply::Flaps(left - 1, body.clone()));
        }
        reply
    };
    let page = "<html>no</html>".to_owned();
    match reply {
        Reply::Body(body) | Reply::Flaps(0, body) => respond(&mut stream, 200, "", &body, body.len())?,
        Reply::Flaps(..) => respond(&mut stream, 503, "", &page, page.len())?,
        Reply::Status(code) => respond(&mut stream, code, "", &page, page.len())?,
        Reply::Redirect(to) => respond(&mut stream, 302, &format!("location: {to}\r\n"), "", 0)?,
        Reply::Breaks(body) => respond(&mut stream, 200, "", &body, body.len() + 1000)?,
        // Until the client gives up.
        Reply::Hangs => drop(stream.read(&mut [0; 64])),
        Reply::Huge(length) => huge(&mut stream, length, state)?,
        Reply::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 X\r\n")?;
            loop {
                stream.write_all(b"x-more: and more\r\n")?;
            }
        }
        Reply::Drips => {
            respond(&mut stream, 200, "", "{", 1_000_000)?;
            loop {
                stream.write_all(b" ")?;
                stream.flush()?;
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
    stream.conn.send_close_notify();
    stream.flush()
}

/// Sends a body of 10 GB.
fn huge(stream: &mut impl Write, length: Length, state: &Mutex<State>) -> std::io::Result<()> {
    const BYTES: u64 = 10_000_000_000;
    let header = match length {
        Length::Announced => format!("content-length: {BYTES}\r\n"),
        Length::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Length::Untold => String::new(),
    };
    let head =
        format!("HTTP/1.1 200 X\r\ncontent-type: application/json\r\nconnection: close\r\n{header}\r\n");
    stream.write_all(head.as_bytes())?;
    let piece = [b' '; 16_384];
    let mut sent = 0;
    while sent < BYTES {
        if matches!(length, Length::Chunked) {
            stream.write_all(b"4000\r\n")?;
        }
        stream.write_all(&piece)?;
        if matches!(length, Length::Chunked) {
            stream.write_all(b"\r\n")?;
        }
        sent += 16_384;
        state.lock().unwrap().taken += 16_384;
    }
    Ok(())
}

fn respond(
    stream: &mut impl Write,
    code: u16,
    header: &str,
    body: &str,
    announced: usize,
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {announced}\r\nconnection: close\r\n\
         cache-control: max-age=60\r\netag: \"e\"\r\nx-ms-request-id: r-1\r\nset-cookie: secret=1\r\n{header}\r\n{body}"
    );
    stream.write_all(head.as_bytes())?;
    stream.flush()
}

fn head_of(stream: &mut impl Read) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A proxy on loopback; it lets everybody through, or nobody. It tells the hosts that it was asked for.
pub fn proxy(open: bool) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&asked);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let asked = Arc::clone(&shared);
            thread::spawn(move || -> std::io::Result<()> {
                let head = head_of(&mut client)?;
                let host = head.split(' ').nth(1).unwrap_or_default().to_owned();
                asked.lock().unwrap().push(host.clone());
                if !open {
                    return client.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
                }
                let mut server = TcpStream::connect(host)?;
                client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
                let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
                thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
                std::io::copy(&mut server, &mut client).map(drop)
            });
        }
    });
    (port, asked)
}
