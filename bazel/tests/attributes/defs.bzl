"""Rules that make what few rules make."""

load("@cooperage//bazel:providers.bzl", "ImageInfo")

def _tree_impl(ctx):
    tree = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        arguments = [tree.path],
        command = "mkdir -p $1/deep && echo leaf > $1/deep/leaf && ln -s leaf $1/deep/link",
        outputs = [tree],
    )
    return [DefaultInfo(files = depset([tree]))]

tree = rule(
    implementation = _tree_impl,
    doc = "A tree artifact with a link in it.",
)

def _program_impl(ctx):
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(program, "#!/bin/sh\n", is_executable = True)
    return [DefaultInfo(
        executable = program,
        runfiles = ctx.runfiles(
            [program] + ctx.files.data,
            root_symlinks = {"root/link": ctx.file.root_link},
            symlinks = {"own/link": ctx.file.link},
        ),
    )]

program = rule(
    implementation = _program_impl,
    doc = "A program with links of both kinds in its runfiles.",
    attrs = {
        "data": attr.label_list(
            allow_files = True,
            doc = "Files beside it.",
        ),
        "link": attr.label(
            allow_single_file = True,
            doc = "What a link stands for.",
        ),
        "root_link": attr.label(
            allow_single_file = True,
            doc = "What a link at the root stands for.",
        ),
    },
    executable = True,
)

def _provided_impl(ctx):
    info = ctx.attr.image[ImageInfo]
    files = [info.manifest, info.config, info.descriptor] + [layer.metadata for layer in info.layers]
    return [DefaultInfo(files = depset(files))]

provided = rule(
    implementation = _provided_impl,
    doc = "What an image says of itself, by its provider.",
    attrs = {
        "image": attr.label(
            doc = "The image.",
            mandatory = True,
            providers = [ImageInfo],
        ),
    },
)
