//! A second implementation of the byte contract, written from `docs/determinism.md` alone, makes
//! the same tars, block tables and documents: `tests/reference/contract.py`, in Python.
//!
//! To see where a tar differs: `contract.py tar PLAN ROOT NUMBER`.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use cooperage_blob::{Memory, Source as _};
use cooperage_daemon_archive::{Image, WriteOptions, write, write_oci};
use cooperage_digest::Digest;
use cooperage_layout::Layout;
use cooperage_plan::{BuildOptions, Built, LayerMetadata, Plan, PlanFile, build};
use cooperage_tarball::{
    Attributes, BlockRules, Content, Entry, FoldOptions, Kind, Mtime, Resolved, Tree, TreePath,
    fold, plan_blocks,
};
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
    file: PathBuf,
    root: PathBuf,
    plan: Plan,
    layout: Layout,
    built: Built,
    _directory: TempDir,
}

impl Case {
    fn build(name: String, file: PathBuf, root: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(&directory.path().join("layout")).unwrap();
        let plan = parse(&file);
        let built = build(&plan, &layout, &options(root))
            .unwrap_or_else(|error| panic!("{name}: {:#}", anyhow::Error::from(error)));
        Self {
            name,
            file,
            root: root.to_owned(),
            plan,
            layout,
            built,
            _directory: directory,
        }
    }

    /// The file of a blob in the layout.
    fn blob(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string().replace(':', "/");
        self.layout.path().join("blobs").join(name)
    }

    /// What the second implementation is told.
    fn job(&self) -> Value {
        let stored = self.layers().into_iter().map(|metadata| {
            let layer = &metadata.layer;
            let blocks = layer.blocks.iter();
            let parts: Vec<_> = blocks
                .map(|one| [one.stored_offset, one.stored_len])
                .collect();
            json!([self.blob(&layer.descriptor.digest), parts])
        });
        json!({"plan": self.file, "root": self.root, "stored": stored.collect::<Vec<_>>()})
    }

    fn layers(&self) -> Vec<&LayerMetadata> {
        let images = self.built.images.iter();
        images.flat_map(|image| &image.layers).collect()
    }

    fn check(&self, answer: &Value) {
        let name = &self.name;
        let ours: Vec<Value> = self.layers().into_iter().map(tar_of).collect();
        for (n, (ours, theirs)) in ours.iter().zip(answers(answer, "layers")).enumerate() {
            for (key, value) in ours.as_object().unwrap() {
                assert_eq!(value, &theirs[key], "{name}, layer {n}: {key}");
            }
        }
        assert_eq!(answer["refused"], Value::Null, "{name}");
        self.check_documents(answer);
        self.check_archives(answer);
    }

    fn check_documents(&self, answer: &Value) {
        let name = &self.name;
        let (layers, images) = (self.layers(), &self.built.images);
        assert_eq!(layers.len(), answers(answer, "layers").len(), "{name}");
        assert_eq!(images.len(), answers(answer, "images").len(), "{name}");
        for (n, (ours, theirs)) in layers.iter().zip(answers(answer, "layers")).enumerate() {
            let ours = text(&ours.to_bytes());
            assert_eq!(ours, theirs["metadata"], "{name}: metadata {n}");
        }
        for (n, (image, theirs)) in images.iter().zip(answers(answer, "images")).enumerate() {
            let config = text(image.formed.config.raw());
            assert_eq!(config, theirs["config"], "{name}: config {n}");
            let manifest = text(image.formed.manifest.raw());
            assert_eq!(manifest, theirs["manifest"], "{name}: manifest {n}");
        }
        let index = self.plan.index.is_some().then(|| {
            let file = self.blob(&self.built.descriptor.digest);
            fs::read_to_string(file).unwrap()
        });
        assert_eq!(index.as_deref(), answer["index"].as_str(), "{name}: index");
        let ours = fs::read_to_string(self.layout.path().join("index.json")).unwrap();
        assert_eq!(ours, answer["layout"], "{name}: index.json");
    }

