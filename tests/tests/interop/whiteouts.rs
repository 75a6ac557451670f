//! What upper layers replace and remove, as Docker, umoci and podman unpack it.
//!
//! Each case has a directory of its own in one image of three layers. What is seen there is
//! compared with what is written here, and in all attributes with our own overlay of the layers.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use cooperage_testkit::listing::{Entry, Kind, Listing};

use crate::images::{Below as _, Image, busybox};
use crate::matrix::{self, Here as _, Otherwise, Rows};
use crate::room::Shared;
use crate::unpackers::{Unpacker, cases, steady};

struct Case {
    name: &'static str,
    /// The lines of each layer; `@` stands for the case's directory.
    layers: [&'static str; 3],
    /// Path, mode and kind: the length tells files apart.
    seen: &'static [&'static str],
}

const REPLACED: Case = Case {
    name: "replaced",
    layers: [
        r#"
            {"path":"@/file","text":"old","mode":"0600","xattrs":{"user.age":"b2xk"}}
            {"path":"@/owned","text":"old","uid":5,"gid":6,"mtime":1000000000}
            {"path":"@/kept","text":"old"}
            {"path":"@/dir","dir":true,"mode":"0700","uid":7}
            {"path":"@/dir/inner","text":"old"}
            {"path":"@/link","symlink":"kept"}
        "#,
        r#"
            {"path":"@/file","text":"newer","mode":"0755"}
            {"path":"@/owned","text":"newer","uid":8,"gid":9,"mtime":1500000000}
            {"path":"@/dir","dir":true,"mode":"0750","uid":9}
            {"path":"@/link","symlink":"file"}
        "#,
        "",
    ],
    seen: &[
        "dir 0750 directory",
        "dir/inner 0644 file of 3",
        "file 0755 file of 5",
        "kept 0644 file of 3",
        "link 0777 -> file",
        "owned 0644 file of 5",
    ],
};

const OTHER_TYPE: Case = Case {
    name: "other-type",
    layers: [
        r#"
            {"path":"@/file-to-dir","text":"old"}
            {"path":"@/file-to-link","text":"old"}
            {"path":"@/file-to-fifo","text":"old"}
            {"path":"@/dir-to-file/inner","text":"old"}
            {"path":"@/dir-to-link/inner","text":"old"}
            {"path":"@/dir-to-fifo/inner/deep","text":"old"}
            {"path":"@/link-to-dir","symlink":"target"}
            {"path":"@/link-to-file","symlink":"target/inner"}
            {"path":"@/target/inner","text":"old"}
            {"path":"@/fifo-to-file","fifo":true}
            {"path":"@/fifo-to-dir","fifo":true}
        "#,
        r#"
            {"path":"@/file-to-dir/inner","text":"newer"}
            {"path":"@/file-to-link","symlink":"target"}
            {"path":"@/file-to-fifo","fifo":true}
            {"path":"@/dir-to-file","text":"newer"}
            {"path":"@/dir-to-link","symlink":"target"}
            {"path":"@/dir-to-fifo","fifo":true}
            {"path":"@/link-to-dir/inner","text":"newer"}
            {"path":"@/link-to-file","text":"newer"}
            {"path":"@/fifo-to-file","text":"newer"}
            {"path":"@/fifo-to-dir","dir":true}
        "#,
        "",
    ],
    seen: &[
        "dir-to-fifo 0644 special 10000",
        "dir-to-file 0644 file of 5",
        "dir-to-link 0777 -> target",
        "fifo-to-dir 0755 directory",
        "fifo-to-file 0644 file of 5",
        "file-to-dir 0755 directory",
        "file-to-dir/inner 0644 file of 5",
        "file-to-fifo 0644 special 10000",
        "file-to-link 0777 -> target",
        "link-to-dir 0755 directory",
        "link-to-dir/inner 0644 file of 5",
        "link-to-file 0644 file of 5",
        "target 0755 directory",
        "target/inner 0644 file of 3",
    ],
};

