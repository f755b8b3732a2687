//! What goes wrong on the way: it is named, recorded, and harms nothing.

use super::{CONFIGURATION, Fixture, Run, keys};
use crate::https::{Https, Length, Reply};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tokentrail::keys::Archive;

#[test]
fn a_server_that_flaps_is_asked_again() {
    let fixture = Fixture::new();
    fixture.server.set("/keys", Reply::Flaps(1, keys(&["k0"])));
    let run = fixture.fetch(&["/keys"], &["--retries", "1"]);
    assert_eq!((run.code, &fixture.lines()[0]["attempts"]), (0, &json!(2)));
    fixture.server.set("/keys", Reply::Flaps(1, keys(&["k0"])));
    fixture.fails("/keys", &[], &json!(503), "status 503");
    // What will not pass by itself is not asked again.
    fixture.server.set("/gone", Reply::Status(404));
    let before = fixture.server.asked().len();
    fixture.fails("/gone", &["--retries", "3"], &json!(404), "status 404");
    assert_eq!(fixture.server.asked().len(), before + 1);
}

#[test]
fn what_fails_is_recorded_and_never_stored() {
    let fixture = Fixture::new();
    let reply = |path: &str, reply: Reply| fixture.server.set(path, reply);
    reply("/hangs", Reply::Hangs);
    fixture.fails("/hangs", &["--timeout", "1"], &json!("timeout"), "within 1 s");
    reply("/drips", Reply::Drips);
    fixture.fails("/drips", &["--timeout", "1"], &json!("timeout"), "within 1 s");
    reply("/head", Reply::EndlessHead);
    fixture.fails("/head", &[], &json!("protocol"), "");
    for garbage in ["<html>sign in</html>", "", "[]", "{}", "{\"keys\":7}", "{\"error\":\"\\u001b[31m\"}"] {
        reply("/garbage", Reply::Body(garbage.to_owned()));
        fixture.fails("/garbage", &[], &json!("malformed"), "");
    }
    reply("/deep", Reply::Body("[".repeat(100_000)));
    fixture.fails("/deep", &[], &json!("malformed"), "not JSON");
    reply("/breaks", Reply::Breaks(keys(&["k0"])));
    fixture.fails("/breaks", &[], &json!("reset"), "broke off");
    reply("/moved", Reply::Redirect("https://login.microsoftonline.com/common/discovery/keys".to_owned()));
    fixture.fails("/moved", &[], &json!("redirect"), "another host, login.microsoftonline.com");
    reply("/plain", Reply::Redirect(format!("http://127.0.0.1:{}/keys", fixture.server.port)));
    fixture.fails("/plain", &[], &json!("redirect"), "not an https:// address");
    reply("/round", Reply::Redirect("/round".to_owned()));
    fixture.fails("/round", &[], &json!("redirect"), "more than 5 times");
    assert!(fixture.archive_is_empty_of_documents());
    // Another port is another authority.
    let other = Https::start();
    reply("/port", Reply::Redirect(other.url("/keys")));
    fixture.fails("/port", &[], &json!("redirect"), "another host");
    assert!(other.asked().is_empty());
}

/// Bodies of 10 GB, however they are announced, are cut at the cap: neither the server gets rid of more, nor the memory grows.
#[test]
fn huge_bodies_are_cut() {
    const CAP: u64 = 4 << 20;
    let fixture = Fixture::new();
    for length in [Length::Announced, Length::Chunked, Length::Untold] {
        fixture.server.set("/huge", Reply::Huge(length));
        fixture.fails("/huge", &[], &json!("too-large"), &format!("more than {CAP} bytes"));
        // What a connection holds on its way is a few megabytes.
        let taken = fixture.server.taken();
        assert!(taken < 8 * CAP, "{length:?}: {taken} bytes were taken");
    }
    assert!(fixture.archive_is_empty_of_documents());
    // A retry reads no more than that again, and a good source behind it is captured.
    fixture.server.set("/huge", Reply::Huge(Length::Chunked));
    let run = fixture.fetch(&["/huge", "/keys"], &["--retries", "3"]);
    assert_eq!((run.code, &run.rows[1]["result"]), (3, &json!("new")), "{}", run.stderr);
    assert!(fixture.server.taken() < 8 * CAP, "what is too large is not asked again");
}

/// The same in a process that may have half a gigabyte of addresses, its own code and its threads' stacks among them.
#[cfg(target_os = "linux")]
#[test]
fn huge_bodies_need_no_memory() {
    let fixture = Fixture::new();
    for length in [Length::Announced, Length::Chunked, Length::Untold] {
        fixture.server.set("/huge", Reply::Huge(length));
        let script = "ulimit -v 500000; exec \"$@\"";
        let mut command = Command::new("sh");
        command.current_dir(fixture.folder.path()).args([
            "-c",
            script,
            "sh",
            env!("CARGO_BIN_EXE_tokentrail"),
        ]);
        command.args(["keys", "fetch", "--retries", "0", "--ca-file", "ca.pem", "--keys", "archive"]);
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
            command.env_remove(name).env_remove(name.to_ascii_lowercase());
        }
        let output = command.args(["--url", &fixture.server.url("/huge")]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(3) && stderr.contains("more than 4194304 bytes"), "{stderr}");
        assert_eq!(fixture.lines().pop().unwrap()["status"], "too-large");
    }
}

