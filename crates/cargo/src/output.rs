//! Writes an image to the media that were asked for.

use std::path::Path;

use anyhow::{Context, Result, bail};
use cooperage_blob::{CopyOptions, Root, Source, copy};
use cooperage_daemon_archive::Report;
use cooperage_image_spec::Descriptor;
use cooperage_layout::{GcOptions, Layout};
use cooperage_plan::{Bases, BuildOptions, Built, Plan, build, check_base};
use cooperage_transport::{
    Completed, Destination, DestinationOptions, Destinations, Location, Medium,
};

use crate::ImageArgs;
use crate::report::{Reporter, Summary};

/// Finds bases in layouts and archives.
struct Media;

impl Bases for Media {
    fn open(
        &self,
        reference: &str,
    ) -> Result<(Box<dyn Source>, Descriptor), cooperage_blob::Error> {
        let location: Location = reference.parse().map_err(unusable)?;
        let opened = location.open().map_err(unusable)?;
        let root = opened.root().map_err(unusable)?;
        Ok((opened.into_source(), root.descriptor))
    }
}

/// With all its causes.
fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> cooperage_blob::Error {
    cooperage_blob::Error::unsupported("no image is found there").with_source(error)
}

/// The layout that is this front's own.
fn own_layout(target_dir: &Path) -> Location {
    Location::new(Medium::Oci, &target_dir.join("image"))
}

/// Where the image is to go: what was asked for, or `image` below cargo's target directory.
pub(crate) fn locations(args: &ImageArgs, target_dir: &Path) -> Vec<Location> {
    if args.output.output.is_empty() {
        return vec![own_layout(target_dir)];
    }
    args.output.output.clone()
}

/// Refuses what holds one platform where several are asked for: nothing has been built yet.
pub(crate) fn check_platforms(locations: &[Location], targets: &[String]) -> Result<()> {
    let narrow = |location: &&Location| location.medium() == Medium::DockerArchive;
    match locations.iter().find(narrow) {
        Some(location) if targets.len() > 1 => bail!(
            "`{location}` holds one platform, and the image has {}, for `{}`: choose one with \
             `--target`, or write the index with `--output oci:DIR` or `oci-archive:FILE`",
            targets.len(),
            targets.join("`, `")
        ),
        _ => Ok(()),
    }
}

/// Writes the plan's image into each medium, none of which shows it yet.
///
/// It is built once, into a layout if there is one, and copied to the others.
pub(crate) fn write(
    args: &ImageArgs,
    plan: &Plan,
    locations: &[Location],
    reporter: &Reporter,
    summary: &mut Summary,
) -> Result<Completed> {
    let mut options = BuildOptions {
        bases: &Media,
        progress: reporter.progress(),
        ..BuildOptions::default()
    };
    if let Some(threads) = args.output.threads {
        options.threads = threads;
    }
    check_bases(plan, &options)?;
    let destinations = Destinations::create(locations, &DestinationOptions::default())?;
    let (number, first) = destinations.first().context("there is no output")?;
    let named = Plan {
        names: names(first.location(), plan)
            .into_iter()
            .map(String::from)
            .collect(),
        ..plan.clone()
    };
    let built = build(&named, first, &options)?;
    summary.record(&built);
    for (other, destination) in destinations.iter().enumerate() {
        if other != number {
            copy_to(first, &built, destination, plan, &options)?;
        }
    }
    let written = destinations.complete()?;
    for (location, report) in written.reports() {
        if let Some(report) = report {
            tell(report, location, reporter);
        }
        // What is printed can be handed to other commands, and means this image.
        let named = match (location.name(), plan.names.first()) {
            (None, Some(name)) => location.clone().with_name(name),
            _ => location.clone(),
        };
        summary.outputs.push(named.to_string());
    }
    Ok(written)
}

/// Nothing has been written yet when a base lacks something.
fn check_bases(plan: &Plan, options: &BuildOptions<'_>) -> Result<()> {
    for image in &plan.images {
        let missing = check_base(image, options)?;
        if let (false, Some(base)) = (missing.is_empty(), &image.base) {
            let lines: Vec<String> = missing
                .iter()
                .map(|missing| format!("\n  {missing}"))
                .collect();
            bail!(
                "the base `{}` lacks what the program needs:{}",
                base.reference,
                lines.concat()
            );
        }
    }
    Ok(())
}

/// A name in the location takes the place of the plan's.
fn names<'a>(location: &'a Location, plan: &'a Plan) -> Vec<&'a str> {
    match location.name() {
        Some(name) => vec![name],
        None => plan.names.iter().map(String::as_str).collect(),
    }
}

fn copy_to(
    from: &Destination,
    built: &Built,
    to: &Destination,
    plan: &Plan,
    options: &BuildOptions<'_>,
) -> Result<()> {
    let copying = CopyOptions {
        jobs: options.threads,
        progress: options.progress,
    };
    for name in names(to.location(), plan) {
        let root = Root::named(name, built.descriptor.clone());
        copy(from, &root, to, &copying)
            .with_context(|| format!("cannot write `{}`", to.location()))?;
    }
    Ok(())
}

/// What an archive could not hold as it was.
fn tell(report: &Report, location: &Location, reporter: &Reporter) {
    for image in &report.images {
        for dropped in &image.dropped {
            reporter.warn(&format!("`{location}` has no place for {dropped}"));
        }
        if !image.recompressed.is_empty() {
            reporter.warn(&format!(
                "`{location}`: {} layers were compressed again, as gzip, which every engine loads; \
                 the manifest there is `{}`",
                image.recompressed.len(),
                image.manifest.digest
            ));
        }
    }
}

/// Removes what earlier builds left in the layout that is this front's own.
pub(crate) fn collect(locations: &[Location], target_dir: &Path, reporter: &Reporter) {
    let own = own_layout(target_dir);
    if !locations.contains(&own) {
        return;
    }
    let collected = Layout::open(own.path()).map(|layout| layout.gc(&GcOptions::default()));
    // Another build may be writing there just now; the next one will collect.
    if let Err(error) = collected {
        reporter.warn(&format!(
            "`{own}` could not be cleared of earlier images: {error}"
        ));
    }
}
