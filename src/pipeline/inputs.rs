//! INPUT arguments become a byte-sorted list of inputs, each file once (contract section 3).

use super::Status;
use crate::redact;
use globset::{GlobBuilder, GlobMatcher};
use ignore::WalkBuilder;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Why a list of INPUT arguments cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// An object store.
    #[error("{0}: object stores cannot be read yet; copy the logs to a directory and name that")]
    ObjectStore(String),
}

/// One input: what it is called and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The INPUT as given, plus `/` and the relative path where that is a directory; `-` for the standard input.
    pub source: String,
    /// Where its bytes are.
    pub place: Place,
}

impl Listed {
    /// True for what lies in a directory and is no file.
    fn is_passed_over(&self) -> bool {
        matches!(self.place, Place::Nowhere { status: Status::PassedOver, .. })
    }

    /// The source as it is written: file names may hold tokens.
    pub fn written(&self) -> String {
        redact::cell(&self.source, &[]).into_owned()
    }
}

/// Where the bytes of an input are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A regular file.
    File {
        /// Its path.
        path: PathBuf,
        /// Its length when it was listed, in bytes.
        bytes: u64,
    },
    /// A pipe or a device, which may keep a reader waiting.
    Pipe {
        /// Its path.
        path: PathBuf,
    },
    /// The standard input.
    Stdin,
    /// Nowhere: it was named, and there is nothing to read.
    Nowhere {
        /// Missing, unreadable or passed over.
        status: Status,
        /// Why.
        error: String,
    },
}

/// Lists every input that the arguments name, byte-sorted by source.
///
/// A directory is walked with everything in it: hidden files, symbolic links, no ignore files; of its entries only regular files
/// are read, and pipes, sockets and devices are listed as passed over. A glob is expanded as a shell would, and a directory that it matches is walked. A file that is reached
/// twice (by its device and number, so through links too) is listed once, under its byte-least source. What cannot be
/// found or entered is listed with its status, so that it is named and the rest is audited.
///
/// # Errors
///
/// An argument is the URI of an object store.
pub fn list<S: AsRef<OsStr>>(arguments: &[S]) -> Result<Vec<Listed>, InputsError> {
    let mut listed = Vec::new();
    for argument in arguments {
        let argument = argument.as_ref();
        let text = argument.to_string_lossy();
        if ["s3://", "az://", "gs://"].iter().any(|scheme| text.starts_with(scheme)) {
            // What follows a question mark is a signature.
            let shown = text.split('?').next().unwrap_or_default();
            return Err(InputsError::ObjectStore(shown.to_owned()));
        }
        if text == "-" {
            listed.push(Listed { source: text.into_owned(), place: Place::Stdin });
            continue;
        }
        let before = listed.len();
        expand(Path::new(argument), &text, &mut listed);
        if listed.iter().skip(before).all(Listed::is_passed_over) {
            listed.push(nowhere(&text, Status::Missing, "there is no file in it".to_owned()));
        }
    }
    Ok(each_once(listed))
}

fn nowhere(source: &str, status: Status, error: String) -> Listed {
    Listed { source: source.to_owned(), place: Place::Nowhere { status, error } }
}

fn unreachable_place(source: &str, error: &io::Error) -> Listed {
    let status = if error.kind() == io::ErrorKind::NotFound { Status::Missing } else { Status::Unreadable };
    nowhere(source, status, error.to_string())
}

fn expand(path: &Path, source: &str, listed: &mut Vec<Listed>) {
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => walk(path, source, listed),
        Ok(metadata) if metadata.is_file() => {
            let place = Place::File { path: path.to_owned(), bytes: metadata.len() };
            listed.push(Listed { source: source.to_owned(), place });
        }
        Ok(_) => {
            listed.push(Listed { source: source.to_owned(), place: Place::Pipe { path: path.to_owned() } });
        }
        Err(error) => match glob(source) {
            Some(glob) if error.kind() == io::ErrorKind::NotFound => expand_glob(path, &glob, listed),
            _ => listed.push(unreachable_place(source, &error)),
        },
    }
}

/// Everything below a directory.
fn walk(root: &Path, source: &str, listed: &mut Vec<Listed>) {
    let source_of = |path: &Path| {
        let relative = path.strip_prefix(root).unwrap_or(path);
        let relative: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        if relative.is_empty() {
            source.to_owned()
        } else {
            format!("{}/{}", source.strip_suffix('/').unwrap_or(source), relative.join("/"))
        }
    };
    for entry in WalkBuilder::new(root).standard_filters(false).follow_links(true).build() {
        match entry {
            Ok(entry) => match entry.path().metadata() {
                Ok(metadata) if metadata.is_file() => {
                    let place = Place::File { path: entry.path().to_owned(), bytes: metadata.len() };
                    listed.push(Listed { source: source_of(entry.path()), place });
                }
                Ok(metadata) if metadata.is_dir() => {}
                // Sockets and pipes of running services lie in log directories; they hold no logs to read.
                Ok(_) => {
                    let why = "it is a pipe, a socket or a device; name it as an input to have it read";
                    let source = source_of(entry.path());
                    listed.push(nowhere(&source, Status::PassedOver, why.to_owned()));
                }
                Err(error) => listed.push(unreachable_place(&source_of(entry.path()), &error)),
            },
            Err(error) => {
                if let Some((path, error)) = trouble(&error, root) {
                    listed.push(unreachable_place(&source_of(path), error));
                }
            }
        }
    }
}

