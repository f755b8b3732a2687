//! The directory of a result: built beside its place, and put there whole or not at all (contract section 7).

use crate::findings::Table;
use crate::sink::parquet::file_name;
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Name of the manifest within a result.
pub const MANIFEST: &str = "run.json";

/// Why a result cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The directory holds something that is not ours.
    #[error(
        "output directory {path} holds something other than a result of tokentrail ({found}): name another directory with -o"
    )]
    Foreign {
        /// The directory.
        path: String,
        /// One entry that is not ours.
        found: String,
    },
    /// The name is taken by something that is no directory.
    #[error("output {path} exists and is no directory: name another one with -o")]
    NotADirectory {
        /// The path.
        path: String,
    },
    /// Nothing can be exchanged under this name.
    #[error(
        "output directory {path} cannot be replaced by a rename ({reason}): name a directory inside it with -o"
    )]
    NotReplaceable {
        /// The path.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// A place that is no directory of this machine.
    #[error(
        "output {path} is no local directory, and object stores are not written yet: name a directory with -o"
    )]
    Remote {
        /// The place.
        path: String,
    },
    /// The file system refused.
    #[error("cannot {action} {path}: {error}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: String,
        /// The system's answer.
        error: io::Error,
    },
}

impl OutputError {
    /// True if the arguments are at fault (exit 2), false if writing failed (exit 4).
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Io { .. })
    }

    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self::Io { action, path, error }
    }
}

/// Where a result lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The directory of the result.
    pub path: PathBuf,
    /// The earlier result under another name, if it could not be removed altogether.
    pub leftover: Option<PathBuf>,
}

/// A result directory that is being built under another name. Dropped without [`OutputDir::publish`], it vanishes.
#[derive(Debug)]
pub struct OutputDir {
    staging: TempDir,
    parent: PathBuf,
    name: OsString,
}

impl OutputDir {
    /// Checks that `path` may be replaced, and makes the staging directory beside it.
    ///
    /// # Errors
    ///
    /// If `path` holds something that is not an earlier result, or nothing can be made beside it.
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        if path.to_string_lossy().contains("://") {
            return Err(OutputError::Remote { path: path.display().to_string() });
        }
        let path = resolved(path)?;
        check(&path)?;
        let shown = || path.display().to_string();
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(OutputError::NotReplaceable { path: shown(), reason: "it has no name of its own" });
        };
        fs::create_dir_all(parent).map_err(OutputError::io("create directory", parent))?;
        if is_mount_point(&path, parent) {
            return Err(OutputError::NotReplaceable { path: shown(), reason: "it is a mount point" });
        }
        let staging = private_dir(parent, name)?;
        Ok(Self { staging, parent: parent.to_owned(), name: name.to_owned() })
    }

    /// The staging directory.
    pub fn path(&self) -> &Path {
        self.staging.path()
    }

    /// Makes an empty file of the result, readable by its owner only.
    pub fn file(&self, name: &str) -> Result<File, OutputError> {
        let path = self.staging.path().join(name);
        private_file(&path).map_err(OutputError::io("create", &path))
    }

    /// Writes a whole file of the result and makes it durable.
    pub fn write(&self, name: &str, text: &[u8]) -> Result<(), OutputError> {
        let path = self.staging.path().join(name);
        let mut file = self.file(name)?;
        file.write_all(text).and_then(|()| file.sync_all()).map_err(OutputError::io("write", &path))
    }

    /// Gives the result its final name (or `NAME.partial`) and removes an earlier result after that.
    ///
    /// # Errors
    ///
    /// If a rename fails; the earlier result then keeps its name, and nothing of the new one remains.
    pub fn publish(self, partial: bool) -> Result<Published, OutputError> {
        let mut name = self.name.clone();
        if partial {
            name.push(".partial");
        }
        let target = self.parent.join(&name);
        // It may have changed since the run began.
        check(&target)?;
        sync_dir(self.staging.path());
        let earlier = self.set_aside(&target, &name)?;
        if let Err(error) = fs::rename(self.staging.path(), &target) {
            if let Some(earlier) = earlier {
                let _ = fs::rename(earlier.path().join(&name), &target);
                let _ = fs::remove_dir(earlier.path());
            }
            return Err(OutputError::io("rename the finished result to", &target)(error));
        }
        // From here on the staging directory no longer exists under its first name.
        let _ = self.staging.keep();
        sync_dir(&self.parent);
        let leftover = earlier.and_then(|earlier| {
            let kept = keep_foreign(&earlier.path().join(&name), &target);
            let removed = kept.and_then(|()| fs::remove_dir_all(earlier.path()));
            removed.is_err().then(|| earlier.path().to_owned())
        });
        Ok(Published { path: target, leftover })
    }

    /// Moves an earlier result out of the way, into a directory that is removed once the new one stands.
    fn set_aside(&self, target: &Path, name: &OsStr) -> Result<Option<TempDir>, OutputError> {
        if !target.exists() {
            return Ok(None);
        }
        let mut aside = private_dir(&self.parent, name)?;
        // Were it removed on a failure half-way, the earlier result would go with it.
        aside.disable_cleanup(true);
        fs::rename(target, aside.path().join(name)).map_err(|error| {
            aside.disable_cleanup(false);
            OutputError::io("move aside the earlier result", target)(error)
        })?;
        Ok(Some(aside))
    }
}

