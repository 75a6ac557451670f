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
    fn label(self, way: &Way) -> String {
        let package = match self {
            Self::All => "",
            Self::One => "images/i000",
            Self::Big => "big",
            Self::Dictionary => "dictionary",
        };
        format!("//{package}:{}", way.target)
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
        run(workspace, &words)?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Does it once more; gives how many actions ran and how many bytes they wrote.
    pub(super) fn count(&self, workspace: &Workspace<'_>, way: &Way) -> Result<(usize, u64)> {
        self.prepare(workspace, way)?;
        let words = self.words(way);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let spawns = workspace.spawns(&words).map_err(|why| anyhow!("{why}"))?;
        Ok((spawns.len(), spawns.iter().map(|spawn| spawn.bytes).sum()))
    }

    /// How often it is done before it is measured: the first few times that a server of Bazel finds
    /// out what is to be done, it runs code that is not translated yet.
    pub(super) const fn warm(&self) -> usize {
        if self.analysis { 10 } else { 1 }
    }

    fn words(&self, way: &Way) -> Vec<String> {
        words(self.target, way, self.analysis)
    }

    fn prepare(&self, workspace: &Workspace<'_>, way: &Way) -> Result<()> {
        let clean = ["clean".to_owned()];
        match self.before {
            Before::Clean => run(workspace, &clean)?,
            Before::KnowsOne => {
                run(workspace, &clean)?;
                run(workspace, &words(Target::One, way, true))?;
            }
            Before::Nothing => run(workspace, &self.words(way))?,
            Before::Change(file) => {
                run(workspace, &self.words(way))?;
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

fn run(workspace: &Workspace<'_>, words: &[String]) -> Result<()> {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let ran = workspace.run(&words).map_err(|why| anyhow!("{why}"));
    ran.map(drop)
}

/// What Bazel is told, so that the target is built, or analysed alone.
fn words(target: Target, way: &Way, analysis: bool) -> Vec<String> {
    let mut words = vec!["build".to_owned(), target.label(way)];
    words.extend(way.flags.iter().map(ToString::to_string));
    if analysis {
        words.push("--nobuild".to_owned());
    }
    words
}
