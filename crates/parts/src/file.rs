//! Documents that lie in files.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cooperage_image_spec::{Descriptor, Document, DocumentError, MAX_DOCUMENT_SIZE};

/// Why a file is no part of an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// It cannot be read.
    #[error("cannot read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is longer than any document may be.
    #[error(
        "`{}` is too large for an image's document: at most {MAX_DOCUMENT_SIZE} bytes are read",
        file.display()
    )]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// It is no descriptor.
    #[error("`{}` holds no descriptor", file.display())]
    Descriptor {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: DocumentError,
    },
}

/// Reads a file that holds a descriptor as JSON and nothing else.
///
/// # Errors
///
/// [`PartError`]
pub fn read_descriptor(file: &Path) -> Result<Descriptor, PartError> {
    let document =
        Document::<Descriptor>::parse(read(file)?).map_err(|source| PartError::Descriptor {
            file: file.to_owned(),
            source,
        })?;
    Ok(document.into_parts().1)
}

/// The bytes of a file that is a document.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, PartError> {
    let failed = |source| PartError::Read {
        file: file.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(file)
        .map_err(failed)?
        .take(MAX_DOCUMENT_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_DOCUMENT_SIZE {
        return Err(PartError::TooLarge {
            file: file.to_owned(),
        });
    }
    Ok(bytes)
}
