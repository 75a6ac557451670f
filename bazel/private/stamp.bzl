"""Stamping: values of the workspace status in what names or describes an image, never in a layer."""

load(":providers.bzl", "StampInfo")
load(":request.bzl", "add_file")

visibility(["//bazel/private"])

def _stamp_setting_impl(ctx):
    return [StampInfo(enabled = ctx.attr.enabled)]

stamp_setting = rule(
    implementation = _stamp_setting_impl,
    doc = "Hands on what a `select` over `--stamp` says.",
    attrs = {
        "enabled": attr.bool(
            doc = "Whether `--stamp` is given.",
        ),
    },
)

STAMP_ATTRS = {
    "stamp": attr.int(
        default = -1,
        doc = """Whether `{{KEY}}` in a value becomes what the workspace status says of `KEY`.

1: always; 0: never; -1: with `--stamp`. Values with a `{{KEY}}` are left out where it does not.
No layer is ever stamped.""",
        values = [
            -1,
            0,
            1,
        ],
    ),
    "_stamp_setting": attr.label(
        default = "//bazel/private:stamp",
        providers = [StampInfo],
    ),
}

def _is_stamped(ctx, values):
    """Whether the status is wanted, and anything asks for it."""
    if ctx.attr.stamp == 0 or (ctx.attr.stamp == -1 and not ctx.attr._stamp_setting[StampInfo].enabled):
        return False
    for value in values:
        if "{{" in value:
            return True
    return False

def add_stamp(ctx, lines, values):
    """Says where the workspace status lies, if it is wanted.

    Args:
      ctx: the context of a rule with STAMP_ATTRS.
      lines: Args of a request.
      values: list of the strings that may ask for it.

    Returns:
      list of File: those that lines name.
    """
    if not _is_stamped(ctx, values):
        return []
    files = [
        ctx.info_file,
        ctx.version_file,
    ]
    for file in files:
        add_file(lines, "input", "stamp", file)
    return files
