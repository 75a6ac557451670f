//! A second implementation of the byte contract, written from `docs/determinism.md` alone, makes
//! the same tars, block tables and documents: `tests/reference/contract.py`, in Python.
//!
//! To see where a tar differs: `contract.py tar PLAN ROOT NUMBER`.

use std::ffi::OsStr;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use cooperage_digest::Digest;
use cooperage_layout::Layout;
use cooperage_plan::{BuildOptions, Built, Plan, PlanFile, build};
use cooperage_testkit::peers::{self, Program};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How many plans of six layers each are made by chance.
const PLANS_BY_CHANCE: usize = 30;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("reference")
        .join(name)
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(format!("{name}.jsonl"))
}

/// Runs `trees.py`, which writes plans and the files they name.
fn write_trees(python: &Program, arguments: &[&OsStr]) {
    let script = script("trees.py");
    let all = [script.as_os_str()]
        .into_iter()
        .chain(arguments.iter().copied());
    python.run(all).unwrap();
}

/// A plan, built by cooperage into a layout.
struct Case {
    name: String,
    plan: PathBuf,
    root: PathBuf,
    directory: TempDir,
    built: Built,
}

impl Case {
    fn build(name: String, plan: PathBuf, root: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(directory.path()).unwrap();
        let built = build(&parse(&plan), &layout, &options(root))
            .unwrap_or_else(|error| panic!("{name}: {:#}", anyhow::Error::from(error)));
        Self {
            name,
            plan,
            root: root.to_owned(),
            directory,
            built,
        }
    }

    /// The file of a blob in the layout.
    fn blob(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string().replace(':', "/");
        self.directory.path().join("blobs").join(name)
    }

    /// What the second implementation is told.
    fn job(&self) -> Value {
        let layers = self.built.images.iter().flat_map(|image| &image.layers);
        let stored: Vec<Value> = layers
            .map(|metadata| {
                let layer = &metadata.layer;
                let blob = self.blob(&layer.descriptor.digest);
                let blocks = layer.blocks.iter();
                let parts: Vec<_> = blocks
                    .map(|one| [one.stored_offset, one.stored_len])
                    .collect();
                json!([blob, parts])
            })
            .collect();
        json!({"plan": self.plan, "root": self.root, "stored": stored})
    }

    fn check(&self, answer: &Value) {
        let name = &self.name;
        let layers = self.built.images.iter().flat_map(|image| &image.layers);
        for (n, (metadata, theirs)) in layers.clone().zip(answers(answer, "layers")).enumerate() {
            let ours = &metadata.layer;
            let blocks: Vec<_> = ours
                .blocks
                .iter()
                .map(|one| [one.offset, one.len])
                .collect();
            let ours = json!({
                "diff_id": ours.diff_id.to_string(), "size": ours.size, "entries": ours.entries, "blocks": blocks,
            });
            for (key, value) in ours.as_object().unwrap() {
                assert_eq!(value, &theirs[key], "{name}, layer {n}: {key}");
            }
        }
        assert_eq!(answer["refused"], Value::Null, "{name}");
        assert_eq!(
            layers.clone().count(),
            answers(answer, "layers").len(),
            "{name}"
        );
        for (n, (metadata, theirs)) in layers.zip(answers(answer, "layers")).enumerate() {
            let ours = String::from_utf8(metadata.to_bytes()).unwrap();
            assert_eq!(ours, theirs["metadata"], "{name}, layer {n}: metadata");
        }
        assert_eq!(
            self.built.images.len(),
            answers(answer, "images").len(),
            "{name}"
        );
        for (n, (image, theirs)) in self
            .built
            .images
            .iter()
            .zip(answers(answer, "images"))
            .enumerate()
        {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            assert_eq!(
                text(image.formed.config.raw()),
                theirs["config"],
                "{name}, config {n}"
            );
            assert_eq!(
                text(image.formed.manifest.raw()),
                theirs["manifest"],
                "{name}, manifest {n}"
            );
        }
        if let Some(index) = answer["index"].as_str() {
            let ours = fs::read_to_string(self.blob(&self.built.descriptor.digest)).unwrap();
            assert_eq!(ours, index, "{name}, index");
        }
        let ours = fs::read_to_string(self.directory.path().join("index.json")).unwrap();
        assert_eq!(ours, answer["layout"], "{name}, index.json");
    }
}

fn answers<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer[key].as_array().map_or(&[], Vec::as_slice)
}

fn options(root: &Path) -> BuildOptions<'_> {
    BuildOptions {
        root,
        threads: NonZeroUsize::new(2).unwrap(),
        ..BuildOptions::default()
    }
}

