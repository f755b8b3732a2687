//! `keys show`: everything about one key.

use super::load;
use crate::cli::args::{Listing, ShowArgs, nearest};
use crate::cli::console;
use crate::cli::exit::{Failure, Outcome};
use std::fmt::Write as _;
use tokentrail::keys::{KeyDetail, KeySource, Life};
use tokentrail::redact;
use tokentrail::sink::visible;

/// Shows the keys of a name.
pub(super) fn run(args: &ShowArgs) -> Outcome {
    let history = load(&args.keys)?;
    let details = history.details(&args.kid);
    if details.is_empty() {
        let kids = history.keys().filter_map(|(_, key)| key.kid.as_deref());
        let hint = match nearest(&args.kid, kids) {
            Some(kid) => format!("did you mean `{kid}`?"),
            None => "`tokentrail keys list` shows what there is".to_owned(),
        };
        return Err(Failure::say(format!("{}: no key is named {}; {hint}", args.keys.display(), args.kid)));
    }
    match args.listing.format {
        Listing::Json => console::print_json(&details),
        Listing::Table => console::print(&details.iter().map(text).collect::<Vec<_>>().join("\n")),
    }
}

/// One line a fact; what is absent has none. What others wrote is cut to 1 KiB.
struct Lines(String);

impl Lines {
    fn say(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name:20} {}", visible(&redact::cell(&value.to_string(), &[])));
    }

    fn say_some(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.say(name, value);
        }
    }

    fn life(&mut self, life: &Life, indent: &str) {
        for (name, at) in [
            ("last absent before", life.last_absent_before),
            ("first seen", life.first_seen),
            ("last seen", life.last_seen),
            ("first absent after", life.first_absent_after),
            ("retired at", life.retired_at),
        ] {
            self.say_some(&format!("{indent}{name}"), at);
        }
    }

    fn source(&mut self, source: &KeySource) {
        let name = if source.source.is_empty() { "." } else { &source.source };
        self.say("source", name);
        self.say("  serves", &source.serves);
        self.say("  captures with it", source.captures);
        self.life(&source.life, "  ");
        for [from, to] in &source.gaps {
            self.say("  gap", format!("{from} to {to}"));
        }
        for issuer in source.issuers.iter().flatten() {
            self.say("  issuer", issuer);
        }
        self.say_some("  first document", source.first_file.as_ref());
        self.say_some("  last document", source.last_file.as_ref());
    }
}

fn text(key: &KeyDetail) -> String {
    let mut lines = Lines(String::new());
    lines.say("kid", key.kid.as_deref().unwrap_or("(none)"));
    let size = key.bits.map(|bits| bits.to_string()).or_else(|| key.crv.clone()).unwrap_or_default();
    lines.say("key", format!("{} {size}", if key.kty.is_empty() { "?" } else { &key.kty }).trim_end());
    lines.say_some("alg", key.alg.as_ref());
    lines.say_some("use", key.usage.as_ref());
    lines.say_some("key_ops", key.key_ops.as_ref().map(|names| names.join(", ")));
    lines.say("usable", key.unusable.as_ref().map_or_else(|| "yes".to_owned(), |why| format!("no: {why}")));
    lines.say_some("x5t", key.x5t.as_ref());
    lines.say_some("spki sha256", key.spki_sha256.as_ref());
    if !key.clouds.is_empty() {
        lines.say("cloud", key.clouds.join(", "));
    }
    for certificate in &key.certificates {
        let fits = match certificate.matches_key {
            Some(true) => "",
            Some(false) => ", of ANOTHER key",
            None => ", not compared with the key",
        };
        let thumbprint = &certificate.thumbprint;
        lines.say("certificate", format!("{} ({thumbprint}{fits})", certificate.dates()));
    }
    lines.life(&key.life, "");
    for source in &key.sources {
        lines.source(source);
    }
    lines.0.push_str(key.pem.as_deref().unwrap_or_default());
    lines.0
}
