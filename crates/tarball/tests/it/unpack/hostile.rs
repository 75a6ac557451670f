//! Layers made to reach what lies outside: nothing there changes, and what is left inside is just
//! what the layers say.

use std::fs;

use super::places::names;
use super::*;

/// An entry of a hostile layer: `CANARY` stands for a directory outside, by its absolute path.
struct Line {
    kind: u8,
    name: &'static str,
    link: &'static str,
}

const fn put(name: &'static str) -> Line {
    Line {
        kind: b'0',
        name,
        link: "",
    }
}

const fn directory(name: &'static str) -> Line {
    Line {
        kind: b'5',
        ..put(name)
    }
}

const fn symlink(name: &'static str, link: &'static str) -> Line {
    Line {
        kind: b'2',
        name,
        link,
    }
}

const fn link(name: &'static str, link: &'static str) -> Line {
    Line {
        kind: b'1',
        name,
        link,
    }
}

/// A tar whose names are just what a hostile program would write.
fn tar_with(lines: &[Line], canary: &str) -> Vec<u8> {
    let (uid, gid) = me();
    let mut builder = tar::Builder::new(Vec::new());
    for line in lines {
        let mut header = tar::Header::new_ustar();
        let whole = |text: &str| text.replace("CANARY", canary);
        let fields = header.as_old_mut();
        for (field, text) in [
            (&mut fields.name, whole(line.name)),
            (&mut fields.linkname, whole(line.link)),
        ] {
            field[..text.len()].copy_from_slice(text.as_bytes());
        }
        // A whiteout is empty.
        let is_plain = line.kind == b'0' && !line.name.contains(".wh.");
        let body: &[u8] = if is_plain { b"evil" } else { b"" };
        header.set_entry_type(tar::EntryType::new(line.kind));
        header.set_size(body.len() as u64);
        header.set_mode(0o4777);
        header.set_uid(uid);
        header.set_gid(gid);
        header.set_mtime(1);
        header.set_cksum();
        builder.append(&header, body).unwrap();
    }
    builder.into_inner().unwrap()
}

/// What is left inside, one name a line, or what was said.
fn unpacked(layers: &[&[Line]], place: &Path, canary: &Path) -> Result<Vec<String>, String> {
    let out = place.join("out");
    let text = canary.to_str().unwrap();
    let spool = tempfile::tempdir().unwrap();
    let mut trees = Vec::new();
    for (number, lines) in layers.iter().enumerate() {
        let layer = spool.path().join(number.to_string());
        fs::write(&layer, tar_with(lines, text)).unwrap();
        let tree = Tree::from_tar(&layer, &ReadOptions::default());
        trees.push(tree.map_err(|error| said(&error))?);
    }
    let tree = overlay(&trees).map_err(|error| said(&error))?;
    leaving_out(&tree, &out).map_err(|error| said(&error))?;
    let scanned = scanned(&out);
    let line = |(path, entry): (TreePath, Entry)| match &entry.kind {
        Kind::Symlink { target } => {
            let target = String::from_utf8_lossy(target).replace(text, "CANARY");
            format!("{path} -> {target}")
        }
        Kind::HardLink { to } => format!("{path} = {to}"),
        Kind::Directory => format!("{path}/"),
        _ => path.to_string(),
    };
    let inside = scanned.iter().skip(1).map(line);
    let short = |line: String| line.replace(&text[1..], "CANARY");
    Ok(inside.map(short).collect())
}

#[track_caller]
fn check(layers: &[&[Line]], expected: Result<&[&str], &str>) {
    let made = tempfile::tempdir().unwrap();
    // Short enough for the old header, and below nothing that a whiteout could mean.
    let canary = made.path().join("canary");
    fs::create_dir_all(canary.join("sub")).unwrap();
    fs::write(canary.join("secret"), "lives").unwrap();
    fs::write(canary.join("sub/secret"), "lives").unwrap();
    let links = || fs::metadata(canary.join("secret")).unwrap().nlink();
    let before = (scanned(&canary), links());
    let found = unpacked(layers, made.path(), &canary);
    let is_same = tar_of(&scanned(&canary)) == tar_of(&before.0);
    assert!(is_same, "the canary was changed");
    assert_eq!(links(), before.1, "the canary's names");
    match (&found, expected) {
        (Ok(found), Ok(expected)) => {
            // Not what lies above a path that was absolute once.
            let above = canary.to_str().unwrap();
            let is_above = |line: &str| above[1..].starts_with(line.trim_end_matches('/'));
            let found: Vec<_> = found.iter().filter(|line| !is_above(line)).collect();
            assert_eq!(found, expected);
            assert_eq!(names(made.path()), ["canary", "out"]);
        }
        (Err(found), Err(expected)) => {
            assert!(found.contains(expected), "{found}");
            assert_eq!(names(made.path()), ["canary"]);
        }
        _ => panic!("found {found:?}, expected {expected:?}"),
    }
}

