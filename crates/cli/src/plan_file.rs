//! Plans as files.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use cooperage_plan::{BuildOptions, LayerPlan, LoadError, Modes, Plan, PlanError, PlanFile};
use cooperage_transport::Layers;

use crate::context::Context;
use crate::error::Hinted;
use crate::media::Media;

/// A plan, and how its names are understood.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The plan file; `-` is standard input
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// Where relative names in the plan start from [default: the plan's directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Refuse entries whose mode the plan does not say
    #[arg(long)]
    pub(crate) require_modes: bool,
}

impl PlanArgs {
    fn is_stdin(&self) -> bool {
        self.plan == Path::new("-")
    }

    pub(crate) fn root(&self) -> &Path {
        match (&self.root, self.plan.parent()) {
            (Some(root), _) => root,
            (None, Some(parent)) if !self.is_stdin() => parent,
            _ => Path::new(""),
        }
    }

    pub(crate) fn modes(&self) -> Modes {
        if self.require_modes {
            Modes::Required
        } else {
            Modes::Default
        }
    }

    /// Where bases are found; `layers` says which way those of a registry take.
    pub(crate) fn media<'a>(&'a self, context: &'a Context, layers: Layers) -> Media<'a> {
        Media {
            root: self.root(),
            context,
            layers,
        }
    }

    pub(crate) fn build_options<'a>(
        &'a self,
        media: &'a Media<'a>,
        context: &'a Context,
    ) -> BuildOptions<'a> {
        BuildOptions {
            root: self.root(),
            modes: self.modes(),
            threads: context.jobs,
            bases: media,
            progress: context.progress(),
            workers: Some(context.workers()),
        }
    }

    /// How messages call it.
    pub(crate) fn label(&self) -> String {
        if self.is_stdin() {
            "the plan on standard input".into()
        } else {
            format!("`{}`", self.plan.display())
        }
    }

    fn open(&self) -> Result<Box<dyn BufRead>> {
        if self.is_stdin() {
            return Ok(Box::new(io::stdin().lock()));
        }
        let file = File::open(&self.plan)
            .with_context(|| format!("cannot read the plan `{}`", self.plan.display()))?;
        Ok(Box::new(BufReader::new(file)))
    }

    /// Reads the file. The inner result is the plan's own fault, the outer one the machine's.
    pub(crate) fn parse(&self) -> Result<Result<PlanFile, PlanError>> {
        Ok(PlanFile::parse(self.open()?))
    }

    /// Reads the file and makes its trees.
    fn load(&self) -> Result<PlanFile> {
        match PlanFile::load(self.open()?, self.root(), self.modes()) {
            Err(LoadError::Plan(error)) => Err(self.invalid(error)),
            loaded => Ok(loaded?),
        }
    }

    fn invalid(&self, error: PlanError) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("{} is no valid plan", self.label()))
    }

    /// A plan of an image or an index, with its entries.
    pub(crate) fn image_plan(&self) -> Result<Plan> {
        self.image_of(self.parse()?.map_err(|error| self.invalid(error))?)
    }

    /// A plan of an image or an index, with its trees.
    pub(crate) fn loaded_image_plan(&self) -> Result<Plan> {
        self.image_of(self.load()?)
    }

    fn image_of(&self, file: PlanFile) -> Result<Plan> {
        match file {
            PlanFile::Plan(plan) => Ok(plan),
            PlanFile::Layer(_) => Err(Hinted::new(
                anyhow::anyhow!("{} describes a layer, not an image", self.label()),
                "`cooperage layer` builds it",
            )
            .into()),
        }
    }

    /// A plan of one layer, with its tree.
    pub(crate) fn loaded_layer_plan(&self) -> Result<LayerPlan> {
        match self.load()? {
            PlanFile::Layer(layer) => Ok(layer),
            PlanFile::Plan(_) => bail!(Hinted::new(
                anyhow::anyhow!("{} describes an image, not a layer", self.label()),
                "its first line would say `\"plan\":\"layer\"`; `cooperage build` builds images",
            )),
        }
    }
}
