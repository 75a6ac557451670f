//! A place on this machine where a small program lies that tells all it can of its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Made, cargo_home, make, workspace, xtask};

/// The order in which files are written, hence that of a plain file system's directories.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Forward,
    Backward,
}

/// A directory with the program, a target directory, a `CARGO_HOME` and a home of its own.
#[derive(Debug)]
pub(crate) struct Place {
    /// Removed when dropped; `dir` lies in it.
    _root: TempDir,
    dir: PathBuf,
}

const PROGRAM: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        r#"
            [workspace]
            members = ["part"]
            resolver = "3"
            [package]
            name = "greeter"
            version = "1.2.3"
            edition = "2024"
            [dependencies]
            crc32fast = "1"
            part = { path = "part" }
            [build-dependencies]
            cc = "1"
            [profile.release]
            debug = "line-tables-only"
            [package.metadata.image]
            files = [{ from = "assets", to = "/srv/assets" }]
        "#,
    ),
    (
        "build.rs",
        r#"
            fn main() {
                let out = std::env::var("OUT_DIR").expect("cargo sets it");
                let code = "pub fn generated(n: usize) -> u8 { [1, 2, 3][..n].len() as u8 + vec![4][n] }\n\
                            pub const GENERATED: &str = file!();\n";
                std::fs::write(format!("{out}/generated.rs"), code).expect("it can be written");
                println!("cargo::rerun-if-changed=c/part.c");
                cc::Build::new().file("c/part.c").compile("cpart");
            }
        "#,
    ),
    (
        "c/part.c",
        r#"
            #include <assert.h>
            const char *cpart(int n) { assert(n < 99); return __FILE__ " " __DATE__ " " __TIME__; }
        "#,
    ),
    (
        "src/main.rs",
        r#"
            include!(concat!(env!("OUT_DIR"), "/generated.rs"));
            unsafe extern "C" { fn cpart(n: i32) -> *const std::ffi::c_char; }
            fn main() {
                let args: Vec<String> = std::env::args().collect();
                let part = unsafe { std::ffi::CStr::from_ptr(cpart(args.len() as i32)) };
                let sum = crc32fast::hash(args[0].as_bytes());
                println!("Hello {sum:x} {part:?} {GENERATED} {} {}", file!(), part::place(args.len()));
                if args.len() > 7 { panic!("{}", generated(args.len())); }
            }
        "#,
    ),
    (
        "part/Cargo.toml",
        "[package]\nname = \"part\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    ),
    (
        "part/src/lib.rs",
        r#"
            pub fn place(n: usize) -> &'static str { assert!(n < 99, "too many"); file!() }
        "#,
    ),
];

/// The program and what it packs: small files, two that fold, one of several blocks, a script.
fn files() -> BTreeMap<PathBuf, Vec<u8>> {
    let text = PROGRAM
        .iter()
        .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
    let mut files: BTreeMap<PathBuf, Vec<u8>> = text.collect();
    let asset = |name: &str| Path::new("assets").join(name);
    for number in 0..60_u32 {
        let content = format!("asset {number}\n").repeat(number as usize + 1);
        let name = format!("{}/{number}.txt", ["b", "a", "c.d"][number as usize % 3]);
        files.insert(asset(&name), content.into_bytes());
    }
    let mut state = 7_u32;
    let mut noise = |length: usize| -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Six bits of eight: it can be compressed, by a little.
            (state >> 26) as u8
        };
        (0..length).map(|_| next()).collect()
    };
    let twin = noise(100_000);
    files.insert(asset("twin-1"), twin.clone());
    files.insert(asset("a/twin-2"), twin);
    files.insert(asset("large"), noise(5_000_000));
    files.insert(asset(SCRIPT), b"#!/bin/sh\n".to_vec());
    files
}

/// The one file that can be run.
const SCRIPT: &str = "run.sh";

impl Place {
    /// The program at `name` below a temporary directory.
    pub(crate) fn new(name: &str) -> Self {
        Self::with_order(name, Order::Forward)
    }

