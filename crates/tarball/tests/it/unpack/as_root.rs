//! What takes root, and what becomes of it without.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use cooperage_testkit::peers;

use super::*;

/// `cap_net_raw=ep`, as `setcap` writes it.
const CAPABILITY: [u8; 20] = [
    1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

fn owned(mode: u32) -> Attributes {
    with(Attributes::with_mode(mode), |it| {
        (it.uid, it.gid) = (4_000_000_000, 123);
        it.mtime = Mtime {
            seconds: 1_000_000_000,
            nanoseconds: 999_999_999,
        };
    })
}

fn with_xattrs(attributes: Attributes, names: &[&str]) -> Attributes {
    with(attributes, |it| {
        for name in names {
            it.xattrs.insert(name.as_bytes().to_vec(), b"1".to_vec());
        }
    })
}

/// All that root alone can set.
pub(super) fn everything() -> Tree {
    let capable = with(owned(0o4755), |it| {
        it.xattrs
            .insert(b"security.capability".to_vec(), CAPABILITY.to_vec());
    });
    let device = |kind| Entry::new(kind, owned(0o660));
    let link = with(with_xattrs(owned(0o777), &["trusted.mark"]), |it| {
        it.mode = 0o777;
    });
    let mut everything = tree([
        (
            "char",
            device(Kind::CharDevice {
                major: 1,
                minor: 300_000,
            }),
        ),
        ("char-too", Entry::hard_link(path("char"))),
        ("block", device(Kind::BlockDevice { major: 7, minor: 1 })),
        (
            "closed",
            Entry::directory(with_xattrs(owned(0o2000), &["trusted.mark"])),
        ),
        ("closed/file", Entry::file(Content::bytes(*b"x"), capable)),
        ("closed/again", Entry::hard_link(path("closed/file"))),
        (
            "fifo",
            Entry::new(Kind::Fifo, with_xattrs(owned(0o602), &["trusted.mark"])),
        ),
        (
            "link",
            Entry {
                attributes: link,
                ..Entry::symlink("closed")
            },
        ),
    ]);
    let top = with_xattrs(owned(0o1711), &["trusted.root", "user.root"]);
    everything
        .insert(TreePath::root(), Entry::directory(top))
        .unwrap();
    everything
}

#[test]
fn everything_is_as_it_is() {
    let Some(_root) = peers::tool_of_root("setpriv") else {
        return;
    };
    let made = tempfile::tempdir().unwrap();
    let out = made.path().join("out");
    let tree = everything();
    let unpacked = plainly(&tree, &out).unwrap();
    assert_eq!(
        (unpacked.entries, unpacked.left_out.as_slice()),
        (8, &[][..])
    );
    let whole = |mut entry: Entry| {
        entry.attributes.mtime.nanoseconds = 0;
        entry
    };
    let scanned = scanned(&out);
    for (path, entry) in tree.iter() {
        if matches!(entry.kind, Kind::HardLink { .. } | Kind::File { .. }) {
            continue;
        }
        let found = scanned.get(&path).unwrap();
        assert_eq!(whole(entry), found, "{path}");
    }
    let look = |name: &str| std::fs::symlink_metadata(out.join(name)).unwrap();
    assert_eq!(look("closed/file").ino(), look("closed/again").ino());
    assert_eq!(look("closed/file").mode() & 0o7777, 0o4755);
    assert_eq!(
        (look("closed/again").uid(), look("closed/again").gid()),
        (4_000_000_000, 123)
    );
    let found = xattr::get(out.join("closed/again"), "security.capability").unwrap();
    assert_eq!(
        found.as_deref(),
        Some(&CAPABILITY[..]),
        "no change of owner took it away"
    );
    assert!(look("char").file_type().is_char_device());
    assert_eq!(look("char").ino(), look("char-too").ino());
    for name in ["", "char", "closed", "closed/file", "fifo", "link"] {
        let time = look(name);
        assert_eq!(
            (time.mtime(), time.mtime_nsec()),
            (1_000_000_000, 999_999_999),
            "{name}"
        );
    }
}

#[test]
fn numbers_that_the_system_has_not_are_refused() {
    let Some(_root) = peers::tool_of_root("setpriv") else {
        return;
    };
    let made = tempfile::tempdir().unwrap();
    let out = made.path().join("out");
    for id in [u64::from(u32::MAX), 1 << 32, u64::MAX] {
        let tree = tree([(
            "a",
            Entry::file(
                Content::bytes(*b""),
                with(Attributes::file(), |it| it.gid = id),
            ),
        )]);
        let error = plainly(&tree, &out).unwrap_err();
        assert!(
            error.to_string().contains("refuses `a` its owner"),
            "{error}"
        );
        let unpacked = leaving_out(&tree, &out).unwrap();
        assert_eq!(unpacked.left_out.len(), 1);
        std::fs::remove_dir_all(&out).unwrap();
    }
    // Linux has twelve bits for it, and takes them alone without a word.
    let device = Kind::CharDevice {
        major: 0o10_000 | 1,
        minor: 3,
    };
    let tree = tree([("null", Entry::new(device, Attributes::file()))]);
    for result in [plainly(&tree, &out), leaving_out(&tree, &out)] {
        let error = said(&result.unwrap_err());
        assert!(error.contains("cannot make `null`"), "{error}");
    }
    assert!(!out.exists());
}

/// Whoever unpacks into a directory with rules for new files wants the image's files all the same.
#[test]
fn inherited_rules_are_not_heard() {
    let Some(_root) = peers::tool_of_root("setpriv") else {
        return;
    };
    let made = tempfile::tempdir().unwrap();
    let place = made.path();
    // `setfacl -m default:user:123:rwx`: kind, permissions, number of each line.
    let lines = [
        (1, 7, u32::MAX),
        (2, 7, 123),
        (4, 5, u32::MAX),
        (16, 7, u32::MAX),
        (32, 5, u32::MAX),
    ];
    let mut rules = 2_u32.to_le_bytes().to_vec();
    for (kind, permissions, number) in lines {
        rules.extend(u16::to_le_bytes(kind));
        rules.extend(u16::to_le_bytes(permissions));
        rules.extend(u32::to_le_bytes(number));
    }
    xattr::set(place, "system.posix_acl_default", &rules).unwrap();
    std::fs::set_permissions(place, std::os::unix::fs::PermissionsExt::from_mode(0o2755)).unwrap();
    std::os::unix::fs::chown(place, None, Some(77)).unwrap();
    let out = made.path().join("out");
    plainly(&tree([("d/f", file("x"))]), &out).unwrap();
    for name in ["", "d", "d/f"] {
        let at = out.join(name);
        assert_eq!(xattr::list(&at).unwrap().count(), 0, "{name}");
        let found = std::fs::metadata(&at).unwrap();
        assert_eq!(
            found.mode() & 0o7777,
            if name == "d/f" { 0o644 } else { 0o755 },
            "{name}"
        );
    }
    assert_eq!(std::fs::metadata(out.join("d/f")).unwrap().gid(), 0);
}
