//! The command as its users run it, and what lies in directories afterwards.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cooperage_blob::{CopyOptions, Memory, Source, copy};
use cooperage_testkit::peers::{self, Program};
pub(crate) use cooperage_testkit::program::{Ran, run};
use cooperage_testkit::program::{built, target_of};
use cooperage_testkit::ragged::Numbers;

/// The programs that this workspace gives.
fn program(name: &str) -> &'static Path {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let target = target_of(env!("CARGO_TARGET_TMPDIR"));
    &BUILT.get_or_init(|| built(target, &["--package", "cooperage-cli", "--bins"]))[name]
}

pub(crate) fn cooperage() -> &'static Path {
    program("cooperage")
}

pub(crate) fn cargo_image() -> &'static Path {
    program("cargo-image")
}

/// The command, to be run in `directory`.
pub(crate) fn command(directory: &Path, args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(cooperage());
    command.current_dir(directory).args(args);
    command
}

/// The command run in `directory`, with nothing on standard input.
pub(crate) fn try_in(directory: &Path, args: &[impl AsRef<OsStr>]) -> Ran {
    run(&mut command(directory, args), b"")
}

/// The same, which must end well.
#[track_caller]
pub(crate) fn good(directory: &Path, args: &[impl AsRef<OsStr>]) -> Ran {
    try_in(directory, args).exits(0)
}

/// Bytes that no codec makes smaller.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    Numbers::new(seed).bytes(length)
}

/// Every file below a directory with its bytes, and every directory with none.
#[expect(clippy::disallowed_methods, reason = "sorted by the map")]
pub(crate) fn snapshot(directory: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).expect("a directory") {
            let path = entry.expect("an entry").path();
            let below = path.strip_prefix(directory).expect("below");
            let name = below.to_str().expect("text").to_owned();
            if path.is_dir() {
                open.push(path);
                found.insert(name, None);
            } else {
                found.insert(name, Some(fs::read(&path).expect("a file")));
            }
        }
    }
    found
}

/// All that an image is can be read from the layout under its name, and nothing in the layout is
/// wrong or odd.
#[track_caller]
pub(crate) fn assert_whole(layout: &Path, name: &str) {
    let faults: Vec<_> = cooperage_layout::fsck(layout)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
    let layout = cooperage_layout::Layout::open(layout).expect("a layout");
    let roots = layout.roots().expect("an index");
    let root = roots.iter().find(|root| root.name.as_deref() == Some(name));
    let root = root.unwrap_or_else(|| panic!("`{name}` is gone: {roots:?}"));
    copy(&layout, root, &Memory::new(), &CopyOptions::default()).expect("it is whole");
}

/// Starts a program as somebody whom permissions bind: nobody, if these tests run as root.
pub(crate) fn as_nobody(program: &Path) -> Option<Command> {
    use std::os::unix::fs::MetadataExt as _;
    let own = tempfile::tempfile().expect("a temporary file").metadata();
    if own.expect("its metadata").uid() != 0 {
        return Some(Command::new(program));
    }
    let setpriv: Program = peers::tool("setpriv")?;
    let mut command = Command::new(setpriv.path());
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program);
    Some(command)
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// A directory that everyone may look into, with the command in it: where this workspace lies,
/// others may have no business.
pub(crate) fn open_to_all() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    chmod(directory.path(), 0o755);
    let program = directory.path().join("cooperage");
    fs::copy(cooperage(), &program).expect("it is there");
    chmod(&program, 0o755);
    (directory, program)
}
