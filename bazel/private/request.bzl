"""Requests to the tool: one JSON object a line, each line with at most one file's name.

Names of files are written when an action runs, so that no depset is flattened before and path
mapping reaches them.
"""

load(":toolchain.bzl", "TOOLCHAIN_TYPE")

visibility(["//bazel/private"])

# What Bazel may do with an action of the tool: keep the tool running, strip configurations.
_REQUIREMENTS = {
    "requires-worker-protocol": "json",
    "supports-multiplex-sandboxing": "1",
    "supports-multiplex-workers": "1",
    "supports-path-mapping": "1",
    "supports-workers": "1",
}

def _file_line(line):
    return '{"%s":"%s","file":%s}' % (line.key, line.value, json.encode(line.file.path))

def new_request(ctx, action):
    """Begins a request.

    Args:
      ctx: the rule's context.
      action: what the tool is to do: `layer`, `image`, …

    Returns:
      Args, with the first line in it.
    """
    lines = ctx.actions.args()
    lines.set_param_file_format("multiline")
    lines.use_param_file("@%s", use_always = True)
    lines.add(json.encode({"action": action, "version": 1}))
    return lines

def add_line(lines, value):
    """Adds a line without a file.

    Args:
      lines: Args of a request.
      value: a dict.
    """
    lines.add(json.encode(value))

def add_file(lines, key, value, file):
    """Adds a line that names a file.

    Args:
      lines: Args of a request.
      key: `output`, `input` or `part`.
      value: what the file is.
      file: the File.
    """
    lines.add_all(
        [struct(file = file, key = key, value = value)],
        expand_directories = False,
        map_each = _file_line,
    )

def run_request(ctx, mnemonic, lines, inputs, outputs, message, requirements = {}, use_default_shell_env = False):
    """Has the tool do what a request says.

    Args:
      ctx: the rule's context.
      mnemonic: of the action.
      lines: Args of the request.
      inputs: depset of Files.
      outputs: list of Files.
      message: what Bazel says meanwhile.
      requirements: execution requirements beside the usual ones.
      use_default_shell_env: whether the action sees what `--action_env` hands on.
    """
    ctx.actions.run(
        executable = ctx.toolchains[TOOLCHAIN_TYPE].files_to_run,
        arguments = ["action", lines],
        inputs = inputs,
        outputs = outputs,
        mnemonic = mnemonic,
        progress_message = message,
        execution_requirements = _REQUIREMENTS | requirements,
        toolchain = TOOLCHAIN_TYPE,
        use_default_shell_env = use_default_shell_env,
    )
