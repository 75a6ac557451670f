//! Every stage of every plan in `tests/golden/` makes the bytes that are stored, in any
//! surroundings; `tests/golden/README.md` says what the plans hold.

#![expect(
    clippy::disallowed_methods,
    reason = "the names of the plans are sorted; the environment is what one test is about"
)]

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use cooperage_blob::{Memory, Root, Source};
use cooperage_compress::{Codec, Encoding};
use cooperage_daemon_archive::{Image, WriteOptions, write, write_oci};
use cooperage_digest::Digest;
use cooperage_image_spec::{Platform, Reference};
use cooperage_layout::Layout;
use cooperage_plan::{
    BuildOptions, Built, EntryKind, LayerContent, LayerPlan, Modes, Plan, PlanFile, build,
    build_layer, layer_tree,
};
use cooperage_tarball::{BlockRules, FoldOptions, fold, plan_blocks};
use cooperage_testkit::golden;
use tempfile::TempDir;

const PLANS: [&str; 9] = [
    "blocks", "docker", "empty", "folding", "index", "kinds", "none", "ordinary", "removals",
];

const WORDS: [&str; 16] = [
    "alder",
    "birch",
    "cask",
    "drum",
    "elm",
    "firkin",
    "gauge",
    "hoop",
    "iron",
    "joint",
    "kilderkin",
    "ledger",
    "mallet",
    "notch",
    "oak",
    "puncheon",
];

/// Documents up to this length, in bytes, are stored as they are.
const SHOWN: usize = 20_000;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    let digest = Digest::of(bytes);
    let nibbles: Vec<_> = digest
        .encoded()
        .chars()
        .filter_map(|c| c.to_digit(16))
        .collect();
    nibbles
        .chunks_exact(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

/// The `random` stream of a seed.
fn stream(seed: &str) -> impl Iterator<Item = u8> {
    (0..).flat_map(move |block: u64| sha256(format!("{seed}:{block}").as_bytes()))
}

/// The bytes of a file by its name, as `tests/golden/README.md` has it.
fn contents(name: &str) -> Vec<u8> {
    let (kind, rest) = name.split_once('-').expect("KIND-SEED-LENGTH");
    let (seed, length) = rest.rsplit_once('-').expect("KIND-SEED-LENGTH");
    let length = length.parse().expect("a length");
    let mut bytes = match kind {
        "random" | "flip" => stream(seed).take(length).collect(),
        "text" => {
            let mut text = Vec::with_capacity(length + 16);
            for byte in stream(seed) {
                if text.len() >= length {
                    break;
                }
                text.extend_from_slice(WORDS[usize::from(byte % 16)].as_bytes());
                text.push(b' ');
            }
            text.truncate(length);
            text
        }
        other => panic!("no kind of file: `{other}`"),
    };
    if kind == "flip" {
        bytes[length / 2] ^= 0xff;
    }
    bytes
}

/// A plan with the files it names.
struct Case {
    name: &'static str,
    plan: Plan,
    root: TempDir,
}

impl Case {
    fn read(name: &'static str) -> Self {
        let file = fs::read(directory().join(format!("{name}.jsonl"))).unwrap();
        let PlanFile::Plan(plan) = PlanFile::parse(&file[..]).unwrap() else {
            panic!("`{name}` plans no image");
        };
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("gen")).unwrap();
        let case = Self { name, plan, root };
        for layer in case.layers() {
            let LayerContent::Entries { entries, .. } = &layer.content else {
                panic!("golden layers have entries");
            };
            for entry in entries {
                if let EntryKind::File { file, .. } = &entry.what {
                    let name = file.strip_prefix("gen").unwrap().to_str().unwrap();
                    let path = case.root.path().join(file);
                    if !path.exists() {
                        fs::write(path, contents(name)).unwrap();
                    }
                }
            }
        }
        case
    }

    fn layers(&self) -> impl Iterator<Item = &LayerPlan> {
        self.plan.images.iter().flat_map(|image| &image.layers)
    }

    fn options(&self, threads: usize) -> BuildOptions<'_> {
        BuildOptions {
            root: self.root.path(),
            threads: NonZeroUsize::new(threads).unwrap(),
            ..BuildOptions::default()
        }
    }

    fn check(&self, stage: &str, key: &str, value: impl Into<serde_json::Value>) {
        golden::check(&format!("{stage}/{} {key}", self.name), value);
    }

    fn check_trees(&self, threads: usize) {
        for (n, layer) in self.layers().enumerate() {
            let LayerContent::Entries { entries, fold: on } = &layer.content else {
                panic!("golden layers have entries");
            };
            let tree = layer_tree(entries, self.root.path(), Modes::Default).unwrap();
            let options = FoldOptions {
                fold: *on,
                threads: NonZeroUsize::new(threads),
            };
            let resolved = fold(&tree, &options).unwrap();
            let mut tar = Vec::new();
            resolved.write_to(&mut tar).unwrap();
            self.check(
                "trees",
                &format!("{n} diff-id"),
                Digest::of(&tar).to_string(),
            );
            self.check("trees", &format!("{n} size"), tar.len());
            for block_size in [1 << 20, 4 << 20] {
                let blocks = plan_blocks(&resolved, BlockRules { block_size });
                let mut again = Vec::new();
                let mut block_bytes = Vec::new();
                for block in &blocks {
                    resolved.read_block(block, &mut block_bytes).unwrap();
                    again.extend_from_slice(&block_bytes);
                }
                assert!(again == tar, "blocks of {block_size} are not the tar");
                let lines: Vec<_> = blocks
                    .iter()
                    .map(|block| format!("{} {}", block.offset, block.len))
                    .collect();
                let key = format!("{n} blocks {block_size}");
                self.check("trees", &key, lines.join("\n"));
            }
        }
    }

    fn check_encoders(&self, threads: usize) {
        for (n, layer) in self.layers().enumerate() {
            for codec in Codec::ALL {
                let encoding = Encoding::of(codec);
                let layer = LayerPlan {
                    encoding: Some(encoding),
                    ..layer.clone()
                };
                let made = build_layer(&layer, &Memory::new(), &self.options(threads)).unwrap();
                let digest = made.layer.descriptor.digest.to_string();
                self.check("encoders", &format!("{n} {}", encoding.encoder()), digest);
            }
        }
    }

    fn check_documents(&self, built: &Built, source: &Memory) {
        let text = |bytes: &[u8]| match bytes.len() {
            0..=SHOWN => String::from_utf8(bytes.to_vec()).unwrap(),
            _ => Digest::of(bytes).to_string(),
        };
        let layers = built.images.iter().flat_map(|image| &image.layers);
        for (n, layer) in layers.enumerate() {
            let key = format!("{n} metadata");
            self.check("documents", &key, text(&layer.to_bytes()));
        }
        for (n, image) in built.images.iter().enumerate() {
            let formed = &image.formed;
            self.check(
                "documents",
                &format!("config {n}"),
                text(formed.config.raw()),
            );
            let manifest = text(formed.manifest.raw());
            self.check("documents", &format!("manifest {n}"), manifest);
        }
        if self.plan.index.is_some() {
            let index = cooperage_blob::read(source, &built.descriptor).unwrap();
            self.check("documents", "index", text(&index));
        }
    }

    fn check_media(&self, built: &Built, source: &Memory, threads: usize) {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::create(&directory.path().join("layout")).unwrap();
        build(&self.plan, &layout, &self.options(threads)).unwrap();
        let bytes = fs::read_to_string(layout.path().join("index.json")).unwrap();
        self.check("media", "layout index.json", bytes);
        let bytes = fs::read_to_string(layout.path().join("oci-layout")).unwrap();
        assert_eq!(bytes, r#"{"imageLayoutVersion":"1.0.0"}"#);

        let mut archive = Vec::new();
        let roots: Vec<Root> = source.roots().unwrap();
        write_oci(source, &roots, &mut archive).unwrap();
        self.check("media", "oci-archive", Digest::of(&archive).to_string());

        archive.clear();
        let names = self.plan.names.iter();
        let image = Image {
            descriptor: built.descriptor.clone(),
            names: names
                .map(|name| name.parse::<Reference>().unwrap())
                .collect(),
        };
        let mut options = WriteOptions::default();
        options.platform = self.plan.index.as_ref().map(|_| Platform::linux_arm64());
        write(source, &[image], &mut archive, &options).unwrap();
        self.check("media", "docker-archive", Digest::of(&archive).to_string());
    }

    fn check_all(&self, threads: usize) {
        self.check_trees(threads);
        self.check_encoders(threads);
        let memory = Memory::new();
        let built = build(&self.plan, &memory, &self.options(threads)).unwrap();
        self.check_documents(&built, &memory);
        self.check_media(&built, &memory, threads);
    }
}

