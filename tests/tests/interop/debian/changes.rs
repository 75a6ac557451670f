//! What a container changed: our difference of its root before and after, and what Docker commits.

use std::fs;
use std::path::{Path, PathBuf};

use cooperage_tarball::{Kind, Tree, TreePath, diff, overlay};
use cooperage_testkit::docker::{self, Docker, Store, process_of};
use cooperage_testkit::peers;

use super::images::{Packed, scanned, top_layer};
use super::same::{Fact, differences, facts};
use crate::matrix::{Here as _, Seen};

const SCRIPT: &str = include_str!("changes.sh");

/// What the container run time writes itself: Docker has it in a layer of its own, between the image
/// and the container, and commits none of it.
const OF_RUN_TIME: [&str; 6] = [
    ".dockerenv",
    "dev/console",
    "etc/hostname",
    "etc/hosts",
    "etc/mtab",
    "etc/resolv.conf",
];
/// The directories that get another time by that.
const ABOVE: [&str; 2] = ["./", "dev"];

pub(super) fn are_seen_by(store: Store) -> Seen {
    let docker = docker::shared(store).here()?;
    let nsenter = peers::tool_of_root("nsenter").here()?;
    peers::tool("dpkg-deb").here()?;
    let debian = Packed::shared().here()?;
    let made = tempfile::tempdir().unwrap();
    let packages = packages(&debian.debian.packages, made.path());
    let image = format!("debian-{store:?}").to_lowercase();
    let archive = debian.docker_archive(&image);
    docker.load(&archive).unwrap();
    fs::remove_file(archive).unwrap();
    runs(docker, &image);

    let mark = format!("COOPERAGE_DEBIAN_IN={store:?}-{}", std::process::id());
    let volume = format!("{}:/packages:ro", packages.display());
    let options = ["--env", &mark, "--volume", &volume];
    let container = docker
        .run_detached(&options, &image, &["sleep", "600"])
        .unwrap();
    let words = ["exec", container.id(), "sh", "-c", SCRIPT];
    docker.client().run(words).unwrap();

    // The root without what is mounted in it, in the container's own namespace of mounts.
    let process = process_of(&mark).unwrap_or_else(|| panic!("{store}: {}", container.logs()));
    let namespace = format!("--mount=/proc/{process}/ns/mnt");
    nsenter
        .run([&namespace, "mount", "--bind", "/", "/mnt"])
        .unwrap();
    let after = scanned(&PathBuf::from(format!("/proc/{process}/root/mnt")));
    let ours = diff(debian.base.tree(), &after).unwrap();
    is_there(&ours);

    let committed = format!("{image}-changed");
    docker.commit(container.id(), &committed).unwrap();
    let saved = made.path().join("saved.tar");
    docker.save(&[&committed], &saved).unwrap();
    let theirs = top_layer(&saved);
    compare(debian.base.tree(), &ours, theirs.tree(), store);
    Ok(())
}

/// The image is a Debian that works.
fn runs(docker: &Docker, image: &str) {
    let version = docker.run(image, &["cat", "/etc/debian_version"]).unwrap();
    assert!(version.starts_with("12."), "{version}");
    let check = "apt-get check && dpkg --audit && dpkg --verify";
    let said = docker.run(image, &["sh", "-ec", check]).unwrap();
    let lines: Vec<_> = said.lines().filter(|line| !line.contains("...")).collect();
    assert!(lines.is_empty(), "{said}");
}

