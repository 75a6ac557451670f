//! The proof: a program runs with nothing around it but its closure.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cooperage_runtime::{Closure, ClosureKind, Sysroot, closure};
use cooperage_testkit::peers;

use crate::compiled::{Workshop, binary};

/// Copies a program and its closure below `root`.
pub(crate) fn install(root: &Path, program: &Path, at: &str, closure: &Closure) {
    let put = |from: &Path, to: &str, mode: u32| {
        let to = root.join(to);
        fs::create_dir_all(to.parent().expect("below the root")).expect("made");
        fs::copy(from, &to).expect("copied");
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).expect("set");
    };
    put(program, at, 0o755);
    for file in &closure.files {
        let is_loader = file.kind == ClosureKind::Interpreter;
        put(
            &file.file,
            &file.image_path,
            if is_loader { 0o755 } else { 0o644 },
        );
    }
    for link in &closure.links {
        let path = root.join(&link.image_path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("made");
        symlink(&link.target, path).expect("linked");
    }
    if let Some(config) = &closure.loader_config {
        let path = root.join(&config.image_path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("made");
        fs::write(path, &config.bytes).expect("written");
    }
}

/// Runs it inside; `None`, said aloud, where this user may not.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Option<String> {
    let chroot = peers::tool("chroot")?;
    let id = peers::tool("id")?.run(["-u"]).expect("id says who we are");
    if id.trim() != "0" {
        // Not `eprintln!`, which the test harness keeps to itself.
        drop(std::io::stderr().write_all(b"SKIPPED runs: only root may chroot\n"));
        return None;
    }
    let root = root.to_str().expect("text");
    Some(
        chroot
            .run([&[root], arguments].concat())
            .expect("it runs inside"),
    )
}

#[test]
fn programs_of_this_machine_run_alone() {
    for (name, arguments, expect) in [
        ("ls", &["/app", "/"][..], "lib64"),
        ("git", &["/app", "--version"], "git version"),
        ("openssl", &["/app", "version"], "OpenSSL"),
    ] {
        let Some(program) = peers::tool(name) else {
            continue;
        };
        let program = program.path();
        let found = closure(&[binary(program, "/app")], &Sysroot::default(), &[]);
        let found = found.expect("a closure");
        let root = tempfile::tempdir().expect("a temporary directory");
        install(root.path(), program, "app", &found);
        // git wants it for its streams; a file does.
        fs::create_dir(root.path().join("dev")).expect("made");
        fs::write(root.path().join("dev/null"), "").expect("written");
        let Some(text) = run(root.path(), arguments) else {
            return;
        };
        assert!(text.contains(expect), "{text}");
    }
}

/// A library in a place of its own, which only the machine's cache knows: ours must, too.
#[test]
fn a_library_in_an_odd_place_is_found_by_our_cache() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    workshop.library("root/opt/odd/libodd.so.3", "odd", 42, &[]);
    let app = workshop.program("app", &["odd"], &["@/root/opt/odd/libodd.so.3"]);
    let root = workshop.path("root");
    // A sysroot with the machine's C library in it, and a configuration that names the place.
    let plain = workshop.program("plain", &[], &[]);
    let machine = closure(&[binary(&plain, "/plain")], &Sysroot::default(), &[]).expect("found");
    install(&root, &plain, "plain", &machine);
    fs::create_dir_all(root.join("etc")).expect("made");
    fs::write(root.join("etc/ld.so.conf"), "/opt/odd\n").expect("written");

    let sysroot = Sysroot::new(&root).expect("it exists");
    let found = closure(&[binary(&app, "/usr/bin/app")], &sysroot, &[]).expect("a closure");
    assert!(found.loader_config.is_some(), "{found:?}");
    let image = workshop.path("image");
    install(&image, &app, "usr/bin/app", &found);
    let Some(text) = run(&image, &["/usr/bin/app"]) else {
        return;
    };
    assert_eq!(text, "odd 42\ndone\n");
    // Without the cache the loader does not find it: the test can fail.
    fs::remove_file(image.join("etc/ld.so.cache")).expect("removed");
    let chroot = peers::tool("chroot").expect("it was there");
    chroot
        .run([image.to_str().expect("text"), "/usr/bin/app"])
        .unwrap_err();
}

#[test]
fn libraries_beside_the_program_move_with_it() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    workshop.library("out/lib/libinner.so", "inner", 5, &[]);
    workshop.compile(
        "out/lib/libouter.so",
        "int inner(void); int outer(void) { return inner() * 2; }",
        &[
            "-shared",
            "-fPIC",
            "-Wl,-soname,libouter.so",
            "@/out/lib/libinner.so",
            "-Wl,--enable-new-dtags,-rpath,$ORIGIN",
        ],
    );
    let app = workshop.program(
        "out/bin/app",
        &["outer"],
        &["@/out/lib/libouter.so", "-Wl,-rpath,$ORIGIN/../lib"],
    );
    let found = closure(&[binary(&app, "/srv/app")], &Sysroot::default(), &[]).expect("found");
    let image = workshop.path("image");
    install(&image, &app, "srv/app", &found);
    assert!(image.join("lib/libouter.so").exists() && image.join("lib/libinner.so").exists());
    let Some(text) = run(&image, &["/srv/app"]) else {
        return;
    };
    assert_eq!(text, "outer 10\ndone\n");
}
