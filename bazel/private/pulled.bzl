"""What `image_pull` writes into its repository: rules over documents that are there already."""

load(":providers.bzl", "ImageIndexInfo", "ImageInfo", "PulledBlobInfo")
load(":request.bzl", "add_file", "add_line", "new_request", "run_request")
load(":stamp.bzl", "STAMP_ATTRS")
load(":toolchain.bzl", "TOOLCHAIN_TYPE")
load(":transitions.bzl", "host")
load(":write.bzl", "declare_all_writes", "declare_facts")

# Loaded by repositories that `image_pull` makes.
visibility("public")

# What was pulled is the same for whatever platform it is used: one configuration for all.
_ATTRS = {
    "_allowlist_function_transition": attr.label(
        default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
    ),
}

def _reference_line(line):
    return json.encode({"reference": line.kind + ":" + line.file.path + line.name})

def _fetch(ctx):
    """The action that has the layer's bytes, run if somebody wants them."""
    blob = ctx.actions.declare_file(ctx.label.name + ".blob")
    request = new_request(ctx, "fetch")
    add_file(request, "output", "blob", blob)
    inputs = []
    requirements = {}
    if ctx.file.archive:
        # A path that holds a colon would be taken for a name behind one; Bazel's do not.
        request.add_all(
            [struct(file = ctx.file.archive, kind = ctx.attr.archive_kind, name = "")],
            map_each = _reference_line,
        )
        inputs.append(ctx.file.archive)
    else:
        add_line(request, {"reference": ctx.attr.source})

        # The digest says what comes back: caches may keep it, and it is of no account who asks.
        requirements = {
            "no-remote-exec": "1",
            "requires-network": "1",
            "supports-workers": "0",
        }
    add_line(request, {
        "digest": ctx.attr.digest,
        "media_type": ctx.attr.media_type,
        "size": int(ctx.attr.stored_size),
    })
    run_request(
        ctx,
        mnemonic = "CooperageFetch",
        lines = request,
        inputs = depset(inputs),
        outputs = [blob],
        message = "Fetching layer " + ctx.attr.digest[:19] + " of %{label}",
        requirements = requirements,
        use_default_shell_env = not ctx.file.archive,
    )
    return blob

def _pulled_blob_impl(ctx):
    blob = ctx.file.file or _fetch(ctx)
    return [
        DefaultInfo(files = depset([blob])),
        PulledBlobInfo(
            blob = struct(digest = ctx.attr.digest, file = blob, metadata = None),
            remote = not ctx.file.file and not ctx.file.archive,
        ),
    ]

pulled_blob = rule(
    implementation = _pulled_blob_impl,
    doc = "A layer of an image that was pulled, fetched when somebody wants its bytes.",
    attrs = _ATTRS | {
        "archive": attr.label(
            allow_single_file = True,
            doc = "The archive that it lies in.",
        ),
        "archive_kind": attr.string(
            doc = "What the archive is.",
            values = [
                "",
                "docker-archive",
                "oci-archive",
            ],
        ),
        "digest": attr.string(
            doc = "Of the layer as it is stored.",
            mandatory = True,
        ),
        "file": attr.label(
            allow_single_file = True,
            doc = "The layer, where it is a file already.",
        ),
        "media_type": attr.string(
            doc = "Of the layer.",
            mandatory = True,
        ),
        "source": attr.string(
            doc = "The repository that it lies in.",
        ),
        "stored_size": attr.string(
            doc = "In bytes, as it is stored.",
            mandatory = True,
        ),
    },
    cfg = host,
    provides = [PulledBlobInfo],
    toolchains = [TOOLCHAIN_TYPE],
)

def _split(targets):
    """Blobs that are at hand, and those of registries."""
    blobs = [target[PulledBlobInfo] for target in targets]
    return [info.blob for info in blobs if not info.remote], [info.blob for info in blobs if info.remote]

def _pulled_image_impl(ctx):
    here, remote = _split(ctx.attr.blobs)
    documents = depset([ctx.file.manifest, ctx.file.config])
    fields = {
        "base": None,
        "blobs": depset(here),
        "config": ctx.file.config,
        "descriptor": ctx.file.descriptor,
        "documents": documents,
        "files": depset([blob.file for blob in here], transitive = [documents]),
        "layers": [],
        "manifest": ctx.file.manifest,
        "platform": ctx.attr.platform,
        "remote_blobs": depset(remote),
        "remote_files": depset([blob.file for blob in remote]),
        "sources": depset([ctx.attr.source] if ctx.attr.source else []),
    }
    info = ImageInfo(
        facts = declare_facts(ctx, struct(**fields)),
        **fields
    )
    return [
        DefaultInfo(files = documents),
        OutputGroupInfo(**declare_all_writes(ctx, info, [])),
        info,
    ]

pulled_image = rule(
    implementation = _pulled_image_impl,
    doc = "An image that was pulled: its documents, and where its layers are.",
    attrs = _ATTRS | STAMP_ATTRS | {
        "blobs": attr.label_list(
            doc = "Its layers, each digest once.",
            providers = [PulledBlobInfo],
        ),
        "config": attr.label(
            allow_single_file = True,
            doc = "The config.",
            mandatory = True,
        ),
        "descriptor": attr.label(
            allow_single_file = True,
            doc = "The manifest's descriptor.",
            mandatory = True,
        ),
        "manifest": attr.label(
            allow_single_file = True,
            doc = "The manifest.",
            mandatory = True,
        ),
        "platform": attr.string(
            doc = "What it runs on.",
            mandatory = True,
        ),
        "source": attr.string(
            doc = "Where it was pulled from, if that is a registry.",
        ),
    },
    cfg = host,
    provides = [ImageInfo],
    toolchains = [TOOLCHAIN_TYPE],
)

def _pulled_index_impl(ctx):
    images = [target[ImageInfo] for target in ctx.attr.images]
    here, remote = _split(ctx.attr.blobs)
    documents = depset(
        [ctx.file.index] + ctx.files.documents,
        transitive = [image.documents for image in images],
    )
    info = ImageIndexInfo(
        blobs = depset(here, transitive = [image.blobs for image in images]),
        descriptor = ctx.file.descriptor,
        documents = documents,
        files = depset(
            [blob.file for blob in here],
            transitive = [documents] + [image.files for image in images],
        ),
        images = images,
        index = ctx.file.index,
        remote_blobs = depset(remote, transitive = [image.remote_blobs for image in images]),
        remote_files = depset(
            [blob.file for blob in remote],
            transitive = [image.remote_files for image in images],
        ),
        sources = depset(transitive = [image.sources for image in images]),
    )
    return [
        DefaultInfo(files = documents),
        OutputGroupInfo(**declare_all_writes(ctx, info, [], docker = False)),
        info,
    ]

pulled_index = rule(
    implementation = _pulled_index_impl,
    doc = "An index that was pulled.",
    attrs = _ATTRS | STAMP_ATTRS | {
        "blobs": attr.label_list(
            doc = "What is in no image: of attestations and the like.",
            providers = [PulledBlobInfo],
        ),
        "descriptor": attr.label(
            allow_single_file = True,
            doc = "The index's descriptor.",
            mandatory = True,
        ),
        "documents": attr.label_list(
            allow_files = True,
            doc = "Further manifests: of nested indexes, and of what is no image.",
        ),
        "images": attr.label_list(
            doc = "Its images.",
            mandatory = True,
            providers = [ImageInfo],
        ),
        "index": attr.label(
            allow_single_file = True,
            doc = "The index.",
            mandatory = True,
        ),
    },
    cfg = host,
    provides = [ImageIndexInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
