"""`image`: layers, and how they are run."""

load(":image_config.bzl", "CONFIG_ATTRS", "plan_members", "stampable_values")
load(":layer.bzl", "add_layer")
load(":parts.bzl", "IMAGE_PROVIDERS")
load(":paths.bzl", "shown")
load(":platforms.bzl", "image_platform", "normal_platform")
load(":providers.bzl", "ImageIndexInfo", "ImageInfo", "ImageLayerInfo")
load(":request.bzl", "add_file", "new_request", "run_request")
load(":stamp.bzl", "STAMP_ATTRS", "add_stamp")
load(":toolchain.bzl", "TOOLCHAIN_TYPE")
load(":write.bzl", "declare_all_writes", "declare_facts")

visibility(["//bazel"])

def _choose_base(ctx, platform):
    """The base's image of that platform."""
    target = ctx.attr.base
    if not target:
        return None
    if ImageIndexInfo in target:
        images = target[ImageIndexInfo].images
    else:
        images = [target[ImageInfo]]
    for base in images:
        if normal_platform(base.platform) == normal_platform(platform):
            return base
    fail("{}: the base {} has no image for `{}`, it has {}".format(
        shown(ctx.label),
        shown(target.label),
        platform,
        ", ".join(["`" + base.platform + "`" for base in images]) or "none",
    ))

def _metadata_line(layer):
    return '{"layer":{"metadata":%s}}' % json.encode(layer.metadata.path)

def _image_line(image):
    return '%s,"base":{"manifest":%s,"config":%s}}' % (
        image.members.removesuffix("}"),
        json.encode(image.base.manifest.path),
        json.encode(image.base.config.path),
    )

def _add_image(request, members, base):
    """The plan's first line."""
    members = json.encode(members)
    if base:
        request.add_all([struct(base = base, members = members)], map_each = _image_line)
    else:
        request.add(members)

def _add_inputs(ctx, request):
    """The files that the config is made of, beside the base and layers."""
    files = add_stamp(ctx, request, stampable_values(ctx))
    for kind, attribute in [
        ("annotations", ctx.files.annotation_files),
        ("env", ctx.files.env_files),
        ("labels", ctx.files.label_files),
    ]:
        for file in attribute:
            add_file(request, "input", kind, file)
            files.append(file)
    return files

def _declare_documents(ctx, members, base, layers):
    """The image: documents, from what is known of layers."""
    name = ctx.label.name
    config = ctx.actions.declare_file(name + ".config.json")
    manifest = ctx.actions.declare_file(name + ".manifest.json")
    descriptor = ctx.actions.declare_file(name + ".descriptor.json")
    request = new_request(ctx, "image")
    add_file(request, "output", "config", config)
    add_file(request, "output", "manifest", manifest)
    add_file(request, "output", "descriptor", descriptor)
    inputs = _add_inputs(ctx, request)
    _add_image(request, members, base)
    request.add_all([struct(metadata = layer.metadata) for layer in layers], map_each = _metadata_line)
    inputs += [layer.metadata for layer in layers]
    if base:
        inputs += [base.manifest, base.config]
    run_request(
        ctx,
        mnemonic = "CooperageImage",
        lines = request,
        inputs = depset(inputs),
        outputs = [config, manifest, descriptor],
        message = "Making image %{label}",
    )
    return config, manifest, descriptor

def _what_runs(members):
    """The image's line, without what no program sees and what may be stamped."""
    config = dict(members["config"])
    config.pop("labels", None)
    if "env" in config:
        config["env"] = {
            name: value
            for name, value in config["env"].items()
            if value == None or "{{" not in value
        }
    return {
        "config": config,
        "media_types": members["media_types"],
        "plan": "image",
        "platform": members["platform"],
        "version": 1,
    }

