//! Runs `cargo build` and finds what it made.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{Message, Metadata, Package, PackageId};
use cooperage_image_spec::Platform;

use crate::args::{CargoArgs, ImageArgs};
use crate::cargo_config::CargoConfig;
use crate::remap::{self, Change, Renames, Target, Vars};
use crate::target::{self, TargetError, Toolchain};
use crate::{env, project};

/// Why there is no binary.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CargoError {
    /// Cargo could not be run, or its messages not be read.
    #[error("cannot run `{}`", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It found errors, and has shown them.
    #[error("`cargo build` of binary `{bin}`{} failed; its messages are above", for_target(triple.as_deref()))]
    Failed {
        /// The binary.
        bin: String,
        /// The target, if one was asked for.
        triple: Option<String>,
    },
    /// It ended well but made no such binary.
    #[error("`cargo build` did not say where binary `{bin}` of package `{package}` lies")]
    NoArtifact {
        /// The package.
        package: String,
        /// The binary.
        bin: String,
    },
    /// The target is no good.
    #[error(transparent)]
    Target(#[from] TargetError),
}

fn for_target(triple: Option<&str>) -> String {
    triple.map_or_else(String::new, |triple| format!(" for `{triple}`"))
}

/// A binary, built.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Its name.
    pub name: String,
    /// Where it lies on this machine.
    pub file: PathBuf,
    /// What it runs on.
    pub platform: Platform,
    /// The target it was built for.
    pub triple: String,
    /// Whether that is this machine's own.
    pub is_native: bool,
}

/// What all builds of one call have in common.
#[derive(Debug)]
pub struct Builder<'a> {
    args: &'a ImageArgs,
    toolchain: Toolchain,
    vars: Vars,
    config: CargoConfig,
    /// What paths are called in the binary; none if they keep their names.
    renames: Option<Renames>,
}

/// The cargo that runs this program, or the one that is found.
pub(crate) fn cargo_program() -> PathBuf {
    env::path("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Arguments that `cargo metadata` and `cargo build` both take.
pub(crate) fn common_arguments(args: &CargoArgs) -> Vec<String> {
    let mut list = Vec::new();
    let flags = [
        (args.all_features, "--all-features"),
        (args.no_default_features, "--no-default-features"),
        (args.locked, "--locked"),
        (args.offline, "--offline"),
        (args.frozen, "--frozen"),
    ];
    list.extend(
        flags
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, flag)| (*flag).to_owned()),
    );
    for features in &args.features {
        list.extend(["--features".to_owned(), features.clone()]);
    }
    list
}

/// What `--config` arguments stand among those that are passed through.
fn config_arguments(rest: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        if word == "--config" {
            found.extend(words.next().cloned());
        } else if let Some(value) = word.strip_prefix("--config=") {
            found.push(value.to_owned());
        }
    }
    found
}

impl<'a> Builder<'a> {
    /// Gets ready to build in a workspace; `remap_paths` says whether paths are renamed.
    ///
    /// # Errors
    ///
    /// When `rustc` cannot be asked.
    pub fn new(
        args: &'a ImageArgs,
        metadata: &'a Metadata,
        remap_paths: Option<bool>,
    ) -> Result<Self, CargoError> {
        let program = env::path("RUSTC").unwrap_or_else(|| "rustc".into());
        let toolchain = Toolchain::find(&program)?;
        let cargo_home = env::cargo_home();
        let here = std::env::current_dir().unwrap_or_default();
        let config = CargoConfig::find(&here, cargo_home.as_deref(), &config_arguments(&args.rest));
        let renames = remap_paths
            .unwrap_or(true)
            .then(|| renames(metadata, cargo_home.as_deref(), &toolchain));
        Ok(Self {
            args,
            toolchain,
            vars: env::vars(),
            config,
            renames,
        })
    }

