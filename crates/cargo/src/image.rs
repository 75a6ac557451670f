//! From flags to an image.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package};
use cooperage_image_spec::Reference;
use cooperage_plan::{IndexPlan, Plan};
use cooperage_staging::{Shown, StagedFile, parent, show_all};
use cooperage_transport::{Network, Reach, check_outputs};

use crate::assemble::{self, Inputs, Rules, image_plan};
use crate::build::{Binary, Builder, cargo_program, common_arguments};
use crate::metadata::Scope;
use crate::report::{Reporter, Summary};
use crate::settings::Settings;
use crate::stdout::print;
use crate::{ImageArgs, OutputArgs, base, env, labels, leaks, metadata, output, project};

/// Builds a package's binary, makes an image of it and writes that where `args` say.
///
/// Nothing is written before all binaries are built, the plan is made, and each binary is known
/// to find what it needs in its base. The image gets its name last: if anything fails, what was
/// there before is there still. What goes to a registry comes after all that lies here.
///
/// Prints to standard output and standard error, as `args` say.
///
/// # Errors
///
/// With the reason as a chain of causes, outermost first.
pub fn image(args: &ImageArgs) -> Result<Summary> {
    let reporter = Reporter::new(&args.output);
    let metadata = cargo_metadata(args)?;
    let (package, mut found) = settings(args, &metadata)?;
    let bin = project::select_binary(package, found.settings.bin.as_deref())?;
    let target_dir = metadata.target_directory.as_std_path();
    let locations = output::locations(args, target_dir);
    if !args.output.print_plan {
        let targets = found.settings.platforms.as_deref();
        output::check_platforms(&locations, targets.unwrap_or_default())?;
    }
    let files = [
        &args.output.plan_file,
        &args.output.digest_file,
        &args.output.metadata_file,
    ];
    check_outputs(
        &locations,
        files.into_iter().flatten().map(PathBuf::as_path),
    )?;
    let network = network(args, &reporter)?;
    let root = metadata.workspace_root.as_std_path();
    let pinned = base::pin(&mut found.settings, args, root, &network, &reporter);
    warn_of_network(&network, &reporter);
    pinned?;
    let plan = plan(args, &metadata, package, &bin, &found, &reporter)?;
    let mut summary = Summary::new(package, &bin, &plan);
    let files = Files::begin(&args.output)?;
    if args.output.print_plan {
        let mut bytes = Vec::new();
        plan.write_to(&mut bytes)?;
        print(&bytes)?;
        files.show(&plan, None)?.into_iter().for_each(Shown::keep);
        return Ok(summary);
    }
    let lock = base::lock_path(args, root);
    let way = (&network, &*lock);
    let written = output::write(args, &plan, &locations, way, &reporter, &mut summary);
    let shown = written.and_then(|mut written| {
        written.show()?;
        Ok(written)
    });
    warn_of_network(&network, &reporter);
    let written = shown?;
    output::record(&written, &plan, &mut summary);
    let shown = files.show(&plan, Some(&summary))?;
    written.keep();
    shown.into_iter().for_each(Shown::keep);
    output::collect(&locations, target_dir, &reporter);
    reporter.done(&summary)?;
    Ok(summary)
}

fn network(args: &ImageArgs, reporter: &Reporter) -> Result<Network> {
    let reach = if args.cargo.offline || args.cargo.frozen {
        Reach::Offline
    } else {
        Reach::Online
    };
    args.network.network(reach, &|text| reporter.warn(text))
}

/// Says what was worth telling of logins, settings and the cache: an error may come from it.
fn warn_of_network(network: &Network, reporter: &Reporter) {
    for warning in network.take_warnings() {
        reporter.warn(&warning);
    }
}

/// What the manifests and the flags say.
struct Found {
    settings: Settings,
    rules: Rules,
}

