//! Which layers a daemon has, as far as it lets itself be asked.

use std::collections::{BTreeMap, BTreeSet};

use cooperage_blob::Source;
use cooperage_daemon_archive::Contents;
use cooperage_digest::Digest;
use cooperage_image_spec::{Document, Manifest};

use crate::{Inspected, Store};

/// The layers that may be left out of an archive, by their digests in the source.
///
/// - Graph drivers know a layer by its chain: it and all those below it, in order. So it is those
///   of an image's first layers that are the first ones of an image there, too.
/// - containerd's store knows it by its digest. The daemon tells no image's layers by digest; where
///   the source has the manifest that the daemon names, that one tells. Else a layer of the same
///   diff ID is *guessed* to be the same blob, as it is whenever the same tool packed it: whoever
///   loads looks afterwards.
/// - podman takes no archive without its layers.
pub(super) fn layers(
    store: Store,
    images: &[&Contents],
    there: &[&Inspected],
    source: &dyn Source,
) -> BTreeSet<Digest> {
    match store {
        Store::Graph => by_chain(images, there),
        Store::Containerd => by_digest(images, there, source),
        Store::Podman => BTreeSet::new(),
    }
}

/// A layer may be left out only if it may be wherever it stands.
fn by_chain(images: &[&Contents], there: &[&Inspected]) -> BTreeSet<Digest> {
    let mut known: BTreeMap<&Digest, bool> = BTreeMap::new();
    for image in images {
        let common = |other: &&Inspected| {
            let pairs = image.layers.iter().zip(&other.diff_ids);
            pairs
                .take_while(|(layer, diff_id)| layer.diff_id == **diff_id)
                .count()
        };
        let common = there.iter().map(common).max().unwrap_or(0);
        for (at, layer) in image.layers.iter().enumerate() {
            *known.entry(&layer.blob.digest).or_insert(true) &= at < common;
        }
    }
    let known = known.into_iter().filter(|(_, known)| *known);
    known.map(|(digest, _)| digest.clone()).collect()
}

