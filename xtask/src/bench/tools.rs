//! Who packs: cooperage, and others that do the same or a part of it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use cooperage_testkit::peers::{self, Generation, Program};

use super::measure::{Launcher, Sample};
use super::workloads::{Made, remove_all};
use crate::peers::shell;

/// Something that packs a directory.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    /// Which program it is, as that says itself.
    pub(super) version: String,
    way: Way,
}

/// What of a layer's form is said in the plan; all else is the default.
#[derive(Clone, Copy, Debug)]
struct Form {
    encoder: &'static str,
    level: Option<u8>,
    fold: bool,
}

/// How it is told to.
#[derive(Clone, Debug)]
enum Way {
    /// A plan to an image layout that has an empty image.
    Cooperage { program: PathBuf, form: Form },
    /// `umoci insert` into an empty image.
    Umoci(Program),
    /// `buildah commit` of a container whose storage holds the tree already.
    Buildah { program: Program, store: PathBuf },
    /// A line for `bash`, which finds the tree at `$SRC` and writes to `$OUT`.
    Line(String),
}

/// Cooperage in its two forms, then every other tool that is found.
pub(super) fn all(cooperage: &Path, home: &Path, others: &[String]) -> anyhow::Result<Vec<Tool>> {
    let version = shell::run(shell::command(&cooperage.to_string_lossy(), ["--version"]))?;
    let ours = |name: &str, encoder, level, fold| Tool {
        name: name.to_owned(),
        version: version.trim().to_owned(),
        way: Way::Cooperage {
            program: cooperage.to_owned(),
            form: Form {
                encoder,
                level,
                fold,
            },
        },
    };
    let mut tools = vec![
        ours("cooperage gzip", "gzip-2", None, true),
        ours("cooperage zstd", "zstd-1", None, true),
        ours("cooperage gzip-1", "gzip-1", None, true),
        ours("cooperage zstd, level 2", "zstd-1", Some(2), true),
        ours("cooperage gzip, not folded", "gzip-2", None, false),
    ];
    let mut add = |name: &str, version: String, way| {
        let name = name.to_owned();
        tools.push(Tool { name, version, way });
    };
    for (generation, name) in [
        (Generation::Modern, "umoci insert, modern"),
        (Generation::Stable, "umoci insert, elder"),
    ] {
        if let Some(umoci) = peers::umoci(generation) {
            let version = first_line(&umoci, &["--version"]);
            add(name, version, Way::Umoci(umoci));
        }
    }
    for (generation, name, store) in [
        (
            Generation::Modern,
            "buildah commit, modern",
            "buildah-modern",
        ),
        (Generation::Stable, "buildah commit, elder", "buildah"),
    ] {
        if let Some(program) = peers::buildah(generation) {
            let version = first_line(&program, &["--version"]);
            let store = home.join(store);
            add(name, version, Way::Buildah { program, store });
        }
    }
    let tar = "tar --create --sort=name --format=posix --pax-option=delete=atime,delete=ctime \
               --numeric-owner --directory=\"$SRC\" .";
    for (name, program, line) in [
        ("tar, pigz -6", "pigz", "pigz -6 --no-name"),
        ("tar, zstd -3", "zstd", "zstd --quiet -3 -T0"),
    ] {
        if let Some(program) = peers::tool(program) {
            let version = first_line(&program, &["--version"]);
            let line = format!("set -o pipefail; {tar} | {line} > \"$OUT/layer\"");
            add(name, version, Way::Line(line));
        }
    }
    for other in others {
        let Some((name, line)) = other.split_once('=') else {
            bail!("`--peer {other}`: expected `NAME=COMMAND`");
        };
        add(name, line.to_owned(), Way::Line(line.to_owned()));
    }
    Ok(tools)
}