    fn check_archives(&self, answer: &Value) {
        let name = &self.name;
        let mut archive = Vec::new();
        let roots = self.layout.roots().unwrap();
        write_oci(&self.layout, &roots, &mut archive).unwrap();
        let digest = Digest::of(&archive).to_string();
        assert_eq!(digest, answer["oci_archive"], "{name}: OCI archive");

        // An archive that needs layers compressed anew has no counterpart.
        let layers = self.built.images.first().map(|image| &image.layers);
        let zstd = layers.is_some_and(|layers| {
            let mut types = layers
                .iter()
                .map(|one| one.layer.descriptor.media_type.as_str());
            types.any(|media_type| media_type.ends_with("zstd"))
        });
        assert_eq!(
            zstd,
            answer["docker_archive"].is_null(),
            "{name}: docker archive"
        );
        if let Some(theirs) = answer["docker_archive"].as_str() {
            let names = self.plan.names.iter();
            let image = Image {
                descriptor: self.built.descriptor.clone(),
                names: names.map(|name| name.parse().unwrap()).collect(),
            };
            let mut options = WriteOptions::default();
            let images = self.plan.index.as_ref().map(|_| &self.built.images[0]);
            options.platform = images.and_then(|first| first.descriptor.platform.clone());
            archive.clear();
            write(&self.layout, &[image], &mut archive, &options).unwrap();
            let digest = Digest::of(&archive).to_string();
            assert_eq!(digest, theirs, "{name}: docker archive");
        }
    }
}

