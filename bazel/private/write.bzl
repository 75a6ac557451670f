"""Layouts and archives: all of an image's bytes in one place, made when somebody asks for it."""

load(":parts.bzl", "add_everything")
load(":request.bzl", "add_file", "add_line", "new_request", "run_request")
load(":stamp.bzl", "add_stamp")

visibility(["//bazel/private"])

_ENDINGS = {
    "docker-archive": ".docker.tar",
    "layout": ".layout",
    "oci-archive": ".oci.tar",
}

def declare_write(ctx, info, kind, name, names, platform = ""):
    """Declares a layout or an archive.

    Args:
      ctx: the context of a rule with STAMP_ATTRS.
      info: ImageInfo or ImageIndexInfo.
      kind: `layout`, `docker-archive` or `oci-archive`.
      name: of the output.
      names: list of string: what the image is called in there.
      platform: which image of an index, for a docker archive.

    Returns:
      File: the output.
    """
    if kind == "layout":
        output = ctx.actions.declare_directory(name)
    else:
        output = ctx.actions.declare_file(name)
    request = new_request(ctx, "write")
    add_file(request, "output", kind, output)
    status = add_stamp(ctx, request, names)
    for text in names:
        add_line(request, {"name": text})
    if platform:
        add_line(request, {"platform": platform})
    files = add_everything(request, info)
    run_request(
        ctx,
        mnemonic = "CooperageWrite",
        lines = request,
        inputs = depset(status, transitive = [files]),
        outputs = [output],
        message = "Writing {} of %{{label}}".format(kind),
    )
    return output

def declare_all_writes(ctx, info, names, docker = True):
    """Declares the output groups that every image has.

    Args:
      ctx: the context of a rule with STAMP_ATTRS.
      info: ImageInfo or ImageIndexInfo.
      names: list of string: what the image is called in there.
      docker: whether there is one for docker archives, which hold one platform.

    Returns:
      A dict of depsets.
    """
    kinds = {
        "layout": "layout",
        "oci_archive": "oci-archive",
    } | ({"docker_archive": "docker-archive"} if docker else {})
    return {
        group: depset([declare_write(ctx, info, kind, ctx.label.name + _ENDINGS[kind], names)])
        for group, kind in kinds.items()
    }

def declare_facts(ctx, info):
    """Declares what an image offers to programs.

    Args:
      ctx: the rule's context.
      info: ImageInfo, its `facts` not yet known.

    Returns:
      File: the facts.
    """
    facts = ctx.actions.declare_file(ctx.label.name + ".facts.json")
    request = new_request(ctx, "facts")
    add_file(request, "output", "facts", facts)
    files = add_everything(request, info)
    run_request(
        ctx,
        mnemonic = "CooperageFacts",
        lines = request,
        inputs = files,
        outputs = [facts],
        message = "Looking into the layers of %{label}",
    )
    return facts
