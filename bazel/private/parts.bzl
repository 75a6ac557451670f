"""An image scattered over files, as lines of a request."""

load(":providers.bzl", "ImageIndexInfo", "ImageInfo")
load(":request.bzl", "add_file", "runfiles_path")

visibility(["//bazel/private"])

# What an attribute takes that is about an image, of one platform or of several.
IMAGE_PROVIDERS = [
    [ImageInfo],
    [ImageIndexInfo],
]

def _exec_path(file):
    return file.path

def _blob_line(blob, path):
    if blob.metadata:
        return '{"part":"layer","metadata":%s,"blob":%s}' % (
            json.encode(path(blob.metadata)),
            json.encode(path(blob.file)),
        )
    return '{"part":"blob","file":%s,"digest":"%s"}' % (json.encode(path(blob.file)), blob.digest)

def _blob(blob):
    return _blob_line(blob, _exec_path)

def _launcher_blob(blob):
    return _blob_line(blob, runfiles_path)

def _document(file):
    return '{"part":"document","file":%s}' % json.encode(file.path)

def _launcher_document(file):
    return '{"part":"document","file":%s}' % json.encode(runfiles_path(file))

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

def add_documents(lines, info, launcher = False):
    """Says what the image is.

    Args:
      lines: Args of a request.
      info: ImageInfo or ImageIndexInfo.
      launcher: whether files are named by their paths in the runfiles.
    """
    add_file(lines, "part", "root", info.descriptor, launcher)
    lines.add_all(info.documents, map_each = _launcher_document if launcher else _document)

def add_blobs(lines, info, launcher = False):
    """Says where the layers lie that are built here.

    Args:
      lines: Args of a request.
      info: ImageInfo or ImageIndexInfo.
      launcher: whether files are named by their paths in the runfiles.
    """
    lines.add_all(info.blobs, map_each = _launcher_blob if launcher else _blob)

def add_sources(lines, info):
    """Says where the layers lie that are not here.

    Args:
      lines: Args of a request.
      info: ImageInfo or ImageIndexInfo.
    """
    lines.add_all(info.sources, map_each = _source)

def add_everything(lines, info, launcher = False):
    """Says where every byte lies; layers of registries are fetched for it.

    Args:
      lines: Args of a request.
      info: ImageInfo or ImageIndexInfo.
      launcher: whether files are named by their paths in the runfiles.

    Returns:
      depset of File: what the lines name.
    """
    add_documents(lines, info, launcher)
    add_blobs(lines, info, launcher)
    lines.add_all(info.remote_blobs, map_each = _launcher_blob if launcher else _blob)
    return depset([info.descriptor], transitive = [info.files, info.remote_files])
