//! Where a command was asked to write: files are replaced whole, everything else is written to as it is.

use crate::keys_show::keys;
use crate::mint;
use std::fs;
#[cfg(target_os = "linux")]
use std::{path::Path, process::Command};

/// Runs a shell's line in a folder, with the binary as `$T`; gives its standard output.
#[cfg(target_os = "linux")]
fn shell(folder: &Path, line: &str) -> String {
    let mut command = Command::new("sh");
    command.current_dir(folder).env("T", env!("CARGO_BIN_EXE_tokentrail")).args(["-c", line]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    mint::write_good_archive("everyday", &folder.path().join("keys"));
    fs::write(folder.path().join("empty.log"), "").unwrap();
    folder
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_open_is_written_to_where_it_is() {
    let folder = folder();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (_, picture, _) = keys(folder.path(), &["timeline"]);
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert!(fs::symlink_metadata(name).unwrap().is_symlink(), "{name}");
        let before = fs::read_link("/dev/stdout").unwrap();
        shell(
            folder.path(),
            &format!("{{ echo before; $T keys timeline -o {name}; echo after; }} > out.txt"),
        );
        assert_eq!(read("out.txt"), format!("before\n{picture}after\n"), "{name}");
        assert_eq!(shell(folder.path(), &format!("$T keys timeline -o {name}")), picture);
        assert_eq!(fs::read_link("/dev/stdout").unwrap(), before);
    }
    // A file that is open under another number is added to.
    fs::write(folder.path().join("three.txt"), "before\n").unwrap();
    shell(folder.path(), "$T keys timeline -o /dev/fd/3 3>> three.txt");
    assert_eq!(read("three.txt"), format!("before\n{picture}"));
    // So is the audit's manifest.
    let audit = "$T audit -q --keys keys -o out empty.log --summary-json";
    shell(folder.path(), &format!("{{ echo before; {audit} /dev/stdout; echo after; }} > run.txt"));
    let manifest = read("out/run.json");
    assert_eq!(read("run.txt"), format!("before\n{manifest}after\n"));
    shell(folder.path(), &format!("{audit} /dev/fd/4 4> four.json"));
    assert_eq!(read("four.json"), read("out/run.json"));
    shell(folder.path(), &format!("{audit} /dev/null"));
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let (code, _, stderr) = keys(folder.path(), &["timeline", "-o", "/dev/fd/99"]);
    assert!(code == 4 && stderr.contains("/dev/fd/99"), "{stderr}");
    let policy = shell(folder.path(), "$T policy init -o /dev/stdout");
    assert!(policy.contains("version = 1"), "{policy}");
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_its_target_is_replaced() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("there")).unwrap();
    fs::write(path("there/real.svg"), "old").unwrap();
    fs::set_permissions(path("there/real.svg"), fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("there/real.svg", path("link.svg")).unwrap();
    std::os::unix::fs::symlink("there/new.svg", path("dangling.svg")).unwrap();
    let (_, picture, _) = keys(folder.path(), &["timeline"]);
    for (link, target) in [("link.svg", "there/real.svg"), ("dangling.svg", "there/new.svg")] {
        let (code, _, stderr) = keys(folder.path(), &["timeline", "-o", link]);
        assert_eq!(code, 0, "{stderr}");
        assert!(fs::symlink_metadata(path(link)).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(path(target)).unwrap(), picture);
    }
    assert_eq!(fs::metadata(path("there/real.svg")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(path("there")).unwrap().count(), 2, "nothing temporary is left");
    std::os::unix::fs::symlink("round.svg", path("round.svg")).unwrap();
    for name in ["there", "round.svg"] {
        let (code, _, stderr) = keys(folder.path(), &["timeline", "-o", name]);
        assert!(code == 4 && stderr.contains(name), "{stderr}");
    }
    assert!(fs::symlink_metadata(path("round.svg")).unwrap().is_symlink());
}
