//! What all commands share: where results go, and who is told of progress.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use cooperage_blob::{CopyOptions, NoProgress, Progress};
use cooperage_cargo::NetworkArgs;
use cooperage_cargo::progress::Bars;
use cooperage_cargo::stderr::say;
use cooperage_cargo::stdout::print;
use cooperage_commit::Formed;
use cooperage_compress::Workers;
use cooperage_transport::{Layers, Location, Network, Opened, Reach};
use serde_json::Value;

use crate::args::{Format, Global};
use crate::error;
use crate::progress::Lines;
use crate::text::printable;

/// How a command ended; the number is the exit code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It did what was asked.
    Done = 0,
    /// It checked, and found faults.
    Faults = 3,
}

pub(crate) struct Context {
    format: Format,
    quiet: bool,
    pub(crate) jobs: NonZeroUsize,
    progress: Arc<dyn Progress>,
    network_args: NetworkArgs,
    network: OnceLock<Network>,
    workers: Workers,
}

impl Context {
    pub(crate) fn new(global: &Global) -> Self {
        let progress: Arc<dyn Progress> = match Bars::for_terminal() {
            _ if global.quiet => Arc::new(NoProgress),
            Some(bars) => Arc::new(bars),
            None => Arc::new(Lines::default()),
        };
        let jobs = global.jobs.unwrap_or_else(processors);
        Self {
            format: global.format,
            quiet: global.quiet,
            jobs,
            progress,
            network_args: global.network.clone(),
            network: OnceLock::new(),
            workers: Workers::new(jobs),
        }
    }

    /// Says nothing but errors: for actions, which no person runs.
    pub(crate) fn silent() -> Self {
        let jobs = processors();
        Self {
            format: Format::Text,
            quiet: true,
            jobs,
            progress: Arc::new(NoProgress),
            network_args: NetworkArgs::default(),
            network: OnceLock::new(),
            workers: Workers::new(jobs),
        }
    }

    /// Says how a command ended.
    pub(crate) fn finish(&self, ended: Result<Outcome>) -> ExitCode {
        // Of an error it may be what it comes from.
        self.warn_of_network();
        match ended {
            Ok(outcome) => ExitCode::from(outcome as u8),
            Err(error) => {
                error::print(&error);
                ExitCode::FAILURE
            }
        }
    }

    /// What compresses, for all layers that are made at the same time.
    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }

    pub(crate) fn network_args(&self) -> &NetworkArgs {
        &self.network_args
    }

    /// The way to registries; made when it is first needed.
    pub(crate) fn network(&self) -> Result<&Network> {
        self.network_by(&self.network_args)
    }

    fn network_by(&self, args: &NetworkArgs) -> Result<&Network> {
        if let Some(network) = self.network.get() {
            return Ok(network);
        }
        let warn = |text: &str| self.warn(&[text.to_owned()]);
        let network = args.network(Reach::Online, &warn)?;
        Ok(self.network.get_or_init(|| network))
    }

    /// Opens an image's place; what is local needs no network.
    pub(crate) fn open(&self, location: &Location, layers: Layers) -> Result<Opened> {
        if location.medium().is_local() {
            return Ok(location.open()?);
        }
        Ok(location.open_with(self.network()?, layers)?)
    }

    /// The way to those of these places that are in registries; what is local needs none.
    pub(crate) fn network_for(&self, outputs: &[Location]) -> Result<Network> {
        if outputs.iter().all(|output| output.medium().is_local()) {
            return Ok(Network::default());
        }
        Ok(self.network()?.clone())
    }

    /// The same where nothing is read from a registry: no cache is looked for, or made.
    pub(crate) fn network_to_send(&self, outputs: &[Location]) -> Result<Network> {
        if outputs.iter().any(|output| !output.medium().is_local()) {
            self.network_by(&NetworkArgs {
                cache_dir: None,
                no_cache: true,
                ..self.network_args.clone()
            })?;
        }
        self.network_for(outputs)
    }

    /// Says what was worth telling of logins, settings and the cache.
    pub(crate) fn warn_of_network(&self) {
        if let Some(network) = self.network.get() {
            self.warn(&network.take_warnings());
        }
    }

    pub(crate) fn progress(&self) -> &dyn Progress {
        &*self.progress
    }

    /// The same, for what outlives a call.
    pub(crate) fn shared_progress(&self) -> Arc<dyn Progress> {
        Arc::clone(&self.progress)
    }

    pub(crate) fn copy_options(&self) -> CopyOptions<'_> {
        CopyOptions {
            jobs: self.jobs,
            progress: self.progress(),
        }
    }

    /// What was asked for: it is printed in either format, `--quiet` or not.
    pub(crate) fn answer(
        &self,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        match self.format {
            Format::Json => print_json(&json()),
            Format::Text => print(text().as_bytes()),
        }
    }

    /// What was done: `--quiet` leaves the text out.
    pub(crate) fn report(
        &self,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        match self.format {
            Format::Text if self.quiet => Ok(()),
            _ => self.answer(json, text),
        }
    }

    /// What may be an oversight.
    pub(crate) fn warn(&self, warnings: &[String]) {
        for warning in warnings {
            self.note(&format!("warning: {}", printable(warning)));
        }
    }

    /// Something worth knowing beside the result.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }
}

fn processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// What may be an oversight in images that were formed, as text.
pub(crate) fn warnings<'a>(images: impl IntoIterator<Item = &'a Formed>) -> Vec<String> {
    let all = images.into_iter().flat_map(Formed::warnings);
    all.map(|warning| warning.to_string()).collect()
}

fn print_json(value: &Value) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    print(&bytes)
}
