"""`image_load`: into a daemon."""

load(":launcher.bzl", "LAUNCHER_ATTRS", "declare_launcher", "launcher_tool")
load(":parts.bzl", "IMAGE_PROVIDERS", "add_blobs", "add_documents", "add_sources", "image_of")
load(":request.bzl", "add_line", "new_request")
load(":stamp.bzl", "STAMP_ATTRS", "add_stamp")

visibility(["//bazel"])

def _image_load_impl(ctx):
    info = image_of(ctx.attr.image)
    request = new_request(ctx, "load")
    status = add_stamp(ctx, request, ctx.attr.names)
    for name in ctx.attr.names:
        add_line(request, {"name": name})
    if ctx.attr.platform:
        add_line(request, {"platform": ctx.attr.platform})
    add_documents(request, info)
    add_blobs(request, info)
    add_sources(request, info)
    files = depset([info.descriptor] + status, transitive = [info.files])
    return [declare_launcher(ctx, launcher_tool(ctx), request, files)]

image_load = rule(
    implementation = _image_load_impl,
    doc = """Loads an image into a Docker daemon, or into podman's service: `bazel run //:load`.

Layers that the daemon has are not sent, and those of a base that it has are not fetched.
`bazel run //:load -- --name app:mine` names it otherwise, `-- --help` says what else there is.""",
    attrs = STAMP_ATTRS | LAUNCHER_ATTRS | {
        "image": attr.label(
            doc = "The image, or the index.",
            mandatory = True,
            providers = IMAGE_PROVIDERS,
        ),
        "names": attr.string_list(
            doc = "What it is called in the daemon: `app:latest`.",
        ),
        "platform": attr.string(
            doc = "Which image of an index; without it the one that the daemon's machine runs.",
        ),
    },
    executable = True,
)
