//! Conversions to and from the types of the crate `oci-spec`, by reference, with `TryFrom`.
//!
//! They are for programs that use that crate. Its types have no place for unknown members, so
//! converting to them loses `extra` and Docker's health check; what is to keep its digest must
//! not pass through them.
//!
//! In 0.10.0 they read and write a platform's `os.version` and `os.features` under the names
//! `os_version` and `os_features`; the conversions here put that right.
//!
//! # Examples
//!
//! ```
//! use cooperage_digest::Digest;
//! use cooperage_image_spec::{Descriptor, MediaType};
//!
//! let ours = Descriptor::new(MediaType::OCI_LAYER, Digest::of(b""), 0);
//! let theirs = oci_spec::image::Descriptor::try_from(&ours)?;
//! assert_eq!(theirs.media_type(), &oci_spec::image::MediaType::ImageLayer);
//! assert_eq!(Descriptor::try_from(&theirs)?, ours);
//! # Ok::<(), cooperage_image_spec::oci::ConvertError>(())
//! ```

use oci_spec::image as theirs;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::json::ParseError;
use crate::{DocumentError, FromJson, Json, ToJson};

/// Why a value of one crate is none of the other's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// `oci-spec` does not take the value, or cannot write its own.
    #[error("the {kind} does not fit the types of `oci-spec`")]
    Theirs {
        /// What it is: `manifest`, `config`.
        kind: &'static str,
        /// What it said.
        source: serde_json::Error,
    },
    /// It wrote no document of the kind.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

macro_rules! convert {
    ($($ours:path, $theirs:path;)*) => {$(
        impl TryFrom<&$ours> for $theirs {
            type Error = ConvertError;

            fn try_from(value: &$ours) -> Result<Self, ConvertError> {
                to_theirs(value.to_json(), <$ours as FromJson>::KIND)
            }
        }

        impl TryFrom<&$theirs> for $ours {
            type Error = ConvertError;

            fn try_from(value: &$theirs) -> Result<Self, ConvertError> {
                to_ours(value)
            }
        }
    )*};
}
convert! {
    crate::Manifest, theirs::ImageManifest;
    crate::Index, theirs::ImageIndex;
    crate::ImageConfig, theirs::ImageConfiguration;
    crate::Descriptor, theirs::Descriptor;
    crate::Platform, theirs::Platform;
}

impl From<&crate::MediaType> for theirs::MediaType {
    fn from(media_type: &crate::MediaType) -> Self {
        media_type.as_str().into()
    }
}

impl From<&theirs::MediaType> for crate::MediaType {
    fn from(media_type: &theirs::MediaType) -> Self {
        Self::new(media_type.as_ref())
    }
}

const NAMES: [(&str, &str); 2] = [("os.version", "os_version"), ("os.features", "os_features")];

fn to_theirs<T: DeserializeOwned>(mut json: Json, kind: &'static str) -> Result<T, ConvertError> {
    rename_platforms(&mut json, kind, &|ours, theirs| (ours, theirs));
    serde_json::from_slice(&json.to_canonical())
        .map_err(|source| ConvertError::Theirs { kind, source })
}

fn to_ours<T: FromJson>(value: &impl Serialize) -> Result<T, ConvertError> {
    let kind = T::KIND;
    let bytes =
        serde_json::to_vec(value).map_err(|source| ConvertError::Theirs { kind, source })?;
    let mut json = Json::parse(&bytes).map_err(|source: ParseError| {
        ConvertError::Document(DocumentError::Json { kind, source })
    })?;
    rename_platforms(&mut json, kind, &|ours, theirs| (theirs, ours));
    Ok(T::from_json(&json)?)
}

type Direction = dyn Fn(&'static str, &'static str) -> (&'static str, &'static str);

/// Renames in the document itself if it is a platform, else in those of all descriptors in it.
fn rename_platforms(json: &mut Json, key: &str, direction: &Direction) {
    match json {
        Json::Object(members) if key == "platform" => {
            for (ours, theirs) in NAMES {
                let (from, to) = direction(ours, theirs);
                if let Some(value) = members.remove(from) {
                    members.insert(to.into(), value);
                }
            }
        }
        Json::Object(members) => {
            for (key, value) in members {
                rename_platforms(value, key, direction);
            }
        }
        Json::Array(values) => {
            for value in values {
                rename_platforms(value, "", direction);
            }
        }
        _ => {}
    }
}