pub(super) fn first_line(program: &Program, arguments: &[&str]) -> String {
    // Some say it on standard error.
    let Ok(output) = program.command(arguments).output() else {
        return String::new();
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    said.lines().next().unwrap_or_default().trim().to_owned()
}

impl Tool {
    /// Whether it is one of ours.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.way, Way::Cooperage { .. })
    }

    /// Packs the workload once, from a state in which nothing waits to be written to disk.
    ///
    /// # Errors
    ///
    /// When the tool fails.
    pub(super) fn run(
        &self,
        made: &Made,
        launcher: &Launcher,
        home: &Path,
    ) -> anyhow::Result<Sample> {
        let out = home.join("out");
        remove_all(&out)?;
        fs::create_dir_all(&out)?;
        let command = self.prepare(made, &out)?;
        shell::run(shell::command("sync", [""; 0]))?;
        let mut sample = launcher
            .run(&command)
            .with_context(|| format!("`{}`", self.name))?;
        sample.size = largest(&out)?;
        remove_all(&out)?;
        Ok(sample)
    }

    /// Does what is not measured and gives the command that is.
    fn prepare(&self, made: &Made, out: &Path) -> anyhow::Result<Command> {
        let tree = made.path.as_os_str();
        Ok(match &self.way {
            Way::Cooperage { program, form } => {
                let (empty, plan) = (out.join("empty.plan"), out.join("bench.plan"));
                fs::write(&empty, format!("{}\n", first_line_of_plan()))?;
                fs::write(&plan, plan_text(&made.path, *form)?)?;
                let output = format!("oci:{}:bench", out.join("layout").display());
                let mut first = shell::command(&program.to_string_lossy(), ["--quiet", "build"]);
                first.arg(empty).args(["--output", &output]);
                shell::run(first)?;
                let mut command = Command::new(program);
                command.args(["--quiet", "build"]).arg(plan);
                command.args(["--output", &output]);
                command
            }
            Way::Umoci(umoci) => {
                let layout = out.join("layout");
                let image = format!("{}:bench", layout.display());
                let layout = layout.into_os_string();
                umoci.run([OsStr::new("init"), OsStr::new("--layout"), &layout])?;
                umoci.run(["new", "--image", &image])?;
                let words = ["insert", "--image", &image].map(OsStr::new);
                umoci.command(words.into_iter().chain([tree, OsStr::new("/")]))
            }
            Way::Buildah { program, store } => {
                let options = [
                    "--root".into(),
                    store.join("root").into_os_string(),
                    "--runroot".into(),
                    store.join("run").into_os_string(),
                    "--storage-driver".into(),
                    "vfs".into(),
                ];
                let buildah = program.clone().with_arguments(options);
                let name = made.workload.name;
                if buildah.run(["inspect", name]).is_err() {
                    buildah.run(["from", "--name", name, "scratch"])?;
                    buildah.run(["copy", "--quiet", name, &made.path.to_string_lossy(), "/"])?;
                }
                let image = format!("oci:{}:bench", out.join("layout").display());
                let words = ["commit", "--quiet", "--disable-compression=false"];
                buildah.command(words.into_iter().chain([name, image.as_str()]))
            }
            Way::Line(line) => {
                let mut command = Command::new("bash");
                command.args(["-c", line]);
                command.env("SRC", tree).env("OUT", out);
                command
            }
        })
    }
}

/// Of an image for the platform that all measure for.
pub(super) fn first_line_of_plan() -> serde_json::Value {
    serde_json::json!({"plan": "image", "version": 1, "platform": "linux/amd64"})
}

/// The plan of an image whose one layer is the tree.
fn plan_text(tree: &Path, form: Form) -> anyhow::Result<String> {
    let mut layer =
        serde_json::json!({"name": "bench", "encoder": form.encoder, "fold": form.fold});
    if let Some(level) = form.level {
        layer["level"] = level.into();
    }
    let lines = [
        first_line_of_plan(),
        serde_json::json!({ "layer": layer }),
        serde_json::json!({"tree": tree.to_str().context("a path is not UTF-8")?, "mode": "0644"}),
    ];
    Ok(lines.map(|line| format!("{line}\n")).concat())
}

/// The length of the largest file below a directory: that is the layer.
pub(super) fn largest(directory: &Path) -> anyhow::Result<u64> {
    let mut largest = 0;
    for entry in walkdir::WalkDir::new(directory) {
        let entry = entry?;
        if entry.file_type().is_file() {
            largest = largest.max(entry.metadata()?.len());
        }
    }
    Ok(largest)
}

/// A commit of ten layers that are built already: forms the documents, reads no layer.
///
/// # Errors
///
/// When a layer cannot be built, or the commit fails.
pub(super) fn commit(
    cooperage: &Path,
    launcher: &Launcher,
    home: &Path,
    runs: usize,
) -> anyhow::Result<Vec<Sample>> {
    let out = home.join("commit");
    remove_all(&out)?;
    fs::create_dir_all(&out)?;
    let program = cooperage.to_string_lossy();
    let mut plan = "{\"plan\":\"image\",\"version\":1,\"platform\":\"linux/amd64\"}\n".to_owned();
    for number in 0..10 {
        let layer = out.join(format!("{number}.plan"));
        let file = serde_json::json!({"path": format!("file-{number}"), "text": "x"});
        fs::write(
            &layer,
            format!("{{\"plan\":\"layer\",\"version\":1}}\n{file}\n"),
        )?;
        let mut build = shell::command(&program, ["--quiet", "layer"]);
        build.arg(&layer);
        build.arg("--blob").arg(out.join(format!("{number}.blob")));
        build
            .arg("--metadata")
            .arg(out.join(format!("{number}.json")));
        shell::run(build)?;
        let line = serde_json::json!({"layer": {"metadata": format!("{number}.json")}});
        plan = format!(
            "{plan}{line}
"
        );
    }
    let image = out.join("image.plan");
    fs::write(&image, plan)?;
    let mut command = Command::new(cooperage);
    command.args(["--quiet", "commit"]).arg(&image);
    for document in ["config", "manifest", "descriptor"] {
        command.arg(format!("--{document}"));
        command.arg(out.join(format!("{document}.json")));
    }
    let samples = (0..runs.max(5)).map(|_| launcher.run(&command)).collect();
    remove_all(&out)?;
    samples
}