/// The place and the cause of a failed step of a walk. None for a link that leads back to where the walk has been:
/// nothing is lost there.
fn trouble<'e>(error: &'e ignore::Error, at: &'e Path) -> Option<(&'e Path, &'e io::Error)> {
    match error {
        ignore::Error::WithPath { path, err } => trouble(err, path),
        ignore::Error::WithDepth { err, .. } => trouble(err, at),
        ignore::Error::Io(error) => Some((at, error)),
        _ => None,
    }
}

fn has_wildcard(part: &OsStr) -> bool {
    part.to_string_lossy().contains(['*', '?', '[', '{'])
}

/// The argument as a glob, if it is one.
fn glob(argument: &str) -> Option<GlobMatcher> {
    if !has_wildcard(OsStr::new(argument)) {
        return None;
    }
    let glob =
        GlobBuilder::new(argument.strip_prefix("./").unwrap_or(argument)).literal_separator(true).build();
    glob.ok().map(|glob| glob.compile_matcher())
}

/// Every file that a glob matches, and everything below every directory that it matches.
fn expand_glob(pattern: &Path, glob: &GlobMatcher, listed: &mut Vec<Listed>) {
    let dotted = pattern.starts_with(".");
    let parts: Vec<Component> = pattern.components().filter(|part| *part != Component::CurDir).collect();
    let fixed = parts.iter().take_while(|part| !has_wildcard(part.as_os_str())).count();
    let base: PathBuf = parts.iter().take(fixed).collect();
    let root = if fixed == 0 { Path::new(".") } else { base.as_path() };
    // Nothing deeper can match, unless `**` stands for any depth.
    let deep = parts.iter().any(|part| part.as_os_str().to_string_lossy().contains("**"));
    let depth = (!deep).then_some(parts.len().saturating_sub(fixed));
    for entry in WalkBuilder::new(root).standard_filters(false).follow_links(true).max_depth(depth).build() {
        match entry {
            Ok(entry) => {
                let path = entry.path().strip_prefix("./").unwrap_or(entry.path());
                if entry.depth() > 0 && glob.is_match(path) {
                    let shown = path.to_string_lossy();
                    let source = if dotted { format!("./{shown}") } else { shown.into_owned() };
                    expand(path, &source, listed);
                }
            }
            Err(error) => match trouble(&error, root) {
                // A base that is not there is a glob without any file.
                Some((path, error)) if path != root => {
                    listed.push(unreachable_place(&path.to_string_lossy(), error));
                }
                _ => {}
            },
        }
    }
}

/// What makes two paths the same file.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    #[cfg(unix)]
    Number(u64, u64),
    Path(PathBuf),
    Stdin,
    Named(String),
}

fn identity(listed: &Listed) -> Identity {
    match &listed.place {
        Place::Stdin => Identity::Stdin,
        Place::Nowhere { .. } => Identity::Named(listed.source.clone()),
        Place::File { path, .. } | Place::Pipe { path } => {
            #[cfg(unix)]
            if let Ok(metadata) = path.metadata() {
                use std::os::unix::fs::MetadataExt;
                return Identity::Number(metadata.dev(), metadata.ino());
            }
            Identity::Path(path.canonicalize().unwrap_or_else(|_| path.clone()))
        }
    }
}

