//! Closures, compared with what the real loader says, and with what was built on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cooperage_runtime::{
    Binary, BinaryInfo, Closure, ClosureError, ClosureKind, Sysroot, closure, ld_so_cache,
    parse_ld_so_cache,
};
use cooperage_testkit::peers;

use crate::compiled::{Workshop, binary};

fn find(file: &Path, image_path: &str) -> Closure {
    closure(&[binary(file, image_path)], &Sysroot::default(), &[]).expect("a closure")
}

/// Image path → file name of the build machine's file.
fn names(closure: &Closure) -> BTreeMap<&str, &str> {
    let name = |path: &'_ PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str().map(str::len))
    };
    closure
        .files
        .iter()
        .map(|file| {
            let len = name(&file.file).expect("it has a name");
            let text = file.file.to_str().expect("it is text");
            (file.image_path.as_str(), &text[text.len() - len..])
        })
        .collect()
}

/// The files that `ldd` names, links resolved.
fn ldd(file: &Path) -> Option<BTreeSet<PathBuf>> {
    let text = peers::tool("ldd")?.run([file]).expect("ldd reads it");
    let paths = text.lines().filter_map(|line| {
        let line = line.trim();
        let path = line.split_once(" => ").map_or(line, |(_, path)| path);
        path.starts_with('/')
            .then(|| path.split(" (").next().expect("a first part"))
    });
    let resolved = paths.map(|path| fs::canonicalize(path).expect("ldd found it"));
    Some(resolved.collect())
}

/// The closure of a program of this machine is what its own loader loads.
#[test]
fn the_closure_is_what_the_loader_loads() {
    let this = std::env::current_exe().expect("a test has a path");
    let mut compared = 0;
    let names = ["ls", "git", "python3.11", "openssl", "gcc"];
    let programs = names.into_iter().filter_map(peers::tool);
    let programs = programs.map(|program| program.path().to_owned());
    for program in programs.chain([this]) {
        let Some(expect) = ldd(&program) else { return };
        let closure = find(&program, "/usr/bin/program");
        let found: BTreeSet<PathBuf> = closure.files.into_iter().map(|file| file.file).collect();
        assert_eq!(found, expect, "{}", program.display());
        assert_eq!(closure.loader_config, None, "{}", program.display());
        compared += 1;
    }
    assert!(
        compared >= 2,
        "this machine has no dynamic programs to compare"
    );
}

#[test]
fn the_interpreter_lies_where_the_kernel_looks() {
    let this = std::env::current_exe().expect("a test has a path");
    let info = BinaryInfo::read(&this).expect("this test is readable");
    let interpreter = info.interpreter.expect("a dynamic program");
    let closure = find(&this, "/app/test");
    let file = &closure
        .files
        .iter()
        .find(|file| file.kind == ClosureKind::Interpreter);
    let file = file.expect("it is part of the closure");
    assert_eq!(format!("/{}", file.image_path), interpreter);
    assert_eq!(file.needed_by, "app/test");
    assert!(closure.files.is_sorted_by_key(|file| &file.image_path));
}

#[test]
fn a_static_program_needs_nothing() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    for flags in [&["-static"][..], &["-static-pie"]] {
        let app = workshop.program("app", &[], flags);
        assert_eq!(find(&app, "/app"), Closure::default(), "{flags:?}");
        let info = BinaryInfo::read(&app).expect("readable");
        assert!(
            info.is_executable && !info.is_dynamic(),
            "{flags:?}: {info:?}"
        );
    }
    let script = workshop.path("script");
    fs::write(&script, "#!/bin/sh\n").expect("written");
    assert_eq!(find(&script, "/script"), Closure::default());
}

/// Old run paths are inherited by what a library needs, new ones are not.
#[test]
fn run_paths() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    let shop = workshop.path("");
    let shop = shop.to_str().expect("text").trim_matches('/').to_owned();
    workshop.library("deep/libinner.so.1", "inner", 1, &[]);
    // Found through the program's old run path, or not at all.
    workshop.library(
        "lib/libouter.so.2",
        "outer",
        2,
        &["-Wl,--no-as-needed", "@/deep/libinner.so.1"],
    );
    let old = workshop.program(
        "bin/old",
        &["outer"],
        &[
            "@/lib/libouter.so.2",
            "-Wl,--allow-shlib-undefined",
            "-Wl,-rpath-link,@/deep",
            "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib:@/deep",
        ],
    );
    let found = find(&old, "/srv/bin/old");
    let found = names(&found);
    assert_eq!(
        found.get("srv/lib/libouter.so.2"),
        Some(&"libouter.so.2"),
        "{found:?}"
    );
    let inner = format!("{shop}/deep/libinner.so.1");
    assert_eq!(
        found.get(inner.as_str()),
        Some(&"libinner.so.1"),
        "{found:?}"
    );

    let new = workshop.program(
        "bin/new",
        &["outer"],
        &[
            "@/lib/libouter.so.2",
            "-Wl,--allow-shlib-undefined",
            "-Wl,-rpath-link,@/deep",
            "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib:@/deep",
        ],
    );
    let error = closure(&[binary(&new, "/bin/new")], &Sysroot::default(), &[]).unwrap_err();
    let ClosureError::Missing {
        library,
        needed_by,
        searched,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(library, "libinner.so.1");
    assert!(needed_by.ends_with("lib/libouter.so.2"), "{error}");
    assert!(
        searched.iter().any(|path| path.ends_with("/usr/lib")),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("library `libinner.so.1`, needed by `"),
        "{error}"
    );
}

