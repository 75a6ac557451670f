"""`image_layer`: files to a layer."""

load(":entries.bzl", "files_at", "program_at", "program_files")
load(":layer.bzl", "LAYER_ATTRS", "make_layer")
load(":paths.bzl", "image_path", "mode", "owner", "owner_name", "seconds", "shown", "xattr")
load(":providers.bzl", "ImageLayerInfo")
load(":toolchain.bzl", "TOOLCHAIN_TYPE")
load(":transitions.bzl", "independent")

visibility(["//bazel"])

_RUNTIME = [
    "ca-certificates",
    "nsswitch",
    "tmp",
    "users",
    "zoneinfo",
]

def _common(ctx):
    """What every entry says of its owner and its time."""
    members = {}
    numbers = owner(ctx.label, "owner", ctx.attr.owner)
    if numbers != {"gid": 0, "uid": 0}:
        members.update(numbers)
    if ctx.attr.owner_name:
        members.update(owner_name(ctx.label, "owner_name", ctx.attr.owner_name))
    if ctx.attr.mtime:
        members["mtime"] = ctx.attr.mtime
    return members

def _claim(ctx, claimed, attribute, text, what):
    """A path that nothing else has."""
    path = image_path(ctx.label, attribute, text)
    if path in claimed:
        fail("{}: two sources at one path: `{}` is {} and {}".format(shown(ctx.label), path, claimed[path], what))
    claimed[path] = what
    return path

def _declared_symlinks(ctx):
    return [image_path(ctx.label, "declared_symlinks", path) for path in ctx.attr.declared_symlinks]

def _named_entries(ctx, common):
    """The entries of labels, and where each thing lies."""
    claimed = {}
    entries = []
    inputs = []
    links = {path: True for path in _declared_symlinks(ctx)}
    fragment = "".join([",%s:%s" % (json.encode(key), json.encode(value)) for key, value in common.items()])
    for target, text in ctx.attr.srcs.items():
        into = text.endswith("/")
        if into:
            path = image_path(ctx.label, "srcs", text)
        else:
            path = _claim(ctx, claimed, "srcs", text, shown(target.label))
        entries.append(files_at(target, path, into, ctx.attr.strip_prefix, fragment, links))
        inputs.append(target[DefaultInfo].files)
    for target, text in ctx.attr.binaries.items():
        files_to_run = target[DefaultInfo].files_to_run
        if not files_to_run or not files_to_run.executable:
            fail("{}: `binaries` has {}, which does not run; `srcs` takes any file".format(shown(ctx.label), shown(target.label)))
        if text.endswith("/"):
            text += files_to_run.executable.basename
        path = _claim(ctx, claimed, "binaries", text, shown(target.label))
        entries.append(program_at(target, path, fragment, links))
        inputs.append(program_files(target))
    return claimed, entries, inputs

def _bare_lines(ctx, claimed, common):
    """The lines that name no file."""
    lines = []
    origin = {"origin": shown(ctx.label)}
    for path, target in ctx.attr.symlinks.items():
        path = _claim(ctx, claimed, "symlinks", path, "a symlink")
        lines.append({"path": path, "symlink": target} | common | origin)
    for path in ctx.attr.directories:
        path = _claim(ctx, claimed, "directories", path, "a directory")
        lines.append({"dir": True, "mode": "0755", "path": path} | common | origin)
    for path in ctx.attr.whiteouts:
        path = _claim(ctx, claimed, "whiteouts", path, "a whiteout")
        lines.append({"path": path, "whiteout": True} | origin)
    for path in ctx.attr.opaque_directories:
        lines.append({"opaque": True, "path": image_path(ctx.label, "opaque_directories", path)} | origin)
    for item in ctx.attr.runtime:
        if item not in _RUNTIME:
            fail("{}: `runtime` has `{}`, expected one of {}".format(shown(ctx.label), item, ", ".join(_RUNTIME)))
        lines.append({"runtime": item})
    return lines

def _literal(path):
    """A glob that matches this path alone."""
    return "".join([("\\" if character in "\\*?[]{}" else "") + character for character in path.elems()])

def _match_lines(ctx):
    label = ctx.label

    # What matches nothing is an error, and of a symlink no mode is set.
    matches = [
        (_literal(path), {"dir_mode": "0755", "origin": "`declared_symlinks` of " + shown(label)})
        for path in _declared_symlinks(ctx)
    ] + [
        (glob, {"mode": mode(label, "modes", text)})
        for glob, text in ctx.attr.modes.items()
    ] + [
        (glob, {"dir_mode": mode(label, "directory_modes", text)})
        for glob, text in ctx.attr.directory_modes.items()
    ] + [
        (glob, owner(label, "owners", text))
        for glob, text in ctx.attr.owners.items()
    ] + [
        (glob, owner_name(label, "owner_names", text))
        for glob, text in ctx.attr.owner_names.items()
    ] + [
        (glob, {"mtime": seconds(label, "mtimes", text)})
        for glob, text in ctx.attr.mtimes.items()
    ] + [
        (glob, {"xattrs": dict([xattr(label, text) for text in texts])})
        for glob, texts in ctx.attr.xattrs.items()
    ]
    return [{"match": glob.removeprefix("/")} | members for glob, members in matches]

