"""`image_index`: an image of several platforms."""

load(":parts.bzl", "IMAGE_PROVIDERS")
load(":paths.bzl", "shown")
load(":platforms.bzl", "normal_platform")
load(":providers.bzl", "ImageIndexInfo", "ImageInfo")
load(":request.bzl", "add_file", "add_line", "new_request", "run_request")
load(":stamp.bzl", "STAMP_ATTRS", "add_stamp")
load(":toolchain.bzl", "TOOLCHAIN_TYPE")
load(":transitions.bzl", "over_platforms")
load(":write.bzl", "declare_all_writes")

visibility(["//bazel"])

def _descriptor_line(image):
    return '{"image":%s}' % json.encode(image.descriptor.path)

def _images(ctx):
    """All images, and from which label each comes."""
    images = []
    seen = {}

    # In the order of `platforms`: that of `ctx.attr.images` is of the configurations' own.
    targets = [
        target
        for number in range(max(1, len(ctx.attr.platforms)))
        for target in ctx.split_attr.images.get(str(number), [])
    ]
    for target in targets:
        found = target[ImageIndexInfo].images if ImageIndexInfo in target else [target[ImageInfo]]
        for image in found:
            platform = normal_platform(image.platform)
            if platform in seen:
                fail("{}: two images for `{}`: {} and {}".format(shown(ctx.label), platform, seen[platform], shown(target.label)))
            seen[platform] = shown(target.label)
            images.append(image)
    if not images:
        fail("{}: `images` is empty, expected at least one".format(shown(ctx.label)))
    return images

def _image_index_impl(ctx):
    images = _images(ctx)
    index = ctx.actions.declare_file(ctx.label.name + ".index.json")
    descriptor = ctx.actions.declare_file(ctx.label.name + ".descriptor.json")
    request = new_request(ctx, "index")
    add_file(request, "output", "index", index)
    add_file(request, "output", "descriptor", descriptor)
    status = add_stamp(ctx, request, ctx.attr.annotations.values())
    add_line(request, {"index": {
        "annotations": ctx.attr.annotations,
        "media_types": ctx.attr.media_types,
    }})
    request.add_all([struct(descriptor = image.descriptor) for image in images], map_each = _descriptor_line)
    run_request(
        ctx,
        mnemonic = "CooperageIndex",
        lines = request,
        inputs = depset(status + [image.descriptor for image in images]),
        outputs = [index, descriptor],
        message = "Making index %{label}",
    )
    documents = depset([index], transitive = [image.documents for image in images])
    info = ImageIndexInfo(
        blobs = depset(transitive = [image.blobs for image in images]),
        descriptor = descriptor,
        documents = documents,
        files = depset(transitive = [documents] + [image.files for image in images]),
        images = images,
        index = index,
        remote_blobs = depset(transitive = [image.remote_blobs for image in images]),
        remote_files = depset(transitive = [image.remote_files for image in images]),
        sources = depset(transitive = [image.sources for image in images]),
    )
    groups = declare_all_writes(ctx, info, ctx.attr.names, docker = False)
    return [
        DefaultInfo(files = depset([descriptor, index])),
        OutputGroupInfo(
            descriptor = depset([descriptor]),
            index = depset([index]),
            **groups
        ),
        info,
    ]

image_index = rule(
    implementation = _image_index_impl,
    doc = """Makes an index of images: one name for several platforms.

Either `images` are several, each for a platform of its own, or `platforms` says for which platforms
each of them is built. Output groups as of `image`, without `docker_archive`.""",
    attrs = STAMP_ATTRS | {
        "annotations": attr.string_dict(
            doc = "Annotations of the index.",
        ),
        "images": attr.label_list(
            cfg = over_platforms,
            doc = "The images: of `image`, or of an index, whose images are taken.",
            mandatory = True,
            providers = IMAGE_PROVIDERS,
        ),
        "media_types": attr.string(
            default = "oci",
            doc = "What the index is written as.",
            values = [
                "docker",
                "oci",
            ],
        ),
        "names": attr.string_list(
            doc = "What the index is called in layouts and archives: `app:latest`.",
        ),
        "platforms": attr.label_list(
            doc = "The platforms that each image is built for, in the order of the index; without them the one that the index is built for.",
            providers = [platform_common.PlatformInfo],
        ),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
    provides = [ImageIndexInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
