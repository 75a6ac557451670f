"""Platforms as images have them."""

load(":paths.bzl", "shown")

visibility(["//bazel/private"])

_OSES = {
    "@platforms//os:freebsd": "freebsd",
    "@platforms//os:linux": "linux",
    "@platforms//os:windows": "windows",
}

_CPUS = {
    "@platforms//cpu:aarch64": "arm64",
    "@platforms//cpu:armv7": "arm/v7",
    "@platforms//cpu:ppc64le": "ppc64le",
    "@platforms//cpu:riscv64": "riscv64",
    "@platforms//cpu:s390x": "s390x",
    "@platforms//cpu:x86_32": "386",
    "@platforms//cpu:x86_64": "amd64",
}

# Variants that say nothing, since every processor of that name is at least that.
_PLAIN = {
    "linux/amd64/v1": "linux/amd64",
    "linux/arm": "linux/arm/v7",
    "linux/arm64/v8": "linux/arm64",
}

PLATFORM_ATTRS = {
    "platform": attr.string(
        doc = "`linux/arm64`, `linux/arm/v7`; without it what the target platform (`--platforms`) is.",
    ),
    "_cpus": attr.label_keyed_string_dict(
        default = _CPUS,
        providers = [platform_common.ConstraintValueInfo],
    ),
    "_oses": attr.label_keyed_string_dict(
        default = _OSES,
        providers = [platform_common.ConstraintValueInfo],
    ),
}

def _name_of(ctx, constraints):
    for constraint, name in constraints.items():
        if ctx.target_platform_has_constraint(constraint[platform_common.ConstraintValueInfo]):
            return name
    return None

def normal_platform(platform):
    """The one form of platforms that mean the same.

    Args:
      platform: `OS/ARCHITECTURE[/VARIANT]`.

    Returns:
      The same without a variant that says nothing.
    """
    return _PLAIN.get(platform, platform)

def image_platform(ctx):
    """The platform that an image is for.

    Args:
      ctx: the context of a rule with PLATFORM_ATTRS.

    Returns:
      `OS/ARCHITECTURE[/VARIANT]`.
    """
    if ctx.attr.platform:
        parts = ctx.attr.platform.split("/")
        if len(parts) not in (2, 3) or "" in parts:
            fail("{}: `platform` is `{}`, expected `os/architecture[/variant]`".format(shown(ctx.label), ctx.attr.platform))
        return ctx.attr.platform
    os = _name_of(ctx, ctx.attr._oses)
    cpu = _name_of(ctx, ctx.attr._cpus)
    if not os or not cpu:
        fail("{}: the target platform has no {} that images know; give `--platforms`, or `platform` of the image".format(
            shown(ctx.label),
            "processor" if os else "operating system",
        ))
    return os + "/" + cpu