const OPAQUE: Case = Case {
    name: "opaque",
    layers: [
        r#"
            {"path":"@/dir/old","text":"old"}
            {"path":"@/dir/again","text":"old"}
            {"path":"@/dir/sub/deep","text":"old"}
            {"path":"@/dir/gone/deep/deeper","text":"old"}
            {"path":"@/outer/kept","text":"old"}
            {"path":"@/outer/inner/old","text":"old"}
            {"path":"@/three/old","text":"old"}
            {"path":"@/was-file","text":"old"}
        "#,
        r#"
            {"path":"@/dir","opaque":true}
            {"path":"@/dir","dir":true,"mode":"0711"}
            {"path":"@/dir/again","text":"newer"}
            {"path":"@/dir/new","text":"newer"}
            {"path":"@/dir/sub/other","text":"newer"}
            {"path":"@/outer/inner","opaque":true}
            {"path":"@/outer/inner","dir":true}
            {"path":"@/three/newer","text":"newer"}
            {"path":"@/was-file","opaque":true}
            {"path":"@/was-file","dir":true}
            {"path":"@/nothing-below","opaque":true}
            {"path":"@/nothing-below","dir":true}
        "#,
        r#"
            {"path":"@/three","opaque":true}
            {"path":"@/three","dir":true}
            {"path":"@/three/newest","text":"newest!"}
        "#,
    ],
    seen: &[
        "dir 0711 directory",
        "dir/again 0644 file of 5",
        "dir/new 0644 file of 5",
        "dir/sub 0755 directory",
        "dir/sub/other 0644 file of 5",
        "nothing-below 0755 directory",
        "outer 0755 directory",
        "outer/inner 0755 directory",
        "outer/kept 0644 file of 3",
        "three 0755 directory",
        "three/newest 0644 file of 7",
        "was-file 0755 directory",
    ],
};

const NESTED: Case = Case {
    name: "nested",
    layers: [
        r#"
            {"path":"@/a/b/c/gone","text":"old"}
            {"path":"@/a/b/c/kept","text":"old"}
            {"path":"@/a/b/d/inner/deep","text":"old"}
            {"path":"@/a/b/e/inner/deep","text":"old"}
        "#,
        r#"
            {"path":"@/a/b/c/gone","whiteout":true}
            {"path":"@/a/b/c/never-there","whiteout":true}
            {"path":"@/a/b/d","whiteout":true}
            {"path":"@/a/b/e/inner","whiteout":true}
            {"path":"@/a/b/e/new","text":"newer"}
        "#,
        r#"
            {"path":"@/a/b/d/inner/other","text":"newest!"}
        "#,
    ],
    seen: &[
        "a 0755 directory",
        "a/b 0755 directory",
        "a/b/c 0755 directory",
        "a/b/c/kept 0644 file of 3",
        "a/b/d 0755 directory",
        "a/b/d/inner 0755 directory",
        "a/b/d/inner/other 0644 file of 7",
        "a/b/e 0755 directory",
        "a/b/e/new 0644 file of 5",
    ],
};

/// A layer that says what the directories around its removals are.
const STATED: Case = Case {
    name: "stated",
    layers: [
        r#"
            {"path":"@/dir","dir":true,"mode":"0751","uid":3,"gid":4}
            {"path":"@/dir/gone","text":"old"}
            {"path":"@/dir/kept","text":"old"}
            {"path":"@/hidden","dir":true,"mode":"0751","uid":3,"gid":4}
            {"path":"@/hidden/gone","text":"old"}
        "#,
        r#"
            {"path":"@/dir","dir":true,"mode":"0751","uid":3,"gid":4}
            {"path":"@/dir/gone","whiteout":true}
            {"path":"@/hidden","opaque":true}
            {"path":"@/hidden","dir":true,"mode":"0751","uid":3,"gid":4}
        "#,
        "",
    ],
    seen: &[
        "dir 0751 directory",
        "dir/kept 0644 file of 3",
        "hidden 0751 directory",
    ],
};

/// One that does not.
const BARE: Case = Case {
    name: "bare",
    layers: [
        r#"
            {"path":"@/dir","dir":true,"mode":"0751","uid":3,"gid":4}
            {"path":"@/dir/gone","text":"old"}
            {"path":"@/dir/kept","text":"old"}
            {"path":"@/hidden","dir":true,"mode":"0751","uid":3,"gid":4}
            {"path":"@/hidden/gone","text":"old"}
        "#,
        r#"
            {"path":"@/dir/gone","whiteout":true}
            {"path":"@/hidden","opaque":true}
        "#,
        "",
    ],
    seen: &[
        "dir 0755 directory",
        "dir/kept 0644 file of 3",
        "hidden 0755 directory",
    ],
};