    /// The triple this machine's compiler builds for by itself.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.toolchain.host
    }

    /// Prefixes of paths that the binary should not name.
    #[must_use]
    pub fn renames(&self) -> Option<&Renames> {
        self.renames.as_ref()
    }

    /// Refuses a target that cannot be built for.
    ///
    /// # Errors
    ///
    /// See [`TargetError`].
    pub fn check_target(&self, triple: &str) -> Result<Platform, CargoError> {
        let platform = target::platform(triple)?;
        let builds_std = self.args.rest.iter().any(|word| word.contains("build-std"));
        if triple != self.toolchain.host && !builds_std {
            self.toolchain.check_installed(triple)?;
        }
        Ok(platform)
    }

    /// Builds a binary for a target, or for this machine.
    ///
    /// Diagnostics go to standard error as cargo writes them.
    ///
    /// # Errors
    ///
    /// See [`CargoError`].
    pub fn build(
        &self,
        package: &Package,
        bin: &str,
        triple: Option<&str>,
    ) -> Result<Binary, CargoError> {
        let host = self.toolchain.host.as_str();
        let platform = self.check_target(triple.unwrap_or(host))?;
        let mut command = self.command(package, bin, triple)?;
        let program = PathBuf::from(command.get_program());
        let run = |source| CargoError::Run {
            program: program.clone(),
            source,
        };
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(run)?;
        let found = match child.stdout.take() {
            Some(output) => executable(BufReader::new(output), &package.id, bin),
            None => Ok(None),
        };
        let ended = child.wait().map_err(run)?;
        if !ended.success() {
            let triple = triple.map(String::from);
            return Err(CargoError::Failed {
                bin: bin.to_owned(),
                triple,
            });
        }
        let file = found.map_err(run)?.ok_or_else(|| CargoError::NoArtifact {
            package: package.name.to_string(),
            bin: bin.to_owned(),
        })?;
        Ok(Binary {
            name: bin.to_owned(),
            file,
            platform,
            is_native: triple.unwrap_or(host) == host,
            triple: triple.unwrap_or(host).to_owned(),
        })
    }

    fn command(
        &self,
        package: &Package,
        bin: &str,
        triple: Option<&str>,
    ) -> Result<Command, CargoError> {
        let args = &self.args.cargo;
        let mut command = Command::new(cargo_program());
        command
            .arg("build")
            .arg("--message-format=json-render-diagnostics");
        if self.args.output.quiet {
            command.arg("--quiet");
        }
        if let Some(manifest) = &args.manifest_path {
            command.arg("--manifest-path").arg(manifest);
        }
        command.args(["--package", &package.id.repr, "--bin", bin, "--profile"]);
        command.arg(
            args.profile
                .as_deref()
                .unwrap_or(if args.dev { "dev" } else { "release" }),
        );
        command.args(common_arguments(args));
        if let Some(triple) = triple {
            command.args(["--target", triple]);
        }
        if let Some(jobs) = &args.jobs {
            command.args(["--jobs", jobs]);
        }
        for name in self.vars.keys().filter(|name| env::is_of_outer_cargo(name)) {
            command.env_remove(name);
        }
        if let Some(dir) = &args.target_dir {
            command.env("CARGO_TARGET_DIR", dir);
        }
        if let Some(renames) = &self.renames {
            self.remap(renames, triple, &mut command)?;
        }
        command.args(&self.args.rest);
        Ok(command)
    }

    fn remap(
        &self,
        renames: &Renames,
        triple: Option<&str>,
        command: &mut Command,
    ) -> Result<(), CargoError> {
        let triple = triple.unwrap_or(&self.toolchain.host);
        let cfgs = self.toolchain.cfgs(triple)?;
        let target = Target {
            triple: triple.to_owned(),
            cfgs,
        };
        let (vars, config) = (&self.vars, &self.config);
        let mut changes = remap::c_changes(&renames.c_flags(), vars, config, &target);
        changes.push(remap::rust_changes(
            &renames.rust_flags(),
            vars,
            config,
            &target,
        ));
        for change in changes {
            match change {
                Change::Env { name, value } => command.env(name, value),
                Change::Config(text) => command.arg("--config").arg(text),
            };
        }
        // `__DATE__` and build scripts that ask for the time.
        if !vars.contains_key("SOURCE_DATE_EPOCH") {
            command.env("SOURCE_DATE_EPOCH", "0");
        }
        Ok(())
    }
}

/// Where cargo's messages say that the binary lies.
fn executable(
    output: impl std::io::BufRead,
    id: &PackageId,
    bin: &str,
) -> std::io::Result<Option<PathBuf>> {
    let mut found = None;
    for message in Message::parse_stream(output) {
        if let Message::CompilerArtifact(artifact) = message? {
            let ours = artifact.package_id == *id
                && artifact.target.is_bin()
                && artifact.target.name == bin;
            if ours && let Some(file) = artifact.executable {
                found = Some(file.into_std_path_buf());
            }
        }
    }
    Ok(found)
}

/// What the paths of this machine are called in the binary.
fn renames(metadata: &Metadata, cargo_home: Option<&Path>, toolchain: &Toolchain) -> Renames {
    let mut renames = Renames::default();
    let mut add = |from: &Path, to: &str| {
        // Compilers see a directory as the kernel names it, or as a manifest's path does.
        for from in [Some(from.to_path_buf()), from.canonicalize().ok()]
            .into_iter()
            .flatten()
        {
            if let Some(from) = from.to_str() {
                renames.add(from, to);
            }
        }
    };
    add(metadata.workspace_root.as_std_path(), "/workspace");
    add(metadata.target_directory.as_std_path(), "/target");
    if let Some(dir) = &metadata.build_directory {
        add(dir.as_std_path(), "/target");
    }
    for package in &metadata.packages {
        let source = package
            .source
            .as_ref()
            .map_or("", |source| source.repr.as_str());
        let dir = package.manifest_path.parent().and_then(|dir| dir.parent());
        let fetched = cargo_home.is_some_and(|home| package.manifest_path.starts_with(home));
        if let (true, true, Some(dir)) = (fetched, !source.starts_with("git+"), dir) {
            // Its name holds the registry's address, and a mirror has another.
            add(dir.as_std_path(), "/cargo/registry/src");
        }
    }
    if let Some(home) = cargo_home {
        add(home, "/cargo");
    }
    for (package, dir) in project::strays(metadata) {
        add(
            &dir,
            &format!("/packages/{}-{}", package.name, package.version),
        );
    }
    if let Some(sysroot) = toolchain.sysroot.to_str() {
        renames.add_toolchain(sysroot, "/rust");
        if let Some(commit) = &toolchain.commit {
            // What the precompiled library is called; the component `rust-src` undoes that.
            let sources = format!("{sysroot}/lib/rustlib/src/rust");
            renames.add_toolchain(&sources, &format!("/rustc/{commit}"));
        }
    }
    renames
}
