//! From a plan to all the places where its image is to be.

use anyhow::{Context, Result};
use cooperage_blob::{CopyOptions, Root, copy};
use cooperage_daemon::ImageName;
use cooperage_image_spec::Reference;
use cooperage_plan::{BuildError, BuildOptions, Built, Plan, Trees, build_trees, open_base};
use cooperage_transport::{Destination, Destinations, Layers, Lent, Location, Medium};

use crate::base;

/// Which way the layers of a base take from a registry: straight to where they go if that is a
/// registry too, else through the cache, since they are to be read here.
#[must_use]
pub fn layers_for<'a>(outputs: impl IntoIterator<Item = &'a Location>) -> Layers {
    let mut outputs = outputs.into_iter();
    if outputs.all(|output| output.medium() == Medium::Docker) {
        Layers::Streamed
    } else {
        Layers::Kept
    }
}

/// The layers of a plan's bases, for outputs that need not have them passed on. Of the bases
/// nothing but the documents is read.
///
/// # Errors
///
/// Those of [`open_base`].
pub fn lent<'a>(
    plan: &Plan,
    outputs: impl IntoIterator<Item = &'a Location>,
    options: &BuildOptions<'_>,
) -> Result<Lent, BuildError> {
    let mut lent = Lent::new();
    let mut outputs = outputs.into_iter();
    if outputs.all(|output| output.medium().is_local()) {
        return Ok(lent);
    }
    for image in &plan.images {
        if let Some(plan_base) = &image.base {
            let (source, base) = open_base(plan_base, image.platform.as_ref(), options)?;
            let layers = base.manifest.value().layers.iter();
            let layers: Vec<_> = layers.map(|layer| layer.digest.clone()).collect();
            let name = plan_base.from.reference().and_then(base_name);
            lent.add(source, layers, name);
        }
    }
    Ok(lent)
}

/// Under which a daemon may have a base.
fn base_name(text: &str) -> Option<Reference> {
    let location = base::location(text).ok()?;
    match location.image() {
        Some(ImageName::Reference(reference)) => Some(reference.clone()),
        _ => location.reference().cloned(),
    }
}

/// Builds a plan's image into the first of several destinations, and copies it to the others, each
/// under the names that it can have. None of them shows it yet.
///
/// # Errors
///
/// Those of [`build_trees`], and which destination could not be written.
pub fn build_into(
    destinations: &Destinations,
    plan: &Plan,
    trees: &Trees,
    options: &BuildOptions<'_>,
) -> Result<Built> {
    let mut all = destinations.iter();
    let first = all.next().context("there is no output")?;
    let named = Plan {
        names: first.location().names_for(&plan.names),
        ..plan.clone()
    };
    let built = build_trees(&named, trees, first, options)?;
    for other in all {
        copy_to(first, &built, other, plan, options)
            .with_context(|| format!("cannot write `{}`", other.location()))?;
    }
    Ok(built)
}

fn copy_to(
    from: &Destination,
    built: &Built,
    to: &Destination,
    plan: &Plan,
    options: &BuildOptions<'_>,
) -> Result<(), cooperage_blob::Error> {
    let root = |name| Root {
        name,
        descriptor: built.descriptor.clone(),
    };
    let mut roots: Vec<_> = to
        .location()
        .names_for(&plan.names)
        .into_iter()
        .map(Some)
        .collect();
    if roots.is_empty() {
        roots.push(None);
    }
    let copying = CopyOptions {
        jobs: options.threads,
        progress: options.progress,
    };
    for name in roots {
        copy(from, &root(name), to, &copying)?;
    }
    Ok(())
}
