//! What is measured: a build after something was done to the workspace.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use cooperage_testkit::bazel::Workspace;

use super::Way;

/// How many files were changed so far: each change is another one, of the same length.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// One build that is measured.
#[derive(Debug)]
pub(super) struct Deed {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What is built, in the package and by the name that the way says.
    target: Target,
    before: Before,
    /// Whether nothing runs, and Bazel only finds out what would.
    analysis: bool,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    All,
    One,
    Big,
    Dictionary,
}

impl Target {
    fn label(self, way: &Way) -> &'static str {
        match (self, way.is_ours) {
            (Self::All, true) => "//:images",
            (Self::All, false) => "//:copies",
            (Self::One, true) => "//images/i000:image",
            (Self::One, false) => "//images/i000:copy",
            (Self::Big, true) => "//big:image",
            (Self::Big, false) => "//big:copy",
            (Self::Dictionary, true) => "//dictionary:image",
            (Self::Dictionary, false) => "//dictionary:copy",
        }
    }
}

/// What is done before.
#[derive(Clone, Copy, Debug)]
enum Before {
    /// Nothing is left of earlier builds, but the server runs.
    Clean,
    /// The same, and then it is found out what one small image would take.
    KnowsOne,
    /// All is built.
    Nothing,
    /// All is built, and then this file is another one.
    Change(&'static str),
}

const fn deed(name: &'static str, about: &'static str, target: Target, before: Before) -> Deed {
    Deed {
        name,
        about,
        target,
        before,
        analysis: false,
    }
}

const fn analysis(name: &'static str, about: &'static str, target: Target, before: Before) -> Deed {
    Deed {
        analysis: true,
        ..deed(name, about, target, before)
    }
}

pub(super) const DEEDS: [Deed; 11] = [
    deed(
        "clean",
        "all 101 images, from nothing",
        Target::All,
        Before::Clean,
    ),
    deed(
        "no-op",
        "all of them, built already",
        Target::All,
        Before::Nothing,
    ),
    deed(
        "one-file",
        "all of them, after one file of one image changed",
        Target::All,
        Before::Change("images/i042/own/f07.txt"),
    ),
    deed(
        "shared-file",
        "all of them, after one file of the shared layer changed",
        Target::All,
        Before::Change("shared/files/f042.txt"),
    ),
    deed(
        "big",
        "the image of 10,000 files, from nothing",
        Target::Big,
        Before::Clean,
    ),
    deed(
        "big-one-file",
        "the same, after one of the files changed",
        Target::Big,
        Before::Change("big/files/d42/f42.txt"),
    ),
    deed(
        "dictionary",
        "30,000 files, each a label with its path, from nothing",
        Target::Dictionary,
        Before::Clean,
    ),
    analysis(
        "analysis",
        "what all of them would take, nothing known",
        Target::All,
        Before::Clean,
    ),
    analysis(
        "analysis-one",
        "the same of one small image",
        Target::One,
        Before::Clean,
    ),
    analysis(
        "analysis-big",
        "the same of the image of 10,000 files",
        Target::Big,
        Before::Clean,
    ),
    analysis(
        "analysis-big-next",
        "the same, where that of one small image was found out before",
        Target::Big,
        Before::KnowsOne,
    ),
];

impl Deed {
    /// Does it once; gives the seconds that the build took.
    pub(super) fn run(&self, workspace: &Workspace<'_>, way: &Way) -> Result<f64> {
        self.prepare(workspace, way)?;
        let words = self.words(way);
        let began = Instant::now();
        workspace.run(&words).map_err(|why| anyhow!("{why}"))?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Does it once more; gives how many actions ran and how many bytes they wrote.
    pub(super) fn count(&self, workspace: &Workspace<'_>, way: &Way) -> Result<(usize, u64)> {
        self.prepare(workspace, way)?;
        let spawns = workspace
            .spawns(&self.words(way))
            .map_err(|why| anyhow!("{why}"))?;
        Ok((spawns.len(), spawns.iter().map(|spawn| spawn.bytes).sum()))
    }

    fn words(&self, way: &Way) -> Vec<&'static str> {
        words(self.target, way, self.analysis)
    }

    fn prepare(&self, workspace: &Workspace<'_>, way: &Way) -> Result<()> {
        let run = |words: &[&str]| workspace.run(words).map_err(|why| anyhow!("{why}"));
        match self.before {
            Before::Clean => drop(run(&["clean"])?),
            Before::KnowsOne => {
                run(&["clean"])?;
                run(&words(Target::One, way, true))?;
            }
            Before::Nothing => drop(run(&self.words(way))?),
            Before::Change(file) => {
                run(&self.words(way))?;
                let number = CHANGES.fetch_add(1, Ordering::Relaxed);
                let path = workspace.path().join(file);
                let mut bytes = fs::read(&path)?;
                let mark = format!("{number:08}");
                bytes
                    .get_mut(..mark.len())
                    .with_context(|| format!("`{}` is too short", path.display()))?
                    .copy_from_slice(mark.as_bytes());
                fs::write(&path, bytes)?;
            }
        }
        Ok(())
    }
}

/// What Bazel is told, so that the target is built, or analysed alone.
fn words(target: Target, way: &Way, analysis: bool) -> Vec<&'static str> {
    let mut words = vec!["build", target.label(way)];
    words.extend(way.flags);
    if analysis {
        words.push("--nobuild");
    }
    words
}
