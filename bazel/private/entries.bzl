"""What a layer holds, as lines of a plan.

What is known of one label is one struct; its files become lines when the action runs.
"""

load(":paths.bzl", "shown")

visibility(["//bazel/private"])

def files_at(target, path, into, strip_prefix, common, links):
    """The files of a target.

    Args:
      target: whose files.
      path: where they lie in the image.
      into: whether `path` is a directory that they go into.
      strip_prefix: what is taken from their own paths in that directory.
      common: members of every entry, as JSON with a comma before each.
      links: dict whose keys are the paths where symlinks of `declare_symlink` are known to lie.

    Returns:
      A struct for `add_entries`.
    """
    return struct(
        end = _end(target, common),
        executable = _executable(target),
        files = target[DefaultInfo].files,
        into = into,
        kind = _FILES,
        links = links,
        origin = shown(target.label),
        path = path,
        strip_prefix = strip_prefix,
    )

def _end(target, common):
    """What ends each of a target's lines: there may be many."""
    return ',"origin":%s%s}' % (json.encode(shown(target.label)), common)

def program_at(target, path, common, links):
    """A program, and its runfiles beside it.

    Args:
      target: something that runs.
      path: where the program lies in the image.
      common: as in `files_at`.
      links: as in `files_at`.

    Returns:
      A struct for `add_entries`.
    """
    default = target[DefaultInfo]
    runfiles = default.default_runfiles
    return struct(
        empty_filenames = runfiles.empty_filenames,
        end = _end(target, common),
        executable = default.files_to_run.executable,
        files = runfiles.files,
        kind = _PROGRAM,
        links = links,
        path = path,
        repo_mapping = getattr(default.files_to_run, "repo_mapping_manifest", None),
        root_symlinks = runfiles.root_symlinks,
        symlinks = runfiles.symlinks,
    )

def program_files(target):
    """What the lines of a program name.

    Args:
      target: something that runs.

    Returns:
      depset of File.
    """
    default = target[DefaultInfo]
    mapping = getattr(default.files_to_run, "repo_mapping_manifest", None)

    # The files that links of the tree stand for are in no depset of files. Few rules make such
    # links, and few of them: this is no list of all that a program needs.
    runfiles = default.default_runfiles
    links = [
        link.target_file
        for depset_of_links in [runfiles.symlinks, runfiles.root_symlinks]
        if depset_of_links
        for link in depset_of_links.to_list()
    ]
    return depset(
        [default.files_to_run.executable] + ([mapping] if mapping else []) + links,
        transitive = [runfiles.files],
    )

def add_entries(lines, entries):
    """Adds the lines of what a layer holds.

    Args:
      lines: Args of a request.
      entries: list of structs.
    """
    lines.add_all(entries, expand_directories = False, map_each = _lines)

_FILES = 1
_PROGRAM = 2

def _executable(target):
    """The file that is known to be a program.

    A file has itself there, whether it runs or not: a program is what its own rule made.
    """
    files_to_run = target[DefaultInfo].files_to_run
    executable = files_to_run.executable if files_to_run else None
    if not executable or executable.is_source or executable.owner != target.label:
        return None
    return executable

def _lines(entry, expander):
    if entry.kind == _FILES:
        return _file_lines(entry, expander)
    return _program_lines(entry, expander)

def _line(path, file, mode, entry):
    if getattr(file, "is_symlink", False) or path in entry.links:
        return '{"path":%s,"symlink_of":%s%s' % (json.encode(path), json.encode(file.path), entry.end)
    return '{"path":%s,"file":%s,"mode":"%s"%s' % (json.encode(path), json.encode(file.path), mode, entry.end)

def _at(path, file, mode, entry, expander):
    """A file, or all that lies below a directory."""
    if not file.is_directory:
        return [_line(path, file, mode, entry)]
    below = path + "/" if path else ""
    return [
        _line(
            below + child.tree_relative_path,
            child,
            _mode_by_path(below + child.tree_relative_path) if entry.kind == _PROGRAM else "0644",
            entry,
        )
        for child in expander.expand(file)
    ]

def _file_lines(entry, expander):
    lines = []
    files = entry.files.to_list()
    if not entry.into and len(files) != 1:
        fail("{} has {} files, expected one at the path `{}`: end it with `/` to have them in a directory".format(
            entry.origin,
            len(files),
            entry.path,
        ))
    for file in files:
        path = entry.path
        if entry.into:
            path += ("/" if path else "") + _own_path(entry, file)
        lines.extend(_at(path, file, "0755" if file == entry.executable else "0644", entry, expander))
    return lines

def _own_path(entry, file):
    """A file's path below its package, or what is left of it."""
    path = file.short_path
    if path.startswith("../"):
        path = path[3:].partition("/")[2]
    prefix = entry.strip_prefix
    if prefix.startswith("/"):
        prefix = prefix.strip("/")
    else:
        package = file.owner.package
        prefix = package + ("/" if package and prefix else "") + prefix.strip("/")
    if not prefix:
        return path
    if path == prefix:
        return file.basename
    if not path.startswith(prefix + "/"):
        fail("{}: `{}` does not lie below `{}`, which `strip_prefix` is to take away".format(entry.origin, path, prefix))
    return path[len(prefix) + 1:]

def _program_lines(entry, expander):
    tree = entry.path + ".runfiles/"
    lines = [_line(entry.path, entry.executable, "0755", entry)]
    for file in entry.files.to_list():
        path = file.short_path
        path = tree + (path[3:] if path.startswith("../") else "_main/" + path)
        lines.extend(_at(path, file, _runfile_mode(file, entry), entry, expander))
    for link in entry.symlinks.to_list():
        path = link.path
        path = tree + (path[3:] if path.startswith("../") else "_main/" + path)
        lines.extend(_at(path, link.target_file, _runfile_mode(link.target_file, entry), entry, expander))
    for link in entry.root_symlinks.to_list():
        lines.extend(_at(tree + link.path, link.target_file, _runfile_mode(link.target_file, entry), entry, expander))
    for path in entry.empty_filenames.to_list():
        path = tree + (path[3:] if path.startswith("../") else "_main/" + path)
        lines.append('{"path":%s,"text":"","mode":"0644"%s' % (json.encode(path), entry.end))
    if entry.repo_mapping:
        lines.append(_line(tree + "_repo_mapping", entry.repo_mapping, "0644", entry))
    return lines

# Directories of programs, and what scripts are called that are run as such.
_PROGRAM_DIRECTORIES = [
    "bin",
    "libexec",
    "sbin",
]

def _runfile_mode(file, entry):
    """Whether a file runs, by what its name says: no rule tells of files it hands on."""
    if file == entry.executable:
        return "0755"
    if not file.is_source and file.basename == file.owner.name.rpartition("/")[2]:
        return "0755"
    return _mode_by_path(file.short_path)

def _mode_by_path(path):
    directory = path.rpartition("/")[0].rpartition("/")[2]
    return "0755" if path.endswith(".sh") or directory in _PROGRAM_DIRECTORIES else "0644"
