//! Keys of annotations and labels that have a meaning.
//!
//! Spec: image-spec v1.1, `annotations.md` § Pre-Defined Annotation Keys.

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {$(
        $(#[$doc])*
        pub const $name: &str = $text;
    )*};
}

keys! {
    /// When it was built, RFC 3339.
    CREATED = "org.opencontainers.image.created";
    /// Who is responsible for it, free text.
    AUTHORS = "org.opencontainers.image.authors";
    /// Where to read more of it.
    URL = "org.opencontainers.image.url";
    /// Where its documentation is.
    DOCUMENTATION = "org.opencontainers.image.documentation";
    /// Where its source is.
    SOURCE = "org.opencontainers.image.source";
    /// The version of what is packed.
    VERSION = "org.opencontainers.image.version";
    /// The revision of the source.
    REVISION = "org.opencontainers.image.revision";
    /// Who distributes it.
    VENDOR = "org.opencontainers.image.vendor";
    /// Its licences, an SPDX expression.
    LICENSES = "org.opencontainers.image.licenses";
    /// The name of a root in a layout: a tag, or any other text.
    REF_NAME = "org.opencontainers.image.ref.name";
    /// Its title for people.
    TITLE = "org.opencontainers.image.title";
    /// What it is, for people.
    DESCRIPTION = "org.opencontainers.image.description";
    /// The manifest digest of the image that it is based on.
    BASE_DIGEST = "org.opencontainers.image.base.digest";
    /// The reference of the image that it is based on.
    BASE_NAME = "org.opencontainers.image.base.name";
    /// The full reference of a root, as containerd and Docker import it.
    CONTAINERD_IMAGE_NAME = "io.containerd.image.name";
    /// The digest of the manifest that a root says something about; containerd makes no image
    /// of such a root.
    CONTAINERD_MANIFEST_SUBJECT = "io.containerd.manifest.subject";
    /// What a manifest in an index is for where it is no image: `attestation-manifest`.
    DOCKER_REFERENCE_TYPE = "vnd.docker.reference.type";
    /// The digest of the manifest in the same index that it is about.
    DOCKER_REFERENCE_DIGEST = "vnd.docker.reference.digest";
}
