//! One `cargo xtask image`, several platforms: an index of images that each run.
//!
//! The toolchain is that of the modern root, which has the standard library of a second platform.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cooperage_testkit::peers::{self, Generation, Program};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{succeed, xtask};

const TARGETS: [(&str, &str); 2] = [
    ("x86_64-unknown-linux-gnu", "amd64"),
    ("aarch64-unknown-linux-gnu", "arm64"),
];

/// The linker of the platform that is not the machine's own.
const FOREIGN_LINKER: (&str, &str) = if cfg!(target_arch = "aarch64") {
    ("x86_64-unknown-linux-gnu", "x86_64-linux-gnu-gcc")
} else {
    ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu-gcc")
};

const MAIN: &str = r#"fn main() {
    println!("{} {}", std::env::consts::ARCH, std::env::args().count());
}
"#;

/// A package for both platforms, and the front with a toolchain for both.
struct Project {
    dir: TempDir,
    front: Program,
}

impl Project {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let (triple, linker) = FOREIGN_LINKER;
        let manifest = format!(
            "[package]\nname = 'two'\nversion = '1.2.3'\nedition = '2021'\n\
             [package.metadata.image]\nplatforms = {:?}\n",
            TARGETS.map(|(triple, _)| triple)
        );
        let files = [
            ("two/Cargo.toml", manifest),
            ("two/src/main.rs", MAIN.to_owned()),
            (
                "two/.cargo/config.toml",
                format!("[target.{triple}]\nlinker = '{linker}'\n"),
            ),
        ];
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        }
        // At a place that the other root sees too, wherever the target directory is.
        let program = dir.path().join("xtask");
        fs::copy(xtask(), &program).expect("the program can be copied");
        let front = peers::in_modern_root(&program, &["cargo", "rustc", linker])?;
        Some(Self { dir, front })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// `cargo image` with `flags`, in an environment of which every variable is known.
    fn command(&self, flags: &[&str]) -> Command {
        let mut command = self.front.command(["image"]);
        command
            .args(flags)
            .current_dir(self.path("two"))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.path("home"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TARGET_DIR", self.path("target"));
        command
    }

    /// Builds into the layout `name`, and gives what `--metadata-file` says.
    fn build(&self, name: &str, flags: &[&str]) -> Value {
        let output = format!("oci:{}", self.path(name).display());
        let metadata = self.path(&format!("{name}.json"));
        let mut command = self.command(flags);
        command.args(["--output", &output, "--metadata-file"]);
        succeed(command.arg(&metadata));
        serde_json::from_slice(&fs::read(&metadata).expect("it was written")).expect("JSON")
    }
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value[what]
        .as_str()
        .unwrap_or_else(|| panic!("no `{what}` in {value}"))
}

fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replace(':', "/"))
}

fn document(layout: &Path, digest: &str) -> Value {
    serde_json::from_slice(&fs::read(blob(layout, digest)).expect("a blob")).expect("JSON")
}

#[test]
fn two_targets_make_an_index_of_images_that_run() {
    let Some(project) = Project::new() else {
        return;
    };
    let layout = project.path("both");
    let summary = project.build("both", &[]);
    let index = document(&layout, text(&summary, "digest"));
    assert_eq!(
        text(&index, "mediaType"),
        "application/vnd.oci.image.index.v1+json"
    );
    let manifests = index["manifests"].as_array().expect("manifests");
    assert_eq!(manifests.len(), TARGETS.len(), "{index}");
    for ((triple, architecture), descriptor) in TARGETS.into_iter().zip(manifests) {
        let platform = &descriptor["platform"];
        assert_eq!(text(platform, "architecture"), architecture, "{index}");
        assert_eq!(text(platform, "os"), "linux", "{index}");
        let manifest = document(&layout, text(descriptor, "digest"));
        let config = document(&layout, text(&manifest["config"], "digest"));
        assert_eq!(text(&config, "architecture"), architecture, "{config}");

        // Alone it is the very same image.
        let alone = project.build(architecture, &["--target", triple]);
        assert_eq!(
            text(&alone, "digest"),
            text(descriptor, "digest"),
            "{triple}"
        );

        runs(&layout, &manifest, architecture);
    }
}

/// Unpacks the image's layers and starts its program: natively with them as its root, else by an
/// emulator that finds its libraries there.
fn runs(layout: &Path, manifest: &Value, architecture: &str) {
    let (Some(tar), Some(chroot)) = (peers::tool("tar"), peers::tool_of_root("chroot")) else {
        return;
    };
    let root = tempfile::tempdir().expect("a temporary directory can be made");
    let root = root.path();
    for layer in manifest["layers"].as_array().expect("layers") {
        let blob = blob(layout, text(layer, "digest"));
        let words = [
            "-xzf".as_ref(),
            blob.as_os_str(),
            "-C".as_ref(),
            root.as_os_str(),
        ];
        tar.run(words).expect("the layer unpacks");
    }
    let processor = match architecture {
        "amd64" => "x86_64",
        _ => "aarch64",
    };
    let program = "/usr/local/bin/two";
    let said = if processor == std::env::consts::ARCH {
        chroot.run([root.as_os_str(), program.as_ref(), "a".as_ref()])
    } else {
        let Some(qemu) = peers::tool(&format!("qemu-{processor}")) else {
            return;
        };
        let program = root.join(&program[1..]);
        // Not its default: what is newest it cannot do well enough for a new C library.
        let cpu = if processor == "aarch64" {
            "cortex-a57"
        } else {
            "Nehalem"
        };
        qemu.run([
            "-cpu".as_ref(),
            cpu.as_ref(),
            "-L".as_ref(),
            root.as_os_str(),
            program.as_os_str(),
            "a".as_ref(),
        ])
    };
    assert_eq!(said.expect("it runs"), format!("{processor} 2\n"));
}

/// Other programs choose from the index as they choose from any.
#[test]
fn others_choose_a_platform_from_our_index() {
    let Some(project) = Project::new() else {
        return;
    };
    let Some(skopeo) = peers::skopeo(Generation::Modern) else {
        return;
    };
    project.build("both", &[]);
    let name = format!("oci:{}:two:latest", project.path("both").display());
    for (_, architecture) in TARGETS {
        let said = skopeo
            .run(["--override-arch", architecture, "inspect", &name])
            .expect("skopeo finds it");
        let said: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(text(&said, "Architecture"), architecture, "{said}");
    }
}

/// What holds one platform only names those there are.
#[test]
fn an_archive_of_two_platforms_is_refused_before_anything_is_built() {
    let Some(project) = Project::new() else {
        return;
    };
    let archive = project.path("both.tar");
    let output = format!("docker-archive:{}", archive.display());
    let mut command = project.command(&["--output", &output]);
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for (triple, _) in TARGETS {
        assert!(said.contains(triple), "`{triple}` is missing in:\n{said}");
    }
    assert!(!archive.exists(), "an archive was begun");
    assert!(!project.path("target").exists(), "something was built");
}
