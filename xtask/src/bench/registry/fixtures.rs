//! The images that are pushed, in layouts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cooperage_testkit::ragged::Numbers;

use super::super::tools::{first_line_of_plan, largest};
use super::super::workloads::{WORKLOADS, remove_all};
use crate::peers::shell;

/// How many other last layers there are.
const CHANGES: usize = 5;
/// The length of each of the ten layers' only file, in bytes.
const FILE: usize = 1 << 20;

/// Layouts, each of one image under the name `bench`.
#[derive(Debug)]
pub(super) struct Fixtures {
    /// The workload `mix` as one layer of gzip, where a deed needs it.
    mix: Option<PathBuf>,
    /// Ten layers of one file each, which no codec makes smaller.
    pub(super) ten: PathBuf,
    /// The same nine layers and another tenth.
    changed: Vec<PathBuf>,
}

impl Fixtures {
    /// Makes them below `home`.
    pub(super) fn make(cooperage: &Path, home: &Path) -> anyhow::Result<Self> {
        let directory = home.join("registry");
        fs::create_dir_all(&directory)?;
        let ten = directory.join("ten");
        image_of_ten(cooperage, &ten, 9)?;
        let changed = (0..CHANGES)
            .map(|number| {
                let layout = directory.join(format!("changed-{number}"));
                image_of_ten(cooperage, &layout, 10 + number as u64)?;
                Ok(layout)
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            mix: None,
            ten,
            changed,
        })
    }

    /// The same and `mix`, which is 2 GB and stays once it is made.
    pub(super) fn with_mix(mut self, cooperage: &Path, home: &Path) -> anyhow::Result<Self> {
        let mix = home.join("registry/mix");
        if !mix.exists() {
            let workload = WORKLOADS.iter().find(|workload| workload.name == "mix");
            let made = workload.context("there is no `mix`")?.make(home)?;
            let tree = made.path.to_str().context("a path is not UTF-8")?;
            let lines = [
                first_line_of_plan(),
                serde_json::json!({"layer": {"name": "bench"}}),
                serde_json::json!({"tree": tree, "mode": "0644"}),
            ];
            let unfinished = home.join("registry/mix.new");
            remove_all(&unfinished)?;
            build(cooperage, &unfinished, &lines)?;
            fs::rename(&unfinished, &mix)?;
        }
        self.mix = Some(mix);
        Ok(self)
    }

    /// The layout of `mix`.
    pub(super) fn mix(&self) -> anyhow::Result<&Path> {
        self.mix.as_deref().context("`mix` was not made")
    }

    /// The stored length of the layer of `mix`, in bytes; nothing where no deed needs it.
    pub(super) fn layer(&self) -> anyhow::Result<Option<u64>> {
        self.mix.as_deref().map(largest).transpose()
    }

    pub(super) fn changed(&self, round: usize) -> &Path {
        &self.changed[round % CHANGES]
    }
}

/// Nine layers that are the same in all images, and one of the bytes that belong to `last`.
fn image_of_ten(cooperage: &Path, layout: &Path, last: u64) -> anyhow::Result<()> {
    remove_all(layout)?;
    let mut lines = vec![first_line_of_plan()];
    let files = layout.with_extension("files");
    fs::create_dir_all(&files)?;
    for seed in (0..9).chain([last]) {
        let file = files.join(seed.to_string());
        fs::write(&file, Numbers::new(seed).bytes(FILE))?;
        let file = file.to_str().context("a path is not UTF-8")?;
        lines.push(serde_json::json!({"layer": {"name": format!("layer {seed}")}}));
        lines
            .push(serde_json::json!({"path": format!("srv/{seed}"), "file": file, "mode": "0644"}));
    }
    build(cooperage, layout, &lines)?;
    remove_all(&files)
}

fn build(cooperage: &Path, layout: &Path, plan: &[serde_json::Value]) -> anyhow::Result<()> {
    let file = layout.with_extension("plan");
    let lines: Vec<_> = plan.iter().map(ToString::to_string).collect();
    fs::write(&file, lines.join("\n"))?;
    let mut command = shell::command(&cooperage.to_string_lossy(), ["--quiet", "build"]);
    command.arg(&file);
    command.args(["--output", &format!("oci:{}:bench", layout.display())]);
    shell::run(command)?;
    fs::remove_file(&file)?;
    Ok(())
}