fn each_once(mut listed: Vec<Listed>) -> Vec<Listed> {
    // Tables are sorted by what is written, and their rows leave in the order of the inputs.
    listed.sort_by_cached_key(|one| (one.written(), one.source.clone()));
    let mut seen = BTreeSet::new();
    listed.retain(|one| seen.insert(identity(one)));
    listed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new(files: &[&str]) -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            for file in files {
                let path = tree.path(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, file).unwrap();
            }
            tree
        }

        fn path(&self, relative: &str) -> PathBuf {
            self.0.path().join(relative)
        }

        /// Sources relative to the tree, with a mark for what is nowhere.
        fn sources(&self, arguments: &[&str]) -> Vec<String> {
            let arguments: Vec<PathBuf> = arguments.iter().map(|argument| self.path(argument)).collect();
            let root = format!("{}/", self.0.path().display());
            let shown = |one: &Listed| {
                let mark = match &one.place {
                    Place::Nowhere { status: Status::Missing, .. } => "!",
                    Place::Nowhere { status: Status::PassedOver, .. } => "-",
                    Place::Nowhere { .. } => "?",
                    _ => "",
                };
                format!("{mark}{}", one.source.strip_prefix(&root).unwrap_or(&one.source))
            };
            list(&arguments).unwrap().iter().map(shown).collect()
        }
    }

    #[test]
    fn directories_are_walked_with_hidden_files_in_byte_order() {
        let tree = Tree::new(&[
            "logs/b/x.log",
            "logs/a.log",
            "logs/b-2.log",
            "logs/.h",
            "logs/.git/y",
            "logs/Z.log",
        ]);
        fs::write(tree.path("logs/.gitignore"), "*").unwrap();
        let all = [
            "logs/.git/y",
            "logs/.gitignore",
            "logs/.h",
            "logs/Z.log",
            "logs/a.log",
            "logs/b-2.log",
            "logs/b/x.log",
        ];
        assert_eq!(tree.sources(&["logs"]), all);
        assert_eq!(tree.sources(&["logs/"]), all);
        assert_eq!(tree.sources(&["logs", "logs/a.log", "logs/b"]), all);
    }

    #[test]
    fn the_same_file_is_listed_once_under_its_least_source() {
        let tree = Tree::new(&["m/real.log"]);
        fs::create_dir(tree.path("a")).unwrap();
        fs::hard_link(tree.path("m/real.log"), tree.path("a/hard.log")).unwrap();
        std::os::unix::fs::symlink(tree.path("m/real.log"), tree.path("z.log")).unwrap();
        assert_eq!(tree.sources(&["z.log", "m"]), ["m/real.log"]);
        assert_eq!(tree.sources(&["z.log", "m", "a"]), ["a/hard.log"]);
        assert_eq!(list(&["-", "-"]).unwrap().len(), 1);
    }

    #[test]
    fn missing_inputs_are_named_and_loops_are_safe() {
        let tree = Tree::new(&["d/x.log"]);
        fs::create_dir(tree.path("empty")).unwrap();
        std::os::unix::fs::symlink(tree.path("d"), tree.path("d/loop")).unwrap();
        std::os::unix::fs::symlink(tree.path("nothing"), tree.path("d/dangling")).unwrap();
        assert_eq!(
            tree.sources(&["d", "empty", "none.log", "none/*.gz", "d/[x"]),
            ["!d/[x", "!d/dangling", "d/x.log", "!empty", "!none.log", "!none/*.gz"]
        );
        assert_eq!(tree.sources(&["d/x.log/y"]), ["?d/x.log/y"]);
    }

    #[test]
    fn pipes_and_sockets_in_directories_are_named_and_not_read() {
        let tree = Tree::new(&["d/a.log"]);
        fs::create_dir(tree.path("only")).unwrap();
        for place in ["d/service.sock", "only/service.sock"] {
            drop(std::os::unix::net::UnixListener::bind(tree.path(place)).unwrap());
        }
        assert_eq!(tree.sources(&["d"]), ["d/a.log", "-d/service.sock"]);
        // A directory without any file is missing, as ever.
        assert_eq!(tree.sources(&["only"]), ["!only", "-only/service.sock"]);
        // Asked for by name, it is an input like others.
        assert_eq!(tree.sources(&["d/service.sock"]), ["d/service.sock"]);
    }

    #[test]
    fn globs_match_files_and_directories() {
        let tree = Tree::new(&["l/1/a.log", "l/1/b.gz", "l/2/c/d.log", "l/3.log", "l/we[i]rd.log"]);
        assert_eq!(tree.sources(&["l/*/*.log"]), ["l/1/a.log"]);
        assert_eq!(tree.sources(&["l/**/*.log"]), ["l/1/a.log", "l/2/c/d.log", "l/3.log", "l/we[i]rd.log"]);
        assert_eq!(tree.sources(&["l/[12]"]), ["l/1/a.log", "l/1/b.gz", "l/2/c/d.log"]);
        assert_eq!(tree.sources(&["l/{3,4}.log"]), ["l/3.log"]);
        assert_eq!(tree.sources(&["l/we[i]rd.log"]), ["l/we[i]rd.log"]);
        assert_eq!(tree.sources(&["l/*.nothing"]), ["!l/*.nothing"]);
    }

    #[test]
    fn names_that_are_not_text_do_no_harm() {
        use std::os::unix::ffi::OsStrExt;
        let tree = Tree::new(&["n/a"]);
        fs::write(tree.path("n").join(OsStr::from_bytes(b"b\xff.log")), "x").unwrap();
        assert_eq!(tree.sources(&["n"]), ["n/a", "n/b\u{fffd}.log"]);
    }

    #[test]
    fn object_stores_are_refused() {
        for uri in ["s3://logs/a", "az://logs", "gs://logs"] {
            let error = list(&["x.log", uri]).unwrap_err();
            assert!(error.to_string().starts_with(uri), "{error}");
        }
    }
}
