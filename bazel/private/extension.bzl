"""The module extension: which tool packs, and which images others stand on."""

load(":image_pull.bzl", "IMAGE_PULL_ATTRS", "image_pull")
load(":tool_repositories.bzl", "host_key", "host_tool", "prebuilt_tool", "source_tool", "tool_toolchains")

visibility(["//bazel"])

_LOCKFILE = Label("//bazel/toolchain:cooperage.lock.json")

_toolchain = tag_class(
    doc = """Which tool packs; exactly one of the attributes. Only the root module is asked.

Without it the tool of this release is downloaded where there is one for the machine, and built from
source by `cargo` otherwise.""",
    attrs = {
        "from_source": attr.bool(
            doc = "Built by `cargo build --release --locked` on this machine, once; its bytes do not depend on where.",
        ),
        "lockfile": attr.label(
            doc = "Where to download it, and its digests: a JSON file, as `cargo xtask dist` writes it.",
        ),
        "tool": attr.label(
            doc = "A binary, or any target that runs, built for where an action runs. What is no file cannot read the documents of `image_pull`: for these it is built from source then.",
        ),
    },
)

_image_pull = tag_class(
    doc = "As the repository rule `image_pull`.",
    attrs = IMAGE_PULL_ATTRS | {
        "name": attr.string(
            doc = "The repository's name, for `use_repo`.",
            mandatory = True,
        ),
    },
)

def _chosen_toolchain(mctx):
    """What the root module says of the tool, or nothing."""
    for module in mctx.modules:
        if not module.is_root:
            continue
        if len(module.tags.toolchain) > 1:
            fail("cooperage: {} tags `toolchain` in module `{}`, expected one".format(len(module.tags.toolchain), module.name))
        for tag in module.tags.toolchain:
            if len([1 for value in (tag.from_source, tag.lockfile, tag.tool) if value]) != 1:
                fail("cooperage: tag `toolchain` in module `{}`: expected exactly one of `from_source`, `lockfile`, `tool`".format(module.name))
            return tag
    return None

def _declare_tools(mctx):
    chosen = _chosen_toolchain(mctx)
    source_tool(name = "cooperage_source")
    if chosen and chosen.tool:
        tool_toolchains(
            name = "cooperage_toolchains",
            tools = {"any": str(chosen.tool)},
        )
        host_tool(
            name = "cooperage_host",
            fallback = "@cooperage_source//:cooperage",
            tool = chosen.tool,
        )
        return
    lockfile = chosen.lockfile if chosen and chosen.lockfile else _LOCKFILE
    binaries = {} if chosen and chosen.from_source else json.decode(mctx.read(lockfile)).get("binaries", {})
    key = host_key(mctx.os)
    if chosen and chosen.lockfile and key not in binaries:
        fail("cooperage: {} has no binary for `{}`, it has {}".format(
            lockfile,
            key,
            ", ".join(["`" + name + "`" for name in binaries]) or "none",
        ))
    if key not in binaries:
        source_tool(name = "cooperage_host")
        tool_toolchains(
            name = "cooperage_toolchains",
            tools = {key: "@cooperage_host//:cooperage"},
        )
        return
    tools = {}
    for name, binary in binaries.items():
        # The host's own is fetched by repository rules too: one repository for both.
        repository = "cooperage_host" if name == key else "cooperage_" + name.replace("-", "_")
        prebuilt_tool(
            name = repository,
            sha256 = binary["sha256"],
            url = binary["url"],
        )
        tools[name] = "@" + repository + "//:cooperage"
    tool_toolchains(
        name = "cooperage_toolchains",
        tools = tools,
    )

def _declare_images(mctx):
    """Declares what tags pull.

    Returns:
      The names that the root module gave, and those it gave for itself alone.
    """
    seen = {}
    direct, dev = [], []
    for module in mctx.modules:
        for tag in module.tags.image_pull:
            attributes = {name: getattr(tag, name) for name in IMAGE_PULL_ATTRS}
            if tag.name in seen:
                if seen[tag.name][1] != attributes:
                    fail("cooperage: image_pull `{}` of module `{}` is another one in module `{}`".format(tag.name, module.name, seen[tag.name][0]))
            else:
                seen[tag.name] = (module.name, attributes)
                image_pull(name = tag.name, **attributes)
            if module.is_root:
                (dev if mctx.is_dev_dependency(tag) else direct).append(tag.name)
    return direct, dev

def _cooperage_impl(mctx):
    _declare_tools(mctx)
    direct, dev = _declare_images(mctx)
    own = ["cooperage_host", "cooperage_source", "cooperage_toolchains"] if mctx.modules[0].is_root and mctx.modules[0].name == "cooperage" else []
    return mctx.extension_metadata(
        reproducible = True,
        root_module_direct_deps = own + direct,
        root_module_direct_dev_deps = dev,
    )

cooperage = module_extension(
    implementation = _cooperage_impl,
    doc = "The tool that packs, and images to stand on.",
    arch_dependent = True,
    os_dependent = True,
    tag_classes = {
        "image_pull": _image_pull,
        "toolchain": _toolchain,
    },
)