/// One file of two names stays one file: two copies would be loaded as two libraries.
#[test]
fn a_second_name_is_a_link() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    workshop.library("lib/libone.so.1", "one", 1, &[]);
    symlink("libone.so.1", workshop.path("lib/libalias.so")).expect("linked");
    workshop.compile(
        "lib/libtwo.so",
        "int one(void); int two(void) { return one() + 1; }",
        &[
            "-shared",
            "-fPIC",
            "-Wl,-soname,libtwo.so",
            "-Wl,-rpath,$ORIGIN",
            "@/lib/libone.so.1",
        ],
    );
    let app = workshop.program(
        "bin/app",
        &["one", "two"],
        &[
            "@/lib/libone.so.1",
            "@/lib/libtwo.so",
            "-Wl,-rpath,$ORIGIN/../lib",
        ],
    );
    let extras = [format!("{}/libalias.so", workshop.path("lib").display())];
    let found = closure(
        &[binary(&app, "/app/bin/app")],
        &Sysroot::default(),
        &extras,
    );
    let found = found.expect("a closure");
    let links: BTreeMap<_, _> = found
        .links
        .iter()
        .map(|link| (link.image_path.as_str(), link.target.as_str()))
        .collect();
    let place = extras[0].trim_start_matches('/');
    let up = "../".repeat(place.matches('/').count());
    assert_eq!(
        links.get(place),
        Some(&format!("{up}app/lib/libone.so.1").as_str()),
        "{links:?}"
    );
}

/// A build system shows its inputs as links to files that lie elsewhere.
#[test]
fn a_linked_program_finds_what_lies_beside_the_link() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    workshop.library("build/libown.so", "own", 7, &[]);
    let app = workshop.program(
        "store/app",
        &["own"],
        &["@/build/libown.so", "-Wl,-rpath,$ORIGIN/../lib"],
    );
    fs::create_dir_all(workshop.path("sandbox/bin")).expect("made");
    fs::create_dir_all(workshop.path("sandbox/lib")).expect("made");
    symlink(&app, workshop.path("sandbox/bin/app")).expect("linked");
    let library = workshop.path("build/libown.so");
    symlink(&library, workshop.path("sandbox/lib/libown.so")).expect("linked");
    let found = find(&workshop.path("sandbox/bin/app"), "/srv/bin/app");
    let file = found
        .files
        .iter()
        .find(|file| file.file == library)
        .expect("it is found");
    assert_eq!(file.image_path, "srv/lib/libown.so");
}

#[test]
fn a_library_of_ones_own_is_not_packed_twice() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    let library = workshop.library("build/libown.so", "own", 7, &[]);
    let app = workshop.program(
        "out/app",
        &["own"],
        &["@/build/libown.so", "-Wl,-rpath,$ORIGIN/../lib"],
    );
    // Nothing lies at `../lib` here; in the image the library does.
    let binaries = [
        binary(&app, "/opt/bin/app"),
        binary(&library, "/opt/lib/libown.so"),
    ];
    let found = closure(&binaries, &Sysroot::default(), &[]).expect("a closure");
    assert!(!names(&found).contains_key("opt/lib/libown.so"));
    assert_eq!(found.loader_config, None);
    let other = workshop.library("other/libown.so", "own", 8, &[]);
    let twice: [Binary; 2] = [
        binary(&library, "/lib/libown.so"),
        binary(&other, "lib/libown.so"),
    ];
    let error = closure(&twice, &Sysroot::default(), &[]).unwrap_err();
    assert!(matches!(error, ClosureError::Conflict { .. }), "{error}");
}