const EARLY_NAMES: Case = Case {
    name: "early-names",
    layers: [
        r#"
            {"path":"@/!","text":"old"}
            {"path":"@/+x","text":"old"}
            {"path":"@/-x","text":"old"}
            {"path":"@/x","text":"old"}
            {"path":"@/#","symlink":"x"}
            {"path":"@/+dir/inner","text":"old"}
            {"path":"@/-dir/+inner","text":"old"}
            {"path":"@/-dir/kept","text":"old"}
            {"path":"@/!dir/+x","text":"old"}
            {"path":"@/!dir/z","text":"old"}
            {"path":"@/..x","text":"old"}
        "#,
        r#"
            {"path":"@/+x","text":"newer"}
            {"path":"@/-x","whiteout":true}
            {"path":"@/!","whiteout":true}
            {"path":"@/!x","text":"newer"}
            {"path":"@/x","whiteout":true}
            {"path":"@/#","text":"newer"}
            {"path":"@/+dir","whiteout":true}
            {"path":"@/-dir/+inner","whiteout":true}
            {"path":"@/-dir/!inner","text":"newer"}
            {"path":"@/!dir","opaque":true}
            {"path":"@/!dir","dir":true}
            {"path":"@/!dir/!","text":"newer"}
            {"path":"@/!dir/+x","text":"newer"}
            {"path":"@/!dir/-x/-x","text":"newer"}
            {"path":"@/!dir/.a","text":"newer"}
            {"path":"@/..x","whiteout":true}
        "#,
        r#"
            {"path":"@/x","text":"newest!"}
            {"path":"@/+x","whiteout":true}
            {"path":"@/-x","text":"newest!"}
        "#,
    ],
    seen: &[
        "!dir 0755 directory",
        "!dir/! 0644 file of 5",
        "!dir/+x 0644 file of 5",
        "!dir/-x 0755 directory",
        "!dir/-x/-x 0644 file of 5",
        "!dir/.a 0644 file of 5",
        "!x 0644 file of 5",
        "# 0644 file of 5",
        "-dir 0755 directory",
        "-dir/!inner 0644 file of 5",
        "-dir/kept 0644 file of 3",
        "-x 0644 file of 7",
        "x 0644 file of 7",
    ],
};

const BACK_AGAIN: Case = Case {
    name: "back-again",
    layers: [
        r#"
            {"path":"@/file","text":"old"}
            {"path":"@/dir/one","text":"old"}
            {"path":"@/dir-then-file/one","text":"old"}
            {"path":"@/file-then-dir","text":"old"}
        "#,
        r#"
            {"path":"@/file","whiteout":true}
            {"path":"@/dir","whiteout":true}
            {"path":"@/dir-then-file","whiteout":true}
            {"path":"@/file-then-dir","whiteout":true}
        "#,
        r#"
            {"path":"@/file","text":"newest!"}
            {"path":"@/dir/two","text":"newest!"}
            {"path":"@/dir-then-file","text":"newest!"}
            {"path":"@/file-then-dir/two","text":"newest!"}
        "#,
    ],
    seen: &[
        "dir 0755 directory",
        "dir-then-file 0644 file of 7",
        "dir/two 0644 file of 7",
        "file 0644 file of 7",
        "file-then-dir 0755 directory",
        "file-then-dir/two 0644 file of 7",
    ],
};

const LINKS: Case = Case {
    name: "links",
    layers: [
        r#"
            {"path":"@/first","text":"linked","mode":"4755","uid":11}
            {"path":"@/second","hardlink":"@/first"}
            {"path":"@/third","hardlink":"@/first"}
            {"path":"@/dir/first","text":"linked"}
            {"path":"@/second-of-dir","hardlink":"@/dir/first"}
        "#,
        r#"
            {"path":"@/first","whiteout":true}
            {"path":"@/third","text":"newer"}
            {"path":"@/dir","whiteout":true}
            {"path":"@/new-first","text":"both new"}
            {"path":"@/new-second","hardlink":"@/new-first"}
        "#,
        "",
    ],
    seen: &[
        "new-first 0644 file of 8 = new-first",
        "new-second 0644 file of 8 = new-first",
        "second 4755 file of 6",
        "second-of-dir 0644 file of 6",
        "third 0644 file of 5",
    ],
};

