"""Repositories that hold the tool: built from source, or downloaded."""

visibility(["//bazel/private"])

# Names of platforms as images have them, and as Bazel has them.
_OSES = {
    "darwin": "@platforms//os:macos",
    "linux": "@platforms//os:linux",
    "windows": "@platforms//os:windows",
}
_CPUS = {
    "amd64": "@platforms//cpu:x86_64",
    "arm64": "@platforms//cpu:aarch64",
}

_ARCHES = {
    "aarch64": "arm64",
    "x86_64": "amd64",
}

_EXPORT = """\
exports_files(
    ["cooperage"],
    visibility = ["//visibility:public"],
)
"""

# What the tool is made of.
_SOURCES = ["crates"]
_SOURCE_FILES = [
    "Cargo.lock",
    "Cargo.toml",
]

def host_key(os):
    """The machine's own platform, as lockfiles name it.

    Args:
      os: `os` of a repository's or an extension's context.

    Returns:
      `linux-amd64`.
    """
    name = os.name.lower()
    if name.startswith("mac"):
        name = "darwin"
    elif name.startswith("win"):
        name = "windows"
    return name + "-" + _ARCHES.get(os.arch, os.arch)

def _cargo_home(rctx):
    home = rctx.getenv("CARGO_HOME")
    if home:
        return home
    return (rctx.getenv("HOME") or rctx.getenv("USERPROFILE") or "") + "/.cargo"

def _source_tool_impl(rctx):
    """Builds the tool where its sources lie, with nothing of where that is in it."""
    root = rctx.path(rctx.attr._manifest).dirname
    for name in _SOURCES:
        rctx.watch_tree(root.get_child(name))
    for name in _SOURCE_FILES:
        rctx.watch(root.get_child(name))
    cargo = rctx.getenv("CARGO") or rctx.which("cargo")
    if not cargo:
        fail("cooperage: no `cargo` to build the tool from source with; install Rust, or name a `lockfile` or `tool` in the tag `toolchain`")

    target = rctx.path("target")
    places = {
        str(root): "/cooperage",
        str(target): "/target",
        _cargo_home(rctx): "/cargo",
    }
    flags = ["--remap-path-prefix={}={}".format(path, name) for path, name in places.items()]
    c_flags = ["-ffile-prefix-map={}={}".format(path, name) for path, name in places.items()]
    rctx.report_progress("Building cooperage from source")
    result = rctx.execute(
        [
            cargo,
            "build",
            "--release",
            "--locked",
            "--package=cooperage-cli",
            "--bin=cooperage",
            "--target-dir=" + str(target),
            "--config=profile.release.strip=true",
        ],
        environment = {
            "CARGO_ENCODED_RUSTFLAGS": "\037".join(flags),
            "CARGO_INCREMENTAL": "0",
            "CFLAGS": " ".join(c_flags) if "windows" not in rctx.os.name.lower() else "",
        },
        timeout = 3600,
        working_directory = str(root),
    )
    if result.return_code != 0:
        fail("cooperage: cannot build the tool from source: {}".format(result.stderr[-4000:]))
    ending = ".exe" if "windows" in rctx.os.name.lower() else ""
    built = target.get_child("release")
    for entry in built.readdir(watch = "no"):
        if entry.basename != "cooperage" + ending:
            rctx.delete(entry)
    rctx.symlink(built.get_child("cooperage" + ending), "cooperage")
    rctx.file("BUILD.bazel", content = _EXPORT, executable = False)

source_tool = repository_rule(
    implementation = _source_tool_impl,
    doc = "The tool, built by cargo from the sources that these rules come with.",
    attrs = {
        "_manifest": attr.label(
            default = "//:Cargo.toml",
        ),
    },
)

def _prebuilt_tool_impl(rctx):
    rctx.download(
        url = rctx.attr.url,
        executable = True,
        output = "cooperage",
        sha256 = rctx.attr.sha256,
    )
    rctx.file("BUILD.bazel", content = _EXPORT, executable = False)

prebuilt_tool = repository_rule(
    implementation = _prebuilt_tool_impl,
    doc = "The tool, downloaded.",
    attrs = {
        "sha256": attr.string(
            doc = "Of the binary.",
            mandatory = True,
        ),
        "url": attr.string(
            doc = "Where it lies; `file://` works.",
            mandatory = True,
        ),
    },
)

def _host_tool_impl(rctx):
    tool = rctx.path(rctx.attr.tool)
    if not tool.exists or tool.is_dir:
        tool = rctx.path(rctx.attr.fallback)
    rctx.watch(tool)
    rctx.symlink(tool, "cooperage")
    rctx.file("BUILD.bazel", content = _EXPORT, executable = False)

host_tool = repository_rule(
    implementation = _host_tool_impl,
    doc = "The tool as a file that runs on this machine, for repository rules.",
    attrs = {
        "fallback": attr.label(
            doc = "What it is if `tool` is no file but has to be built.",
            mandatory = True,
        ),
        "tool": attr.label(
            doc = "The tool.",
            mandatory = True,
        ),
    },
)

_TOOLS = """\
load("{defs}", "cooperage_launcher_toolchain", "cooperage_toolchain")

package(default_visibility = ["//visibility:public"])
"""

_TOOL = """
cooperage_toolchain(
    name = "{name}_tool",
    tool = "{tool}",
)

toolchain(
    name = "{name}",
    exec_compatible_with = {constraints},
    toolchain = ":{name}_tool",
    toolchain_type = "{toolchain_type}",
)

cooperage_launcher_toolchain(
    name = "{name}_launcher_tool",
    tool = "{tool}",
)

toolchain(
    name = "{name}_launcher",
    target_compatible_with = {constraints},
    toolchain = ":{name}_launcher_tool",
    toolchain_type = "{launcher_toolchain_type}",
)
"""

def _constraints(name):
    """What a tool of that platform needs; one for any is built for where it runs."""
    if name == "any":
        return []
    os, cpu = name.split("-")
    if os not in _OSES or cpu not in _CPUS:
        fail("cooperage: unknown platform `{}` of a tool, expected one of {} with one of {}".format(
            name,
            ", ".join(_OSES),
            ", ".join(_CPUS),
        ))
    return [str(Label(_OSES[os])), str(Label(_CPUS[cpu]))]

def _tool_toolchains_impl(rctx):
    content = _TOOLS.format(defs = str(Label("//bazel/toolchain:defs.bzl")))
    for name, tool in rctx.attr.tools.items():
        content += _TOOL.format(
            name = name,
            constraints = repr(_constraints(name)),
            launcher_toolchain_type = str(Label("//bazel/toolchain:launcher_toolchain_type")),
            tool = tool,
            toolchain_type = str(Label("//bazel/toolchain:toolchain_type")),
        )
    rctx.file("BUILD.bazel", content = content, executable = False)

tool_toolchains = repository_rule(
    implementation = _tool_toolchains_impl,
    doc = "A toolchain for each platform that there is a tool for.",
    attrs = {
        "tools": attr.string_dict(
            doc = "Tools, by the platform that they run on.",
            mandatory = True,
        ),
    },
)
