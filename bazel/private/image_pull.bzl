"""`image_pull`: the documents of an image that lies elsewhere, and targets over them."""

visibility([
    "//bazel",
    "//bazel/private",
])

IMAGE_PULL_ATTRS = {
    "digest": attr.string(
        doc = "The digest of the index or of the image: `sha256:…`. With `repository` it must be given.",
    ),
    "docker_archive": attr.label(
        allow_single_file = True,
        doc = "A docker archive to take it from, as `docker save` writes it.",
    ),
    "layout": attr.label(
        allow_single_file = True,
        doc = "An OCI image layout to take it from: the label of its file `index.json`.",
    ),
    "oci_archive": attr.label(
        allow_single_file = True,
        doc = "An OCI archive to take it from.",
    ),
    "reference": attr.string(
        doc = "What it is called in the layout or archive, where there are several.",
    ),
    "repository": attr.string(
        doc = "A repository to take it from: `REGISTRY/REPOSITORY`.",
    ),
    "tool": attr.label(
        default = "@cooperage_host//:cooperage",
        doc = "The tool that reads its documents; without it the one that packs.",
    ),
}

_PLACES = [
    "docker_archive",
    "layout",
    "oci_archive",
    "repository",
]

_HEADER = """\
# Written by image_pull.
load("{rules}", "pulled_blob", "pulled_image", "pulled_index")

package(default_visibility = ["//visibility:public"])
"""

def _place(rctx):
    """Where the image lies: one place of those that there are."""
    given = [place for place in _PLACES if getattr(rctx.attr, place)]
    if len(given) != 1:
        fail("image_pull `{}`: {} given, expected one of {}".format(
            _own_name(rctx),
            " and ".join(["`%s`" % place for place in given]) or "nothing",
            ", ".join(["`%s`" % place for place in _PLACES]),
        ))
    if given[0] == "repository" and not rctx.attr.digest:
        fail("image_pull `{}`: no `digest`, expected the one that `{}` has; `cooperage inspect docker://{}` says it".format(
            _own_name(rctx),
            rctx.attr.repository,
            rctx.attr.repository,
        ))
    return given[0]

def _own_name(rctx):
    """The name that the user gave, of that which Bazel made of it."""
    return rctx.name.split("+")[-1].split("~")[-1]

def _reference(rctx, place):
    """How the tool is told where the image lies."""
    if place == "repository":
        return "docker://" + rctx.attr.repository
    name = ":" + rctx.attr.reference if rctx.attr.reference else ""
    if place == "layout":
        index = rctx.path(rctx.attr.layout)
        rctx.watch(index)
        if index.basename != "index.json":
            fail("image_pull `{}`: `layout` is {}, expected the layout's file `index.json`".format(_own_name(rctx), rctx.attr.layout))

        # The layout's own files are the layers: nothing is copied.
        rctx.symlink(index.dirname.get_child("blobs"), "blobs")
        rctx.symlink(index, "index.json")
        rctx.symlink(index.dirname.get_child("oci-layout"), "oci-layout")
        return "oci:." + name
    archive = rctx.path(getattr(rctx.attr, place))
    rctx.watch(archive)
    rctx.symlink(archive, "image.tar")
    return place.replace("_", "-") + ":image.tar" + name

def _ask(rctx, reference):
    """Has the tool read the documents."""
    request = [{"action": "documents", "version": 1}]
    request.append({"file": "documents", "output": "documents"})
    request.append({"reference": reference} | ({"digest": rctx.attr.digest} if rctx.attr.digest else {}))
    rctx.file(
        "documents.request",
        content = "".join([json.encode(line) + "\n" for line in request]),
        executable = False,
    )
    tool = rctx.path(rctx.attr.tool)
    result = rctx.execute([tool, "action", "@documents.request"])
    if result.return_code != 0:
        fail("image_pull `{}`: cannot read {}: {}".format(_own_name(rctx), reference, result.stderr.strip()))
    return json.decode(rctx.read("documents/documents.json"))

def _descriptor(image):
    """A descriptor as documents of images have it."""
    descriptor = {
        "digest": image["digest"],
        "mediaType": image["media_type"],
        "size": image["size"],
    }
    if "platform" in image:
        parts = image["platform"].split("/")
        descriptor["platform"] = {
            "architecture": parts[1],
            "os": parts[0],
        } | ({"variant": parts[2]} if len(parts) > 2 else {})
    return json.encode(descriptor)

