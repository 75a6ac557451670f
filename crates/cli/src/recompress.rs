//! Layers that `copy` hands on in another compression.

use std::fmt::Write as _;
use std::io::Read;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use cooperage_blob::{Error, Root, Sink, Source};
use cooperage_commit::{RecompressLayers, RecompressOptions, Recompressed, Replaced, recompress};
use cooperage_compress::{Codec, Encoding, Workers};
use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Reference};
use cooperage_transport::{Location, Medium, Opened, TemporaryBlobs};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Hinted;
use crate::text::{bytes, count, printable};

/// What layers are to be compressed with.
#[derive(Debug, Args)]
pub(crate) struct CompressionArgs {
    /// How layers are compressed where they go [default: keep; gzip on the way to a registry, for
    /// what a docker archive or an engine has uncompressed and without a manifest of its own]
    #[arg(long, value_enum, value_name = "FORM")]
    compression: Option<Compression>,
    /// The encoder's level: 1 to 9 for gzip [default: 5], 1 to 19 for zstd [default: 3]
    #[arg(long, value_name = "N", requires = "compression")]
    compression_level: Option<u8>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Compression {
    /// Layers in gzip
    Gzip,
    /// Layers in zstd
    Zstd,
    /// Layers as the tars they are
    None,
    /// Layers, and all digests, as they are
    Keep,
}

/// What becomes of layers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// What is usual between these two media.
    Usual,
    /// They stay as they are.
    Keep,
    /// They all become this.
    All(Encoding),
}

impl CompressionArgs {
    /// What is asked for, if it makes sense in that place.
    pub(crate) fn form(&self, to: &Location) -> Result<Form> {
        let codec = match self.compression {
            None => return Ok(Form::Usual),
            Some(Compression::Keep) if self.compression_level.is_none() => return Ok(Form::Keep),
            Some(Compression::Keep) => {
                bail!(
                    "`--compression-level` says how layers are compressed, and `keep` leaves them as they are"
                )
            }
            Some(Compression::Gzip) => Codec::Gzip,
            Some(Compression::Zstd) => Codec::Zstd,
            Some(Compression::None) => Codec::None,
        };
        if to.medium() == Medium::DockerDaemon {
            bail!(Hinted::new(
                anyhow::anyhow!(
                    "`--compression {codec}` means nothing to `{to}`: an engine unpacks layers and stores them in its own way"
                ),
                "leave `--compression` out; what comes out of the engine can be compressed on its way to a registry",
            ));
        }
        let encoding = Encoding::of(codec);
        Ok(Form::All(match self.compression_level {
            None => encoding,
            Some(level) if codec == Codec::None => {
                bail!("`--compression-level {level}` has no meaning with `--compression none`")
            }
            Some(level) => encoding
                .with_level(level)
                .context("`--compression-level` is out of range")?,
        }))
    }
}

/// What was made anew.
#[derive(Debug)]
pub(crate) struct Report {
    encoding: Encoding,
    made: Recompressed,
}

/// Compresses the layers of those roots for which that is asked for or usual; the roots are then
/// those of the new documents, which lie in `blobs` with the layers.
pub(crate) fn prepare(
    opened: &Opened,
    roots: &mut [Root],
    form: Form,
    to: &Location,
    blobs: &TemporaryBlobs,
    context: &Context,
) -> Result<Option<Report>> {
    let (encoding, layers) = match form {
        Form::All(encoding) => (encoding, RecompressLayers::All),
        // Whoever pulls wants little; what has a manifest of its own is to keep its digest.
        Form::Usual if to.medium() == Medium::Docker => {
            (Encoding::default(), RecompressLayers::Uncompressed)
        }
        Form::Usual | Form::Keep => return Ok(None),
    };
    let taken =
        |root: &&mut Root| form != Form::Usual || opened.is_stand_in(&root.descriptor.digest);
    let mut roots: Vec<&mut Root> = roots.iter_mut().filter(taken).collect();
    let from: Vec<Descriptor> = roots.iter().map(|root| root.descriptor.clone()).collect();
    let workers = Workers::new(context.jobs);
    let mut options = RecompressOptions::new(encoding, &workers);
    options.layers = layers;
    options.progress = context.progress();
    let made = recompress(opened.source(), &from, &options, blobs)
        .context("cannot compress the image's layers anew")?;
    for (root, made) in roots.iter_mut().zip(&made.roots) {
        root.descriptor = made.clone();
    }
    Ok((!made.documents.is_empty()).then_some(Report { encoding, made }))
}

/// A source, and before it what was made of it.
pub(crate) struct Over<'a> {
    pub(crate) blobs: &'a TemporaryBlobs,
    pub(crate) source: &'a dyn Source,
}

impl Source for Over<'_> {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        self.source.roots()
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        if self.blobs.has(descriptor)? {
            return self.blobs.fetch(descriptor);
        }
        self.source.fetch(descriptor)
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Reference> {
        match self.blobs.has(descriptor) {
            Ok(true) => None,
            _ => self.source.origin(descriptor),
        }
    }
}

impl Report {
    /// What the document was before.
    pub(crate) fn source(&self, digest: &Digest) -> Option<&Digest> {
        let made = self
            .made
            .documents
            .iter()
            .find(|made| made.to.digest == *digest);
        Some(&made?.from.digest)
    }

    /// One line for all layers, and one for each loss.
    pub(crate) fn text(&self) -> String {
        let layers = &self.made.layers;
        let sum = |size: fn(&Replaced) -> u64| bytes(layers.iter().map(size).sum());
        let mut out = format!(
            "{} recompressed to {}: {} became {}\n",
            count(layers.len(), "layer"),
            self.encoding.codec(),
            sum(|layer| layer.from.size),
            sum(|layer| layer.to.size),
        );
        for detail in &self.made.dropped {
            let _ = writeln!(out, "  dropped: {}", printable(detail));
        }
        out
    }

    pub(crate) fn json(&self) -> Value {
        let replaced = |all: &[Replaced]| -> Vec<Value> {
            let one = |it: &Replaced| {
                json!({
                    "from": it.from.digest.as_str(),
                    "to": it.to.digest.as_str(),
                    "from_size": it.from.size,
                    "to_size": it.to.size,
                })
            };
            all.iter().map(one).collect()
        };
        json!({
            "encoder": self.encoding.encoder().as_str(),
            "level": self.encoding.level(),
            "documents": replaced(&self.made.documents),
            "layers": replaced(&self.made.layers),
            "dropped": self.made.dropped,
        })
    }
}
