"""How an image is run: attributes, and the line of the plan that they become."""

load(":paths.bzl", "duration", "shown")
load(":platforms.bzl", "PLATFORM_ATTRS")

visibility(["//bazel/private"])

CONFIG_ATTRS = PLATFORM_ATTRS | {
    "annotation_files": attr.label_list(
        allow_files = True,
        doc = "Files of `KEY=VALUE` lines, below `annotations`.",
    ),
    "annotations": attr.string_dict(
        doc = "Annotations of the manifest.",
    ),
    "author": attr.string(
        doc = "Who made it. Without it the base's.",
    ),
    "cmd": attr.string_list(
        doc = "What the entrypoint is given when the user gives nothing.",
    ),
    "created": attr.string(
        doc = "When it was made, RFC 3339; `{{BUILD_TIMESTAMP}}` with stamping. Without it 1970.",
    ),
    "entrypoint": attr.string_list(
        doc = "The program, and its first arguments. Where `cmd` is not given the base's goes: it was written for another program.",
    ),
    "env": attr.string_dict(
        doc = "Environment variables, beside the base's.",
    ),
    "env_files": attr.label_list(
        allow_files = True,
        doc = "Files of `KEY=VALUE` lines, below `env`.",
    ),
    "exposed_ports": attr.string_list(
        doc = "Ports beside the base's: `8080`, `53/udp`, `6000-6010/tcp`.",
    ),
    "healthcheck": attr.string_list(
        doc = "How to see whether it is well: `[\"CMD\", \"/app/probe\"]`, `[\"CMD-SHELL\", \"…\"]`, `[\"NONE\"]`.",
    ),
    "healthcheck_options": attr.string_dict(
        doc = "`interval`, `timeout`, `start_period`, `start_interval` (`30s`, `500ms`, `1m`), and `retries`.",
    ),
    "label_files": attr.label_list(
        allow_files = True,
        doc = "Files of `KEY=VALUE` lines, below `labels`.",
    ),
    "labels": attr.string_dict(
        doc = "Labels, beside the base's.",
    ),
    "media_types": attr.string(
        default = "oci",
        doc = "What the documents are written as.",
        values = [
            "docker",
            "oci",
        ],
    ),
    "stop_signal": attr.string(
        doc = "What ends it: `SIGTERM`.",
    ),
    "unset": attr.string_list(
        doc = """What is not taken over from the base.

`entrypoint`, `cmd`, `user`, `working_dir`, `stop_signal`, `healthcheck`, `author`; one of several by
its name, `env.PATH`, `labels.maintainer`, `exposed_ports.80/tcp`, `volumes./data`, and all of them
by `env.*` and so on. What no attribute sets and this does not name is inherited.""",
    ),
    "user": attr.string(
        doc = "Who runs it: `65532`, `app`, `65532:65532`.",
    ),
    "volumes": attr.string_list(
        doc = "Directories that are to be volumes, beside the base's.",
    ),
    "working_dir": attr.string(
        doc = "Where it is started.",
    ),
}

_SINGLE = [
    "cmd",
    "entrypoint",
    "healthcheck",
    "stop_signal",
    "user",
    "working_dir",
]
_NAMED = [
    "env",
    "exposed_ports",
    "labels",
    "volumes",
]
_DURATIONS = [
    "interval",
    "start_interval",
    "start_period",
    "timeout",
]

def stampable_values(ctx):
    """The values in which the workspace status may stand.

    Args:
      ctx: the context of a rule with CONFIG_ATTRS.

    Returns:
      list of string.
    """
    return ctx.attr.env.values() + ctx.attr.labels.values() + ctx.attr.annotations.values() + [
        ctx.attr.created,
        ctx.attr.author,
    ]

def plan_members(ctx, platform):
    """The image's line of a plan, without its base.

    Args:
      ctx: the context of a rule with CONFIG_ATTRS.
      platform: the image's.

    Returns:
      A dict.
    """
    if ctx.attr.media_types == "docker" and (ctx.attr.annotations or ctx.attr.annotation_files):
        fail("{}: `media_types` is `docker`, and manifests of Docker have no annotations".format(shown(ctx.label)))
    members = {
        "config": _config(ctx),
        "media_types": ctx.attr.media_types,
        "plan": "image",
        "platform": platform,
        "version": 1,
    }
    if "author" in ctx.attr.unset:
        members["author"] = None
    for name in ["annotations", "author", "created"]:
        if getattr(ctx.attr, name):
            members[name] = getattr(ctx.attr, name)
    return members

def _config(ctx):
    config = {}
    for name in _SINGLE:
        value = getattr(ctx.attr, name)
        if value:
            config[name] = _healthcheck(ctx) if name == "healthcheck" else value
    for name in _NAMED:
        value = getattr(ctx.attr, name)
        if value:
            # A list of ports or volumes is what is added to the base's.
            config[name] = dict(value) if type(value) == "dict" else {_in_full(name, item): True for item in value}
    for text in ctx.attr.unset:
        _unset(ctx, config, text)
    return config

def _in_full(name, item):
    """A port with its protocol, as images have it."""
    return item + "/tcp" if name == "exposed_ports" and item != "*" and "/" not in item else item

def _unset(ctx, config, text):
    if text == "author":
        if ctx.attr.author:
            fail("{}: `author` is set, and in `unset` too".format(shown(ctx.label)))
        return
    name, dot, item = text.partition(".")
    if name in _SINGLE and not dot:
        if name in config:
            fail("{}: `{}` is set, and in `unset` too".format(shown(ctx.label), name))
        config[name] = None
    elif name in _NAMED and item:
        item = _in_full(name, item)
        items = config.setdefault(name, {})
        if item in items:
            fail("{}: `{}` has `{}`, and `unset` too".format(shown(ctx.label), name, item))
        items[item] = None
    else:
        fail("{}: `unset` has `{}`, expected one of {}, or {} with a dot and a name".format(
            shown(ctx.label),
            text,
            ", ".join(["author"] + _SINGLE),
            ", ".join(_NAMED),
        ))

def _healthcheck(ctx):
    check = {"test": ctx.attr.healthcheck}
    for name, text in ctx.attr.healthcheck_options.items():
        if name == "retries" and text.isdigit():
            check[name] = int(text)
        elif name in _DURATIONS:
            check[name] = duration(ctx.label, "healthcheck_options." + name, text)
        else:
            fail("{}: `healthcheck_options` has `{}: {}`, expected {} or `retries`, a number".format(
                shown(ctx.label),
                name,
                text,
                ", ".join(_DURATIONS),
            ))
    return check
