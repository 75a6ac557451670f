//! The action `write`: an image in files of its own becomes a layout or an archive.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cooperage_image_spec::Reference;
use cooperage_transport::{DestinationOptions, Layers, Location, Medium};

use super::directory::StagedDirectory;
use super::parts::Scattered;
use super::{Action, PlanKind, Request, Setting, documents, names, parts};

pub(crate) const ACTION: Action = Action {
    name: "write",
    about: "write an image that lies in parts to a layout or an archive",
    outputs: &["layout", "docker-archive", "oci-archive"],
    inputs: names::INPUTS,
    lines: &[parts::LINE, names::LINE, "platform"],
    plan: PlanKind::None,
    run: Some(run),
    launch: None,
};

const OUTPUTS: [(&str, Medium); 3] = [
    ("layout", Medium::Oci),
    ("docker-archive", Medium::DockerArchive),
    ("oci-archive", Medium::OciArchive),
];

fn run(request: &Request, setting: &Setting<'_>) -> Result<()> {
    let (medium, file) = output(request)?;
    let names = names::names(request)?;
    if medium == Medium::DockerArchive {
        for name in &names {
            let parsed: Result<Reference, _> = name.parse();
            parsed.with_context(|| {
                format!("`{name}` cannot name an image of a docker archive: expected `NAME:TAG`")
            })?;
        }
    }
    let options = DestinationOptions {
        platform: request.maybe_one("platform", documents::platform)?,
        ..DestinationOptions::default()
    };
    let image = Scattered::open(request, setting.context, Layers::Streamed)?;
    if medium == Medium::Oci {
        return layout(&image, &names, &file, &options, setting);
    }
    let location = Location::new(medium, &file);
    put(&image, &names, &location, &options, setting)
}

fn output(request: &Request) -> Result<(Medium, PathBuf)> {
    let mut found = Vec::new();
    for (name, medium) in OUTPUTS {
        let file = request.maybe_output(name)?;
        found.extend(file.map(|file| (medium, file)));
    }
    match (found.pop(), &found[..]) {
        (Some(one), []) => Ok(one),
        (last, _) => bail!(
            "{}: expected one output of `layout`, `docker-archive` and `oci-archive`, found {}",
            request.label(),
            found.len() + usize::from(last.is_some())
        ),
    }
}

/// Copies the image there, under all of its names.
fn put(
    image: &Scattered,
    names: &[String],
    location: &Location,
    options: &DestinationOptions,
    setting: &Setting<'_>,
) -> Result<()> {
    let destination = location.create(options)?;
    for root in image.named(names) {
        setting.cancel.check()?;
        let copying = &setting.context.copy_options();
        destination
            .copy_from(&image.parts, &root, copying)
            .map_err(|error| image.blame(error.into()))?;
    }
    setting.cancel.check()?;
    destination.finish()?;
    Ok(())
}

/// A layout of this image and no other, in a directory that appears when it is whole.
fn layout(
    image: &Scattered,
    names: &[String],
    directory: &Path,
    options: &DestinationOptions,
    setting: &Setting<'_>,
) -> Result<()> {
    let staged = StagedDirectory::new(directory)?;
    let location = Location::new(Medium::Oci, &staged.path());
    put(image, names, &location, options, setting)?;
    staged.show()
}