fn parse(file: &Path) -> Plan {
    match PlanFile::parse(&fs::read(file).unwrap()[..]) {
        Ok(PlanFile::Plan(plan)) => plan,
        Ok(_) => panic!("{}: no image", file.display()),
        Err(error) => panic!("{}: {:#}", file.display(), anyhow::Error::from(error)),
    }
}

/// One Python process answers all jobs.
fn ask(python: &Program, jobs: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let lines: String = jobs.into_iter().map(|job| format!("{job}\n")).collect();
    let output = python
        .run_with_input([script("contract.py")], &mut lines.as_bytes())
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn check_all(python: &Program, cases: &[Case]) {
    let answers = ask(python, cases.iter().map(Case::job));
    assert_eq!(answers.len(), cases.len());
    for (case, answer) in cases.iter().zip(&answers) {
        case.check(answer);
    }
}

#[test]
fn golden_plans_agree() {
    let Some(python) = peers::tool("python3") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let mut cases = Vec::new();
    for name in [
        "blocks", "docker", "empty", "folding", "index", "kinds", "none", "ordinary", "removals",
    ] {
        let plan = golden(name);
        write_trees(
            &python,
            &["files".as_ref(), plan.as_ref(), root.path().as_ref()],
        );
        for (encoder, level) in [("none-1", 0), ("gzip-1", 1), ("zstd-1", 1)] {
            let encoded = root.path().join(format!("{name}-{encoder}.jsonl"));
            fs::write(&encoded, with_encoder(&plan, encoder, level)).unwrap();
            cases.push(Case::build(
                format!("{name} with {encoder}"),
                encoded,
                root.path(),
            ));
        }
        cases.push(Case::build(name.to_owned(), plan, root.path()));
    }
    check_all(&python, &cases);
}

/// The plan with another encoder in each of its layers.
fn with_encoder(plan: &Path, encoder: &str, level: u32) -> String {
    let text = fs::read_to_string(plan).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if let Some(layer) = line.get_mut("layer").and_then(Value::as_object_mut) {
            layer.remove("block_size");
            layer.insert("encoder".to_owned(), encoder.into());
            layer.insert("level".to_owned(), level.into());
        }
        format!("{line}\n")
    });
    lines.collect()
}

#[test]
fn plans_by_chance_agree() {
    let Some(python) = peers::tool("python3") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let count = PLANS_BY_CHANCE.to_string();
    write_trees(
        &python,
        &[
            "plans".as_ref(),
            "1".as_ref(),
            count.as_ref(),
            root.path().as_ref(),
        ],
    );
    let cases: Vec<_> = (0..PLANS_BY_CHANCE)
        .map(|n| {
            let plan = root.path().join(format!("{n}.jsonl"));
            Case::build(format!("plan {n} by chance"), plan, root.path())
        })
        .collect();
    check_all(&python, &cases);
}

/// Trees of the machine, with links that stay inside and links that do not.
#[cfg(unix)]
#[test]
fn trees_of_the_machine_agree() {
    use std::os::unix::fs::symlink;

    let Some(python) = peers::tool("python3") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let top = root.path().join("top");
    fs::create_dir_all(top.join("a/b/empty")).unwrap();
    fs::write(top.join("a/b/file"), "file").unwrap();
    fs::write(top.join("a-b"), vec![7; 70_000]).unwrap();
    fs::write(top.join("a.b"), vec![7; 70_000]).unwrap();
    fs::write(root.path().join("outside"), "outside").unwrap();
    for (link, target) in [
        ("a/up", "../a-b"),
        ("a/b/over", "../../../outside"),
        ("a/b/round", "../../a/.//b/file"),
        ("a/b/dangling", "nothing/../../here"),
        ("a/here", ".."),
        ("absolute", root.path().join("outside").to_str().unwrap()),
        ("out-and-in", "../top/a-b"),
    ] {
        symlink(target, top.join(link)).unwrap();
    }
    symlink("top", root.path().join("linked")).unwrap();
    let cases = [
        r#"{"tree":"top"}"#,
        r#"{"path":"x/y","tree":"top/","mode":"0600","dir_mode":"0711","uid":3,"gid":4,"user":"u","group":"g","mtime":5,"xattrs":{"user.a":"YQ=="}}"#,
        r#"{"path":"/x/","tree":"linked","mode":"0755"}"#,
    ];
    let cases: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(n, line)| {
            let plan = root.path().join(format!("{n}.jsonl"));
            fs::write(
                &plan,
                format!("{{\"plan\":\"image\",\"version\":1}}\n{{\"layer\":{{}}}}\n{line}\n"),
            )
            .unwrap();
            Case::build((*line).to_owned(), plan, root.path())
        })
        .collect();
    check_all(&python, &cases);
}
