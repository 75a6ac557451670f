"""`image_test`: what an image is to be, without a container."""

load(":launcher.bzl", "declare_launcher")
load(":parts.bzl", "IMAGE_PROVIDERS", "add_documents", "add_everything", "image_of")
load(":paths.bzl", "image_path", "shown")
load(":request.bzl", "add_line", "new_request")
load(":toolchain.bzl", "TOOLCHAIN_TYPE")

visibility(["//bazel"])

# Members of the OCI config that attributes name.
_CONFIG = {
    "cmd": "Cmd",
    "entrypoint": "Entrypoint",
    "stop_signal": "StopSignal",
    "user": "User",
    "working_dir": "WorkingDir",
}

def _config(ctx):
    """The subset of the config that is expected."""
    config = json.decode(ctx.attr.config) if ctx.attr.config else {}
    if type(config) != "dict":
        fail("{}: `config` is {}, expected a JSON object".format(shown(ctx.label), ctx.attr.config))
    for attribute, member in _CONFIG.items():
        if getattr(ctx.attr, attribute):
            config[member] = getattr(ctx.attr, attribute)
    for attribute, member in [("exposed_ports", "ExposedPorts"), ("volumes", "Volumes")]:
        if getattr(ctx.attr, attribute):
            config[member] = {item: {} for item in getattr(ctx.attr, attribute)}
    for member in ctx.attr.unset:
        config[_CONFIG.get(member, member)] = None
    if ctx.attr.env:
        # As an object: these among others.
        config["Env"] = ctx.attr.env
    return config

def _expectations(ctx):
    lines = []
    config = _config(ctx)
    if config:
        lines.append({"config": config, "expect": "config"})
    for platform in ctx.attr.platforms:
        lines.append({"expect": "platform", "platform": platform})
    for name, value in ctx.attr.labels.items():
        lines.append({"expect": "label", "name": name, "value": value})
    for name, value in ctx.attr.annotations.items():
        lines.append({"expect": "annotation", "name": name, "value": value})
    if ctx.attr.max_size:
        if not ctx.attr.max_size.isdigit():
            fail("{}: `max_size` is `{}`, expected bytes".format(shown(ctx.label), ctx.attr.max_size))
        lines.append({"expect": "size", "max": int(ctx.attr.max_size)})
    if ctx.attr.layer_count >= 0:
        lines.append({"count": ctx.attr.layer_count, "expect": "layers"})
    if ctx.attr.max_layers >= 0:
        lines.append({"expect": "layers", "max": ctx.attr.max_layers})
    return lines

def _file_expectations(ctx):
    lines = []
    for path, text in ctx.attr.files.items():
        members = json.decode(text or "{}")
        if type(members) != "dict":
            fail("{}: `files` has `{}` for `{}`, expected what `expect_file` makes".format(shown(ctx.label), text, path))
        lines.append(members | {
            "expect": "file",
            "path": image_path(ctx.label, "files", path),
        })
    for glob in ctx.attr.absent:
        lines.append({"expect": "absent", "match": glob})
    return lines

def _image_test_impl(ctx):
    info = image_of(ctx.attr.image)
    lines = _expectations(ctx)
    file_lines = _file_expectations(ctx)
    if not lines and not file_lines:
        fail("{}: nothing is expected, so nothing is tested".format(shown(ctx.label)))
    request = new_request(ctx, "expect")
    if ctx.attr.platform:
        add_line(request, {"platform": ctx.attr.platform})
    for line in lines + file_lines:
        add_line(request, line)
    if file_lines:
        files = add_everything(request, info)
    else:
        # The documents say all that is asked: no layer is built for it, and none fetched.
        add_documents(request, info)
        files = depset([info.descriptor], transitive = [info.documents])
    tool = ctx.exec_groups["test"].toolchains[TOOLCHAIN_TYPE].files_to_run.executable
    return [declare_launcher(ctx, tool, request, files)]

image_test = rule(
    implementation = _image_test_impl,
    doc = """Tests what an image is, without a container: `bazel test`.

All that is not as expected is listed. Of an index every image is tested, or the one that `platform`
names. The layers are read only where `files` or `absent` ask for it.""",
    attrs = {
        "absent": attr.string_list(
            doc = "Globs of paths that nothing may be at: `**/*.pem`.",
        ),
        "annotations": attr.string_dict(
            doc = "Annotations of the manifest.",
        ),
        "cmd": attr.string_list(
            doc = "The config's `Cmd`, all of it.",
        ),
        "config": attr.string(
            doc = "Further members of the OCI config's `config` as a JSON object, by their names there; `null` must be absent.",
        ),
        "entrypoint": attr.string_list(
            doc = "The config's `Entrypoint`, all of it.",
        ),
        "env": attr.string_dict(
            doc = "Environment variables that are there, among others.",
        ),
        "exposed_ports": attr.string_list(
            doc = "All ports: `8080/tcp`.",
        ),
        "files": attr.string_dict(
            doc = "What is there: each path with what `expect_file` makes, or with an empty string where it is enough that something is.",
        ),
        "image": attr.label(
            doc = "The image, or the index.",
            mandatory = True,
            providers = IMAGE_PROVIDERS,
        ),
        "labels": attr.string_dict(
            doc = "Labels that are there, among others.",
        ),
        "layer_count": attr.int(
            default = -1,
            doc = "How many layers there are, the base's with them.",
        ),
        "max_layers": attr.int(
            default = -1,
            doc = "How many layers there may be.",
        ),
        "max_size": attr.string(
            doc = "How many bytes all layers may have together, as stored.",
        ),
        "platform": attr.string(
            doc = "Which image of an index is tested.",
        ),
        "platforms": attr.string_list(
            doc = "Platforms that there are: `linux/amd64`.",
        ),
        "stop_signal": attr.string(
            doc = "The config's `StopSignal`.",
        ),
        "unset": attr.string_list(
            doc = "What the config must not have: `entrypoint`, `cmd`, `user`, `working_dir`, `stop_signal`, or a member by its name there.",
        ),
        "user": attr.string(
            doc = "The config's `User`.",
        ),
        "volumes": attr.string_list(
            doc = "All volumes.",
        ),
        "working_dir": attr.string(
            doc = "The config's `WorkingDir`.",
        ),
    },
    exec_groups = {"test": exec_group(toolchains = [TOOLCHAIN_TYPE])},
    test = True,
)
