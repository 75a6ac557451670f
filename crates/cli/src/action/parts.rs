//! The image of a request that has it in files of their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cooperage_blob::{Error, Root, Source};
use cooperage_digest::{Digest, VerifyError};
use cooperage_parts::{Parts, read_descriptor};
use cooperage_plan::fields::{At, Fields, near};
use cooperage_plan::{LayerMetadata, PlanError};
use cooperage_transport::{Layers, Location, Network};

use super::Request;
use crate::context::Context;

/// What such lines are known by.
pub(crate) const LINE: &str = "part";

const KINDS: [&str; 5] = ["root", "document", "layer", "blob", "source"];

/// One line.
enum Part {
    Root(PathBuf),
    Document(PathBuf),
    Layer { metadata: PathBuf, blob: PathBuf },
    Blob { digest: Digest, file: PathBuf },
    Source(String),
}

/// Files and further sources, whose blobs are still to be read.
pub(crate) struct Scattered {
    pub(crate) parts: Parts,
    /// Where blobs lie that are in no file.
    pub(crate) sources: Vec<Location>,
}

fn part(fields: &mut Fields) -> Result<Part, PlanError> {
    let line = fields.line();
    let kind = fields.string(LINE)?.unwrap_or_default();
    // What belongs to no line of this kind is refused, with what it may have been meant for.
    let members: &[&'static str] = match kind.as_str() {
        "layer" => &["metadata", "blob"],
        "blob" => &["file", "digest"],
        "source" => &["reference"],
        _ => &["file"],
    };
    let mut found = Vec::new();
    for key in members {
        found.push(fields.string(key)?);
    }
    let mut found = members.iter().zip(found);
    let mut next = |expected| {
        let (key, value) = found.next().unwrap_or((&LINE, None));
        fields.need(key, value, expected)
    };
    Ok(match kind.as_str() {
        "root" => Part::Root(next("the file of its descriptor")?.into()),
        "document" => Part::Document(next("the name of the file")?.into()),
        "layer" => Part::Layer {
            metadata: next("the file that `layer` wrote with the blob")?.into(),
            blob: next("the file of the layer's blob")?.into(),
        },
        "blob" => Part::Blob {
            file: next("the name of the file")?.into(),
            digest: digest(line, &next("the blob's digest")?)?,
        },
        "source" => Part::Source(next("a location such as `oci:DIR`")?),
        other => {
            let at = At { line, place: LINE };
            let hint = near(other, &KINDS);
            return Err(at.invalid(format!("no kind `{other}` of part is known: {hint}")));
        }
    })
}

/// A digest that stands in a member of that name.
pub(crate) fn digest(line: u64, text: &str) -> Result<Digest, PlanError> {
    let at = At {
        line,
        place: "digest",
    };
    text.parse()
        .map_err(|error: cooperage_digest::ParseDigestError| at.invalid(error))
}

impl Scattered {
    /// Reads the descriptor, the documents and the layers' metadata. Layers and blobs are opened
    /// when they are read, and further sources when a blob is missing; `layers` says which way
    /// those of a registry take.
    pub(crate) fn open(request: &Request, context: &Context, layers: Layers) -> Result<Self> {
        let mut lines = request.each(LINE, part)?;
        let roots = lines.iter().filter(|part| matches!(part, Part::Root(_)));
        if roots.count() != 1 {
            bail!(
                "{}: expected one line `{{\"part\":\"root\",\"file\":…}}`",
                request.label()
            );
        }
        // The root comes first, all else in the order in which it was given.
        lines.sort_by_key(|part| !matches!(part, Part::Root(_)));
        let mut lines = lines.into_iter();
        let Some(Part::Root(root)) = lines.next() else {
            bail!("there is no root");
        };
        let mut all = Self {
            parts: Parts::new(read_descriptor(&request.base.file(&root)?)?),
            sources: Vec::new(),
        };
        for part in lines {
            all.add(part, request)?;
        }
        let network = context.network_for(&all.sources)?;
        for location in &all.sources {
            add_source(&mut all.parts, location, &network, layers);
        }
        Ok(all)
    }

    fn add(&mut self, part: Part, request: &Request) -> Result<()> {
        let file = |name: &Path| request.base.file(name);
        match part {
            Part::Root(_) => {}
            Part::Document(name) => drop(self.parts.add_document(&file(&name)?)?),
            Part::Layer { metadata, blob } => {
                let layer = layer_metadata(&file(&metadata)?)?.layer;
                self.parts.add_blob(layer.descriptor.digest, &file(&blob)?);
            }
            Part::Blob { digest, file: name } => self.parts.add_blob(digest, &file(&name)?),
            Part::Source(reference) => {
                let location = request.base.location(&reference)?;
                if !self.sources.contains(&location) {
                    self.sources.push(location);
                }
            }
        }
        Ok(())
    }

    /// The image under each of these names, or without one.
    pub(crate) fn named(&self, names: &[String]) -> Vec<Root> {
        let root = |name| Root {
            name,
            descriptor: self.parts.root().clone(),
        };
        match names {
            [] => vec![root(None)],
            names => names.iter().cloned().map(Some).map(root).collect(),
        }
    }

    /// Says of an error which file holds the blob that is not what it should be.
    pub(crate) fn blame(&self, error: anyhow::Error) -> anyhow::Error {
        let digest = error.chain().find_map(|cause| {
            let verify = cause.downcast_ref::<VerifyError>().or_else(|| {
                let io = cause.downcast_ref::<std::io::Error>()?;
                io.get_ref()?.downcast_ref::<VerifyError>()
            })?;
            Some(match verify {
                VerifyError::Size { digest, .. } => digest.clone(),
                VerifyError::Digest { expected, .. } => expected.clone(),
            })
        });
        match digest.as_ref().and_then(|digest| self.parts.file(digest)) {
            Some(file) => error.context(format!("the part `{}` is damaged", file.display())),
            None => error,
        }
    }
}

fn layer_metadata(file: &Path) -> Result<LayerMetadata> {
    let read = || format!("cannot read `{}`", file.display());
    let bytes = fs::read(file).with_context(read)?;
    LayerMetadata::parse(&bytes).with_context(|| format!("`{}` is of no layer", file.display()))
}

fn add_source(parts: &mut Parts, location: &Location, network: &Network, layers: Layers) {
    let (place, network) = (location.clone(), network.clone());
    parts.add_source(location.to_string(), move || {
        let opened = place.open_with(&network, layers);
        let opened = opened.map_err(|error| {
            Error::failed(format!("cannot open the source `{place}`")).with_source(error)
        });
        Ok(opened?.into_source() as Box<dyn Source>)
    });
}
