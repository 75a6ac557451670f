"""Programs that are the tool, with a request beside it."""

load(":transitions.bzl", "host")

visibility(["//bazel/private"])

LAUNCHER_ATTRS = {
    "_allowlist_function_transition": attr.label(
        default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
    ),
    "_tool": attr.label(
        allow_files = True,
        cfg = host,
        default = "//bazel/toolchain:launcher",
    ),
}

def launcher_tool(ctx):
    """The tool that runs on the user's machine.

    Args:
      ctx: the context of a rule with LAUNCHER_ATTRS.

    Returns:
      File: the tool.
    """

    # An attribute with a transition is a list, of one here.
    tool = ctx.attr._tool
    if type(tool) == "list":
        tool = tool[0]
    return tool[platform_common.ToolchainInfo].files_to_run.executable

def declare_launcher(ctx, tool, request, files):
    """Declares a program that runs a request.

    Args:
      ctx: the rule's context.
      tool: File: the tool.
      request: Args.
      files: depset of File: what the request names.

    Returns:
      DefaultInfo.
    """
    program = ctx.actions.declare_file(ctx.label.name + (".exe" if tool.extension == "exe" else ""))
    text = ctx.actions.declare_file(program.basename + ".request")
    ctx.actions.symlink(
        output = program,
        target_file = tool,
        is_executable = True,
        progress_message = "Making launcher %{label}",
    )
    ctx.actions.write(
        output = text,
        content = request,
    )

    # Each file lies in the runfiles where it lies in the execution root: an image of several
    # platforms has files that differ in their configuration alone, which have one place otherwise.
    # These are the documents and layers of an image, never the files of a layer: the list is short.
    return DefaultInfo(
        executable = program,
        files = depset([program]),
        runfiles = ctx.runfiles(
            [text, tool],
            root_symlinks = {file.path: file for file in files.to_list()},
        ),
    )