#[test]
fn golden_values_of_all_plans() {
    for name in PLANS {
        Case::read(name).check_all(2);
    }
}

#[test]
fn golden_values_ignore_threads_and_the_order_of_lines() {
    for name in PLANS {
        let mut case = Case::read(name);
        for image in &mut case.plan.images {
            for layer in &mut image.layers {
                if let LayerContent::Entries { entries, .. } = &mut layer.content {
                    entries.reverse();
                }
            }
        }
        for threads in [1, 5] {
            case.check_trees(threads);
        }
        if name != "blocks" {
            case.check_all(1);
        }
    }
}

/// The first test once more, with another umask, time zone, locale, home and working directory,
/// and hardly any environment.
#[cfg(unix)]
#[test]
fn golden_values_in_other_surroundings() {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "umask 0077; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "golden_values_of_all_plans"])
        .current_dir(elsewhere.path())
        .env_clear()
        .envs([
            ("TZ", "Pacific/Kiritimati"),
            ("LC_ALL", "tr_TR.UTF-8"),
            ("HOME", "/nowhere"),
            ("USER", "nobody"),
            ("SOURCE_DATE_EPOCH", "1"),
            ("RAYON_NUM_THREADS", "3"),
        ])
        .env("TMPDIR", elsewhere.path());
    // While values are stored there may be none yet to compare with.
    command.envs(std::env::var_os("COOPERAGE_BLESS").map(|on| ("COOPERAGE_BLESS", on)));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn golden_plans_are_all_looked_at() {
    let names = fs::read_dir(directory()).unwrap().map(|entry| {
        let name = entry.unwrap().file_name();
        name.into_string().unwrap()
    });
    let plans: BTreeSet<_> = names
        .filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned))
        .collect();
    assert_eq!(plans, PLANS.map(str::to_owned).into());
}

#[test]
fn golden_files_are_what_the_page_says() {
    // Known answers, so that another program's generator can be tried without an image.
    assert_eq!(contents("text-readme-29"), b"alder ledger iron birch joint");
    assert_eq!(contents("random-513-513")[..32], sha256(b"513:0"));
    let (random, flip) = (contents("random-s-101"), contents("flip-s-101"));
    let differ: Vec<_> = (0..101).filter(|&at| random[at] != flip[at]).collect();
    assert_eq!((differ, random[50] ^ flip[50]), (vec![50], 0xff));
}
