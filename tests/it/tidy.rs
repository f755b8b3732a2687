//! The house, enforced: floors, sizes, documentation, cases.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use tokentrail::rules::RULES;

/// Most lines of a file.
const FILE_LINES_MAX: usize = 500;
/// Most lines of a function; clippy's `too_many_lines` counts the same in detail.
const FUNCTION_LINES_MAX: usize = 70;

/// The floors, in tens: a module imports only lower ones, and never a sibling on its own.
const FLOORS: &[(&str, usize)] = &[
    ("codec", 0),
    ("entra", 0),
    ("limits", 0),
    ("time", 0),
    // Floor 0 as well, on a step of its own: it decodes, and knows the limits.
    ("redact", 1),
    ("keys", 10),
    ("token", 10),
    ("policy", 20),
    ("record", 20),
    ("verify", 20),
    ("facts", 30),
    ("rules", 40),
    ("findings", 50),
    ("engine", 60),
    ("pipeline", 70),
    ("generate", 80),
    ("sink", 80),
    // Floor 8 as well, on a step of its own: it writes numbers as the sink does.
    ("learn", 81),
    ("cli", 90),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_under(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The module of the first floor below `src/` that a file belongs to.
fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root().join("src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

#[test]
fn imports_point_only_downwards() {
    let mut wrong = Vec::new();
    for path in files_under("src", "rs") {
        let module = module_of(&path).unwrap();
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let mine =
            floor_of(&module).unwrap_or_else(|| panic!("{} is on no floor: add it to FLOORS", shown(&path)));
        let text = fs::read_to_string(&path).unwrap();
        for (at, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            for name in imported(code) {
                let place = format!("{}:{}", shown(&path), at + 1);
                if name == "{" {
                    wrong.push(format!("{place}: write one `use crate::module::…` a line"));
                } else if name != module && floor_of(&name).is_none_or(|theirs| theirs >= mine) {
                    wrong.push(format!("{place}: {module} (floor {mine}) imports {name}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Modules named after `crate::` (or `tokentrail::` in the binary) in a line of code.
fn imported(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for root in ["crate::", "tokentrail::"] {
        for (at, _) in code.match_indices(root) {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') || code[..at].ends_with('$') {
                continue;
            }
            let rest = &code[at + root.len()..];
            if rest.starts_with('{') {
                names.push("{".to_owned());
                continue;
            }
            let name: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if !name.is_empty()
                && (rest[name.len()..].starts_with("::") || rest[name.len()..].starts_with(';'))
            {
                names.push(name);
            }
        }
    }
    names
}

#[test]
fn files_and_functions_need_no_scrolling() {
    let mut long = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for path in files_under(folder, "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().count();
            if lines > FILE_LINES_MAX {
                long.push(format!("{}: {lines} lines", shown(&path)));
            }
            long.extend(long_functions(&text).into_iter().map(|found| format!("{}:{found}", shown(&path))));
        }
    }
    assert!(long.is_empty(), "split by concern:\n{}", long.join("\n"));
}

/// Functions over the limit, by the indentation that rustfmt gives their closing brace.
fn long_functions(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut long = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let heads = ["fn ", "pub fn ", "pub(super) fn ", "pub(crate) fn ", "const fn ", "pub const fn "];
        if !heads.iter().any(|head| code.starts_with(head)) || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[start..].iter().position(|line| **line == closing)
            && length + 1 > FUNCTION_LINES_MAX
        {
            long.push(format!("{}: function of {} lines", start + 1, length + 1));
        }
    }
    long
}

#[test]
fn every_rule_is_documented_and_proved_by_cases() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for rule in RULES {
        let first = rule.manual.trim().lines().next().unwrap_or("").trim();
        let mut complain = |what: &str| wrong.push(format!("{}: {what}", rule.id));
        if !seen.insert(rule.id) {
            complain("the id is used twice");
        }
        if !rule.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
            complain("ids are kebab-case");
        }
        if !first.ends_with('.') || first.len() < 20 {
            complain("the manual begins with a sentence");
        }
        if rule.manual.trim().lines().count() < 5 {
            complain("the manual says why it matters, what to do, and what can be a false positive");
        }
        if rule.references.is_empty() {
            complain("no reference");
        }
        let family = rule.category.name();
        let slug = rule.id.replace('-', "_");
        if !root().join(format!("src/rules/{family}/{slug}.rs")).exists() {
            complain("its file is not src/rules/<family>/<id>.rs");
        }
        let cases = root().join(format!("testdata/rules/{family}/{}.toml", rule.id));
        let cases = fs::read_to_string(&cases).unwrap_or_default();
        for expected in ["expect = \"fires\"", "expect = \"quiet\""] {
            if !cases.contains(expected) {
                complain(&format!("no case with {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readme_names_every_rule_and_their_number() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for rule in RULES {
        assert!(readme.contains(&format!("`{}`", rule.id)), "README.md does not name {}", rule.id);
    }
    assert!(readme.contains(&format!("It has {} rules", RULES.len())), "there are {} rules", RULES.len());
}

#[test]
fn the_library_cannot_reach_the_network() {
    let tree = |features: &[&str]| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none"]).args(features);
        let output = cargo.current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let clients = |tree: &str| -> BTreeSet<String> {
        let names = tree.lines().filter_map(|line| line.split(' ').next());
        names.filter(|name| ["ureq", "rustls", "http"].contains(name)).map(str::to_owned).collect()
    };
    assert_eq!(clients(&tree(&["--no-default-features"])).len(), 0);
    assert_eq!(clients(&tree(&[])).len(), 3, "the test would see them");
}

#[test]
fn nothing_is_left_half_done() {
    let banned: BTreeMap<&str, &str> = [
        (concat!("todo", "!("), "finish it or leave it out"),
        (concat!("unimplemented", "!("), "finish it or leave it out"),
        (concat!("FIX", "ME"), "fix it or write it into an issue"),
        (concat!("#[", "ignore"), "a skipped test proves nothing"),
        (concat!("assert!", "(true"), "an assertion must be able to fail"),
    ]
    .into();
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for path in files_under(folder, "rs") {
            for (at, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
                for (word, remedy) in &banned {
                    if line.contains(word) {
                        found.push(format!("{}:{}: {word}: {remedy}", shown(&path), at + 1));
                    }
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_token_stands_in_the_tree() {
    let mut found = Vec::new();
    for (folder, extensions) in [
        ("src", &["rs", "toml", "md"][..]),
        ("tests", &["rs"]),
        ("testdata", &["toml", "json", "jsonl", "log", "txt", "md"]),
    ] {
        for extension in extensions {
            for path in files_under(folder, extension) {
                // Captures of real gateways, signed by throwaway keys.
                if path.starts_with(root().join("testdata/gateways")) {
                    continue;
                }
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                found.extend(
                    text.lines().enumerate().filter(|(_, line)| holds_a_token(line)).map(|(at, _)| {
                        format!("{}:{}: mint tokens when the test runs", shown(&path), at + 1)
                    }),
                );
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// True if a line holds three dot-separated parts of which the first two begin like JSON objects and the third is as long
/// as a signature.
fn holds_a_token(line: &str) -> bool {
    let run = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    line.split(run).any(|run| {
        let parts: Vec<&str> = run.split('.').collect();
        parts
            .windows(3)
            .any(|parts| parts[0].starts_with("eyJ") && parts[1].starts_with("eyJ") && parts[2].len() >= 40)
    })
}
