//! Programs that are this one, with a request beside them: what `bazel run` starts.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser};

use cooperage_cargo::env;

use super::runfiles::{Runfiles, Surroundings, around};
use super::{Base, Request, request};
use crate::args::Global;
use crate::context::{Context, Outcome};
use crate::error;

/// The command line of a launcher: its own options, and those of every command.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct CommandLine<A: Args> {
    #[command(flatten)]
    own: A,
    #[command(flatten)]
    global: Global,
}

/// Runs the request beside the program, if there is one.
pub(crate) fn start(args: &[OsString]) -> Option<ExitCode> {
    let program = Path::new(args.first()?);
    // What was found by its name alone lies anywhere, and not in the working directory.
    program.parent().filter(|parent| *parent != Path::new(""))?;
    let file = find(program)?;
    Some(match read(program, &file) {
        Ok(request) => run(&request, args),
        Err(error) => {
            error::print(&error);
            ExitCode::FAILURE
        }
    })
}

/// The request of a program: beside it, or in its runfiles.
fn find(program: &Path) -> Option<PathBuf> {
    let with_suffix = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".request");
        PathBuf::from(name)
    };
    let beside = with_suffix(program);
    if beside.is_file() {
        return Some(beside);
    }
    let (_, name) = around(program)?;
    let runfiles = Runfiles::of(program, &Surroundings::from_environment());
    let found = runfiles.find(&with_suffix(&name)).ok()?;
    found.is_file().then_some(found)
}

fn read(program: &Path, file: &Path) -> Result<Request> {
    let bytes = request::read(file)
        .with_context(|| format!("cannot read the request `{}`", file.display()))?;
    let runfiles = Runfiles::of(program, &Surroundings::from_environment());
    let label = format!("`{}`", file.display());
    let request = Request::parse(&label, bytes, Base::Runfiles(runfiles))?;
    // Relative names that the user gives start from where the user is; runfiles are absolute.
    if let Some(directory) = env::path("BUILD_WORKING_DIRECTORY") {
        std::env::set_current_dir(&directory)
            .with_context(|| format!("cannot go to `{}`", directory.display()))?;
    }
    Ok(request)
}

fn run(request: &Request, args: &[OsString]) -> ExitCode {
    let Some(launch) = request.action.launch else {
        let name = request.action.name;
        error::print(&anyhow!(
            "the action `{name}` has no launcher: expected a request of one that has"
        ));
        return ExitCode::FAILURE;
    };
    launch(request, args)
}

/// Reads a launcher's command line and runs it, with progress and results as other commands have
/// them. `about` is what `--help` says first.
pub(crate) fn launch<A: Args>(
    request: &Request,
    args: &[OsString],
    about: &'static str,
    run: fn(&Request, &A, &Context) -> Result<Outcome>,
) -> ExitCode {
    let name = args.first().map(Path::new).and_then(Path::file_name);
    let name = name.unwrap_or(OsStr::new("launcher"));
    let name = name.to_string_lossy().into_owned();
    let command = CommandLine::<A>::command().bin_name(name).about(about);
    let matches = command.get_matches_from(args);
    let line = match CommandLine::<A>::from_arg_matches(&matches) {
        Ok(line) => line,
        Err(error) => error.exit(),
    };
    let context = Context::new(&line.global);
    context.finish(run(request, &line.own, &context))
}
