//! Files that a command was asked to write: whole or not at all.

use super::exit::Failure;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

/// Links that are followed in a row, as Linux does.
const LINKS_MAX: usize = 40;

/// Who may read a new file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Whoever the umask lets.
    Usual,
    /// The owner: what is written tells of logs.
    Owner,
}

/// A file that is written and waits for its name.
pub(super) struct Waiting {
    file: Option<tempfile::NamedTempFile>,
    path: PathBuf,
}

/// Writes a file at once; see [`prepare`].
pub(super) fn file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    prepare(path, bytes, Readers::Usual)?.keep()
}

/// Writes a file beside its place, to be renamed. A link stays and its target is replaced; for [`Readers::Usual`] an earlier file
/// keeps its permissions. Devices, pipes and what is open already (`/dev/stdout`, `/dev/fd/3`) are written to now: to rename over
/// `/dev/null` would take it away from everybody.
pub(super) fn prepare(path: &Path, bytes: &[u8], readers: Readers) -> Result<Waiting, Failure> {
    let failed = |error: io::Error| failed(path, error);
    match Place::of(path) {
        Place::Descriptor(number, own) => to_descriptor(number, &own, bytes).map_err(failed)?,
        Place::Device(device) => {
            let device = OpenOptions::new().write(true).open(device);
            device.and_then(|mut device| device.write_all(bytes)).map_err(failed)?;
        }
        Place::File(target) => {
            let file = beside(&target, bytes, readers).map_err(failed)?;
            return Ok(Waiting { file: Some(file), path: target });
        }
    }
    Ok(Waiting { file: None, path: path.to_owned() })
}

impl Waiting {
    /// Gives the file its name.
    pub(super) fn keep(self) -> Result<(), Failure> {
        let Some(file) = self.file else { return Ok(()) };
        file.persist(&self.path).map(drop).map_err(|error| failed(&self.path, error.error))
    }
}

fn failed(path: &Path, error: io::Error) -> Failure {
    Failure::output(anyhow::Error::new(error).context(format!("cannot write {}", path.display())))
}

/// What a path leads to.
enum Place {
    /// A file, there or not.
    File(PathBuf),
    /// What is no file: a device, a pipe.
    Device(PathBuf),
    /// What a process has open. It may be a file whose name nobody knows, or one with somebody else's text in it.
    Descriptor(u32, PathBuf),
}

impl Place {
    fn of(path: &Path) -> Self {
        let mut path = path.to_owned();
        for links in 0..=LINKS_MAX {
            if let Some(number) = descriptor(&path) {
                return Self::Descriptor(number, path);
            }
            match fs::read_link(&path) {
                // It leads nowhere, as the system will say.
                Ok(_) if links == LINKS_MAX => return Self::Device(path),
                Ok(target) => path = folder_of(&path).join(target),
                Err(_) => break,
            }
        }
        if fs::metadata(&path).is_ok_and(|known| !known.is_file()) {
            Self::Device(path)
        } else {
            Self::File(path)
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The number of an open file, of this process or another.
fn descriptor(path: &Path) -> Option<u32> {
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let folder = folder_of(path).canonicalize().ok()?;
    let of_process = folder.starts_with("/proc") && folder.file_name() == Some(OsStr::new("fd"));
    (of_process || folder == Path::new("/dev/fd")).then_some(number)
}

/// Standard output and standard error go on where they are. Anything else is opened again, which would begin at the first byte: it is
/// added to.
fn to_descriptor(number: u32, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let own = folder_of(path).canonicalize()?;
    let own = own == Path::new("/dev/fd") || own == Path::new(&format!("/proc/{}/fd", process::id()));
    match number {
        1 if own => {
            let mut out = io::stdout().lock();
            match out.write_all(bytes).and_then(|()| out.flush()) {
                // A reader that has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => written,
            }
        }
        2 if own => io::stderr().lock().write_all(bytes),
        _ => OpenOptions::new().append(true).open(path)?.write_all(bytes),
    }
}

/// A temporary file with its content beside a place.
fn beside(target: &Path, bytes: &[u8], readers: Readers) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    if readers == Readers::Usual {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder_of(target))?;
    file.write_all(bytes)?;
    if let (Readers::Usual, Ok(known)) = (readers, fs::metadata(target)) {
        file.as_file().set_permissions(known.permissions())?;
    }
    Ok(file)
}
