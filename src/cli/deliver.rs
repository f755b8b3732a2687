//! Files that a command was asked to write: whole or not at all.

use super::exit::Failure;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Writes a file beside its place and renames it. An earlier file keeps its permissions; a new one gets what the umask allows. A
/// device or a pipe is written to: to rename over `/dev/null` would take it away from everybody.
pub(super) fn file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::output(anyhow::Error::new(error).context(format!("cannot write {}", path.display())))
    };
    let known = fs::metadata(path).ok();
    if known.as_ref().is_some_and(|known| !known.is_file()) {
        return fs::write(path, bytes).map_err(failed);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    if let Some(known) = known {
        file.as_file().set_permissions(known.permissions()).map_err(failed)?;
    }
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
