//! The action `documents`: what an image is, without its layers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use cooperage_blob::{Root, Source, children, read};
use cooperage_commit::Base;
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, ImageConfig, Json, Manifest, Platform};
use cooperage_plan::PlanError;
use cooperage_plan::fields::{At, Fields};
use cooperage_staging::check_distinct;
use cooperage_transport::{Layers, Location, Opened};

use super::directory::StagedDirectory;
use super::{Action, PlanKind, Request, Setting, parts};
use crate::commit::descriptor_bytes;
use crate::error::Hinted;
use crate::files::Staged;
use crate::media;

pub(crate) const ACTION: Action = Action {
    name: "documents",
    about: "read an image's documents from where it lies; no layer is read",
    outputs: &["documents", "manifest", "config", "descriptor"],
    inputs: &[],
    lines: &["reference", "platform"],
    plan: PlanKind::None,
    run: Some(run),
    launch: None,
};

/// What is said where an index has images for several platforms.
pub(crate) const CHOOSE: &str = "a line `{\"platform\":\"OS/ARCH\"}` chooses one";

/// Most indexes in one another, and most documents of an image, that are followed.
const MAX_DEPTH: usize = 8;
const MAX_DOCUMENTS: usize = 20_000;

fn run(request: &Request, setting: &Setting<'_>) -> Result<()> {
    let expected = "`{\"reference\":\"oci:DIR\",\"digest\":…}`";
    let (location, digest) = request.one("reference", expected, |fields| {
        let line = fields.line();
        let digest = fields.string("digest")?;
        let digest = digest
            .map(|digest| parts::digest(line, &digest))
            .transpose()?;
        Ok((fields.string("reference")?.unwrap_or_default(), digest))
    })?;
    let location = pinned(request.base.location(&location)?, digest.as_ref())?;
    let platform = request.maybe_one("platform", platform)?;
    let directory = request.maybe_output("documents")?;
    let opened = setting.context.open(&location, Layers::Streamed)?;
    setting.cancel.check()?;
    let root = root(&opened, &location, digest.as_ref())?;
    match directory {
        Some(directory) => {
            let others = ["manifest", "config", "descriptor"];
            let mut others = others.into_iter().map(|name| request.maybe_output(name));
            if platform.is_some() || others.any(|other| matches!(other, Ok(Some(_)))) {
                bail!(Hinted::new(
                    anyhow!(
                        "{}: `documents` holds the documents of all platforms",
                        request.label()
                    ),
                    "leave the other outputs and `platform` out, or `documents`",
                ));
            }
            all(opened.source(), &root, &directory)
        }
        None => one(request, setting, opened.source(), &root, platform.as_ref()),
    }
}

/// A platform that stands in a member of that name.
pub(crate) fn platform(fields: &mut Fields) -> Result<Platform, PlanError> {
    let at = At {
        line: fields.line(),
        place: "platform",
    };
    let text = fields.string("platform")?.unwrap_or_default();
    text.parse()
        .map_err(|error: cooperage_image_spec::ParsePlatformError| at.invalid(error))
}

/// A registry is asked by digest, whatever else the reference says.
fn pinned(location: Location, digest: Option<&Digest>) -> Result<Location> {
    match (location.reference(), digest) {
        (Some(reference), Some(digest)) => {
            if let Some(own) = reference.digest()
                && own != digest
            {
                bail!("`{location}` and `digest` differ: expected `{own}`, found `{digest}`");
            }
            Ok(Location::registry(
                reference.clone().with_digest(digest.clone()),
            ))
        }
        _ => Ok(location),
    }
}

/// What the location names, or what the digest does in it: an image, or an index of images.
fn root(opened: &Opened, location: &Location, digest: Option<&Digest>) -> Result<Descriptor> {
    let Some(digest) = digest.filter(|_| location.medium().is_local()) else {
        return Ok(opened.root()?.descriptor);
    };
    let roots = if location.is_one_image() {
        vec![opened.root()?]
    } else {
        opened.roots()?
    };
    for Root { descriptor, .. } in &roots {
        if descriptor.digest == *digest {
            return Ok(descriptor.clone());
        }
    }
    for Root { descriptor, .. } in &roots {
        let below = media::manifests(opened.source(), descriptor)?;
        if let Some(found) = below.into_iter().find(|found| found.digest == *digest) {
            return Ok(found);
        }
    }
    let found: Vec<_> = roots
        .iter()
        .map(|root| format!("`{}`", root.descriptor.digest))
        .collect();
    bail!(
        "`{location}` has no image `{digest}`; it holds {}",
        found.join(", ")
    )
}

/// The documents of the image for one platform, in files of their own.
fn one(
    request: &Request,
    setting: &Setting<'_>,
    source: &dyn Source,
    root: &Descriptor,
    platform: Option<&Platform>,
) -> Result<()> {
    let (manifest, config) = (request.output("manifest")?, request.output("config")?);
    let descriptor = request.maybe_output("descriptor")?;
    check_distinct(
        [&*manifest, &*config]
            .into_iter()
            .chain(descriptor.as_deref()),
    )?;
    let image = media::image_for(source, root, platform, CHOOSE)?;
    let mut files = Staged::default();
    files.add(&manifest, image.manifest.raw())?;
    files.add(&config, image.config.raw())?;
    if let Some(file) = descriptor {
        files.add(&file, &descriptor_bytes(&own_descriptor(&image)))?;
    }
    setting.keep(files)
}