#[test]
fn names_that_lead_up() {
    for name in [
        "../canary/secret",
        "a/../../canary/secret",
        "..",
        "a/..",
        "./../canary/x",
    ] {
        for kind in [b'0', b'5', b'2', b'6'] {
            let line = Line {
                kind,
                name,
                link: "x",
            };
            let layer = [Line {
                link: if kind == b'2' { "x" } else { "" },
                ..line
            }];
            check(&[&layer], Err("`..` may not stand in it"));
        }
    }
}

#[test]
fn names_that_are_absolute_stay_below() {
    check(
        &[&[directory("/a"), put("//a/b"), symlink("/./c", "/etc")]],
        Ok(&["a/", "a/b", "c -> /etc"]),
    );
    check(
        &[&[put("CANARY/secret")]],
        Ok(&["CANARY/", "CANARY/secret"]),
    );
    check(
        &[&[put("/a"), put("/")]],
        Err("a regular file whose name ends in `/`"),
    );
    check(
        &[&[symlink("/", "CANARY")]],
        Err("is the tree's root, but no directory"),
    );
}

#[test]
fn entries_below_a_link() {
    const TO: [&str; 4] = ["CANARY", "../canary", "/", "."];
    for to in TO {
        let layer = [symlink("l", to), put("l/secret")];
        check(
            &[&layer],
            Err("needs `l` to be a directory, but it is a symbolic link"),
        );
        let layer = [symlink("l", to), directory("l/sub")];
        check(
            &[&layer],
            Err("needs `l` to be a directory, but it is a symbolic link"),
        );
        let layer = [symlink("l", to), symlink("l/x", "y")];
        check(
            &[&layer],
            Err("needs `l` to be a directory, but it is a symbolic link"),
        );
        let layer = [symlink("l", to), put("x"), link("l/secret", "x")];
        check(
            &[&layer],
            Err("needs `l` to be a directory, but it is a symbolic link"),
        );
        // In a layer above it is a directory, as for overlay file systems.
        let upper = [put("l/secret")];
        check(&[&[symlink("l", to)], &upper], Ok(&["l/", "l/secret"]));
        let upper = [directory("l"), put("l/secret")];
        check(&[&[symlink("l", to)], &upper], Ok(&["l/", "l/secret"]));
        // And a directory that becomes a link takes nothing along.
        let lower = [directory("l"), put("l/secret")];
        check(
            &[&lower, &[symlink("l", to)]],
            Ok(&[&*format!("l -> {to}")]),
        );
        let upper = [symlink("l", to), put("l/secret")];
        check(&[&lower, &upper], Err("needs `l` to be a directory"));
        let upper = [put("l/new"), symlink("l", to)];
        check(&[&lower, &upper], Ok(&[&*format!("l -> {to}")]));
        // One after the other in the same layer, the last counts.
        let layer = [
            directory("l"),
            symlink("l", to),
            directory("l"),
            put("l/secret"),
        ];
        check(&[&layer], Ok(&["l/", "l/secret"]));
    }
    let layer = [symlink("a", "b"), symlink("b", "CANARY"), put("a/secret")];
    check(&[&layer], Err("needs `a` to be a directory"));
}

#[test]
fn hard_links_that_lead_out() {
    check(
        &[&[link("h", "../canary/secret")]],
        Err("`..` may not stand in it"),
    );
    check(&[&[link("h", "CANARY/secret")]], Err("which is not there"));
    check(
        &[&[link("h", "/etc/passwd")]],
        Err("hard link to `etc/passwd`, which is not there"),
    );
    let layer = [symlink("l", "CANARY"), link("h", "l/secret")];
    check(
        &[&layer],
        Err("hard link to `l/secret`, which is not there"),
    );
    let lower = [symlink("l", "CANARY")];
    check(
        &[&lower, &[link("h", "l/secret")]],
        Err("hard link to `l/secret`, which is not there"),
    );
    check(&[&[link("h", "h")]], Err("h"));
    check(
        &[&[link("a", "b"), link("b", "a")]],
        Err("leads in a circle"),
    );
    check(&[&[directory("d"), link("h", "d")]], Err("hard link"));
    check(&[&[link("h", "/")]], Err("h"));
}

#[test]
fn another_name_of_a_link_is_a_link() {
    let layer = [symlink("l", "CANARY/secret"), link("h", "l")];
    check(&[&layer], Ok(&["h -> CANARY/secret", "l = h"]));
    // What is put in its place goes nowhere else.
    check(&[&layer, &[put("h")]], Ok(&["h", "l -> CANARY/secret"]));
    check(&[&layer, &[put("h"), link("l", "h")]], Ok(&["h", "l = h"]));
}

