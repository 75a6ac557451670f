//! Programs of real size, packed by `cargo xtask image`, loaded into real engines and run there.
//!
//! They come from the registry by cargo, with their own locks, and are built below `programs` in
//! this workspace's target directory, which is kept: the first run takes minutes, others seconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cooperage_testkit::docker::{self, Docker, Store};
use cooperage_testkit::{http, peers};
use tempfile::TempDir;

use crate::support::{Made, cargo_home, make, programs, succeed, workspace};

/// A package's own sources, as published, at a place that stays the same.
///
/// `cargo info` is the one command that fetches a package without those it depends on. A
/// `[workspace]` is added to the manifest: the place lies in ours.
fn source(name: &str, version: &str) -> PathBuf {
    let to = programs().join("source").join(format!("{name}-{version}"));
    if to.join("Cargo.toml").is_file() {
        return to;
    }
    let mut fetch = Command::new(env!("CARGO"));
    fetch
        .args(["info", "--quiet", &format!("{name}@{version}")])
        // Not in a workspace, which would have a say in the version.
        .current_dir(std::env::temp_dir());
    succeed(&mut fetch);
    #[expect(
        clippy::disallowed_methods,
        reason = "only one of them has the package"
    )]
    let registries =
        fs::read_dir(cargo_home().join("registry/src")).expect("cargo has unpacked it");
    let unpacked = registries
        .map(|registry| {
            registry
                .expect("an entry")
                .path()
                .join(format!("{name}-{version}"))
        })
        .find(|unpacked| unpacked.join("Cargo.lock").is_file())
        .expect("cargo has unpacked it, and it has a lock");
    let parent = to.parent().expect("it lies below `programs`");
    fs::create_dir_all(parent).expect("a directory can be made");
    let copy = tempfile::tempdir_in(parent).expect("a directory can be made");
    let copied = copy.path().join("it");
    succeed(Command::new("cp").arg("-R").arg(unpacked).arg(&copied));
    let manifest = copied.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    fs::write(&manifest, text + "\n[workspace]\n").expect("the copy is ours");
    fs::rename(copied, &to).expect("nobody else fetches it");
    to
}

/// Packs a binary of the package in `dir`, for engines to load.
fn pack(dir: &Path, package: &str, bin: &str, archive: &Path) -> Made {
    let mut command = crate::support::program();
    command
        .current_dir(dir)
        // Quick to build: how fast these programs are is nobody's matter here.
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        // Build scripts that ask git would be told of this repository.
        .env("GIT_CEILING_DIRECTORIES", programs().join("source"));
    let output = format!("docker-archive:{}", archive.display());
    let flags = ["-p", package, "--bin", bin, "--locked", "--output", &output];
    let made = make(command, &archive.with_extension("json"), &flags);
    assert!(!made.said.contains("warning: binary"), "{}", made.said);
    made
}

/// A directory that the engine's user 65532 may read.
fn shared_directory() -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    dir
}

/// Loads the image and gives its only name.
fn load(docker: &Docker, archive: &Path) -> String {
    let names = docker.load(archive).expect("the engine loads it");
    let [name] = &names[..] else {
        panic!("one image has one name: {names:?}");
    };
    name.clone()
}

#[test]
fn our_own_binary() {
    let Some(docker) = docker::shared(Store::ModernGraph) else {
        return;
    };
    let dir = shared_directory();
    let archive = dir.path().join("cooperage.tar");
    let made = pack(workspace(), "cooperage-cli", "cooperage", &archive);
    let name = load(docker, &archive);
    let version = docker.run(&name, &["--version"]).expect("it runs");
    let expected = made.summary["version"].as_str().expect("a version");
    assert_eq!(version.trim(), format!("cooperage {expected}"));
    // It reads the archive it came in.
    let mount = format!("{}:/data:ro", dir.path().display());
    let options = ["--network", "none", "--volume", &mount];
    let arguments = ["verify", "docker-archive:/data/cooperage.tar"];
    docker
        .run_with(&options, &name, &arguments)
        .expect("it verifies its own image");
}