    pub(crate) fn with_order(name: &str, order: Order) -> Self {
        Self::within(&std::env::temp_dir(), name, order)
    }

    /// The program at `name` below a new directory in `parent`.
    pub(crate) fn within(parent: &Path, name: &str, order: Order) -> Self {
        let place = Self::empty_within(parent, name);
        let mut files: Vec<_> = files().into_iter().collect();
        if let Order::Backward = order {
            files.reverse();
        }
        for (path, content) in &files {
            let path = place.project().join(path);
            let parent = path.parent().expect("it lies in the project");
            fs::create_dir_all(parent).expect("a directory can be made");
            fs::write(&path, content).expect("a file can be written");
        }
        // The versions that this workspace was built with are there without a network.
        let lock = place.project().join("Cargo.lock");
        fs::copy(workspace().join("Cargo.lock"), lock).expect("the workspace has a lock");
        #[cfg(unix)]
        {
            use std::os::unix::fs::{PermissionsExt as _, symlink};
            symlink("a", place.project().join("assets/link")).expect("a link can be made");
            let script = place.project().join("assets").join(SCRIPT);
            fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        place
    }

    /// Without the program.
    pub(crate) fn empty(name: &str) -> Self {
        Self::empty_within(&std::env::temp_dir(), name)
    }

    fn empty_within(parent: &Path, name: &str) -> Self {
        let root = tempfile::Builder::new()
            .prefix("place-")
            .tempdir_in(parent)
            .expect("a temporary directory can be made");
        let dir = root.path().join(name);
        for dir in [&dir, &dir.join("home"), &dir.join("cargo/registry")] {
            fs::create_dir_all(dir).expect("a directory can be made");
        }
        let place = Self { _root: root, dir };
        // Downloads are shared; sources are unpacked here, so that their paths are this home's.
        #[cfg(unix)]
        for name in ["registry/cache", "registry/index", "config.toml"] {
            let (from, to) = (cargo_home().join(name), place.cargo_home().join(name));
            if from.exists() {
                std::os::unix::fs::symlink(from, to).expect("a link can be made");
            }
        }
        place
    }

    /// What all of it lies in.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.dir.join("project")
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.dir.join("out")
    }

    pub(crate) fn cargo_home(&self) -> PathBuf {
        self.dir.join("cargo")
    }

    pub(crate) fn layout(&self) -> PathBuf {
        self.dir.join("image")
    }

