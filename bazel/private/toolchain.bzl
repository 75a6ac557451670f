"""The tool as a toolchain: by the execution platform for actions, by the host for `bazel run`."""

load(":paths.bzl", "shown")

visibility([
    "//bazel/private",
    "//bazel/toolchain",
])

TOOLCHAIN_TYPE = Label("//bazel/toolchain:toolchain_type")
LAUNCHER_TOOLCHAIN_TYPE = Label("//bazel/toolchain:launcher_toolchain_type")

def _toolchain_impl(ctx):
    tool = ctx.attr.tool[DefaultInfo]
    if not tool.files_to_run or not tool.files_to_run.executable:
        fail("{}: `tool` is {}, expected something that runs".format(shown(ctx.label), shown(ctx.attr.tool.label)))
    return [platform_common.ToolchainInfo(
        files_to_run = tool.files_to_run,
        runfiles = tool.default_runfiles,
    )]

_TOOL_DOC = "The binary: a file, or any target that runs, a `rust_binary` of the crate `cooperage-cli` for one."

cooperage_toolchain = rule(
    implementation = _toolchain_impl,
    doc = """A `cooperage` binary that runs actions.

For `toolchain(toolchain_type = "@cooperage//bazel/toolchain:toolchain_type", …)`, with constraints
on the execution platform alone: one tool packs for every target platform.""",
    attrs = {
        "tool": attr.label(
            doc = _TOOL_DOC,
            allow_files = True,
            cfg = "exec",
            mandatory = True,
        ),
    },
)

cooperage_launcher_toolchain = rule(
    implementation = _toolchain_impl,
    doc = """A `cooperage` binary that `bazel run` starts.

For `toolchain(toolchain_type = "@cooperage//bazel/toolchain:launcher_toolchain_type", …)`, with
constraints on the target platform: launchers are built for the host.""",
    attrs = {
        "tool": attr.label(
            doc = _TOOL_DOC,
            allow_files = True,
            cfg = "target",
            mandatory = True,
        ),
    },
)

def _current_tool_impl(ctx):
    toolchain = ctx.toolchains[LAUNCHER_TOOLCHAIN_TYPE]
    tool = toolchain.files_to_run.executable
    return [
        DefaultInfo(
            files = depset([tool]),
            runfiles = toolchain.runfiles,
        ),
        toolchain,
    ]

current_tool = rule(
    implementation = _current_tool_impl,
    doc = "The tool for the platform that this is built for.",
    toolchains = [LAUNCHER_TOOLCHAIN_TYPE],
)