fn cargo_metadata(args: &ImageArgs) -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.cargo_path(cargo_program());
    if let Some(manifest) = &args.cargo.manifest_path {
        if !manifest.is_file() {
            bail!("there is no manifest at `{}`", manifest.display());
        }
        command.manifest_path(manifest);
    }
    if let Some(dir) = &args.cargo.target_dir {
        command.env("CARGO_TARGET_DIR", dir);
    }
    // Which features are on changes nothing here, and at a virtual manifest they are an error.
    let options = common_arguments(&args.cargo).into_iter();
    let options: Vec<String> = options
        .filter(|flag| ["--locked", "--offline", "--frozen"].contains(&flag.as_str()))
        .collect();
    command.other_options(options);
    command.exec().map_err(|error| match error {
        cargo_metadata::Error::CargoMetadata { stderr } => {
            anyhow::anyhow!("{}", stderr.trim().trim_start_matches("error: "))
                .context("`cargo metadata` failed")
        }
        error => anyhow::Error::new(error).context("cannot run `cargo metadata`"),
    })
}

fn settings<'a>(args: &ImageArgs, metadata: &'a Metadata) -> Result<(&'a Package, Found)> {
    let root = metadata.workspace_root.join("Cargo.toml");
    let mut workspace = metadata::read(
        &metadata.workspace_metadata,
        root.as_std_path(),
        Scope::Workspace,
    )?;
    let mut flags = args.settings();
    let here = std::env::current_dir().context("cannot tell the current directory")?;
    for rule in &mut flags.files {
        rule.root.clone_from(&here);
    }
    let asking = env::path("CARGO_MANIFEST_DIR");
    let package = project::select_package(metadata, &flags, &workspace, asking.as_deref())?;
    let mut own = metadata::read(
        &package.metadata,
        package.manifest_path.as_std_path(),
        Scope::Package,
    )?;
    let mut rules = Rules {
        workspace: std::mem::take(&mut workspace.files),
        dependencies: Vec::new(),
        own: std::mem::take(&mut own.files),
    };
    rules.own.append(&mut flags.files);
    for dependency in project::local_libraries(metadata, package) {
        let manifest = dependency.manifest_path.as_std_path();
        rules
            .dependencies
            .extend(metadata::read(&dependency.metadata, manifest, Scope::Package)?.files);
    }
    rules.check_layers(&own.layers)?;
    rules.check_layers(&flags.layers)?;
    Ok((
        package,
        Found {
            settings: workspace.overlay(own).overlay(flags),
            rules,
        },
    ))
}

fn plan(
    args: &ImageArgs,
    metadata: &Metadata,
    package: &Package,
    bin: &str,
    found: &Found,
    reporter: &Reporter,
) -> Result<Plan> {
    let settings = &found.settings;
    let builder = Builder::new(args, metadata, settings.remap_paths)?;
    let mut targets: Vec<Option<&str>> = settings
        .platforms
        .iter()
        .flatten()
        .map(|triple| Some(triple.as_str()))
        .collect();
    if targets.is_empty() {
        targets.push(None);
    }
    check_targets(&builder, &targets)?;
    let names = names(settings, package)?;
    let mut labels = labels::from_package(package);
    if settings.stamp == Some(true) {
        labels.extend(labels::from_git(metadata.workspace_root.as_std_path())?);
    }
    let source_date_epoch = source_date_epoch()?;
    if builder.renames().is_some() {
        let needed = project::needed(metadata, package);
        for (stray, dir) in project::strays(metadata) {
            if needed.contains(&stray.id) {
                reporter.warn(&format!(
                    "package `{}` lies outside the workspace, at `{}`: cargo names it by that \
                     path, so the binary is another one where it lies elsewhere",
                    stray.name,
                    dir.display()
                ));
            }
        }
    }
    let mut images = Vec::new();
    for target in &targets {
        let binary = builder.build(package, bin, *target)?;
        warn_of_paths(&builder, &binary, reporter)?;
        images.push(image_plan(&Inputs {
            settings,
            rules: &found.rules,
            binary: &binary,
            labels: &labels,
            source_date_epoch,
        })?);
    }
    let index = (images.len() > 1).then(|| IndexPlan {
        annotations: BTreeMap::new(),
        media_types: assemble::media_types(settings),
    });
    Ok(Plan {
        names,
        index,
        images,
    })
}

