//! Writes an image to the media that were asked for.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use cooperage_blob::Source;
use cooperage_daemon_archive::Report;
use cooperage_image_spec::Descriptor;
use cooperage_layout::{GcOptions, Layout};
use cooperage_plan::{Bases, BuildOptions, ImagePlan, Plan, Trees};
use cooperage_transport::{
    Completed, DestinationOptions, Destinations, Layers, Location, Medium, Network,
};

use crate::check::Check;
use crate::once::Once;
use crate::report::{Reporter, Summary};
use crate::write::{build_into, layers_for, lent};
use crate::{ImageArgs, base};

/// Finds bases in layouts, archives and registries.
struct Media<'a> {
    network: &'a Network,
    layers: Layers,
}

impl Bases for Media<'_> {
    fn open(
        &self,
        reference: &str,
    ) -> Result<(Box<dyn Source>, Descriptor), cooperage_blob::Error> {
        let location = base::location(reference).map_err(unusable)?;
        let opened = location
            .open_with(self.network, self.layers)
            .map_err(unusable)?;
        let root = opened.root().map_err(unusable)?;
        Ok((opened.into_source(), root.descriptor))
    }
}

/// With all its causes.
fn unusable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> cooperage_blob::Error {
    cooperage_blob::Error::unsupported("no image is found there").with_source(error)
}

/// The layout that is this front's own.
fn own_layout(target_dir: &Path) -> Location {
    Location::new(Medium::Oci, &target_dir.join("image"))
}

/// Where the image is to go: what was asked for, or `image` below cargo's target directory.
pub(crate) fn locations(args: &ImageArgs, target_dir: &Path) -> Vec<Location> {
    let args = &args.output;
    let pushed = args.push.iter().cloned().map(Location::registry);
    let loaded = args.load.then(|| Location::daemon(None));
    let all = args.output.iter().cloned().chain(loaded).chain(pushed);
    let all: Vec<_> = all.collect();
    if all.is_empty() {
        return vec![own_layout(target_dir)];
    }
    all
}

/// Refuses what holds one platform where several are asked for: nothing has been built yet.
pub(crate) fn check_platforms(locations: &[Location], targets: &[String]) -> Result<()> {
    let narrow = |location: &&Location| {
        matches!(
            location.medium(),
            Medium::DockerArchive | Medium::DockerDaemon
        )
    };
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
pub(crate) fn write(
    args: &ImageArgs,
    plan: &Plan,
    locations: &[Location],
    (network, lock): (&Network, &Path),
    reporter: &Reporter,
    summary: &mut Summary,
) -> Result<Completed> {
    let media = Media {
        network,
        layers: if args.output.check_base {
            Layers::Kept
        } else {
            layers_for(locations)
        },
    };
    let bases = Once::new(&media);
    let mut options = BuildOptions {
        bases: &bases,
        progress: reporter.progress(),
        ..BuildOptions::default()
    };
    if let Some(threads) = args.output.threads {
        options.threads = threads;
    }
    let check = Check {
        lock: Some(lock),
        update: args.output.update,
        cache: network.cache(),
        options: &options,
        warn: &|text| reporter.warn(text),
        fetched: args.output.check_base || locations.iter().any(|at| at.medium().is_local()),
    };
    for image in &plan.images {
        check_base(image, &check, reporter)?;
    }
    let destination_options = DestinationOptions {
        network: network.clone(),
        lent: Arc::new(lent(plan, locations, &options)?),
        progress: reporter.shared_progress(),
        ..DestinationOptions::default()
    };
    let trees = Trees::of(plan, &options)?;
    let destinations = Destinations::create(locations, &destination_options)?;
    let built = build_into(&destinations, plan, &trees, &options)?;
    summary.record(&built);
    let written = destinations.complete()?;
    for output in written.outputs() {
        if let Some(report) = output.report {
            tell(report, output.location, reporter);
        }
    }
    Ok(written)
}

/// Tells what is where, once it is there.
pub(crate) fn record(written: &Completed, plan: &Plan, summary: &mut Summary) {
    for output in written.outputs() {
        let location = output.location;
        // What is printed can be handed to other commands, and means this image.
        match (location.medium(), location.name(), plan.names.first()) {
            (medium @ (Medium::Docker | Medium::DockerDaemon), ..) => {
                let slashes = if medium == Medium::Docker { "//" } else { "" };
                let names = location.names_for(&plan.names).into_iter();
                let places = names.map(|name| format!("{}:{slashes}{name}", medium.as_str()));
                summary.outputs.extend(places);
            }
            (_, None, Some(name)) => {
                let named = location.clone().with_name(name);
                summary.outputs.push(named.to_string());
            }
            _ => summary.outputs.push(location.to_string()),
        }
        if let Some(sent) = output.sent {
            summary.record_push(location, &sent);
        }
    }
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

/// Fails with what an image's base lacks.
///
/// A base in a registry whose layers nobody needs here is not fetched for that alone, unless it is
/// asked for: what was found out about it before is enough, and without it the check is left out,
/// and that is said.
fn check_base(image: &ImagePlan, check: &Check<'_>, reporter: &Reporter) -> Result<()> {
    let Some(base) = &image.base else {
        return Ok(());
    };
    let Some(missing) = check.missing(image)? else {
        reporter.note(&format!(
            "the base `{}` was not checked: its layers are not here, and what it offers was not \
             found out before; `--check-base` fetches and checks them",
            base.from
        ));
        return Ok(());
    };
    if !missing.is_empty() {
        let lines = missing.iter().map(|missing| format!("\n  {missing}"));
        bail!(
            "the base `{}` lacks what the program needs:{}",
            base.from,
            lines.collect::<String>()
        );
    }
    Ok(())
}