def _declare_check(ctx, members, base, layers):
    """Whether the base has what programs of the layers need."""
    report = ctx.actions.declare_file(ctx.label.name + ".check.json")
    request = new_request(ctx, "check")
    add_file(request, "output", "report", report)
    inputs = []
    if base:
        add_file(request, "input", "facts", base.facts)
        inputs += [base.facts, base.manifest, base.config]
    _add_image(request, _what_runs(members), base)
    for target in ctx.attr.layers:
        plan = target[ImageLayerInfo].plan
        if not plan:
            fail("{}: `check_base` cannot look into {}, which does not say what it holds".format(
                shown(ctx.label),
                shown(target.label),
            ))
        add_layer(request, plan)
    run_request(
        ctx,
        mnemonic = "CooperageCheck",
        lines = request,
        inputs = depset(inputs, transitive = [layer.plan.inputs for layer in layers]),
        outputs = [report],
        message = "Checking programs of %{label}",
    )
    return report

def _info(ctx, platform, base, layers):
    members = plan_members(ctx, platform)
    config, manifest, descriptor = _declare_documents(ctx, members, base, layers)
    documents = depset([manifest, config])
    own = [struct(digest = None, file = layer.blob, metadata = layer.metadata) for layer in layers]
    fields = {
        "base": base,
        "blobs": depset(own, transitive = [base.blobs] if base else []),
        "config": config,
        "descriptor": descriptor,
        "documents": documents,
        "files": depset(
            [blob.file for blob in own] + [blob.metadata for blob in own],
            transitive = [documents] + ([base.files] if base else []),
        ),
        "layers": layers,
        "manifest": manifest,
        "platform": platform,
        "remote_blobs": base.remote_blobs if base else depset(),
        "remote_files": base.remote_files if base else depset(),
        "sources": base.sources if base else depset(),
    }
    facts = declare_facts(ctx, struct(**fields))
    return members, ImageInfo(facts = facts, **fields)

def _image_impl(ctx):
    platform = image_platform(ctx)
    base = _choose_base(ctx, platform)
    layers = [target[ImageLayerInfo] for target in ctx.attr.layers]
    members, info = _info(ctx, platform, base, layers)
    groups = declare_all_writes(ctx, info, ctx.attr.names)
    if ctx.attr.check_base:
        groups["_validation"] = depset([_declare_check(ctx, members, base, layers)])
    return [
        DefaultInfo(files = depset([info.descriptor, info.manifest, info.config])),
        OutputGroupInfo(
            config = depset([info.config]),
            descriptor = depset([info.descriptor]),
            manifest = depset([info.manifest]),
            **groups
        ),
        info,
    ]

image = rule(
    implementation = _image_impl,
    doc = """Makes an image of layers, and of a base if there is one.

What is built is its documents alone, from what is known of each layer: no layer's bytes are read,
and none of the base is fetched. All of it in one place is made on demand, by the output groups
`layout`, `docker_archive` and `oci_archive` (`bazel build --output_groups=layout //:image`), or by
`image_layout` and `image_tarball`.

An attribute of the configuration that is not given is inherited from the base, a value overrides
it, and `unset` drops it.""",
    attrs = CONFIG_ATTRS | STAMP_ATTRS | {
        "base": attr.label(
            doc = "What it stands on: an `image`, an `image_index` or what `image_pull` made; of several images that of the same platform. Without it from scratch.",
            providers = IMAGE_PROVIDERS,
        ),
        "check_base": attr.bool(
            doc = """Whether the programs in `layers` find their shared libraries, and the versions of symbols that they need, in the base.

A validation action, beside the image and never before it: `bazel build` fails if something is
missing, and `--norun_validations` leaves it out. It asks for the base's layers once.""",
        ),
        "layers": attr.label_list(
            doc = "What lies over the base, the lowest first.",
            providers = [ImageLayerInfo],
        ),
        "names": attr.string_list(
            doc = "What the image is called in layouts and archives: `app:latest`.",
        ),
    },
    provides = [ImageInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