/// Without what an index said of it, but for its platform.
fn own_descriptor(image: &Base) -> Descriptor {
    let Descriptor {
        media_type,
        digest,
        size,
        platform,
        ..
    } = image.descriptor.clone();
    let of_config = || image.config.value().platform.clone();
    Descriptor::new(media_type, digest, size)
        .with(|descriptor| descriptor.platform = Some(platform.unwrap_or_else(of_config)))
}

/// The documents of all images, in a directory that appears when it is whole.
fn all(source: &dyn Source, root: &Descriptor, directory: &Path) -> Result<()> {
    let failed = || format!("cannot write `{}`", directory.display());
    let directory = StagedDirectory::new(directory)?;
    let staged = directory.path();
    let mut collector = Collector {
        source,
        blobs: staged.join("blobs").join("sha256"),
        seen: BTreeSet::new(),
        images: Vec::new(),
        manifests: Vec::new(),
    };
    fs::create_dir_all(&collector.blobs).with_context(failed)?;
    let bytes = collector.collect(root, 0)?;
    let Collector {
        images, manifests, ..
    } = collector;
    fs::write(staged.join("root.json"), bytes).with_context(failed)?;
    let summary = object([
        ("documents", 1.into()),
        ("digest", root.digest.to_string().into()),
        ("media_type", root.media_type.as_str().into()),
        ("size", root.size.into()),
        ("images", Json::Array(images)),
        ("manifests", manifests.into_iter().map(Json::from).collect()),
    ]);
    let mut bytes = summary.to_canonical();
    bytes.push(b'\n');
    fs::write(staged.join("documents.json"), bytes).with_context(failed)?;
    directory.show()
}

struct Collector<'a> {
    source: &'a dyn Source,
    blobs: std::path::PathBuf,
    seen: BTreeSet<Digest>,
    images: Vec<Json>,
    manifests: Vec<String>,
}

impl Collector<'_> {
    /// Keeps a manifest or an index and all documents below it, and returns its bytes.
    fn collect(&mut self, at: &Descriptor, depth: usize) -> Result<Vec<u8>> {
        if depth > MAX_DEPTH || self.seen.len() > MAX_DOCUMENTS {
            bail!(
                "`{}` lies too deep or among too many documents: \
                 at most {MAX_DEPTH} levels and {MAX_DOCUMENTS} documents are followed",
                at.digest
            );
        }
        let bytes = self.keep(at)?;
        self.manifests.push(file_name(&at.digest)?);
        if at.media_type.is_index() {
            for child in children(at, &bytes)? {
                let is_document = child.media_type.is_index() || child.media_type.is_manifest();
                if is_document && self.seen.insert(child.digest.clone()) {
                    self.collect(&child, depth + 1)?;
                }
            }
        } else if at.media_type.is_manifest() {
            children(at, &bytes)?;
            self.image(at, &bytes)?;
        } else {
            bail!(
                "`{}` is no image: its media type is `{}`",
                at.digest,
                at.media_type
            );
        }
        Ok(bytes)
    }

    fn keep(&self, at: &Descriptor) -> Result<Vec<u8>> {
        let bytes = read(self.source, at)?;
        let file = self.blobs.join(
            file_name(&at.digest)?
                .rsplit('/')
                .next()
                .unwrap_or_default(),
        );
        fs::write(&file, &bytes).with_context(|| format!("cannot write `{}`", file.display()))?;
        Ok(bytes)
    }

    /// Attestations and other artifacts are no images: of these, the manifest alone is kept.
    fn image(&mut self, at: &Descriptor, bytes: &[u8]) -> Result<()> {
        let manifest = Document::<Manifest>::parse(bytes.to_vec())
            .with_context(|| format!("`{}` is not a valid manifest", at.digest))?;
        let manifest = manifest.value();
        if !manifest.config.media_type.is_config() || media::is_attachment(at) {
            return Ok(());
        }
        let config = Document::<ImageConfig>::parse(self.keep(&manifest.config)?)
            .with_context(|| format!("`{}` is not a valid config", manifest.config.digest))?;
        let config = config.value();
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != manifest.layers.len() {
            bail!(
                "the image `{}` has {} layers, its config has {} diff IDs",
                at.digest,
                manifest.layers.len(),
                diff_ids.len()
            );
        }
        let layers = manifest.layers.iter().zip(diff_ids);
        let layers = layers.map(|(layer, diff_id)| {
            object([
                ("digest", layer.digest.to_string().into()),
                ("size", layer.size.into()),
                ("media_type", layer.media_type.as_str().into()),
                ("diff_id", diff_id.to_string().into()),
            ])
        });
        let platform = at.platform.as_ref().unwrap_or(&config.platform);
        self.images.push(object([
            ("platform", platform.to_string().into()),
            ("digest", at.digest.to_string().into()),
            ("media_type", at.media_type.as_str().into()),
            ("size", at.size.into()),
            ("manifest", file_name(&at.digest)?.into()),
            ("config", file_name(&manifest.config.digest)?.into()),
            ("layers", layers.collect()),
        ]));
        Ok(())
    }
}

/// Where a document lies in the directory.
fn file_name(digest: &Digest) -> Result<String> {
    match digest.as_str().strip_prefix("sha256:") {
        Some(hex) => Ok(format!("blobs/sha256/{hex}")),
        None => bail!("`{digest}` cannot be kept: only sha256 has its place in `documents`"),
    }
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.map(|(key, value)| (key.to_owned(), value)).into())
}
