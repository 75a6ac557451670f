"""What all rules that make layers share."""

load(":entries.bzl", "add_entries")
load(":paths.bzl", "shown")
load(":providers.bzl", "ImageLayerInfo")
load(":request.bzl", "add_file", "new_request", "run_request")

visibility(["//bazel/private"])

# Encoder, default level, highest level, block size in bytes: written out, so that a change of the
# engine's defaults changes no digest.
_ENCODERS = {
    "gzip": ("gzip-2", 5, 9, 1 << 20),
    "none": ("none-1", 0, 0, 1 << 20),
    "zstd": ("zstd-1", 3, 19, 4 << 20),
}

LAYER_ATTRS = {
    "annotations": attr.string_dict(
        doc = "Annotations of the layer's descriptor.",
    ),
    "comment": attr.string(
        doc = "A comment in the layer's history entry.",
    ),
    "compression": attr.string(
        default = "gzip",
        doc = "How the layer is stored. `none` makes its digest equal its diff ID.",
        values = [
            "gzip",
            "none",
            "zstd",
        ],
    ),
    "created_by": attr.string(
        doc = "What made the layer, in its history entry; without it `cooperage: NAME`.",
    ),
    "layer_name": attr.string(
        doc = "What the layer holds, for people: it stands in the image's history. Without it the target's name.",
    ),
    "level": attr.int(
        doc = "How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd; 0 is the default of either (5 and 3).",
    ),
}

def layer_members(ctx, is_encoded):
    """The layer's own members, as plans have them.

    Args:
      ctx: the context of a rule with LAYER_ATTRS.
      is_encoded: whether its bytes are made here, and not taken over.

    Returns:
      A dict.
    """
    encoder, default_level, highest, block_size = _ENCODERS[ctx.attr.compression]
    level = ctx.attr.level or default_level
    if level < 0 or level > highest:
        fail("{}: `level` is {}, expected 0 to {} with `{}`".format(shown(ctx.label), level, highest, ctx.attr.compression))
    members = {"name": ctx.attr.layer_name or ctx.label.name}
    if is_encoded:
        members.update({
            "block_size": block_size,
            "encoder": encoder,
            "level": level,
        })
    for name in ["annotations", "comment", "created_by"]:
        value = getattr(ctx.attr, name)
        if value:
            members[name] = value
    return members

def _tar_first_line(plan):
    return '{"plan":"layer","version":1,"tar":%s,%s' % (json.encode(plan.tar.path), plan.members.removeprefix("{"))

def _tar_layer_line(plan):
    return '{"layer":{"tar":%s,%s}' % (json.encode(plan.tar.path), plan.members.removeprefix("{"))

def add_layer(lines, plan):
    """Adds a layer with what it holds to an image's plan.

    Args:
      lines: Args of a request.
      plan: `ImageLayerInfo.plan`.
    """
    if plan.tar:
        lines.add_all([plan], map_each = _tar_layer_line)
    else:
        lines.add("{\"layer\":" + plan.members + "}")
    _add_content(lines, plan)

def _add_content(lines, plan):
    lines.add_all(plan.lines)
    add_entries(lines, plan.entries)

def make_layer(ctx, inputs, entries = [], lines = [], tar = None, members = {}, is_encoded = True):
    """Declares a layer and the action that makes it.

    Args:
      ctx: the context of a rule with LAYER_ATTRS.
      inputs: depset of File, all that entries name.
      entries: list of structs, see `entries.bzl`.
      lines: list of strings, further lines of the plan.
      tar: a File that somebody else made, instead of entries.
      members: further members of the layer.
      is_encoded: whether its bytes are made here, and not taken over.

    Returns:
      Providers.
    """
    blob = ctx.actions.declare_file(ctx.label.name + ".layer.blob")
    metadata = ctx.actions.declare_file(ctx.label.name + ".layer.json")
    members = layer_members(ctx, is_encoded) | members
    plan = struct(
        entries = entries,
        inputs = inputs,
        lines = lines,
        members = json.encode(members),
        tar = tar,
    )

    request = new_request(ctx, "layer")
    add_file(request, "output", "blob", blob)
    add_file(request, "output", "metadata", metadata)
    if tar:
        request.add_all([plan], map_each = _tar_first_line)
    else:
        request.add(json.encode({"plan": "layer", "version": 1} | members))
    _add_content(request, plan)
    run_request(
        ctx,
        mnemonic = "CooperageLayer",
        lines = request,
        inputs = inputs,
        outputs = [blob, metadata],
        message = "Packing layer %{label}",
    )
    return [
        DefaultInfo(files = depset([blob, metadata])),
        OutputGroupInfo(
            blob = depset([blob]),
            metadata = depset([metadata]),
        ),
        ImageLayerInfo(
            blob = blob,
            metadata = metadata,
            plan = plan,
        ),
    ]
