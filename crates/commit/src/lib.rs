//! Packs a tree to a layer and forms an image's config, manifest and index in one place.
