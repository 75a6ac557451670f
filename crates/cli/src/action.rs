//! `cooperage action`: one request of a build system, in a file of JSON lines.
//!
//! An action is a file in `action/` with a constant [`Action`], and a line in [`ACTIONS`].
//! [`Request`] reads the lines and refuses what the action does not know.

mod base;
mod check;
mod deliver;
mod directory;
mod documents;
mod expect;
mod facts;
mod fetch;
mod image;
mod index;
mod launcher;
mod layer;
mod load;
mod names;
mod parts;
mod push;
mod request;
mod runfiles;
mod stamp;
mod values;
mod worker;
mod write;

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use cooperage_plan::TreePlanError;

pub(crate) use self::base::Base;
pub(crate) use self::request::{Request, RequestError};
use crate::args::EXIT_CODES;
use crate::context::{Context, Outcome};
use crate::error::Hinted;
use crate::files::Staged;

/// All actions.
pub(crate) const ACTIONS: &[Action] = &[
    layer::ACTION,
    image::ACTION,
    index::ACTION,
    documents::ACTION,
    fetch::ACTION,
    write::ACTION,
    facts::ACTION,
    check::ACTION,
    expect::ACTION,
    push::ACTION,
    load::ACTION,
];

/// What a request may ask for.
pub(crate) struct Action {
    /// As the request's first line names it.
    pub(crate) name: &'static str,
    /// What it does, in a few words, for `--help`.
    pub(crate) about: &'static str,
    /// Names of `output` lines that it knows.
    pub(crate) outputs: &'static [&'static str],
    /// Names of `input` lines that it knows.
    pub(crate) inputs: &'static [&'static str],
    /// Its other lines: each is known by this member. Where a line has several of them, it is of
    /// the kind that stands here first.
    pub(crate) lines: &'static [&'static str],
    /// What kind of plan follows.
    pub(crate) plan: PlanKind,
    /// What it does as an action; `None` for what only launchers do.
    pub(crate) run: Option<fn(&Request, &Setting<'_>) -> Result<()>>,
    /// What it does as a program of its own, with the command line it was started with; most often
    /// [`launcher::launch`] with its options.
    pub(crate) launch: Option<fn(&Request, &[OsString]) -> ExitCode>,
}

/// Which plan ends a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PlanKind {
    /// None.
    None,
    /// `{"plan":"layer"}`
    Layer,
    /// `{"plan":"image"}`
    Image,
}

/// What an action runs in.
pub(crate) struct Setting<'a> {
    /// Threads, the way to registries, who is told of progress.
    pub(crate) context: &'a Context,
    /// Whether anybody still wants the outputs.
    pub(crate) cancel: &'a Cancel,
}

impl Setting<'_> {
    /// Puts all outputs in place, unless nobody wants them any more.
    pub(crate) fn keep(&self, files: Staged) -> Result<()> {
        self.cancel.check()?;
        files.keep()
    }
}

/// Set when a request is taken back.
#[derive(Debug, Default)]
pub(crate) struct Cancel(AtomicBool);

impl Cancel {
    pub(crate) fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails if the request was taken back: to be asked before anything that takes long.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            bail!("the request was taken back");
        }
        Ok(())
    }
}

/// Run one request of a build system, or as its worker
///
/// FILE holds a JSON object a line. The first says which action: `{"action":"layer","version":1}`.
/// Lines that name outputs follow, such as `{"output":"blob","file":"app.blob"}`, then what the
/// action needs, and where it needs one a plan as docs/plan-format.md describes it; every entry of
/// a layer says its mode. Relative names start from the working directory. Nothing is printed but
/// errors, and outputs appear when all of them are whole.
#[derive(Debug, Args)]
#[command(after_long_help = manual())]
pub(crate) struct ActionArgs {
    /// The file with the request
    #[arg(value_name = "@FILE", required_unless_present = "persistent_worker")]
    request: Option<OsString>,
    /// Answer work requests on standard input, as Bazel's JSON worker protocol has it
    #[arg(long = "persistent_worker", conflicts_with = "request")]
    persistent_worker: bool,
}

const EXAMPLE: &str = r#"  {"action":"layer","version":1}
  {"output":"blob","file":"app.blob"}
  {"output":"metadata","file":"app.json"}
  {"plan":"layer","version":1,"name":"app"}
  {"path":"app/server","file":"target/release/server","mode":"0755"}

