//! What others pack: a small tree with one of each kind of entry, and a tar of it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cooperage_testkit::peers;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use crate::matrix::{Here as _, Otherwise};
use crate::room;

/// The tree's directory.
pub(super) fn directory() -> &'static Path {
    static TREE: OnceLock<PathBuf> = OnceLock::new();
    TREE.get_or_init(|| {
        let tree = room::directory().join("tree");
        let at = |path: &str| tree.join(path);
        for directory in ["", "etc", "bin", "srv/deep"] {
            fs::create_dir_all(at(directory)).expect("there is room");
        }
        let mode = |path: &str, mode| {
            fs::set_permissions(at(path), Permissions::from_mode(mode)).expect("it is ours");
        };
        mode("", 0o755);
        fs::write(at("etc/motd"), "hello\n").expect("there is room");
        fs::write(at("bin/program"), vec![7; 300_000]).expect("there is room");
        mode("bin/program", 0o4755);
        fs::hard_link(at("bin/program"), at("bin/again")).expect("it is ours");
        symlink("motd", at("etc/link")).expect("it is ours");
        fs::write(at("srv/deep/Zoë"), "").expect("there is room");
        fs::write(at(&"x".repeat(150)), "far").expect("there is room");
        for path in [
            "etc/motd",
            "etc/link",
            "bin/program",
            "srv/deep/Zoë",
            &"x".repeat(150),
        ] {
            set_whole_second(&at(path));
        }
        // As a user without rights the owner stays who it is.
        drop(chown(at("srv/deep"), Some(65532), Some(7)));
        tree
    })
}

/// Gives a time of a whole second: some programs round, others leave out what is below.
pub(super) fn set_whole_second(path: &Path) {
    let time = Timespec {
        tv_sec: 1_000_000_000,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("it is ours");
}

/// The tar of it that GNU tar makes.
pub(super) fn tar() -> Result<PathBuf, Otherwise> {
    let tar = peers::tool("tar").here()?;
    let path = room::directory().join("tree.tar");
    let words = [
        "-cf".as_ref(),
        path.as_os_str(),
        "-C".as_ref(),
        directory().as_os_str(),
        ".".as_ref(),
    ];
    tar.run(words).expect("tar packs it");
    Ok(path)
}