/// The path with symbolic links resolved as far as it exists, so that a link keeps pointing to the result.
fn resolved(path: &Path) -> Result<PathBuf, OutputError> {
    if path.file_name().is_none() {
        let path = path.display().to_string();
        return Err(OutputError::NotReplaceable { path, reason: "it has no name of its own" });
    }
    if path.exists() {
        return path.canonicalize().map_err(OutputError::io("resolve", path));
    }
    std::path::absolute(path).map_err(OutputError::io("resolve", path))
}

/// Absent, empty, or an earlier result; everything else is refused.
fn check(path: &Path) -> Result<(), OutputError> {
    let shown = path.display().to_string();
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) if path.is_file() => return Err(OutputError::NotADirectory { path: shown }),
        Err(error) => return Err(OutputError::io("read directory", path)(error)),
    };
    let Some(first) = entries.flatten().map(|entry| entry.file_name()).min() else { return Ok(()) };
    if earlier_files(path).is_some() {
        return Ok(());
    }
    Err(OutputError::Foreign { path: shown, found: first.to_string_lossy().into_owned() })
}

/// The files of an earlier result, as its manifest names them; `None` if there is no manifest of ours.
fn earlier_files(path: &Path) -> Option<Vec<String>> {
    let text = fs::read(path.join(MANIFEST)).ok()?;
    let manifest: Value = serde_json::from_slice(&text).ok()?;
    if manifest.pointer("/tool/name")?.as_str()? != "tokentrail" {
        return None;
    }
    let listed =
        manifest.pointer("/output/files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names = listed.iter().filter_map(|file| file.get("name")?.as_str()).map(str::to_owned);
    let tables = Table::ALL.iter().map(|table| file_name(*table));
    Some(names.chain(tables).chain([MANIFEST.to_owned()]).collect())
}

/// Moves what somebody else put into the earlier result over into the new one; a directory of results is also where
/// people leave notes and queries.
fn keep_foreign(earlier: &Path, target: &Path) -> io::Result<()> {
    let ours = earlier_files(earlier).unwrap_or_default();
    for entry in fs::read_dir(earlier)? {
        let name = entry?.file_name();
        let foreign = !ours.iter().any(|our| OsStr::new(our) == name);
        let place = target.join(&name);
        if foreign && !place.exists() {
            fs::rename(earlier.join(&name), &place)?;
        }
    }
    Ok(())
}

/// A new directory `.NAME.tokentrail-XXXXXX` that only its owner can enter.
fn private_dir(parent: &Path, name: &OsStr) -> Result<TempDir, OutputError> {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".tokentrail-");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent).map_err(OutputError::io("create a directory in", parent))
}