/// A sysroot with usr-merge, a cache with a variant in it, and links that go round.
#[test]
fn a_sysroot_of_its_own() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    let app = workshop.program("app", &[], &[]);
    let machine = find(&app, "/app");
    let root = workshop.path("root");
    fs::create_dir_all(root.join("usr/lib64")).expect("made");
    fs::create_dir_all(root.join("opt/odd")).expect("made");
    fs::create_dir_all(root.join("etc")).expect("made");
    symlink("usr/lib64", root.join("lib64")).expect("linked");
    symlink("usr/loop", root.join("usr/loop")).expect("linked");
    let error = closure(
        &[binary(&app, "/app")],
        &Sysroot::new(&root).expect("made"),
        &[],
    );
    assert!(
        matches!(error, Err(ClosureError::Interpreter { .. })),
        "{error:?}"
    );
    for file in &machine.files {
        let name = Path::new(&file.image_path).file_name().expect("a name");
        let directory = match file.kind {
            ClosureKind::Interpreter => "usr/lib64",
            _ => "opt/odd",
        };
        fs::copy(&file.file, root.join(directory).join(name)).expect("copied");
    }
    let sysroot = Sysroot::new(&root).expect("it exists");

    // By the configuration; the variant, the circle and the text are passed over.
    fs::write(
        root.join("etc/ld.so.conf"),
        "/usr/loop\ninclude conf/*.conf\n",
    )
    .expect("written");
    fs::create_dir_all(root.join("etc/conf")).expect("made");
    fs::write(root.join("etc/conf/odd.conf"), "/opt/odd\n").expect("written");
    let check = |sysroot: &Sysroot| {
        let found = closure(&[binary(&app, "/app")], sysroot, &[]).expect("a closure");
        let paths: Vec<_> = found
            .files
            .iter()
            .map(|file| file.image_path.as_str())
            .collect();
        assert_eq!(paths, ["lib64/ld-linux-x86-64.so.2", "opt/odd/libc.so.6"]);
        assert!(found.files.iter().all(|file| file.file.starts_with(&root)));
        let config = found.loader_config.expect("it lies where no loader looks");
        assert_eq!(config.image_path, "etc/ld.so.cache");
        let entries = parse_ld_so_cache(&config.bytes).expect("our own");
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].path, "/opt/odd/libc.so.6");
        entries
    };
    let entries = check(&sysroot);

    // By the cache.
    fs::remove_file(root.join("etc/ld.so.conf")).expect("removed");
    let missing = closure(&[binary(&app, "/app")], &sysroot, &[]).unwrap_err();
    assert!(matches!(missing, ClosureError::Missing { .. }), "{missing}");
    let mut cache = ld_so_cache(&entries).expect("written");
    fs::write(root.join("etc/ld.so.cache"), &cache).expect("written");
    check(&sysroot);
    // The entry's last eight bytes are its capabilities: now it is a variant, and not baseline.
    cache[48 + 16] = 1;
    fs::write(root.join("etc/ld.so.cache"), &cache).expect("written");
    let missing = closure(&[binary(&app, "/app")], &sysroot, &[]).unwrap_err();
    assert!(matches!(missing, ClosureError::Missing { .. }), "{missing}");
}

#[test]
fn extras_bring_what_they_need() {
    if peers::tool("openssl").is_none() {
        return;
    }
    let Some(workshop) = Workshop::open() else {
        return;
    };
    let app = workshop.program("app", &[], &[]);
    let extras = ["libnss_dns.so.2".to_owned(), "libssl.so.3".to_owned()];
    let found = closure(&[binary(&app, "/app")], &Sysroot::default(), &extras);
    let found = found.expect("both are on a machine with openssl");
    let kinds: BTreeMap<_, _> = found
        .files
        .iter()
        .map(|file| {
            (
                file.image_path.rsplit('/').next().expect("a name"),
                file.kind,
            )
        })
        .collect();
    assert_eq!(kinds["libnss_dns.so.2"], ClosureKind::Extra);
    assert_eq!(kinds["libssl.so.3"], ClosureKind::Extra);
    assert_eq!(kinds["libcrypto.so.3"], ClosureKind::Library);
    let none = ["libno-such-thing.so.9".to_owned()];
    let error = closure(&[binary(&app, "/app")], &Sysroot::default(), &none).unwrap_err();
    assert!(
        error.to_string().contains("`libno-such-thing.so.9`"),
        "{error}"
    );
}