/// What is said of a layer's tar.
fn tar_of(metadata: &LayerMetadata) -> Value {
    let layer = &metadata.layer;
    let blocks = layer.blocks.iter().map(|one| [one.offset, one.len]);
    json!({
        "diff_id": layer.diff_id.to_string(),
        "size": layer.size,
        "entries": layer.entries,
        "blocks": blocks.collect::<Vec<_>>(),
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
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

fn json_lines(values: impl IntoIterator<Item = impl Display>) -> String {
    let lines: Vec<_> = values.into_iter().map(|one| one.to_string()).collect();
    lines.join("\n") + "\n"
}

/// One Python process answers all jobs.
fn ask(python: &Program, jobs: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let lines = json_lines(jobs);
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
        for (encoder, level) in [("none-1", 0), ("gzip-1", 1), ("gzip-2", 5), ("zstd-1", 1)] {
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

/// Plans that break one rule, and plans that just keep it: those of `rules.txt`, and long ones.
#[test]
fn the_same_plans_are_refused() {
    let Some(python) = peers::tool("python3") else {
        return;
    };
    let rules = fs::read_to_string(script("rules.txt")).unwrap();
    let mut cases: Vec<(bool, String)> = rules
        .split("\n\n")
        .map(|case| match case.split_once('\n').unwrap() {
            ("taken", lines) => (true, lines.to_owned()),
            ("refused", lines) => (false, lines.to_owned()),
            _ => panic!("neither taken nor refused: {case}"),
        })
        .collect();
    let long = "x/".repeat(2047);
    cases.extend([
        (true, format!(r#"{{"path":"{long}y","text":""}}"#)),
        (true, format!(r#"{{"path":"/{long}y/","dir":true}}"#)),
        (false, format!(r#"{{"path":"{long}yz","text":""}}"#)),
        (true, with_record(1_048_576)),
        (false, with_record(1_048_577)),
    ]);
    let root = tempfile::tempdir().unwrap();
    let file = |n: usize| root.path().join(format!("{n}.jsonl"));
    for (n, (_, lines)) in cases.iter().enumerate() {
        let head = "{\"plan\":\"image\",\"version\":1}\n{\"layer\":{}}\n";
        fs::write(file(n), format!("{head}{lines}\n")).unwrap();
    }
    let mut wrong = Vec::new();
    let jobs = (0..cases.len()).map(|n| json!({"plan": file(n), "root": root.path()}));
    for (n, answer) in ask(&python, jobs).iter().enumerate() {
        let (taken, lines) = &cases[n];
        let shown = &lines[..lines.len().min(200)];
        let ours = PlanFile::parse(&fs::read(file(n)).unwrap()[..]).is_ok_and(|plan| {
            let PlanFile::Plan(plan) = plan else {
                panic!("no image: {shown}");
            };
            build(&plan, &Memory::new(), &options(root.path())).is_ok()
        });
        let theirs = answer["refused"].is_null();
        if (ours, theirs) != (*taken, *taken) {
            wrong.push(format!(
                "{shown}\ncooperage {ours}, contract.py {theirs}: {answer}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A file with one PAX record of `length` bytes, a number of seven digits.
fn with_record(length: usize) -> String {
    let length = length - "1048576 SCHILY.xattr.a=\n".len();
    let value = "A".repeat(length / 3 * 4) + ["", "AA==", "AAA="][length % 3];
    format!(r#"{{"path":"a","text":"","xattrs":{{"a":"{value}"}}}}"#)
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

/// What plans cannot say: the root as an entry, fractions of seconds, owners that are not UTF-8.
#[test]
fn trees_beyond_plans_agree() {
    let Some(python) = peers::tool("python3") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut lines = vec![
        json!({"root": true, "dir": true, "mode": "0700", "mtime": 9}),
        json!({"root": true, "opaque": true}),
        json!({"path": "gone", "whiteout": true}),
    ];
    let mut tree = Tree::new();
    let mut attributes = Attributes::with_mode(0o700);
    attributes.mtime = Mtime::from_seconds(9);
    let directory_entry = Entry::new(Kind::Directory, attributes);
    tree.insert(TreePath::root(), directory_entry).unwrap();
    tree.set_opaque(TreePath::root()).unwrap();
    tree.insert(TreePath::parse("gone").unwrap(), Entry::whiteout())
        .unwrap();
    let times = [
        (-1, 500_000_000),
        (-1, 999_999_999),
        (-2, 1),
        (0, 10),
        (0, 999_999_999),
        (5, 120_000_000),
        (8_589_934_591, 999_999_999),
        (8_589_934_592, 1),
        (i64::MIN, 1),
        (i64::MAX, 999_999_999),
        (0, 0),
    ];
    for (n, (seconds, nanoseconds)) in times.into_iter().enumerate() {
        let path = format!("time/{n}");
        let mut attributes = Attributes::file();
        attributes.mtime = Mtime {
            seconds,
            nanoseconds,
        };
        let entry = Entry::file(Content::bytes(*b"x"), attributes);
        tree.insert(TreePath::parse(&path).unwrap(), entry).unwrap();
        lines
            .push(json!({"path": path, "text": "x", "mtime": seconds, "nanoseconds": nanoseconds}));
    }
    for (path, owner, encoded) in [("u", &b"\xff"[..], "/w=="), ("g", b"\xed\xa0\x80", "7aCA")] {
        let mut attributes = Attributes::file();
        match path {
            "u" => attributes.user = owner.to_vec(),
            _ => attributes.group = owner.to_vec(),
        }
        let entry = Entry::file(Content::bytes(*b""), attributes);
        tree.insert(TreePath::parse(path).unwrap(), entry).unwrap();
        let member = if path == "u" { "user_b64" } else { "group_b64" };
        lines.push(json!({"path": path, "text": "", member: encoded}));
    }
    let answer = ask_lines(&python, directory.path(), &lines, &json!({}));
    let resolved = fold(&tree, &FoldOptions::default()).unwrap();
    let mut tar = Vec::new();
    resolved.write_to(&mut tar).unwrap();
    assert_eq!(Digest::of(&tar).to_string(), answer["diff_id"]);
    assert_eq!(json!(planned(&resolved)), answer["blocks"]);
}

#[test]
fn lengths_over_8_gib_agree() {
    let Some(python) = peers::tool("python3") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut tree = Tree::new();
    let mut lines = Vec::new();
    for length in [(8 << 30) - 1, 8 << 30] {
        let file = directory.path().join(length.to_string());
        fs::File::create(&file).unwrap().set_len(length).unwrap();
        let entry = Entry::file(Content::file(&file).unwrap(), Attributes::file());
        tree.insert(TreePath::parse(&length.to_string()).unwrap(), entry)
            .unwrap();
        lines.push(json!({"path": length.to_string(), "zeros": length}));
    }
    let answer = ask_lines(&python, directory.path(), &lines, &json!({"heads": true}));
    let resolved = fold(
        &tree,
        &FoldOptions {
            fold: false,
            ..FoldOptions::default()
        },
    )
    .unwrap();
    assert_eq!(json!(planned(&resolved)), answer["blocks"]);

    // Heads and the end are blocks of their own beside such files.
    let mut heads = String::new();
    let mut bytes = Vec::new();
    for block in plan_blocks(
        &resolved,
        BlockRules {
            block_size: 1 << 20,
        },
    ) {
        if block.len < 4096 {
            resolved.read_block(&block, &mut bytes).unwrap();
            heads.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
        }
    }
    assert_eq!(
        heads,
        answer["heads"].as_str().unwrap().to_owned() + &"00".repeat(1024)
    );
}

/// The answer for a layer of these lines, encoded as by default.
fn ask_lines(python: &Program, directory: &Path, lines: &[Value], job: &Value) -> Value {
    let plan = directory.join("plan.jsonl");
    let head = [json!({"plan": "layer", "version": 1})];
    let text = json_lines(head.iter().chain(lines));
    fs::write(&plan, text).unwrap();
    let mut job = job.clone();
    job["plan"] = json!(plan);
    job["root"] = json!(directory);
    let answer = ask(python, [job]).remove(0);
    assert_eq!(answer["refused"], Value::Null);
    answer["layers"][0].clone()
}

fn planned(resolved: &Resolved) -> Vec<[u64; 2]> {
    let blocks = plan_blocks(
        resolved,
        BlockRules {
            block_size: 1 << 20,
        },
    );
    blocks
        .iter()
        .map(|block| [block.offset, block.len])
        .collect()
}
