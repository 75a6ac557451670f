//! The command as others download it: `cargo xtask dist`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package};
use cooperage_cargo::build::{Binary, Builder};
use cooperage_cargo::target::Toolchain;
use cooperage_cargo::{CargoArgs, ImageArgs};
use cooperage_digest::Digest;
use serde_json::json;

const PACKAGE: &str = "cooperage-cli";
const BINARY: &str = "cooperage";

/// `cargo xtask dist`
///
/// Builds `cooperage` for each target, with nothing of this machine in it: paths are renamed, what
/// is locked is built, symbols are left out. Beside the binaries lie `SHA256SUMS` and
/// `cooperage.lock.json`, which the Bazel rules' `lockfile` reads.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Build for this target; may be given several times [default: this machine with musl, if that
    /// target is installed, else this machine]
    #[arg(long, value_name = "TRIPLE")]
    target: Vec<String>,
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    output: PathBuf,
    /// What the binaries' names are appended to in the lockfile [default: `file://` and where they
    /// are]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Do not access the network
    #[arg(long)]
    offline: bool,
    /// Build a second time, from a copy of what git knows of at another path, and compare
    #[arg(long)]
    check: bool,
}

/// Builds and writes them all.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = crate::root();
    let targets = match &args.target[..] {
        [] => vec![default_target()?],
        given => given.to_vec(),
    };
    let output = root.join(&args.output);
    fs::create_dir_all(&output).with_context(|| format!("cannot make `{}`", output.display()))?;
    let output = output.canonicalize()?;
    let place = args
        .url
        .clone()
        .unwrap_or_else(|| format!("file://{}", output.display()));
    let (version, built) = build(&root, args, &targets, None)?;
    if args.check {
        check(&root, args, &targets, &built, &output)?;
    }
    let (mut sums, mut binaries) = (String::new(), BTreeMap::new());
    for (platform, bytes) in &built {
        let name = file_name(platform);
        let sha256 = Digest::of(bytes).encoded().to_owned();
        write_program(&output.join(&name), bytes)?;
        let _ = writeln!(sums, "{sha256}  {name}");
        let url = format!("{}/{name}", place.trim_end_matches('/'));
        binaries.insert(platform, json!({"url": url, "sha256": sha256}));
        println!("{name}  {} bytes  {sha256}", bytes.len());
    }
    let lock = json!({"version": version, "binaries": binaries});
    let lock = serde_json::to_string_pretty(&lock)? + "\n";
    for (name, text) in [("SHA256SUMS", sums), ("cooperage.lock.json", lock)] {
        let file = output.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    println!("in {}", output.display());
    Ok(ExitCode::SUCCESS)
}

/// A static program runs on every distribution.
fn default_target() -> Result<String> {
    let toolchain = Toolchain::find(Path::new("rustc"))?;
    let musl = toolchain.host.replace("-gnu", "-musl");
    let found = musl != toolchain.host && toolchain.check_installed(&musl).is_ok();
    if !found && musl != toolchain.host {
        eprintln!(
            "note: `{musl}` is not installed: building for `{}`",
            toolchain.host
        );
    }
    Ok(if found { musl } else { toolchain.host })
}

/// The binaries' bytes by platform, as lockfiles name them: `linux-amd64`.
type Built = BTreeMap<String, Vec<u8>>;

/// Builds in the workspace at `root`; below `target`, or where cargo builds.
fn build(
    root: &Path,
    args: &Args,
    targets: &[String],
    target: Option<&Path>,
) -> Result<(String, Built)> {
    let manifest = root.join("Cargo.toml");
    let mut command = MetadataCommand::new();
    command.manifest_path(&manifest);
    let offline = args.offline.then(|| "--offline".to_owned());
    command.other_options(
        ["--locked".to_owned()]
            .into_iter()
            .chain(offline)
            .collect::<Vec<_>>(),
    );
    let metadata = command.exec().context("cargo metadata")?;
    let package = package(&metadata)?;
    let image = ImageArgs {
        cargo: CargoArgs {
            manifest_path: Some(manifest),
            locked: true,
            offline: args.offline,
            target_dir: target.map(Path::to_owned),
            ..CargoArgs::default()
        },
        rest: vec!["--config=profile.release.strip=true".to_owned()],
        ..ImageArgs::default()
    };
    let builder = Builder::new(&image, &metadata, Some(true))?;
    let mut built = Built::new();
    for triple in targets {
        let binary = builder.build(package, BINARY, Some(triple))?;
        let platform = platform(&binary);
        let bytes = fs::read(&binary.file)
            .with_context(|| format!("cannot read `{}`", binary.file.display()))?;
        check_names(&builder, &binary)?;
        if built.insert(platform.clone(), bytes).is_some() {
            bail!("two targets are `{platform}`: expected one for each platform");
        }
    }
    Ok((package.version.to_string(), built))
}

fn package(metadata: &Metadata) -> Result<&Package> {
    let mut packages = metadata.packages.iter();
    let found = packages.find(|package| package.name == PACKAGE);
    found.with_context(|| format!("the workspace has no package `{PACKAGE}`"))
}

fn platform(binary: &Binary) -> String {
    let platform = &binary.platform;
    format!("{}-{}", platform.os, platform.architecture)
}

fn file_name(platform: &str) -> String {
    let end = if platform.starts_with("windows") {
        ".exe"
    } else {
        ""
    };
    format!("{BINARY}-{platform}{end}")
}

/// Nothing in the binary may say where it was built.
fn check_names(builder: &Builder<'_>, binary: &Binary) -> Result<()> {
    let unwanted = builder.renames().map(|renames| renames.unwanted());
    let found = cooperage_cargo::leaks::find(&binary.file, &unwanted.unwrap_or_default())?;
    if !found.is_empty() {
        bail!(
            "`{}` names paths of this machine: `{}`",
            binary.file.display(),
            found.join("`, `")
        );
    }
    Ok(())
}

/// Builds from a copy of the sources elsewhere, and compares; what differs is left in `output`.
fn check(root: &Path, args: &Args, targets: &[String], built: &Built, output: &Path) -> Result<()> {
    let elsewhere = tempfile::tempdir()?;
    let copy = elsewhere.path().join("a-place-of-another-length");
    copy_sources(root, &copy)?;
    let target = elsewhere.path().join("built");
    let (_, again) = build(&copy, args, targets, Some(&target))?;
    for (platform, bytes) in built {
        let other = again.get(platform).map_or(&[][..], Vec::as_slice);
        if other != bytes {
            let name = file_name(platform);
            write_program(&output.join(format!("{name}.here")), bytes)?;
            write_program(&output.join(format!("{name}.elsewhere")), other)?;
            bail!(
                "`{name}` is another one when it is built elsewhere: both are in `{}`",
                output.display()
            );
        }
    }
    println!("built twice, at different paths: the same bytes");
    Ok(())
}

/// Copies what git knows of, as it is now.
fn copy_sources(root: &Path, to: &Path) -> Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .context("cannot run `git ls-files`")?;
    if !listed.status.success() {
        bail!(
            "`git ls-files`: {}",
            String::from_utf8_lossy(&listed.stderr)
        );
    }
    let names = String::from_utf8(listed.stdout).context("names of files are text")?;
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), to.join(name));
        if !from.is_file() {
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&from, &to).with_context(|| format!("cannot copy `{name}`"))?;
    }
    Ok(())
}

fn write_program(file: &Path, bytes: &[u8]) -> Result<()> {
    let write = || format!("cannot write `{}`", file.display());
    fs::write(file, bytes).with_context(write)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).with_context(write)?;
    }
    Ok(())
}