const KINDS: Case = Case {
    name: "kinds",
    layers: [
        r#"
            {"path":"@/null","char_device":[1,3],"mode":"0666"}
            {"path":"@/disk","block_device":[259,300],"mode":"0640","gid":6}
            {"path":"@/gone-device","char_device":[1,5]}
            {"path":"@/pipe","fifo":true,"mode":"0600"}
            {"path":"@/gone-pipe","fifo":true}
            {"path":"@/sticky","dir":true,"mode":"1777"}
            {"path":"@/groups","dir":true,"mode":"2775","gid":50}
            {"path":"@/setuid","text":"suid","mode":"4755","uid":12,"gid":13}
            {"path":"@/setgid","text":"sgid","mode":"2755","gid":14}
            {"path":"@/far-owner","text":"x","uid":3000000,"gid":3000001}
            {"path":"@/attributed","text":"x","xattrs":{"user.a":"AAECAwo=","user.b":"Yg=="}}
            {"path":"@/capable","text":"x","mode":"0755","xattrs":{"security.capability":"AQAAAgAEAAAAAAAAAAAAAAAAAAA="}}
            {"path":"@/attributed-dir","dir":true,"xattrs":{"user.d":"ZA=="}}
            {"path":"@/dangling","symlink":"/no/where"}
            {"path":"@/owned-link","symlink":"x","uid":15,"gid":16}
            {"path":"@/Zoë","text":"not ASCII"}
            {"path":"@/long-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/long-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","text":"far"}
            {"path_b64":"Y2FzZXMva2luZHMv//4tbmFtZQ==","text":"no text"}
            {"path":"@/mtime","text":"x","mtime":1234567890}
        "#,
        r#"
            {"path":"@/gone-device","whiteout":true}
            {"path":"@/gone-pipe","whiteout":true}
        "#,
        "",
    ],
    seen: &[
        "Zoë 0644 file of 9",
        r"\xff\xfe-name 0644 file of 7",
        "attributed 0644 file of 1",
        "attributed-dir 0755 directory",
        "capable 0755 file of 1",
        "dangling 0777 -> /no/where",
        "disk 0640 special 60000",
        "far-owner 0644 file of 1",
        "groups 2775 directory",
        "long-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx 0755 directory",
        "long-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/long-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx 0644 file of 3",
        "mtime 0644 file of 1",
        "null 0666 special 20000",
        "owned-link 0777 -> x",
        "pipe 0600 special 10000",
        "setgid 2755 file of 4",
        "setuid 4755 file of 4",
        "sticky 1777 directory",
    ],
};

const ALL: [&Case; 10] = [
    &REPLACED,
    &OTHER_TYPE,
    &OPAQUE,
    &NESTED,
    &STATED,
    &BARE,
    &EARLY_NAMES,
    &BACK_AGAIN,
    &LINKS,
    &KINDS,
];

/// All cases in one image, each layer in the encoding of its own number.
fn image(name: &str, busybox: &str) -> Image {
    let mut plan = String::new();
    for (number, encoder) in ["gzip-1", "none-1", "gzip-1"].iter().enumerate() {
        writeln!(plan, r#"{{"layer":{{"encoder":"{encoder}"}}}}"#).unwrap();
        if number == 0 {
            plan.push_str(busybox);
        }
        for case in ALL {
            plan.push_str(&case.layers[number].replace('@', &format!("cases/{}", case.name)));
        }
        // In the root itself.
        plan.push_str(match number {
            0 => "{\"runtime\":\"tmp\"}\n{\"path\":\"tmp/gone\",\"text\":\"x\"}\n{\"path\":\"+root-gone\",\"text\":\"x\"}\n{\"path\":\"root-kept\",\"text\":\"x\"}\n",
            1 => "{\"path\":\"tmp/gone\",\"whiteout\":true}\n{\"path\":\"+root-gone\",\"whiteout\":true}\n",
            _ => "{\"path\":\"+root-new\",\"text\":\"x\"}\n",
        });
    }
    Image::build(name, "", &plan, Path::new(""))
}

/// What lies below `cases`, the names of ours in the root, the mode of `tmp`, and whether what was
/// removed there is there.
#[derive(Debug)]
struct Seen {
    cases: Listing,
    root: Vec<&'static str>,
    tmp: (u32, bool),
}

/// What `unpacker` makes of the image; unpacked once for all cells.
fn seen(unpacker: Unpacker) -> Result<Arc<Seen>, Otherwise> {
    static SEEN: Shared<Unpacker, Arc<Seen>> = Shared::new();
    // Asked every time: each cell that goes without is to be listed.
    unpacker.is_there()?;
    let busybox = busybox().here()?;
    Ok(SEEN.get(unpacker, || {
        let image = image("whiteouts", &busybox);
        let look = |root: &Path| Seen {
            cases: cases(root),
            root: in_root(root),
            tmp: (
                root.join("tmp").metadata().unwrap().permissions().mode() & 0o7777,
                root.join("tmp/gone").exists(),
            ),
        };
        Arc::new(unpacker.unpack(&image, look))
    }))
}

/// Which names of ours are in the root.
fn in_root(root: &Path) -> Vec<&'static str> {
    let mut names = vec!["+root-gone", "+root-new", "root-kept"];
    names.retain(|name| root.join(name).exists());
    names
}