/// `ldconfig` reads what we write.
#[test]
fn ldconfig_prints_our_cache() {
    let Some(ldconfig) = peers::tool("ldconfig") else {
        return;
    };
    let machine = BinaryInfo::read(&std::env::current_exe().expect("a path"))
        .expect("ELF")
        .machine;
    let flags = cooperage_runtime::cache_flags(machine, cooperage_runtime::Float::Hard);
    let entries = ["libz.so.1", "libz.so.10", "libz.so.9", "liba.so"].map(|name| {
        cooperage_runtime::CacheEntry {
            name: name.to_owned(),
            path: format!("/opt/lib/{name}"),
            flags: flags.expect("a known machine"),
            is_variant: false,
        }
    });
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("cache");
    fs::write(&file, ld_so_cache(&entries).expect("ASCII names")).expect("written");
    let text = ldconfig
        .run(["-C", file.to_str().expect("text"), "-p"])
        .expect("it is read");
    assert!(text.starts_with("4 libs found in cache"), "{text}");
    for entry in &entries {
        assert!(text.contains(&format!("=> {}\n", entry.path)), "{text}");
    }
    // What the machine's own `ldconfig` wrote is in the same order as ours.
    let own = fs::read("/etc/ld.so.cache").expect("it exists with ldconfig");
    let own = parse_ld_so_cache(&own).expect("a new cache");
    let mut baseline: Vec<_> = own.into_iter().filter(|entry| !entry.is_variant).collect();
    let again = parse_ld_so_cache(&ld_so_cache(&baseline).expect("written")).expect("read");
    baseline.dedup();
    assert_eq!(again.len(), baseline.len());
    let order = |entries: &[cooperage_runtime::CacheEntry]| {
        entries
            .iter()
            .map(|entry| entry.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(order(&again), order(&baseline));
}

/// musl: one file is loader and C library, run paths of both kinds are inherited, and a path file
/// takes the place of a cache.
#[test]
fn musl_has_rules_of_its_own() {
    let Some(workshop) = Workshop::open() else {
        return;
    };
    let bare = ["-nostdlib", "-shared", "-fPIC"];
    let loader = "root/lib/ld-musl-x86_64.so.1";
    workshop.compile(
        loader,
        "int libc(void) { return 0; }",
        &[&bare[..], &["-Wl,-soname,libc.so"]].concat(),
    );
    workshop.compile(
        "root/opt/odd/libodd.so",
        "int odd(void) { return 1; }",
        &[&bare[..], &["-Wl,-soname,libodd.so"]].concat(),
    );
    workshop.compile(
        "root/opt/run/librun.so",
        "int odd(void); int run(void) { return odd(); }",
        &[
            &bare[..],
            &["-Wl,-soname,librun.so", "@/root/opt/odd/libodd.so"],
        ]
        .concat(),
    );
    let link = |name: &str, flags: &[&str]| {
        let common = [
            "-nostdlib",
            "-Wl,--dynamic-linker,/lib/ld-musl-x86_64.so.1",
            "@/root/opt/run/librun.so",
            "@/root/lib/ld-musl-x86_64.so.1",
            "-Wl,-rpath-link,@/root/opt/odd",
            "-Wl,--no-as-needed",
        ];
        let code = "int libc(void); int run(void); void _start(void) { run(); libc(); }";
        workshop.compile(name, code, &[&common[..], flags].concat())
    };
    let sysroot = Sysroot::new(&workshop.path("root")).expect("it exists");
    let paths = |closure: &Closure| {
        let paths = closure.files.iter().map(|file| file.image_path.clone());
        paths.collect::<Vec<_>>()
    };
    let all = [
        "lib/ld-musl-x86_64.so.1",
        "opt/odd/libodd.so",
        "opt/run/librun.so",
    ];

    let inherited = link("app", &["-Wl,--enable-new-dtags,-rpath,/opt/run:/opt/odd"]);
    let found = closure(&[binary(&inherited, "/app")], &sysroot, &[]).expect("a closure");
    assert_eq!(paths(&found), all);
    assert_eq!(found.loader_config, None);

    let plain = link("plain", &["-Wl,--enable-new-dtags,-rpath,/opt/run"]);
    let error = closure(&[binary(&plain, "/app")], &sysroot, &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`/lib`, `/usr/local/lib`, `/usr/lib`"),
        "{error}"
    );
    fs::create_dir_all(workshop.path("root/etc")).expect("made");
    let file = workshop.path("root/etc/ld-musl-x86_64.path");
    fs::write(file, "/opt/odd:/lib\n/usr/lib\n").expect("written");
    let found = closure(&[binary(&plain, "/app")], &sysroot, &[]).expect("a closure");
    assert_eq!(paths(&found), all);
    let config = found.loader_config.expect("the place is no default");
    assert_eq!(config.image_path, "etc/ld-musl-x86_64.path");
    assert_eq!(config.bytes, b"/opt/odd\n/lib\n/usr/local/lib\n/usr/lib\n");
}
