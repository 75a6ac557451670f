"""The rules: files to layers, layers to images, images to wherever they are wanted."""

load("//bazel/private:expectations.bzl", _expect_file = "expect_file")
load("//bazel/private:image.bzl", _image = "image")
load("//bazel/private:image_index.bzl", _image_index = "image_index")
load("//bazel/private:image_layer.bzl", _image_layer = "image_layer")
load("//bazel/private:image_layer_from_tar.bzl", _image_layer_from_tar = "image_layer_from_tar")
load("//bazel/private:image_load.bzl", _image_load = "image_load")
load("//bazel/private:image_push.bzl", _image_push = "image_push")
load("//bazel/private:image_test.bzl", _image_test = "image_test")
load("//bazel/private:image_write.bzl", _image_layout = "image_layout", _image_tarball = "image_tarball")

expect_file = _expect_file
image = _image
image_index = _image_index
image_layer = _image_layer
image_layer_from_tar = _image_layer_from_tar
image_layout = _image_layout
image_load = _image_load
image_push = _image_push
image_tarball = _image_tarball
image_test = _image_test