def _call(rule, attributes):
    """A target, as BUILD files write it."""
    lines = ["    %s = %s," % (name, json.encode(value)) for name, value in attributes.items() if value]
    return "%s(\n%s\n)\n" % (rule, "\n".join(lines))

def _blob_target(place, source, layer):
    hex_digits = layer["digest"].split(":")[1]
    attributes = {
        "digest": layer["digest"],
        "media_type": layer["media_type"],
        "name": hex_digits,
        "stored_size": str(layer["size"]),
    }
    if place == "layout":
        attributes["file"] = "blobs/sha256/" + hex_digits
    elif place == "repository":
        attributes["source"] = source
    else:
        attributes["archive"] = "image.tar"
        attributes["archive_kind"] = place.replace("_", "-")
    return _call("pulled_blob", attributes)

def _image_targets(rctx, place, source, documents):
    """A target for each image.

    Returns:
      The targets by their names, and those of the layers by their digests.
    """
    blobs = {}
    names = {}
    for image in documents["images"]:
        digests = {}
        for layer in image["layers"]:
            digests[layer["digest"]] = None
            blobs[layer["digest"]] = _blob_target(place, source, layer)
        name = image["platform"].replace("/", "_")
        if name in names:
            name = "image_" + image["digest"].split(":")[1]
        rctx.file("descriptors/" + name + ".json", content = _descriptor(image), executable = False)
        names[name] = _call("pulled_image", {
            "blobs": [digest.split(":")[1] for digest in digests],
            "config": "documents/" + image["config"],
            "descriptor": "descriptors/" + name + ".json",
            "manifest": "documents/" + image["manifest"],
            "name": name,
            "platform": image["platform"],
            "source": source,
        })
    return names, blobs

def _index_target(rctx, place, source, documents, names, blobs):
    """The target of the index; what is in no image is added to the blobs."""
    known = [image["manifest"] for image in documents["images"]]
    known.append("blobs/sha256/" + documents["digest"].split(":")[1])
    others = [path for path in documents["manifests"] if path not in known]
    extra = {}
    for path in others:
        manifest = json.decode(rctx.read("documents/" + path))
        for descriptor in manifest.get("layers", []) + ([manifest["config"]] if "config" in manifest else []):
            extra[descriptor["digest"]] = None
            blobs[descriptor["digest"]] = _blob_target(place, source, descriptor | {
                "media_type": descriptor["mediaType"],
            })
    rctx.file("descriptors/index.json", content = _descriptor(documents), executable = False)
    return _call("pulled_index", {
        "blobs": [digest.split(":")[1] for digest in extra],
        "descriptor": "descriptors/index.json",
        "documents": ["documents/" + path for path in others],
        "images": names.keys(),
        "index": "documents/root.json",
        "name": "index",
    })

def _targets(rctx, place, documents):
    """The BUILD file: a target for each layer, for each image, for the index."""
    source = ""
    if place == "repository":
        source = "docker://{}@{}".format(rctx.attr.repository, documents["digest"])
    names, blobs = _image_targets(rctx, place, source, documents)
    root = names.keys()[0]
    others = []
    if documents["digest"] not in [image["digest"] for image in documents["images"]]:
        root = "index"
        others.append(_index_target(rctx, place, source, documents, names, blobs))
    if _own_name(rctx) not in names and _own_name(rctx) != root:
        others.append(_call("alias", {
            "actual": root,
            "name": _own_name(rctx),
        }))
    return blobs.values() + names.values() + others

def _image_pull_impl(rctx):
    place = _place(rctx)
    documents = _ask(rctx, _reference(rctx, place))
    if not documents["images"]:
        fail("image_pull `{}`: {} holds no image".format(_own_name(rctx), documents["digest"]))
    header = _HEADER.format(rules = str(Label("//bazel/private:pulled.bzl")))
    rctx.file(
        "BUILD.bazel",
        content = "\n".join([header] + _targets(rctx, place, documents)),
        executable = False,
    )

image_pull = repository_rule(
    implementation = _image_pull_impl,
    doc = """An image that lies in a registry, a layout or an archive, to stand on.

Its documents alone are read, when the repository is fetched. A layer is fetched by an action of its
own when, and only when, something needs its bytes: a layout, an archive, a test of files; never to
build an image on it, and never to push one where it lies already.

`@NAME` is the index, or the image where there is one; `@NAME//:linux_arm64` is that of one platform.""",
    attrs = IMAGE_PULL_ATTRS,
)
