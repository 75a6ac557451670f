"""Providers: one for each noun."""

visibility([
    "//bazel",
    "//bazel/private",
])

ImageLayerInfo = provider(
    doc = "A layer: its bytes, and what an image needs to know of it.",
    fields = {
        "blob": "File: the layer as it is stored.",
        "metadata": "File: digest, diff ID, size and history of the layer, as `cooperage layer` writes them; all that an image reads.",
        "plan": "struct: what the layer holds, for `check_base`; made and read by these rules alone, others say `None`.",
    },
)

ImageInfo = provider(
    doc = "An image of one platform. Its layers may be nowhere yet, or only in a registry.",
    fields = {
        "base": "ImageInfo: the image it stands on, or `None`.",
        "blobs": "depset of struct(file, metadata, digest): the layers that are built here, or lie in files, those of bases with them; `metadata` is a File or `None`, and `digest` says then what `file` is.",
        "config": "File: the image's config.",
        "descriptor": "File: the manifest's descriptor as JSON, with its platform.",
        "documents": "depset of File: the manifest and the config.",
        "facts": "File: what the image offers to programs, computed from its layers when somebody asks for it.",
        "files": "depset of File: `documents`, and what `blobs` is made of.",
        "layers": "list of ImageLayerInfo: the layers that this image adds to its base.",
        "manifest": "File: the image's manifest.",
        "platform": "string: `linux/arm64`.",
        "remote_blobs": "depset of struct(file, metadata, digest): as `blobs`, but in a registry (`sources`); making such a file fetches it.",
        "remote_files": "depset of File: what `remote_blobs` is made of.",
        "sources": "depset of string: references of where `remote_blobs` lie.",
    },
)

ImageIndexInfo = provider(
    doc = "Several images under one digest.",
    fields = {
        "blobs": "depset of struct: those of all images, as in `ImageInfo`.",
        "descriptor": "File: the index's descriptor as JSON.",
        "documents": "depset of File: the index, and the documents of all images.",
        "files": "depset of File: those of all images, and the index.",
        "images": "list of ImageInfo: one for each platform, in the order of the index.",
        "index": "File: the index.",
        "remote_blobs": "depset of struct: those of all images, as in `ImageInfo`.",
        "remote_files": "depset of File: those of all images.",
        "sources": "depset of string: those of all images, as in `ImageInfo`.",
    },
)

StampInfo = provider(
    doc = "Whether `--stamp` is given.",
    fields = {"enabled": "bool: it is."},
)

PulledBlobInfo = provider(
    doc = "A layer of an image that was pulled.",
    fields = {
        "blob": "struct(file, metadata, digest), as in `ImageInfo.blobs`.",
        "remote": "bool: whether making the file fetches it from a registry.",
    },
)