/// Loaded into every engine: a search of our own sources must find what `grep` finds.
#[test]
fn ripgrep() {
    let dir = shared_directory();
    let archive = dir.path().join("rg.tar");
    let engines: Vec<&Docker> = Store::ALL.into_iter().filter_map(docker::shared).collect();
    if engines.is_empty() {
        return;
    }
    pack(&source("ripgrep", "15.2.0"), "ripgrep", "rg", &archive);
    let text = dir.path().join("text");
    fs::create_dir(&text).expect("a directory can be made");
    for name in ["DESIGN.md", "hidden.rs", "ünïcode.txt"] {
        let lines = format!("nothing here\n{name}: a cask, a Cask\nand nothing there\n");
        fs::write(text.join(name), lines).expect("a file can be written");
    }
    for docker in engines {
        let name = load(docker, &archive);
        let store = docker.store();
        let version = docker.run(&name, &["--version"]).expect("it runs");
        assert!(version.starts_with("ripgrep 15.2.0"), "{store}: {version}");
        let mount = format!("{}:/data:ro", text.display());
        let options = ["--network", "none", "--volume", &mount];
        let arguments = ["--line-number", "--sort=path", r"\bCask$", "/data"];
        let found = docker
            .run_with(&options, &name, &arguments)
            .expect("it searches");
        assert_eq!(
            found,
            "/data/DESIGN.md:2:DESIGN.md: a cask, a Cask\n\
             /data/hidden.rs:2:hidden.rs: a cask, a Cask\n\
             /data/ünïcode.txt:2:ünïcode.txt: a cask, a Cask\n",
            "{store}"
        );
    }
}

/// `dufs` serves files by HTTPS; its cryptography is C and assembly.
#[test]
fn a_web_server_with_tls() {
    let Some(docker) = docker::shared(Store::Stable) else {
        return;
    };
    let Some(openssl) = peers::tool("openssl") else {
        return;
    };
    let dir = shared_directory();
    let archive = dir.path().join("dufs.tar");
    pack(&source("dufs", "0.47.0"), "dufs", "dufs", &archive);
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                   -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1";
    let mut request = openssl.command(request.split_whitespace());
    request
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    succeed(&mut request);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A key of two days' life, for a user with another number.
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("it is ours");
    }
    fs::write(dir.path().join("greeting.txt"), "Hello by TLS.\n").expect("it can be written");
    let name = load(docker, &archive);
    let (port, mount) = (http::free_port().to_string(), dir.path().display());
    let mount = format!("{mount}:/data:ro");
    let arguments = "/data --bind 127.0.0.1 --tls-cert /data/cert.pem --tls-key /data/key.pem";
    let mut arguments: Vec<&str> = arguments.split_whitespace().collect();
    arguments.extend(["--port", &port]);
    let server = docker
        .run_detached(&["--volume", &mount], &name, &arguments)
        .expect("it starts");
    let connect = format!("s_client -connect 127.0.0.1:{port} -servername localhost -quiet");
    let ask = || {
        let mut client = openssl.command(connect.split_whitespace());
        client
            .args(["-verify_return_error", "-verify_ip", "127.0.0.1", "-CAfile"])
            .arg(&certificate);
        get(client, "/greeting.txt")
    };
    let began = Instant::now();
    let mut answer = ask();
    while answer.is_empty() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(100));
        answer = ask();
    }
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nHello by TLS.\n"),
        "{answer}\n{}",
        server.logs()
    );
}

/// What a server answers through `client`, which carries standard input and output.
fn get(mut client: Command, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut child = client
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it was there before");
    let mut input = child.stdin.take().expect("it is piped");
    // Nobody may listen yet; then there is no answer either.
    drop(std::io::Write::write_all(&mut input, request.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    drop(input);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
