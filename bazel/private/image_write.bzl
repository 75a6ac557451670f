"""`image_layout` and `image_tarball`: all of an image in one place."""

load(":parts.bzl", "IMAGE_PROVIDERS", "image_of")
load(":paths.bzl", "shown")
load(":platforms.bzl", "normal_platform")
load(":providers.bzl", "ImageIndexInfo")
load(":stamp.bzl", "STAMP_ATTRS")
load(":toolchain.bzl", "TOOLCHAIN_TYPE")
load(":write.bzl", "declare_write")

visibility(["//bazel"])

_ATTRS = STAMP_ATTRS | {
    "image": attr.label(
        doc = "The image, or the index.",
        mandatory = True,
        providers = IMAGE_PROVIDERS,
    ),
    "names": attr.string_list(
        doc = "What it is called in there: `app:latest`.",
    ),
}

def _image_layout_impl(ctx):
    layout = declare_write(ctx, image_of(ctx.attr.image), "layout", ctx.label.name, ctx.attr.names)
    return [DefaultInfo(
        files = depset([layout]),
        runfiles = ctx.runfiles([layout]),
    )]

image_layout = rule(
    implementation = _image_layout_impl,
    doc = "Writes an OCI image layout, a directory named as the target.",
    attrs = _ATTRS,
    toolchains = [TOOLCHAIN_TYPE],
)

def _check_platform(ctx):
    """Whether it is one image that a docker archive is to hold."""
    if ctx.attr.platform and ctx.attr.format == "oci":
        fail("{}: `platform` is given, but an OCI archive holds all platforms".format(shown(ctx.label)))
    if ImageIndexInfo not in ctx.attr.image:
        if ctx.attr.platform:
            fail("{}: `platform` is given, but {} is one image and no index".format(shown(ctx.label), shown(ctx.attr.image.label)))
        return
    platforms = [image.platform for image in ctx.attr.image[ImageIndexInfo].images]
    wanted = normal_platform(ctx.attr.platform)
    if ctx.attr.format == "docker" and len(platforms) > 1 and wanted not in [normal_platform(one) for one in platforms]:
        fail("{}: a docker archive holds one image: `platform` is `{}`, expected one that {} has: {}".format(
            shown(ctx.label),
            ctx.attr.platform,
            shown(ctx.attr.image.label),
            ", ".join(["`" + one + "`" for one in platforms]),
        ))

def _image_tarball_impl(ctx):
    _check_platform(ctx)
    archive = declare_write(
        ctx,
        image_of(ctx.attr.image),
        ctx.attr.format + "-archive",
        ctx.label.name + ".tar",
        ctx.attr.names,
        ctx.attr.platform,
    )
    return [DefaultInfo(
        files = depset([archive]),
        runfiles = ctx.runfiles([archive]),
    )]

image_tarball = rule(
    implementation = _image_tarball_impl,
    doc = "Writes an archive `NAME.tar`: what `docker load` reads, or an OCI archive.",
    attrs = _ATTRS | {
        "format": attr.string(
            default = "docker",
            doc = "Which archive.",
            values = [
                "docker",
                "oci",
            ],
        ),
        "platform": attr.string(
            doc = "Which image of an index a docker archive holds: `linux/arm64`.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
