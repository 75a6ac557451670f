//! Programs against bases that lack something.

use std::path::Path;

use cooperage_runtime::{
    BaseFacts, Binary, Features, Missing, Sysroot, add_closure, check_against, closure,
};
use cooperage_tarball::{Attributes, Content, Entry, Tree, TreePath};

use crate::compiled::{Workshop, binary};

fn path(text: &str) -> TreePath {
    TreePath::parse(text).expect("a good path")
}

/// A base with this machine's C library, as a distribution lays it out: `/lib` is a link.
pub(crate) fn base(app: &Path) -> Tree {
    let found = closure(&[binary(app, "/app")], &Sysroot::default(), &[]).expect("a closure");
    let mut tree = Tree::new();
    Features::all().add_to(&mut tree).expect("an empty tree");
    for file in &found.files {
        let name = file.image_path.rsplit('/').next().expect("a name");
        let content = Content::file(&file.file).expect("it is there");
        let entry = Entry::file(content, Attributes::file());
        let place = format!("usr/lib/x86_64-linux-gnu/{name}");
        tree.insert(path(&place), entry).expect("no conflict");
    }
    tree.insert(path("lib"), Entry::symlink("usr/lib"))
        .expect("no conflict");
    tree.insert(path("lib64"), Entry::symlink("usr/lib64"))
        .expect("no conflict");
    let loader = "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
    let link = path("usr/lib64/ld-linux-x86-64.so.2");
    tree.insert(link, Entry::symlink(loader))
        .expect("no conflict");
    tree
}

fn missing(binaries: &[Binary], tree: &Tree) -> Vec<String> {
    let facts = BaseFacts::of(tree).expect("readable");
    let missing = check_against(binaries, &facts).expect("readable");
    missing.iter().map(Missing::to_string).collect()
}

#[test]
fn what_is_there_is_not_missing() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    let app = workshop.program("app", &[], &[]);
    let tree = base(&app);
    let facts = BaseFacts::of(&tree).expect("readable");
    assert_eq!(
        check_against(&[binary(&app, "/app")], &facts).expect("readable"),
        []
    );
    let (real, _) = facts
        .library("/lib64/ld-linux-x86-64.so.2")
        .expect("through three links");
    assert_eq!(real, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
    assert!(
        facts.interpreters[real].contains(&"/lib/x86_64-linux-gnu".to_owned()),
        "{facts:?}"
    );
    assert_eq!(
        facts.user("65532").map(|user| user.name.as_str()),
        Some("nonroot")
    );
    assert_eq!(facts.user("nobody").map(|user| user.uid), Some(65_534));

    // The closure itself is a base as well.
    let mut tree = Tree::new();
    let found = closure(&[binary(&app, "/app")], &Sysroot::default(), &[]).expect("a closure");
    add_closure(&mut tree, &found).expect("an empty tree");
    assert_eq!(
        missing(&[binary(&app, "/app")], &tree),
        Vec::<String>::new()
    );
}

#[test]
fn a_missing_loader_is_named() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    let app = workshop.program("app", &[], &[]);
    assert_eq!(
        missing(&[binary(&app, "/app")], &Tree::new()),
        [
            "`/app` needs the loader `/lib64/ld-linux-x86-64.so.2`, and the base has none: \
         a static program would run on it"
        ]
    );
    let mut musl = Tree::new();
    let content = Content::file(&app).expect("it is there");
    let entry = Entry::file(content, Attributes::executable());
    musl.insert(path("lib/ld-musl-x86_64.so.1"), entry)
        .expect("no conflict");
    assert_eq!(
        missing(&[binary(&app, "app")], &musl),
        [
            "`/app` needs the loader `/lib64/ld-linux-x86-64.so.2`, and the base has \
         `/lib/ld-musl-x86_64.so.1`"
        ]
    );
    let fixed = workshop.program("fixed", &[], &["-static"]);
    assert_eq!(
        missing(&[binary(&fixed, "app")], &Tree::new()),
        Vec::<String>::new()
    );
}

#[test]
fn missing_libraries_and_versions_are_named_with_who_needs_them() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    let plain = workshop.program("plain", &[], &[]);
    let mut tree = base(&plain);

    // A program that needs versions 1.2 and 1.10 of a library whose base offers 1.2 at most.
    let map = workshop.path("new.map");
    let code = "int one(void) { return 1; } int two(void) { return 2; }";
    std::fs::write(
        &map,
        "FOO_1.2 { global: one; local: *; }; FOO_1.10 { global: two; };",
    )
    .expect("written");
    let script = "-Wl,--version-script,@/new.map";
    let shared = ["-shared", "-fPIC", "-Wl,-soname,libfoo.so.1"];
    let flags = [&shared[..], &[script]].concat();
    workshop.compile("new/libfoo.so.1", code, &flags);
    let app = workshop.program("app", &["one", "two"], &["@/new/libfoo.so.1"]);
    assert_eq!(
        missing(&[binary(&app, "/bin/app")], &tree),
        [
            "`/bin/app` needs `libfoo.so.1`, which the base does not have in \
         `/lib/x86_64-linux-gnu`, `/usr/lib/x86_64-linux-gnu`, `/lib`, `/usr/lib`"
        ]
    );
    std::fs::write(&map, "FOO_1.2 { global: one; local: *; };").expect("written");
    let old = workshop.compile("old/libfoo.so.1", "int one(void) { return 1; }", &flags);
    let entry = Entry::file(
        Content::file(&old).expect("it is there"),
        Attributes::file(),
    );
    tree.insert(path("usr/lib/libfoo.so.1"), entry)
        .expect("no conflict");
    assert_eq!(
        missing(&[binary(&app, "/bin/app")], &tree),
        [
            "`/bin/app` needs `FOO_1.10` of `libfoo.so.1`, and the base's `/usr/lib/libfoo.so.1` \
         offers `FOO_1.2` at most"
        ]
    );
    // The image's own library, found by no run path, does not help; one that is found does.
    let new = workshop.path("new/libfoo.so.1");
    let own = [
        binary(&app, "/bin/app"),
        binary(&new, "/usr/lib/x86_64-linux-gnu/libfoo.so.1"),
    ];
    assert_eq!(missing(&own, &tree), Vec::<String>::new());
}

/// A fake version of the C library, as if the program was built on a newer distribution.
#[test]
fn a_newer_c_library_is_named() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    let app = workshop.program("app", &[], &[]);
    let tree = base(&app);
    // `GLIBC_2.34` stands in its string table once; no base offers `GLIBC_9.34`.
    let mut bytes = std::fs::read(&app).expect("readable");
    let at = bytes
        .windows(11)
        .position(|window| window == b"GLIBC_2.34\0");
    let at = at.expect("`__libc_start_main` has had this version since glibc 2.34");
    bytes[at + 6] = b'9';
    let fake = workshop.path("fake");
    std::fs::write(&fake, bytes).expect("written");
    let found = missing(&[binary(&fake, "/app")], &tree);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("`/app` needs `GLIBC_9.34` of `libc.so.6`, and the base's "));
    assert!(
        found[0].contains("libc.so.6` offers `GLIBC_2."),
        "{found:?}"
    );
    let error = closure(&[binary(&fake, "/app")], &Sysroot::default(), &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("needs version `GLIBC_9.34` of `libc.so.6`"),
        "{error}"
    );
}
