"""Outputs of kinds that a genrule does not make."""

def _tree_impl(ctx):
    tree = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        outputs = [tree],
        command = "cd $1 && mkdir empty sub && echo one > one.txt && echo two > sub/two.sh && chmod 0700 sub/two.sh && ln -s sub/two.sh link && ln -s ../one.txt sub/up",
        arguments = [tree.path],
    )
    return [DefaultInfo(files = depset([tree]))]

tree = rule(
    implementation = _tree_impl,
    doc = "A directory with files of several modes, links and an empty directory.",
)

def _executable_file_impl(ctx):
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(
        output = program,
        content = "#!/bin/sh\n",
        is_executable = True,
    )
    return [DefaultInfo(executable = program)]

executable_file = rule(
    implementation = _executable_file_impl,
    doc = "A program that its rule says is one.",
    executable = True,
)

def _link_impl(ctx):
    link = ctx.actions.declare_symlink(ctx.label.name)
    ctx.actions.symlink(
        output = link,
        target_path = ctx.attr.target,
    )
    return [DefaultInfo(files = depset([link]))]

link = rule(
    implementation = _link_impl,
    doc = "A symlink that need lead nowhere.",
    attrs = {
        "target": attr.string(
            doc = "What it says.",
            mandatory = True,
        ),
    },
)