/// The packages to install: those that were fetched, and of `hostname` a later one than there is,
/// with a file less, one more, and one changed.
fn packages(fetched: &Path, made: &Path) -> PathBuf {
    let packages = made.join("packages");
    fs::create_dir(&packages).unwrap();
    let mut hostname = None;
    for entry in names(fetched) {
        let (from, to) = (fetched.join(&entry), packages.join(&entry));
        if entry.starts_with("hostname_") {
            hostname = Some(from);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
    let script = r#"
        dpkg-deb --raw-extract "$1" "$2/tree"
        cd "$2/tree"
        sed -i 's/^Version: .*/&+cooperage1/' DEBIAN/control
        rm usr/share/doc/hostname/changelog.gz
        echo changed >> usr/share/doc/hostname/copyright
        mkdir usr/share/hostname
        ln usr/share/doc/hostname/copyright usr/share/hostname/copyright
        find . -type f ! -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum > DEBIAN/md5sums
        dpkg-deb --root-owner-group --build . "$2/packages/hostname.deb"
    "#;
    let shell = peers::tool("sh").unwrap();
    let hostname = hostname.unwrap();
    shell
        .run([
            "-euc".as_ref(),
            script.as_ref(),
            "sh".as_ref(),
            hostname.as_os_str(),
            made.as_os_str(),
        ])
        .unwrap();
    packages
}

#[expect(
    clippy::disallowed_methods,
    reason = "each is copied, in whatever order"
)]
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Over the base, both layers must give the same; and the entries of each must be accounted for.
fn compare(base: &Tree, ours: &Tree, theirs: &Tree, store: Store) {
    let before = facts(base);
    let effect = |layer| facts(&overlay([base, layer]).unwrap());
    let (mine, docker) = (effect(ours), effect(theirs));
    let is_excused = |path: &TreePath| {
        let (mine, docker) = (mine.get(path), docker.get(path));
        // containerd takes a directory as unchanged if its time alone is another.
        let may_be_late = ABOVE.contains(&&*path.display()) || store == Store::ModernContainerd;
        let is_late = is_directory_of_another_time(mine, docker) && docker == before.get(path);
        OF_RUN_TIME.contains(&&*path.display()) || may_be_late && is_late
    };
    let mut found = differences(&mine, &docker);
    found.retain(|(path, _)| !is_excused(path));
    assert!(found.is_empty(), "{store} commits otherwise: {found:#?}");

    // What is ours alone: removals below what Docker marks as opaque.
    let below = |path: &TreePath| theirs.opaque().any(|opaque| path.is_below(&opaque));
    let alone: Vec<_> = ours
        .iter()
        .filter(|(path, _)| theirs.get(path).is_none() && !below(path) && !is_excused(path))
        .map(|(path, entry)| format!("{path}: {}", entry.kind.name()))
        .collect();
    assert!(alone.is_empty(), "{store} does not have {alone:#?}");
    // What is Docker's alone: what was touched and is as it was.
    let changed: Vec<_> = theirs
        .iter()
        .filter(|(path, _)| ours.get(path).is_none())
        .filter(|(path, _)| before.get(path) != docker.get(path))
        .map(|(path, entry)| format!("{path}: {}", entry.kind.name()))
        .collect();
    assert!(changed.is_empty(), "{store} alone has {changed:#?}");
}

fn is_directory_of_another_time(mine: Option<&Fact>, docker: Option<&Fact>) -> bool {
    let (Some(mine), Some(docker)) = (mine, docker) else {
        return false;
    };
    let mut same = mine.clone();
    same.attributes.mtime = docker.attributes.mtime;
    mine.kind == Kind::Directory && same == *docker
}

/// What the script did is what both saw, and not nothing.
fn is_there(ours: &Tree) {
    let entry = |path: &str| {
        let path = TreePath::parse(path).unwrap();
        ours.get(&path).unwrap_or_else(|| panic!("no {path}"))
    };
    for path in ["usr/bin/ping", "usr/bin/perl"] {
        let xattrs = &entry(path).attributes.xattrs;
        assert!(xattrs.contains_key(&b"security.capability"[..]), "{path}");
    }
    for (path, kind) in [
        ("usr/share/zoneinfo", "whiteout"),
        ("usr/bin/mawk", "whiteout"),
        ("usr/share/doc/hostname/changelog.gz", "whiteout"),
        ("etc/issue.net", "symbolic link"),
        ("etc/issue", "directory"),
        ("var/tmp/two", "hard link"),
        ("var/tmp/fifo", "fifo"),
        ("var/tmp/null", "character device"),
        ("var/tmp/closed/below", "directory"),
    ] {
        assert_eq!(entry(path).kind.name(), kind, "{path}");
    }
    assert_eq!(entry("usr/bin/chage").attributes.uid, 12);
    assert_eq!(entry("var/tmp/set").attributes.mode, 0o6755);
}
