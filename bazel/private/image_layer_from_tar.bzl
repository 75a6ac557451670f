"""`image_layer_from_tar`: a tar that somebody else made, as a layer."""

load(":layer.bzl", "LAYER_ATTRS", "make_layer")
load(":providers.bzl", "ImageLayerInfo")
load(":toolchain.bzl", "TOOLCHAIN_TYPE")
load(":transitions.bzl", "independent")

visibility(["//bazel"])

def _image_layer_from_tar_impl(ctx):
    return make_layer(
        ctx,
        inputs = depset([ctx.file.tar]),
        tar = ctx.file.tar,
        members = {"form": ctx.attr.form},
        is_encoded = ctx.attr.form in ("canonical", "recompress"),
    )

image_layer_from_tar = rule(
    implementation = _image_layer_from_tar_impl,
    doc = "Makes a layer of a tar that another rule or program made. What is no tar is refused.",
    attrs = LAYER_ATTRS | {
        "form": attr.string(
            default = "recompress",
            doc = """What becomes of it.

- `keep`: its bytes are the layer, as they are; `compression` and `level` mean nothing, nor for the next.
- `uncompress`: the tar inside, as it is, stored as it is.
- `recompress`: the tar inside, as it is, compressed as `compression` says.
- `canonical`: its entries in the order and form of `image_layer`, so that two tars of the same files are one layer.""",
            values = [
                "canonical",
                "keep",
                "recompress",
                "uncompress",
            ],
        ),
        "platform_independent": attr.bool(
            doc = "Whether the layer is the same on every platform; see `image_layer`.",
        ),
        "tar": attr.label(
            allow_single_file = True,
            doc = "The tar: plain, or compressed by gzip or zstd.",
            mandatory = True,
        ),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
    cfg = independent,
    provides = [ImageLayerInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
