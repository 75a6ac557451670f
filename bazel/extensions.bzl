"""The module extension: which tool packs, and which images others stand on."""

load("//bazel/private:extension.bzl", _cooperage = "cooperage")

cooperage = _cooperage