/// The part of a listing that belongs to a case.
fn of_case(listing: &Listing, case: &Case) -> Listing {
    steady(listing.below(case.name))
}

fn shape(entry: &Entry) -> String {
    let kind = match &entry.kind {
        Kind::File { size, .. } => format!("file of {size}"),
        Kind::Directory => "directory".to_owned(),
        Kind::Symlink(target) => format!("-> {target}"),
        Kind::Special { kind, .. } => format!("special {kind:o}"),
    };
    let linked = entry.linked.as_ref();
    let linked = linked
        .map(|first| format!(" = {first}"))
        .unwrap_or_default();
    format!("{} {:04o} {kind}{linked}", entry.path, entry.mode)
}

fn shapes(listing: &Listing) -> Vec<String> {
    listing.0.iter().map(shape).collect()
}

/// What our own overlay makes of the image.
fn ours(case: &Case) -> Result<Listing, Otherwise> {
    static OURS: OnceLock<Listing> = OnceLock::new();
    let busybox = busybox().here()?;
    let all = OURS.get_or_init(|| image("ours", &busybox).listing().below("cases"));
    Ok(of_case(all, case))
}

fn check(unpacker: Unpacker, case: &Case) -> matrix::Seen {
    let ours = ours(case)?;
    assert_eq!(shapes(&ours), case.seen, "our own overlay");
    let theirs = of_case(&seen(unpacker)?.cases, case);
    assert_eq!(shapes(&theirs), case.seen, "{unpacker}");
    theirs.assert_same(&ours, &format!("{unpacker} (-) and our overlay (+)"));
    Ok(())
}

pub(crate) fn rows(rows: &mut Rows<Unpacker>) {
    let cases: [(&str, &'static Case); 10] = [
        ("a-file-takes-the-place-of-one-below", &REPLACED),
        ("an-entry-takes-the-place-of-another-type", &OTHER_TYPE),
        ("an-opaque-directory-hides-what-is-below", &OPAQUE),
        ("nested-removals-leave-siblings", &NESTED),
        ("a-removal-leaves-a-stated-directory", &STATED),
        // The graph drivers unpack each layer by itself and make up a directory that it does not
        // hold, so the writer puts it in: the same one for all.
        ("a-removal-alone-gives-a-directory-of-the-contract", &BARE),
        ("names-before-the-removal-prefix", &EARLY_NAMES),
        ("what-was-removed-comes-back-without-the-old", &BACK_AGAIN),
        ("removing-one-name-leaves-the-others", &LINKS),
        ("every-kind-with-all-its-attributes", &KINDS),
    ];
    for (name, case) in cases {
        rows.row(format!("whiteouts/{name}"), move |unpacker| {
            check(unpacker, case)
        });
    }
    rows.row("whiteouts/a-removal-leaves-tmp-open-to-all", |unpacker| {
        assert_eq!(seen(unpacker)?.tmp, (0o1777, false), "{unpacker}");
        Ok(())
    });
    rows.row("whiteouts/removals-work-in-the-root", |unpacker| {
        assert_eq!(
            seen(unpacker)?.root,
            ["+root-new", "root-kept"],
            "{unpacker}"
        );
        Ok(())
    });
}