def _image_layer_impl(ctx):
    common = _common(ctx)
    claimed, entries, inputs = _named_entries(ctx, common)
    lines = _bare_lines(ctx, claimed, common) + _match_lines(ctx)
    return make_layer(
        ctx,
        inputs = depset(transitive = inputs),
        entries = entries,
        lines = [json.encode(line) for line in lines],
        members = {} if ctx.attr.fold else {"fold": False},
    )

image_layer = rule(
    implementation = _image_layer_impl,
    doc = """Packs files into a layer.

The bytes of files come from the build; modes, owners and times from here, never from the files, so
that a layer is the same wherever it is built: 0644, and 0755 for what is known to be a program.
Only what a rule itself makes as its executable is known; scripts in the source tree, and programs
that a `filegroup` hands on, are named in `modes`.

Globs are paths in the image: `*` stays within a directory, `**` does not. A glob that matches
nothing is an error.""",
    attrs = LAYER_ATTRS | {
        "binaries": attr.label_keyed_string_dict(
            allow_files = True,
            doc = """Programs with their runfiles, each with its path in the image.

The runfiles lie at `PATH.runfiles` as in Bazel's own tree: data, links (as the files they point
at), empty files, shared libraries under `_solib_*`, other repositories and `_repo_mapping`, so that
programs and runfiles libraries find all of it by `argv[0]`. A path that ends in `/` is a directory
that the program goes into.

No rule says of the files it hands on which of them run. In the tree 0755 is what a target made that
is named as it, what lies in a directory `bin`, `sbin` or `libexec`, and what ends in `.sh`; all else
is 0644, and other programs are named in `modes`. What `--legacy_external_runfiles` adds is left out.""",
        ),
        "declared_symlinks": attr.string_list(
            doc = """Paths at which files of `srcs` or `binaries` come to lie that rules made with `declare_symlink`.

Such a file becomes a symlink with the target that it has, as in the virtual environments of
`rules_python`. From Bazel 8 on rules say which files these are, and nothing need be named here. A
path at which nothing comes to lie is an error.""",
        ),
        "directories": attr.string_list(
            doc = "Directories that are there even if nothing lies in them, 0755. Empty directories of a tree artifact are named here too: Bazel shows them to no action.",
        ),
        "directory_modes": attr.string_dict(
            doc = "Modes of directories, by glob: `{\"/var/lib/app\": \"0700\"}`. Of directories that are named here or lie in `directories`, not of those that are only somebody's parent.",
        ),
        "fold": attr.bool(
            default = True,
            doc = "Whether identical files become hard links of one another.",
        ),
        "modes": attr.string_dict(
            doc = "Modes of files, by glob: `{\"/app/bin/*\": \"0755\"}`. The last glob that matches counts.",
        ),
        "mtime": attr.int(
            doc = "When everything was changed, in seconds since 1970.",
        ),
        "mtimes": attr.string_dict(
            doc = "The same by glob, in digits.",
        ),
        "opaque_directories": attr.string_list(
            doc = "Directories of which nothing is left that lower layers have there.",
        ),
        "owner": attr.string(
            default = "0:0",
            doc = "Whose everything is: `UID:GID`, two numbers. Parents that nobody names stay root's.",
        ),
        "owner_name": attr.string(
            doc = "`USER:GROUP`, two names for those who read tars; numbers count.",
        ),
        "owner_names": attr.string_dict(
            doc = "The same by glob.",
        ),
        "owners": attr.string_dict(
            doc = "`UID:GID` by glob.",
        ),
        "platform_independent": attr.bool(
            doc = """Whether the layer is the same on every platform.

Its sources are then built for the host, once, whatever platforms the image is built for; a
`select` cannot set it.""",
        ),
        "runtime": attr.string_list(
            doc = "What programs need around them where there is no base: `users`, `nsswitch`, `tmp`, `ca-certificates`, `zoneinfo`.",
        ),
        "srcs": attr.label_keyed_string_dict(
            allow_files = True,
            doc = """Files, each label with its path in the image.

`{":server": "/app/server"}` puts the one file of `:server` there; a directory (a tree artifact) has
its root there. With a slash at the end, `{":assets": "/srv/www/"}`, every file of the label goes
into that directory, at its path below its own package or what `strip_prefix` leaves of that.

Order is of no account. Two sources at one path are an error.""",
        ),
        "strip_prefix": attr.string(
            doc = "What is taken from the paths of files that go into a directory: relative to their package, or with a slash before it to their repository. A file that does not lie there is an error.",
        ),
        "symlinks": attr.string_dict(
            doc = "Symlinks, each path with its target: `{\"/usr/bin/app\": \"../../app/server\"}`.",
        ),
        "whiteouts": attr.string_list(
            doc = "What is removed of lower layers.",
        ),
        "xattrs": attr.string_list_dict(
            doc = "Extended attributes by glob, each `NAME=VALUE` as `getfattr` prints them: text, Base64 after `0s`, hexadecimal after `0x`.",
        ),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
    cfg = independent,
    provides = [ImageLayerInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
