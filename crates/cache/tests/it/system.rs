//! What the system refuses, and what becomes of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use cooperage_testkit::again::this_program;
use cooperage_testkit::peers;

use crate::processes::{command, command_under};
use crate::{ROOMY, all, assert_whole, cache, nothing, numbered, partial, put};

/// A full disk costs the cache, and nothing else: what was there stays, nothing half stays, and the
/// blob is read from where it came from.
#[test]
fn a_full_disk_is_done_without() {
    let (_directory, cache) = cache(ROOMY);
    let (before, descriptor) = numbered(1, 1000);
    drop(put(&cache, &before));
    // A limit on the size of files refuses writes as a full disk does.
    let limited = |length: usize| {
        let script = format!("trap '' XFSZ; ulimit -f 8; exec {} \"$@\"", this_program());
        let work = format!("one {length}");
        let mut command = command_under(
            "/bin/bash",
            &["-c", &script, "bash"],
            &work,
            cache.directory(),
        );
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // More than a buffer, and less: then it is refused when it is flushed.
    for length in [1_000_000, 40_000] {
        let said = limited(length);
        assert!(
            said.contains("refused: ") && said.contains("File too large"),
            "{said}"
        );
        assert!(said.contains("read all the same, 1 faults"), "{said}");
        assert!(partial(&cache).is_empty(), "{:?}", partial(&cache));
        assert_eq!(cache.usage().unwrap().blobs, 1);
        assert_whole(&cache);
    }
    assert_eq!(
        all(cache.blob(&descriptor, nothing).unwrap()).unwrap(),
        before
    );
    let said = limited(4000);
    assert!(
        said.contains("kept 4000") && said.contains(", 0 faults"),
        "{said}"
    );
}

/// Who may not write a cache still reads what is in it, and fetches what is not.
#[test]
fn a_cache_that_cannot_be_written_is_read() {
    let (directory, cache) = cache(ROOMY);
    let (bytes, _) = numbered(7, 4000);
    drop(put(&cache, &bytes));
    for path in ["blobs", "blobs/sha256", "facts", "partial", ""] {
        let path = cache.directory().join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let run = |length: usize| {
        let work = format!("one {length}");
        let mut command = command(&work, cache.directory());
        if fs::metadata(cache.directory()).unwrap().uid() == 0 {
            // No permission binds root: somebody else must try.
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
            let setpriv = peers::tool("setpriv")?;
            let copy = directory.path().join("binary");
            fs::copy(this_program(), &copy).unwrap();
            let arguments = [
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                copy.to_str().unwrap(),
            ];
            let program = setpriv.path().to_str().unwrap().to_owned();
            command = command_under(&program, &arguments, &work, cache.directory());
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Some(String::from_utf8(output.stdout).unwrap())
    };
    if let Some(said) = run(4000) {
        assert!(
            said.contains("kept 4000") && said.contains(", 0 faults"),
            "{said}"
        );
    }
    if let Some(said) = run(5000) {
        assert!(
            said.contains("refused: ") && said.contains("ermission denied"),
            "{said}"
        );
        assert!(said.contains("read all the same, 1 faults"), "{said}");
    }
    for path in ["", "blobs", "blobs/sha256", "facts", "partial"] {
        let path = cache.directory().join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