fn by_digest(images: &[&Contents], there: &[&Inspected], source: &dyn Source) -> BTreeSet<Digest> {
    let (mut blobs, mut diff_ids) = (BTreeSet::new(), BTreeSet::new());
    for image in there {
        let available: Vec<_> = image
            .manifests
            .iter()
            .filter(|manifest| manifest.available)
            .collect();
        let mut told = false;
        for manifest in &available {
            let Ok(bytes) = cooperage_blob::read(source, &manifest.descriptor) else {
                continue;
            };
            if let Ok(manifest) = Document::<Manifest>::parse(bytes) {
                let (_, manifest) = manifest.into_parts();
                blobs.extend(manifest.layers.into_iter().map(|layer| layer.digest));
                told = true;
            }
        }
        if !told && !available.is_empty() {
            diff_ids.extend(&image.diff_ids);
        }
    }
    let all = images.iter().flat_map(|image| &image.layers);
    all.filter(|layer| blobs.contains(&layer.blob.digest) || diff_ids.contains(&layer.diff_id))
        .map(|layer| layer.blob.digest.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use cooperage_blob::{Memory, put};
    use cooperage_daemon_archive::{Image, WriteOptions, contents};
    use cooperage_image_spec::{Descriptor, Json, MediaType};

    use super::*;
    use crate::inspect::inspected;

    /// An image of layers with these texts for bytes, in a source.
    fn image(memory: &Memory, layers: &[&str]) -> Descriptor {
        let layers: Vec<_> = layers
            .iter()
            .map(|text| put(memory, MediaType::OCI_LAYER, text.as_bytes()).unwrap())
            .collect();
        let ids: Vec<_> = layers.iter().map(|layer| layer.digest.as_str()).collect();
        let config = Json::from([(
            "rootfs",
            Json::from([
                ("diff_ids", Json::from(ids)),
                ("type", Json::from("layers")),
            ]),
        )]);
        let config = put(memory, MediaType::OCI_CONFIG, &config.to_canonical()).unwrap();
        let manifest = Document::new(Manifest::new(config, layers));
        put(memory, MediaType::OCI_MANIFEST, manifest.raw()).unwrap()
    }

    fn described(memory: &Memory, layers: &[&str]) -> Contents {
        let image = Image {
            descriptor: image(memory, layers),
            names: Vec::new(),
        };
        contents(memory, &[image], &WriteOptions::default())
            .unwrap()
            .remove(0)
    }

    /// An image in a daemon with these layers, and with a manifest that is there or not.
    fn there(layers: &[&str], manifest: Option<(&Descriptor, bool)>) -> Inspected {
        let ids: Vec<_> = layers
            .iter()
            .map(|text| Digest::of(text.as_bytes()).to_string())
            .collect();
        let manifests: Vec<Json> = manifest
            .into_iter()
            .map(|(descriptor, available)| {
                Json::from([
                    ("Available", Json::from(available)),
                    (
                        "Descriptor",
                        cooperage_image_spec::ToJson::to_json(descriptor),
                    ),
                ])
            })
            .collect();
        let json = Json::from([
            ("Id", Json::from(Digest::of(b"id").as_str())),
            ("Manifests", Json::from(manifests)),
            ("RootFS", Json::from([("Layers", Json::from(ids))])),
        ]);
        inspected(&json).unwrap()
    }

    fn known(store: Store, images: &[&[&str]], there: &[&Inspected], source: &Memory) -> String {
        let images: Vec<_> = images
            .iter()
            .map(|layers| described(source, layers))
            .collect();
        let known = layers(store, &images.iter().collect::<Vec<_>>(), there, source);
        let letters =
            ('a'..='f').filter(|letter| known.contains(&Digest::of(letter.to_string().as_bytes())));
        let text: String = letters.collect();
        assert_eq!(text.len(), known.len());
        text
    }

    #[test]
    fn graph_drivers_know_layers_by_what_is_below() {
        let memory = Memory::new();
        let base = there(&["a", "b"], None);
        let other = there(&["b", "c", "d"], None);
        for (images, expected) in [
            (&[&["a", "b", "c"][..]][..], "ab"),
            (&[&["a", "c", "b"]], "a"),
            (&[&["b", "a"]], "b"),
            (&[&["c", "d"]], ""),
            (&[&["a", "b"]], "ab"),
            // The same layer again, higher up, is another one.
            (&[&["a", "b", "a"]], "b"),
            // In one image it could be left out, in the other it is needed.
            (&[&["a", "b"], &["c", "b"]], "a"),
            // It is first in one known image and second in the other.
            (&[&["a", "b"], &["b", "c"]], "abc"),
        ] {
            let known = known(Store::Graph, images, &[&base, &other], &memory);
            assert_eq!(known, expected, "{images:?}");
        }
        assert_eq!(known(Store::Graph, &[&["a"]], &[], &memory), "");
    }

    #[test]
    fn containerd_knows_layers_by_digest() {
        let (memory, elsewhere) = (Memory::new(), Memory::new());
        let known_manifest = image(&memory, &["a", "b"]);
        let unknown_manifest = image(&elsewhere, &["c", "d"]);
        // The manifest tells, whatever the diff IDs are; else they do.
        let told = there(&["e"], Some((&known_manifest, true)));
        let guessed = there(&["c", "d"], Some((&unknown_manifest, true)));
        let broken = there(&["e", "f"], Some((&known_manifest, false)));
        let all: &[&str] = &["f", "e", "d", "c", "b", "a"];
        for (there, expected) in [
            (&[&told][..], "ab"),
            (&[&guessed], "cd"),
            (&[&told, &guessed], "abcd"),
            (&[&broken], ""),
            (&[], ""),
        ] {
            assert_eq!(
                known(Store::Containerd, &[all], there, &memory),
                expected,
                "{there:?}"
            );
        }
    }

    #[test]
    fn podman_is_sent_everything() {
        let memory = Memory::new();
        let same = there(&["a"], None);
        assert_eq!(known(Store::Podman, &[&["a"]], &[&same], &memory), "");
    }
}
