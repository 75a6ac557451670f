//! Configs, manifests and indexes, and the JSON below them.

use std::fmt::Debug;

use cooperage_image_spec::json::ParseError;
use cooperage_image_spec::{Document, FromJson, ImageConfig, Index, Json, Manifest, ToJson};

use crate::memory;

pub(crate) fn config(bytes: &[u8]) {
    json(bytes);
    if let Some(config) = document::<ImageConfig>(bytes) {
        drop(oci_spec::image::ImageConfiguration::try_from(&config));
        let _ = cooperage_image_spec::chain_ids(&config.rootfs.diff_ids);
    }
}

pub(crate) fn manifest(bytes: &[u8]) {
    json(bytes);
    let manifest = document::<Manifest>(bytes);
    let index = document::<Index>(bytes);
    assert!(
        manifest.is_none() || index.is_none(),
        "one document cannot be both (CVE-2021-41190)"
    );
    if let Some(manifest) = manifest {
        drop(oci_spec::image::ImageManifest::try_from(&manifest));
    }
    if let Some(index) = index {
        drop(oci_spec::image::ImageIndex::try_from(&index));
    }
}

/// What is read, written and read again is the same, and bytes that are not edited stay.
fn document<T>(bytes: &[u8]) -> Option<T>
where
    T: FromJson + ToJson + Clone + Debug + PartialEq,
{
    let limit = (1 << 20) + 512 * bytes.len();
    let document = memory::within(limit, || Document::<T>::parse(bytes.to_vec())).ok()?;
    assert_eq!(document.raw(), bytes);
    let canonical = document.value().to_json().to_canonical();
    let again = Document::<T>::parse(canonical.clone()).expect("what is written is read");
    assert_eq!(again.value(), document.value());
    assert_eq!(again.value().to_json().to_canonical(), canonical);
    assert_eq!(document.clone().edit(|_| ()).raw(), bytes);
    Some(document.into_parts().1)
}

/// Our reader of JSON and serde's accept the same, but for what ours refuses by design.
fn json(bytes: &[u8]) {
    let theirs = serde_json::from_slice::<serde_json::Value>(bytes);
    match (Json::parse(bytes), theirs) {
        (Ok(ours), theirs) => {
            let canonical = ours.to_canonical();
            let again = Json::parse(&canonical).expect("what is written is read");
            assert_eq!(again, ours);
            assert_eq!(again.to_canonical(), canonical);
            match theirs {
                Ok(theirs) => assert_eq!(
                    serde_json::from_slice::<serde_json::Value>(&canonical).ok(),
                    Some(theirs),
                    "the canonical form says the same"
                ),
                // Numbers are kept as they are written, however large.
                Err(error) => assert!(error.to_string().contains("out of range"), "{error}"),
            }
        }
        (_, Err(_))
        | (
            Err(
                ParseError::DuplicateKey { .. }
                | ParseError::TooDeep { .. }
                | ParseError::TooManyValues { .. },
            ),
            Ok(_),
        ) => {}
        (Err(ours), Ok(_)) => panic!("serde takes what is refused here: {ours}"),
    }
}
