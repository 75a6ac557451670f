"""`image_push`: to a registry, or anywhere."""

load(":launcher.bzl", "LAUNCHER_ATTRS", "declare_launcher", "launcher_tool")
load(":parts.bzl", "IMAGE_PROVIDERS", "add_blobs", "add_documents", "add_sources", "image_of")
load(":paths.bzl", "shown")
load(":request.bzl", "add_line", "new_request")
load(":stamp.bzl", "STAMP_ATTRS", "add_stamp")

visibility(["//bazel"])

def _image_push_impl(ctx):
    info = image_of(ctx.attr.image)
    if ctx.attr.remote_tags and not ctx.attr.repository:
        fail("{}: `remote_tags` is given without a `repository`".format(shown(ctx.label)))
    request = new_request(ctx, "push")
    values = [ctx.attr.repository] + ctx.attr.remote_tags + ctx.attr.destinations
    status = add_stamp(ctx, request, values)
    if ctx.attr.repository:
        add_line(request, {"repository": ctx.attr.repository})
    for name in ctx.attr.remote_tags:
        add_line(request, {"name": name})
    for destination in ctx.attr.destinations:
        add_line(request, {"to": destination})
    add_documents(request, info)
    add_blobs(request, info)
    add_sources(request, info)
    files = depset([info.descriptor] + status, transitive = [info.files])
    return [declare_launcher(ctx, launcher_tool(ctx), request, files)]

image_push = rule(
    implementation = _image_push_impl,
    doc = """Pushes an image: `bazel run //:push`.

Blobs that are there are not sent; layers of a base that was pulled from the same registry are
mounted, and of another one streamed, without being kept here.
`bazel run //:push -- --tag v1` gives another tag, `-- --to oci:DIR` or any other location goes there
instead, `-- --help` says what else there is.""",
    attrs = STAMP_ATTRS | LAUNCHER_ATTRS | {
        "destinations": attr.string_list(
            doc = "Further places, each as the command line names it: `docker://REGISTRY/REPOSITORY:TAG`, `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`.",
        ),
        "image": attr.label(
            doc = "The image, or the index.",
            mandatory = True,
            providers = IMAGE_PROVIDERS,
        ),
        "remote_tags": attr.string_list(
            doc = "Its tags in the repository. Without one its digest is its only name.",
        ),
        "repository": attr.string(
            doc = "Where to: `REGISTRY/REPOSITORY`.",
        ),
    },
    executable = True,
)
