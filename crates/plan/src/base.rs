//! The image that a plan's image stands on.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use cooperage_blob::{Error, Root, Source};
use cooperage_commit::Base;
use cooperage_digest::Digest;
use cooperage_image_spec::{
    Descriptor, Document, MAX_DOCUMENT_SIZE, Manifest, MediaType, Platform,
};

use crate::{BaseFrom, BasePlan, BuildError, BuildOptions};

/// Opens a base and reads its documents, for the platform asked for.
///
/// # Errors
///
/// [`BuildError::Base`], [`BuildError::OnBase`], and [`BuildError::Pin`] for another base than the
/// plan pins; in [`BuildError::At`] where the plan was read from a file.
pub fn open_base(
    plan: &BasePlan,
    platform: Option<&Platform>,
    options: &BuildOptions<'_>,
) -> Result<(Box<dyn Source>, Base), BuildError> {
    find_base(plan, platform, options).map_err(|error| error.at(plan.line, "base"))
}

fn find_base(
    plan: &BasePlan,
    platform: Option<&Platform>,
    options: &BuildOptions<'_>,
) -> Result<(Box<dyn Source>, Base), BuildError> {
    let reference = || plan.from.to_string();
    let (source, descriptor) = match &plan.from {
        BaseFrom::Reference(text) => options.bases.open(text),
        BaseFrom::Documents { manifest, config } => {
            Documents::read(&options.root.join(manifest), &options.root.join(config))
                .map(|(source, descriptor)| (Box::new(source) as Box<dyn Source>, descriptor))
        }
    }
    .map_err(|source| BuildError::Base {
        reference: reference(),
        source,
    })?;
    let platform = platform.cloned().unwrap_or_else(Platform::linux_amd64);
    let base =
        Base::read(&*source, &descriptor, &platform).map_err(|source| BuildError::OnBase {
            reference: reference(),
            source,
        })?;
    // A pin may name the index, or the image that was chosen from it.
    match &plan.digest {
        Some(pin)
            if *pin != descriptor.digest.to_string()
                && *pin != base.descriptor.digest.to_string() =>
        {
            Err(BuildError::Pin {
                reference: reference(),
                expected: pin.clone(),
                found: descriptor.digest.to_string(),
            })
        }
        _ => Ok((source, base)),
    }
}

/// A base of which only the documents are there.
struct Documents {
    name: String,
    manifest: (Digest, Vec<u8>),
    config: (Digest, Vec<u8>),
}

impl Documents {
    /// The manifest's own digest is what it is; the config has to be the one that it names.
    fn read(manifest: &Path, config: &Path) -> Result<(Self, Descriptor), Error> {
        let (bytes, config_bytes) = (read_document(manifest)?, read_document(config)?);
        let parsed = Document::<Manifest>::parse(bytes.clone()).map_err(|source| {
            let message = format!("`{}` is no manifest of an image", manifest.display());
            Error::malformed(message).with_source(source)
        })?;
        let value = parsed.value();
        let media_type = value.media_type.clone();
        let descriptor = parsed.descriptor(media_type.unwrap_or(MediaType::OCI_MANIFEST));
        let documents = Self {
            name: manifest.display().to_string(),
            manifest: (descriptor.digest.clone(), bytes),
            // Under the digest that the manifest has for it, so that who reads it verifies that.
            config: (value.config.digest.clone(), config_bytes),
        };
        Ok((documents, descriptor))
    }
}

impl Source for Documents {
    fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(Vec::new())
    }

    fn fetch(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Error> {
        let documents = [&self.manifest, &self.config];
        let found = documents
            .into_iter()
            .find(|(digest, _)| *digest == descriptor.digest);
        match found {
            Some((_, bytes)) => Ok(Box::new(Cursor::new(bytes))),
            None => Err(Error::unsupported(format!(
                "the base `{}` is given by its documents alone, and its layer `{}` is not there already",
                self.name, descriptor.digest
            ))),
        }
    }
}

fn read_document(file: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let failed = |source| Error::io(format!("cannot read `{}`", file.display()), source);
    File::open(file)
        .map_err(failed)?
        // One byte more than a document may have: the parser then says that it is too large.
        .take(MAX_DOCUMENT_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}