docs/actions.md describes every line."#;

/// What `--help` says of the actions.
fn manual() -> String {
    use std::fmt::Write as _;
    let mut text = String::from("Actions:\n");
    for action in ACTIONS {
        let _ = writeln!(text, "  {:<10} {}", action.name, action.about);
        for (what, names) in [
            ("outputs", action.outputs),
            ("inputs", action.inputs),
            ("lines", action.lines),
        ] {
            if !names.is_empty() {
                let _ = writeln!(text, "{:13}{what}: {}", "", names.join(", "));
            }
        }
        let plan = match action.plan {
            PlanKind::None => "",
            PlanKind::Layer => "layer",
            PlanKind::Image => "image",
        };
        if !plan.is_empty() {
            let _ = writeln!(text, "{:13}plan: {plan}", "");
        }
    }
    text + "\nA request, line by line:\n" + EXAMPLE + "\n" + EXIT_CODES
}

/// Runs what the command line asks for, if it is an action, before anything is made that only
/// other commands need: a build system starts this program once a layer.
pub(crate) fn start(args: &[OsString]) -> Option<ExitCode> {
    if let Some(code) = launcher::start(args) {
        return Some(code);
    }
    let [_, command, only] = args else {
        return None;
    };
    if command != "action" {
        return None;
    }
    if only == "--persistent_worker" {
        return Some(worker::run());
    }
    let file = request_file(only)?;
    let context = Context::silent();
    let ran = run_file(&file, &context);
    Some(context.finish(ran.map(|()| Outcome::Done)))
}

/// The same for a command line with options.
pub(crate) fn run(args: &ActionArgs, context: &Context) -> Result<Outcome> {
    let Some(request) = &args.request else {
        bail!("`--persistent_worker` stands alone, as in `cooperage action --persistent_worker`");
    };
    let Some(file) = request_file(request) else {
        let text = format!("`{}` names no request: expected `@FILE`", request.display());
        bail!(Hinted::new(
            anyhow::anyhow!(text),
            "an `@` stands before the name of the file with the request",
        ));
    };
    run_file(&file, context)?;
    Ok(Outcome::Done)
}

fn request_file(arg: &OsStr) -> Option<PathBuf> {
    let name = arg.as_encoded_bytes().strip_prefix(b"@")?;
    (!name.is_empty()).then(|| {
        let name = std::str::from_utf8(name).map(PathBuf::from);
        // A name that is not text keeps its bytes.
        name.unwrap_or_else(|_| base::after_first(arg))
    })
}

fn run_file(file: &Path, context: &Context) -> Result<()> {
    let read = || format!("cannot read the request `{}`", file.display());
    let bytes = request::read(file).with_context(read)?;
    let label = format!("`{}`", file.display());
    let request = Request::parse(&label, bytes, Base::default())?;
    let cancel = Cancel::default();
    let setting = Setting {
        context,
        cancel: &cancel,
    };
    run_request(&request, &setting)
}

fn run_request(request: &Request, setting: &Setting<'_>) -> Result<()> {
    setting.cancel.check()?;
    let Some(run) = request.action.run else {
        let name = request.action.name;
        bail!("the action `{name}` is for launchers: expected its request beside a program");
    };
    run(request, setting).map_err(hinted)
}

/// What helps with a plan of its own is of no use in a request.
fn hinted(error: anyhow::Error) -> anyhow::Error {
    let hint = error.chain().find_map(|cause| match cause.downcast_ref()? {
        TreePlanError::File { file, source, .. }
            if source.kind() == ErrorKind::NotFound && file.is_symlink() =>
        {
            Some("a symlink that a rule declared is named in the layer's `declared_symlinks`")
        }
        TreePlanError::File { source, .. } if source.kind() == ErrorKind::NotFound => {
            Some("names in a request start from the working directory, or from `sandboxDir`")
        }
        TreePlanError::Type { expected, .. } if *expected == "a symlink" => {
            Some("`declared_symlinks` is for what rules make with `declare_symlink` alone")
        }
        TreePlanError::NoMode { .. } => Some("in a request every entry has a `mode`"),
        _ => None,
    });
    match hint {
        Some(hint) => Hinted::new(error, hint).into(),
        None => error,
    }
}