#[test]
fn tls_and_connections_are_named() {
    let fixture = Fixture::new();
    let strange = Https::start();
    fs::write(fixture.path("ca.pem"), &strange.ca_pem).unwrap();
    fixture.fails("/keys", &[], &json!("tls"), "invalid peer certificate");
    assert!(fixture.server.asked().is_empty());
    let mut command = fixture.command();
    let closed = "https://127.0.0.1:1/keys";
    let run = Run::of(
        &mut command,
        &["--url", closed, "--format", "json", "--url", "https://nowhere.invalid/keys"],
    );
    assert_eq!((run.code, &run.rows[0]["status"]), (3, &json!("refused")), "{}", run.stderr);
    assert_eq!(run.rows[1]["status"], "dns", "{}", run.stderr);
}

#[test]
fn metadata_speaks_for_its_own_host_alone() {
    let fixture = Fixture::new();
    let (own, keys) = (fixture.server.url("/t"), fixture.server.url("/keys"));
    let other = format!("https://localhost:{}/keys", fixture.server.port);
    let fails = |issuer: &str, jwks_uri: &str, args: &[&str], reason: &str| {
        fixture.configure(issuer, jwks_uri);
        fixture.fails(CONFIGURATION, args, &json!("metadata"), reason);
    };
    fails("https://login.microsoftonline.com/{tenantid}/v2.0", &keys, &[], "its issuer");
    fails("contoso", &keys, &[], "its issuer");
    fails(&own, "https://login.microsoftonline.com/common/discovery/keys", &[], "on another host");
    fails(&own, "http://127.0.0.1/keys", &[], "not an https:// address");
    fails(&own, "file:///etc/passwd", &[], "its jwks_uri");
    fails(&own, &other, &[], "--key-host localhost");
    assert!(fixture.archive_is_empty_of_documents());
    assert!(fixture.server.asked().iter().all(|path| path == CONFIGURATION));
    let run = fixture.fetch(&[CONFIGURATION], &["--key-host", "localhost"]);
    assert_eq!((run.code, &run.rows[0]["source"]), (0, &json!(other)), "{}", run.stderr);
    // One that leads to another configuration leads nowhere.
    fixture.configure(&own, &fixture.server.url(CONFIGURATION));
    let run = fixture.fetch(&[CONFIGURATION], &[]);
    assert_eq!((run.code, &run.rows[0]["status"]), (3, &json!("malformed")), "{}", run.stderr);
}

#[test]
fn a_kill_at_any_moment_leaves_a_readable_archive() {
    const KILLS: u32 = 100;
    let fixture = Fixture::new();
    fixture.configure(&fixture.server.url("/t"), &fixture.server.url("/keys"));
    let start = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokentrail"));
        let url = fixture.server.url(CONFIGURATION);
        command.args([
            "keys",
            "fetch",
            "-q",
            "--retries",
            "0",
            "--ca-file",
            "ca.pem",
            "--keys",
            "archive",
            "--url",
        ]);
        command.arg(url).current_dir(fixture.folder.path()).stderr(out);
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
            command.env_remove(name).env_remove(name.to_ascii_lowercase());
        }
        command.spawn().unwrap()
    };
    let asked = || fixture.server.asked().iter().filter(|path| *path == "/keys").count();
    let mut whole = start(Stdio::inherit());
    while asked() == 0 {
        thread::sleep(Duration::from_micros(200));
    }
    let began = Instant::now();
    assert!(whole.wait().unwrap().success());
    // What is written takes so long here; the kills are spread over it.
    let writing = began.elapsed();
    let mut killed = 0;
    for at in 0..KILLS {
        // A body of its own each time, so that there is always a document to store.
        fixture.server.set("/keys", Reply::Body(keys(&[&format!("k{at}")])));
        let before = asked();
        let mut child = start(Stdio::null());
        while asked() == before {
            thread::sleep(Duration::from_micros(200));
        }
        // The writing begins now; each kill comes a little later than the one before.
        thread::sleep(writing * at / KILLS);
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        Archive::read(&fixture.path("archive")).unwrap_or_else(|error| panic!("after kill {at}: {error}"));
    }
    assert!(killed > 0, "none of {KILLS} kills was in time");
    assert!(start(Stdio::inherit()).wait().unwrap().success());
    assert_eq!(fixture.archive().notices, [""; 0]);
    assert!(no_temporary_file(&fixture.path("archive")), "the next run tidies up");
}

fn no_temporary_file(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).all(|path| {
        if path.is_dir() { no_temporary_file(&path) } else { path.extension().is_none_or(|end| end != "tmp") }
    })
}