/// What the image is published under: its tags, else the package's name.
fn names(settings: &Settings, package: &Package) -> Result<Vec<String>> {
    match &settings.tags {
        Some(tags) => tags.iter().map(|tag| name(tag)).collect(),
        None => Ok(vec![name(&package.name.to_lowercase())?]),
    }
}

/// A tag as the image is published under it: a reference, as it is written, with a tag.
fn name(tag: &str) -> Result<String> {
    let reference: Reference = tag
        .parse()
        .with_context(|| format!("`{tag}` cannot be an image's name"))?;
    let bare = reference.tag().is_none() && reference.digest().is_none();
    Ok(if bare {
        format!("{tag}:latest")
    } else {
        tag.to_owned()
    })
}

/// All targets are looked at before the first is built for.
fn check_targets(builder: &Builder<'_>, targets: &[Option<&str>]) -> Result<()> {
    let mut platforms = BTreeMap::new();
    for target in targets {
        let triple = target.unwrap_or(builder.host());
        let platform = builder.check_target(triple)?.to_string();
        if let Some(other) = platforms.insert(platform.clone(), triple) {
            bail!(
                "targets `{other}` and `{triple}` are both platform `{platform}`: an index has one image for each"
            );
        }
    }
    Ok(())
}

fn warn_of_paths(builder: &Builder<'_>, binary: &Binary, reporter: &Reporter) -> Result<()> {
    let Some(renames) = builder.renames() else {
        return Ok(());
    };
    let prefixes = renames.unwanted();
    let found = leaks::find(&binary.file, &prefixes)
        .with_context(|| format!("cannot read `{}`", binary.file.display()))?;
    if !found.is_empty() {
        reporter.warn(&format!(
            "binary `{}` names `{}` of this machine, so it is another one where that is called \
             otherwise; `docs/cargo.md` says which paths cannot be renamed",
            binary.name,
            found.join("`, `")
        ));
    }
    Ok(())
}

fn source_date_epoch() -> Result<Option<i64>> {
    let vars = env::vars();
    let Some(text) = vars
        .get("SOURCE_DATE_EPOCH")
        .filter(|text| !text.is_empty())
    else {
        return Ok(None);
    };
    let seconds = text.parse().ok().filter(|seconds| *seconds >= 0);
    let seconds = seconds.filter(|seconds| cooperage_commit::epoch_to_rfc3339(*seconds).is_some());
    match seconds {
        Some(seconds) => Ok(Some(seconds)),
        None => bail!("`SOURCE_DATE_EPOCH` is `{text}`, expected seconds since the epoch"),
    }
}

/// Files beside the image, begun before there is one.
struct Files {
    plan: Option<StagedFile>,
    digest: Option<StagedFile>,
    metadata: Option<StagedFile>,
}

impl Files {
    fn begin(args: &OutputArgs) -> Result<Self> {
        let begin = |file: &Option<PathBuf>| -> Result<Option<StagedFile>> {
            let Some(file) = file else { return Ok(None) };
            fs::create_dir_all(parent(file))
                .with_context(|| format!("cannot write `{}`", file.display()))?;
            Ok(Some(StagedFile::new(file)?))
        };
        Ok(Self {
            plan: begin(&args.plan_file)?,
            digest: begin(&args.digest_file)?,
            metadata: begin(&args.metadata_file)?,
        })
    }

    /// Writes them all, and then has them appear; those that tell of an image only if there is one.
    fn show(self, plan: &Plan, summary: Option<&Summary>) -> Result<Vec<Shown>> {
        let mut files = Vec::new();
        if let Some(mut file) = self.plan {
            let mut bytes = Vec::new();
            plan.write_to(&mut bytes)?;
            file.put(&bytes)?;
            files.push(file);
        }
        if let (Some(mut file), Some(summary)) = (self.digest, summary) {
            file.put(summary.digest.as_bytes())?;
            files.push(file);
        }
        if let (Some(mut file), Some(summary)) = (self.metadata, summary) {
            let mut bytes = serde_json::to_vec_pretty(summary)?;
            bytes.push(b'\n');
            file.put(&bytes)?;
            files.push(file);
        }
        Ok(show_all(files)?)
    }
}
