"""An image scattered over files, as lines of a request."""

load(":providers.bzl", "ImageIndexInfo", "ImageInfo")
load(":request.bzl", "add_file")

visibility(["//bazel/private"])

# What an attribute takes that is about an image, of one platform or of several.
IMAGE_PROVIDERS = [
    [ImageInfo],
    [ImageIndexInfo],
]

def _blob(blob):
    if blob.metadata:
        return '{"part":"layer","metadata":%s,"blob":%s}' % (
            json.encode(blob.metadata.path),
            json.encode(blob.file.path),
        )
    return '{"part":"blob","file":%s,"digest":"%s"}' % (json.encode(blob.file.path), blob.digest)

def _document(file):
    return '{"part":"document","file":%s}' % json.encode(file.path)

def _source(reference):
    return '{"part":"source","reference":%s}' % json.encode(reference)

def image_of(target):
    """What a target says of its image.

    Args:
      target: a target with one of IMAGE_PROVIDERS.

    Returns:
      The ImageIndexInfo if there is one, else the ImageInfo.
    """
    return target[ImageIndexInfo] if ImageIndexInfo in target else target[ImageInfo]

def add_documents(lines, info):
    """Says what the image is.

    Args:
      lines: Args of a request.
      info: ImageInfo or ImageIndexInfo.
    """
    add_file(lines, "part", "root", info.descriptor)
    lines.add_all(info.documents, map_each = _document)

def add_blobs(lines, info):
    """Says where the layers lie that are built here.

    Args:
      lines: Args of a request.
      info: ImageInfo or ImageIndexInfo.
    """
    lines.add_all(info.blobs, map_each = _blob)

def add_sources(lines, info):
    """Says where the layers lie that are not here.

    Args:
      lines: Args of a request.
      info: ImageInfo or ImageIndexInfo.
    """
    lines.add_all(info.sources, map_each = _source)

def add_everything(lines, info):
    """Says where every byte lies; layers of registries are fetched for it.

    Args:
      lines: Args of a request.
      info: ImageInfo or ImageIndexInfo.

    Returns:
      depset of File: what the lines name.
    """
    add_documents(lines, info)
    add_blobs(lines, info)
    lines.add_all(info.remote_blobs, map_each = _blob)
    return depset([info.descriptor], transitive = [info.files, info.remote_files])
