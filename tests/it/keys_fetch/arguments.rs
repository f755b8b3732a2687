//! What is asked, and how: arguments, `sources.toml`, the environment.

use super::{CONFIGURATION, Fixture, Run};
use crate::https::proxy;
use crate::result::tokentrail;
use serde_json::Value;
use std::fs;

#[test]
fn one_cron_line_is_quiet_and_goes_on_after_a_failure() {
    let fixture = Fixture::new();
    let (good, bad) = (fixture.server.url("/keys"), fixture.server.url("/gone"));
    let run = Run::of(&mut fixture.command(), &["-q", "--url", &good]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    let run = Run::of(&mut fixture.command(), &["-q", "--url", &bad, "--url", &good]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    assert_eq!(run.stderr, format!("failed: {bad}: answered with status 404\n"));
    assert_eq!(fixture.lines().len(), 3);
    let run = Run::of(&mut fixture.command(), &["--url", &bad, "--url", &good]);
    assert!(run.stdout.starts_with("source ") && run.stdout.contains("unchanged"), "{}", run.stdout);
    assert!(run.stderr.contains("1 source of 2 failed"), "{}", run.stderr);
}

#[test]
fn sources_come_from_the_archive_where_none_is_named() {
    let fixture = Fixture::new();
    let run = Run::of(&mut fixture.command(), &[]);
    assert!(run.code == 2 && run.stderr.contains("archive/sources.toml"), "{}", run.stderr);
    fixture.configure(&fixture.server.url("/t"), &fixture.server.url("/keys"));
    fs::create_dir_all(fixture.path("archive")).unwrap();
    let write = |text: &str| fs::write(fixture.path("archive/sources.toml"), text).unwrap();
    let (one, two) = (fixture.server.url("/keys"), fixture.server.url(CONFIGURATION));
    write(&format!("[[source]]\nurl = [{one:?}]\n[[source]]\nurl = [{one:?}, {two:?}]\n"));
    let run = Run::of(&mut fixture.command(), &["--format", "json"]);
    assert_eq!((run.code, run.rows.as_array().unwrap().len()), (0, 2), "nothing twice: {}", run.stderr);
    for (text, message) in [
        ("[[source]]\nurls = []\n", "sources.toml:2: unknown field `urls`"),
        ("[[source]]\nkey-host = [\"x\"]\n", "no source is named"),
        ("[[source]]\ncloud = \"mars\"\n", "sources.toml:2: unknown variant"),
        ("[[source]]\ntenant = [\"contoso\"]\n", "sources.toml: tenant contoso: write its GUID"),
    ] {
        write(text);
        let run = Run::of(&mut fixture.command(), &[]);
        assert!(run.code == 2 && run.stderr.contains(message), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}

#[test]
fn arguments_that_cannot_be_used_ask_nobody() {
    let fixture = Fixture::new();
    let url = fixture.server.url("/keys");
    for (args, message) in [
        (&["--url", "http://idp.example.com/keys"][..], "not an https:// address"),
        (&["--url", "https://user:pass@idp.example.com/keys"], "an address with a user"),
        (&["--tenant", "contoso"], "--tenant contoso: write its GUID"),
        (&["--tenant", "common", "--appid", "x"], "--appid x"),
        (&["--b2c", "contoso"], "HOST/TENANT/POLICY"),
        (&["--ciam", "a/b"], "--ciam a/b"),
        (&["--v1"], "--tenant"),
        (&["--url", &url, "--appid", "6e74172b-be56-4843-9ff4-e66a39bb12e3"], "--tenant"),
        (&["--url", &url, "--timeout", "0"], "--timeout"),
        (&["--url", &url, "--ca-file", "nowhere.pem"], "nowhere.pem"),
    ] {
        let mut command = fixture.command();
        if args.contains(&"--ca-file") {
            command = tokentrail();
            command.args(["keys", "fetch"]).current_dir(fixture.folder.path());
        }
        let run = Run::of(&mut command, args);
        assert!(run.code == 2 && run.stderr.contains(message), "{args:?}: {}", run.stderr);
    }
    fs::write(fixture.path("ca.pem"), "no certificate").unwrap();
    let run = fixture.fetch(&["/keys"], &[]);
    assert!(run.code == 2 && run.stderr.contains("no PEM certificate"), "{}", run.stderr);
    fs::write(fixture.path("ca.pem"), &fixture.server.ca_pem).unwrap();
    fs::write(fixture.path("archive"), "a file").unwrap();
    let run = fixture.fetch(&["/keys"], &[]);
    assert!(run.code == 4 && run.stderr.contains("archive"), "{}", run.stderr);
    assert!(fixture.server.asked().is_empty());
}

#[test]
fn the_proxy_of_the_environment_is_used() {
    let fixture = Fixture::new();
    let url = fixture.server.url("/keys");
    let (port, asked) = proxy(true);
    let run = Run::of(
        fixture.command().env("HTTPS_PROXY", format!("http://127.0.0.1:{port}")),
        &["--url", &url, "-q"],
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(*asked.lock().unwrap(), [format!("127.0.0.1:{}", fixture.server.port)]);
    let run = Run::of(fixture.command().env("HTTPS_PROXY", "http://u:hunter2@"), &["--url", &url]);
    assert!(run.code == 2 && run.stderr.contains("HTTPS_PROXY"), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}

/// The endpoints of Entra, seen in what is recorded when nobody may pass.
#[test]
fn entra_is_asked_where_it_serves_keys() {
    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const APP: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";
    let (port, _) = proxy(false);
    let asked = |args: &[&str]| {
        let fixture = Fixture::new();
        let mut command = fixture.command();
        command.env("HTTPS_PROXY", format!("http://127.0.0.1:{port}"));
        let run = Run::of(&mut command, args);
        assert!(run.code == 3 && run.stderr.contains("403"), "{}", run.stderr);
        let lines = fixture.lines();
        assert!(lines.iter().all(|line| line["status"] == "proxy"), "{lines:#?}");
        let text = |line: &Value, name: &str| line[name].as_str().unwrap().replace("https://", "");
        let pair = |line| (text(line, "metadata_url"), text(line, "source"));
        lines.iter().map(pair).collect::<Vec<_>>()
    };
    let pair = |metadata: &str, keys: &str| (metadata.to_owned(), keys.to_owned());
    let host = "login.microsoftonline.com";
    let openid = ".well-known/openid-configuration";
    let both = asked(&["--tenant", "Common"]);
    assert_eq!(
        both,
        [
            pair(&format!("{host}/common/{openid}"), &format!("{host}/common/discovery/keys")),
            pair(&format!("{host}/common/v2.0/{openid}"), &format!("{host}/common/discovery/v2.0/keys"))
        ]
    );
    assert_eq!(asked(&["--tenant", "common", "--v1", "--v2"]), both);
    let base = format!("{host}/{TENANT}");
    assert_eq!(
        asked(&["--tenant", TENANT, "--v2", "--appid", APP]),
        [
            pair(&format!("{base}/v2.0/{openid}"), &format!("{base}/discovery/v2.0/keys")),
            pair(
                &format!("{base}/v2.0/{openid}?appid={APP}"),
                &format!("{base}/discovery/v2.0/keys?appid={APP}")
            )
        ]
    );
    for (cloud, host) in
        [("us-government", "login.microsoftonline.us"), ("china", "login.partner.microsoftonline.cn")]
    {
        let found = asked(&["--tenant", "organizations", "--v1", "--cloud", cloud]);
        assert_eq!(found[0].1, format!("{host}/organizations/discovery/keys"));
    }
    let policy = "contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_sign";
    let expected = pair(&format!("{policy}/v2.0/{openid}"), &format!("{policy}/discovery/v2.0/keys"));
    assert_eq!(asked(&["--b2c", policy]), [expected]);
    let ciam: Vec<String> = asked(&["--ciam", "contoso"]).into_iter().map(|(metadata, _)| metadata).collect();
    let hosts = ["contoso.ciamlogin.com", host];
    assert_eq!(ciam, hosts.map(|host| format!("{host}/contoso.onmicrosoft.com/v2.0/{openid}")));
    let ciam = asked(&["--ciam", TENANT]);
    assert_eq!(ciam[0].1, format!("{TENANT}.ciamlogin.com/{TENANT}/discovery/v2.0/keys"));
}
