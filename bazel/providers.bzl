"""What the rules say to one another, for authors of other rules."""

load(
    "//bazel/private:providers.bzl",
    _ImageIndexInfo = "ImageIndexInfo",
    _ImageInfo = "ImageInfo",
    _ImageLayerInfo = "ImageLayerInfo",
)

ImageIndexInfo = _ImageIndexInfo
ImageInfo = _ImageInfo
ImageLayerInfo = _ImageLayerInfo
