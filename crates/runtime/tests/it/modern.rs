//! A program of another, newer distribution, whose root is not this machine's.

use std::path::{Path, PathBuf};

use cooperage_runtime::{BaseFacts, Missing, Sysroot, check_against, closure};
use cooperage_testkit::peers::{self, Generation};

use crate::compiled::{Workshop, binary};
use crate::{base, runs};

/// The program, and the root it lies in.
fn skopeo() -> Option<(PathBuf, Sysroot)> {
    let program = peers::skopeo(Generation::Modern)?.path().to_owned();
    let root = program
        .ancestors()
        .nth(3)
        .expect("it lies in `usr/bin` of its root");
    let sysroot = Sysroot::new(root).expect("it exists");
    Some((program, sysroot))
}

#[test]
fn its_closure_comes_from_its_own_root_and_runs_alone() {
    let Some((program, sysroot)) = skopeo() else {
        return;
    };
    let found = closure(&[binary(&program, "/app")], &sysroot, &[]).expect("a closure");
    assert!(found.files.len() > 3, "{found:?}");
    for file in &found.files {
        assert!(file.file.starts_with(sysroot.path()), "{file:?}");
        // Resolved directories: a layer never asks `/lib` to be a link.
        let is_loader = file.image_path.starts_with("lib64/ld-linux");
        assert!(is_loader || file.image_path.starts_with("usr/"), "{file:?}");
    }
    let image = tempfile::tempdir().expect("a temporary directory");
    runs::install(image.path(), &program, "app", &found);
    let Some(text) = runs::run(image.path(), &["/app", "--version"]) else {
        return;
    };
    assert!(text.contains("skopeo version 1."), "{text}");
}

#[test]
fn this_machine_is_too_old_a_base_for_it() {
    let Some((program, _)) = skopeo() else { return };
    let Some(workshop) = Workshop::open() else {
        return;
    };
    let tree = base::base(&workshop.program("app", &[], &[]));
    let facts = BaseFacts::of(&tree).expect("readable");
    let missing = check_against(&[binary(Path::new(&program), "/app")], &facts);
    let missing = missing.expect("readable");
    let is_version = |missing: &&Missing| {
        matches!(
            missing,
            Missing::Version { library, offered: Some(_), .. } if library == "libc.so.6"
        )
    };
    let is_library = |missing: &&Missing| matches!(missing, Missing::Library { .. });
    assert!(
        missing.iter().any(|missing| is_version(&missing)),
        "{missing:?}"
    );
    assert!(
        missing.iter().any(|missing| is_library(&missing)),
        "{missing:?}"
    );
}