    /// A program run in the project, with this place's directories and no network.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = bare(program, &self.dir.join("home"), &self.cargo_home());
        command
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TARGET_DIR", self.target())
            .current_dir(self.project());
        command
    }

    /// `cargo xtask image`, to which flags are added.
    pub(crate) fn front(&self) -> Command {
        let mut command = self.command(xtask());
        command.arg("image");
        command
    }

    /// The image that `command` makes, in this place's layout unless `flags` say otherwise.
    pub(crate) fn make(&self, command: Command, flags: &[&str]) -> Made {
        let output = format!("oci:{}", self.layout().display());
        let mut flags = flags.to_vec();
        if !flags.contains(&"--output") {
            flags.extend(["--output", &output]);
        }
        make(command, &self.dir.join("metadata.json"), &flags)
    }

    pub(crate) fn image(&self, flags: &[&str]) -> Made {
        self.make(self.front(), flags)
    }

    /// Replaces text in a file of the project.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.project().join(file);
        let text = fs::read_to_string(&path).expect("it is text");
        assert!(text.contains(from), "`{file}` does not say `{from}`");
        fs::write(path, text.replace(from, to)).expect("it can be written");
    }

    /// The project's files and directories.
    fn all(&self) -> BTreeSet<PathBuf> {
        let project = self.project();
        let mut all = BTreeSet::from([project.clone(), project.join("Cargo.lock")]);
        for path in files().into_keys() {
            let path = project.join(path);
            let inside = |dir: &&Path| dir.starts_with(&project);
            all.extend(path.ancestors().take_while(inside).map(Path::to_path_buf));
        }
        all
    }

    /// Gives each file and directory another time, all of them long past.
    pub(crate) fn touch(&self) {
        for (at, path) in self.all().into_iter().enumerate() {
            let seconds = 400_000_000 + 86_400 * (at as u64 * 37 % 101);
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let file = File::open(path).expect("it can be opened");
            file.set_modified(time).expect("it is ours");
        }
    }

    /// Sets modes, those of directories as those of files that can be run.
    #[cfg(unix)]
    pub(crate) fn chmod(&self, mode: impl Fn(bool) -> u32) {
        use std::os::unix::fs::PermissionsExt as _;
        for path in self.all() {
            let is_executable = path.is_dir() || path.ends_with(SCRIPT);
            let mode = fs::Permissions::from_mode(mode(is_executable));
            fs::set_permissions(path, mode).expect("it is ours");
        }
    }

    /// Makes a user the owner of everything.
    #[cfg(unix)]
    pub(crate) fn give_to(&self, id: u32) {
        use std::os::unix::fs::{chown, lchown};
        let mut open = vec![self.dir.clone()];
        while let Some(path) = open.pop() {
            lchown(&path, Some(id), Some(id)).expect("root may give it away");
            if path.is_dir() && !path.is_symlink() {
                #[expect(clippy::disallowed_methods, reason = "every one gets the same owner")]
                let inside = fs::read_dir(path).expect("a directory");
                open.extend(inside.map(|entry| entry.expect("an entry").path()));
            }
        }
        let above = self.dir.parent().expect("it lies in a temporary directory");
        chown(above, Some(id), Some(id)).expect("root may give it away");
    }

    fn blob(&self, digest: &Value) -> PathBuf {
        let (algorithm, hash) = digest
            .as_str()
            .and_then(|digest| digest.split_once(':'))
            .expect("a digest");
        self.layout().join("blobs").join(algorithm).join(hash)
    }

    /// The image's config.
    pub(crate) fn config(&self, made: &Made) -> Value {
        let bytes = fs::read(self.blob(&made.images()[0]["config_digest"])).expect("the config");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// The times in all layers, which must be plain tars, by path.
    pub(crate) fn mtimes(&self, made: &Made) -> BTreeMap<String, u64> {
        let mut mtimes = BTreeMap::new();
        for layer in made.images()[0]["layers"].as_array().expect("layers") {
            let file = File::open(self.blob(&layer["digest"])).expect("the layer");
            for entry in tar::Archive::new(file).entries().expect("a tar") {
                let entry = entry.expect("an entry");
                let path = String::from_utf8(entry.path_bytes().into_owned()).expect("UTF-8");
                let mtime = entry.header().mtime().expect("a time");
                mtimes.insert(path.trim_end_matches('/').to_owned(), mtime);
            }
        }
        mtimes
    }
}

impl Made {
    /// Platforms, layers, sizes and digests; nothing in it names a place.
    pub(crate) fn images(&self) -> &Value {
        &self.summary["images"]
    }

    /// The digest that names the image.
    pub(crate) fn digest(&self) -> &str {
        self.summary["digest"].as_str().expect("it has a digest")
    }

    /// Names and digests of its own layers, lowest first.
    pub(crate) fn layers(&self) -> Vec<(String, String)> {
        let layers = self.images()[0]["layers"].as_array().expect("layers");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        layers
            .iter()
            .map(|layer| (text(&layer["name"]), text(&layer["digest"])))
            .collect()
    }
}

/// A command whose environment is `PATH`, with the toolchain's directory before the machine's own,
/// a home below `home`, and nothing else. In `/tmp` it finds no cargo configuration.
fn bare(program: &Path, home: &Path, cargo_home: &Path) -> Command {
    let toolchain = Path::new(env!("CARGO"))
        .parent()
        .expect("cargo lies somewhere");
    let mut path = toolchain.as_os_str().to_owned();
    path.push(":/usr/local/bin:/usr/bin:/bin");
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", path)
        .env("CARGO", env!("CARGO"))
        .env("HOME", home)
        .env("CARGO_HOME", cargo_home);
    command
}