#[test]
fn whiteouts_that_lead_out() {
    for name in [".wh...", ".wh..", "a/.wh...", ".wh.", "a/.wh."] {
        check(
            &[&[put("a/b")], &[put(name)]],
            Err("removes nothing that has a name"),
        );
    }
    check(&[&[put("../.wh.canary")]], Err("`..` may not stand in it"));
    check(
        &[&[put("../canary/.wh..wh..opq")]],
        Err("`..` may not stand in it"),
    );
    check(&[&[put("/.wh.canary")]], Ok(&[]));
    let lower = [symlink("l", "CANARY"), put("f")];
    check(&[&lower, &[put("l/.wh.secret")]], Ok(&["f", "l -> CANARY"]));
    check(
        &[&lower, &[put("l/sub/.wh.secret")]],
        Ok(&["f", "l -> CANARY"]),
    );
    check(&[&lower, &[put("l/.wh..wh..opq")]], Ok(&["f", "l/"]));
    check(
        &[&lower, &[put("l/sub/.wh..wh..opq")]],
        Ok(&["f", "l/", "l/sub/"]),
    );
    check(&[&lower, &[put(".wh.l")]], Ok(&["f"]));
    check(&[&lower, &[put(".wh..wh..opq")]], Ok(&[]));
    let upper = [put("l/.wh..wh..opq"), put("l/secret")];
    check(&[&lower, &upper], Ok(&["f", "l/", "l/secret"]));
    let upper = [symlink("m", "CANARY"), put("m/.wh.secret")];
    check(&[&lower, &upper], Ok(&["f", "l -> CANARY", "m -> CANARY"]));
    let upper = [symlink("m", "CANARY"), put("m/.wh..wh..opq")];
    check(&[&lower, &upper], Err("m"));
}

#[test]
fn what_a_user_may_not_make() {
    let device = |name, major, minor| {
        let kind = Kind::CharDevice { major, minor };
        (name, Entry::new(kind, Attributes::with_mode(0o666)))
    };
    let others = with(Attributes::with_mode(0o6755), |it| it.uid = 1);
    let trusted = with(Attributes::file(), |it| {
        (it.uid, it.gid) = me();
        it.xattrs.insert(b"trusted.mark".to_vec(), b"1".to_vec());
    });
    let tree = tree([
        device("null", 1, 3),
        ("null-too", Entry::hard_link(path("null"))),
        ("others", Entry::new(file("x").kind, others)),
        ("trusted", Entry::new(file("x").kind, trusted)),
    ]);
    let made = tempfile::tempdir().unwrap();
    let out = made.path().join("out");
    if is_root() {
        assert_eq!(plainly(&tree, &out).unwrap().left_out, []);
        return;
    }
    let error = said(&plainly(&tree, &out).unwrap_err());
    assert!(
        error.contains("the system refuses `null` its device"),
        "{error}"
    );
    assert_eq!(names(made.path()), [""; 0]);
    let unpacked = leaving_out(&tree, &out).unwrap();
    let left: Vec<(String, &Omission)> = unpacked
        .left_out
        .iter()
        .map(|LeftOut { path, what, .. }| (path.to_string(), what))
        .collect();
    let trusted = Omission::Xattr {
        name: b"trusted.mark".to_vec(),
    };
    let expected = [
        ("null", &Omission::Device),
        ("null-too", &Omission::Device),
        ("others", &Omission::Owner),
        ("others", &Omission::SetId),
        ("trusted", &trusted),
    ];
    assert_eq!(left, expected.map(|(path, what)| (path.to_owned(), what)));
    assert_eq!(unpacked.entries, 2);
    assert_eq!(names(&out), ["others", "trusted"]);
    assert_eq!(
        fs::metadata(out.join("others")).unwrap().mode() & 0o7777,
        0o755
    );
}

/// A user gets all of an image of root's but what root alone can set, and is told of each.
#[test]
fn an_image_of_root_for_a_user() {
    let made = tempfile::tempdir().unwrap();
    let tree = as_root::everything();
    let out = made.path().join("out");
    let unpacked = leaving_out(&tree, &out).unwrap();
    let count = |what: &Omission| {
        let same = unpacked.left_out.iter().filter(|left| left.what == *what);
        same.count()
    };
    let found = [&Omission::Device, &Omission::Owner, &Omission::SetId].map(count);
    let expected = if is_root() { [0, 0, 0] } else { [3, 5, 2] };
    assert_eq!(found, expected, "{:?}", unpacked.left_out);
    open_up(&out);
}
