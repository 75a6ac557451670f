"""Repository rules, for `use_repo_rule`."""

load("//bazel/private:image_pull.bzl", _image_pull = "image_pull")

image_pull = _image_pull