/// A new file that only its owner can read.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn is_mount_point(path: &Path, parent: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(path), fs::metadata(parent)) {
        (Ok(path), Ok(parent)) => path.dev() != parent.dev(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_mount_point(_path: &Path, _parent: &Path) -> bool {
    false
}

/// Makes the names in a directory durable. Some file systems cannot, which is no reason to fail.
fn sync_dir(path: &Path) {
    if cfg!(unix) {
        let _ = File::open(path).and_then(|dir| dir.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &[u8] = br#"{"tool":{"name":"tokentrail"},"output":{"files":[{"name":"state.parquet"}]}}"#;

    fn publish(path: &Path, text: &[u8], partial: bool) -> PathBuf {
        let output = OutputDir::create(path).unwrap();
        output.write(MANIFEST, text).unwrap();
        output.publish(partial).unwrap().path
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_result_appears_whole_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/out");
        let output = OutputDir::create(&path).unwrap();
        assert!(!path.exists());
        output.write(MANIFEST, OURS).unwrap();
        let place = output.publish(false).unwrap().path;
        assert_eq!(place.file_name().unwrap(), "out");
        assert_eq!(names(&folder.path().join("deep")), ["out"]);
        assert_eq!(names(&path), [MANIFEST]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = publish(&folder.path().join("out"), OURS, false);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(path.join(MANIFEST)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_earlier_result_is_replaced_and_foreign_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        publish(&path, OURS, false);
        for name in ["state.parquet", "findings.parquet", "notes.txt"] {
            fs::write(path.join(name), "old").unwrap();
        }
        publish(&path, OURS, false);
        assert_eq!(names(&path), ["notes.txt", MANIFEST]);
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::create_dir(&path).unwrap();
        OutputDir::create(&path).unwrap();
        fs::write(path.join("notes.txt"), "mine").unwrap();
        let error = OutputDir::create(&path).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("notes.txt"), "{error}");
        fs::write(path.join(MANIFEST), r#"{"tool":{"name":"other"}}"#).unwrap();
        assert!(matches!(OutputDir::create(&path), Err(OutputError::Foreign { .. })));
        let file = path.join("notes.txt");
        assert!(matches!(OutputDir::create(&file), Err(OutputError::NotADirectory { .. })));
        assert!(!OutputDir::create(&file.join("below")).unwrap_err().is_usage());
        assert!(matches!(OutputDir::create(Path::new("/")), Err(OutputError::NotReplaceable { .. })));
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn a_result_that_is_not_published_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        publish(&path, OURS, false);
        let output = OutputDir::create(&path).unwrap();
        output.write(MANIFEST, b"half").unwrap();
        drop(output);
        assert_eq!(fs::read(path.join(MANIFEST)).unwrap(), OURS);
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn a_partial_result_leaves_the_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        publish(&path, OURS, false);
        for _ in 0..2 {
            assert_eq!(publish(&path, OURS, true).file_name().unwrap(), "out.partial");
        }
        assert_eq!(names(folder.path()), ["out", "out.partial"]);
        let partial = folder.path().join("out.partial");
        fs::write(partial.join(MANIFEST), "{}").unwrap();
        let output = OutputDir::create(&path).unwrap();
        assert!(matches!(output.publish(true), Err(OutputError::Foreign { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_keeps_pointing_to_the_result() {
        let folder = tempfile::tempdir().unwrap();
        let path = publish(&folder.path().join("night-1"), OURS, false);
        let link = folder.path().join("latest");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        publish(&link, br#"{"tool":{"name":"tokentrail"},"n":2}"#, false);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(path.join(MANIFEST)).unwrap().contains("\"n\":2"));
    }
}
