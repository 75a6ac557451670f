#!/usr/bin/env python3
"""Makes the seeds anew: seeds.py [DIRECTORY], by default the corpus beside this file.

They are small, and real: tars of Python's tarfile, GNU tar, bsdtar and of the byte contract's
reference; archives in the form of every docker save, of skopeo and of podman; streams of gzip and
zstd; ELF files of the C compiler and caches of ldconfig. What a tool writes differs from one version
to the next, so the seeds are committed, and this is run again only to add some.

Needs tar, bsdtar, gzip, pigz, zstd, cc and ldconfig.
"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "corpus")


def seed(target, name, data):
    path = OUT / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def run(*command, data=None):
    return subprocess.run(command, check=True, input=data, stdout=subprocess.PIPE).stdout


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# Tars.


def info(name, kind=tarfile.REGTYPE, link="", size=0, **more):
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = kind, link, size
    for key, value in more.items():
        setattr(found, key, value)
    return found


ENTRIES = [
    (info("d", tarfile.DIRTYPE, mode=0o755), b""),
    (info("d/file", size=5, uid=1000, gid=100, uname="user", gname="users", mtime=1), b"hello"),
    (info("d/link", tarfile.LNKTYPE, "d/file"), b""),
    (info("symbolic", tarfile.SYMTYPE, "../d/file"), b""),
    (info("null", tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
    (info("disk", tarfile.BLKTYPE, devmajor=8, devminor=1), b""),
    (info("pipe", tarfile.FIFOTYPE), b""),
    (info("empty"), b""),
]
LONG = "long/" + "n" * 120


def tar(entries, form, headers=None, end=1024):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, pax_headers=headers) as made:
        for entry, body in entries:
            made.addfile(entry, io.BytesIO(body))
    # Without the blocks of zeros up to a record.
    data = out.getvalue().rstrip(b"\0")
    return data + bytes(-len(data) % 512) + bytes(end)


def plain(files):
    return tar([(info(name, size=len(body)), body) for name, body in files], tarfile.USTAR_FORMAT)


def tars():
    ustar = tar(ENTRIES, tarfile.USTAR_FORMAT)
    seed("tar", "ustar", ustar)
    seed("tar", "gnu", tar(ENTRIES + [(info(LONG, size=3), b"abc"), (info("l", tarfile.SYMTYPE, LONG), b"")], tarfile.GNU_FORMAT))
    records = {"SCHILY.xattr.user.a": "value", "LIBARCHIVE.xattr.user.b%20c": "dmFsdWU=", "comment": "none"}
    pax = [(info("big", uid=5_000_000, mtime=1.5, pax_headers=records), b""), (info(LONG + "é", size=3), b"abc"), (info("before", mtime=-2), b"")]
    seed("tar", "pax", tar(pax, tarfile.PAX_FORMAT))
    seed("tar", "pax-global", tar(pax[:1], tarfile.PAX_FORMAT, headers={"uname": "all", "mtime": "7.25"}))
    whiteouts = [(info("d/.wh.gone"), b""), (info("d/.wh..wh..opq"), b""), (info(".wh..wh.plnk/1.2"), b""), (info("d/.wh.file"), b""), ENTRIES[1]]
    seed("tar", "whiteouts", tar(whiteouts, tarfile.USTAR_FORMAT))
    seed("tar", "twice", tar([ENTRIES[1], ENTRIES[2], ENTRIES[1], (info("d/file", tarfile.SYMTYPE, "x"), b"")], tarfile.USTAR_FORMAT))
    prefix = "p" * 60 + "/" + "q" * 60 + "/file"
    seed("tar", "ustar-prefix", tar([(info(prefix, size=1), b"x")], tarfile.USTAR_FORMAT))
    seed("tar", "no-end", tar(ENTRIES[:2], tarfile.USTAR_FORMAT, end=0))
    seed("tar", "tail", tar(ENTRIES[:2], tarfile.USTAR_FORMAT) + b"something else" + bytes(498))
    v7 = bytearray(tar(ENTRIES[:4], tarfile.USTAR_FORMAT))
    for at in [0, 512, 1536, 2048]:
        v7[at + 257 : at + 345] = bytes(88)
        v7[at + 156] = 0 if v7[at + 156] == ord("0") else v7[at + 156]
        checksum(v7, at)
    seed("tar", "v7", bytes(v7))
    star = bytearray(tar([(info("name"), b"")], tarfile.USTAR_FORMAT))
    star[345:348], star[476:488], star[508:512] = b"pre", b"00000000007\0", b"tar\0"
    checksum(star, 0)
    seed("tar", "star", bytes(star))
    numbers = bytearray(tar([(info("numbers", size=2), b"ab")], tarfile.GNU_FORMAT))
    numbers[108:116], numbers[136:148] = b"\x80\0\0\0\0\x98\x96\x80", b"\xff" * 12
    checksum(numbers, 0)
    seed("tar", "base-256", bytes(numbers))
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        (place / "tree" / "d").mkdir(parents=True)
        (place / "tree" / "d" / "f").write_text("content")
        os.link(place / "tree" / "d" / "f", place / "tree" / "g")
        with open(place / "tree" / "holes", "wb") as file:
            file.truncate(1 << 20)
            file.seek(500_000)
            file.write(b"data")
        plainly = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--blocking-factor=1", "-C", directory]
        for form in ["gnu", "pax", "v7", "oldgnu"]:
            seed("tar", f"gnu-tar-{form}", run("tar", f"--format={form}", *plainly, "--exclude=holes", "-c", "tree"))
        seed("tar", "sparse-gnu", run("tar", "--format=gnu", "-S", *plainly, "-c", "tree/holes"))
        for version in ["0.0", "0.1", "1.0"]:
            seed("tar", f"sparse-{version}", run("tar", "--format=pax", "-S", f"--sparse-version={version}", *plainly, "-c", "tree/holes"))
        seed("tar", "bsdtar", run("bsdtar", "--format=pax", "-b", "1", "--exclude=holes", "-C", directory, "-cf", "-", "tree"))
        plan = place / "plan"
        lines = [
            {"plan": "layer", "version": 1},
            {"path": "usr/bin/app", "text": "#!/bin/sh\n", "mode": "0755"},
            {"path": "usr/bin/" + "x" * 100, "text": "", "uid": 3_000_000, "xattrs": {"user.a": "AAE="}},
            {"path": "usr/bin/old", "whiteout": True},
            {"path": "etc", "opaque": True},
            {"path": "usr/bin/same", "hardlink": "usr/bin/app"},
            {"path": "etc/localtime", "symlink": "../usr/share/zoneinfo/UTC"},
            {"path": "dev/null", "char_device": [1, 3]},
        ]
        plan.write_bytes(b"".join(compact(line) + b"\n" for line in lines))
        reference = HERE.parent / "tests" / "reference" / "contract.py"
        seed("tar", "canonical", run(sys.executable, reference, "tar", plan, directory, "0"))


def checksum(data, at):
    data[at + 148 : at + 156] = b" " * 8
    total = sum(data[at : at + 512])
    data[at + 148 : at + 156] = b"%06o\0 " % total


# Archives of images.

CONFIG = {
    "architecture": "amd64",
    "config": {"Cmd": ["/app"], "Env": ["A=b"], "OnBuild": None},
    "created": "1970-01-01T00:00:00Z",
    "history": [{"created_by": "COPY"}, {"created_by": "ENV", "empty_layer": True}],
    "os": "linux",
}


def layers():
    return [plain([("a", b"one")]), plain([("b", b"two")])]


def config_of(tars):
    config = dict(CONFIG, rootfs={"type": "layers", "diff_ids": [f"sha256:{sha256(one)}" for one in tars]})
    return compact(config)


def descriptor(kind, data, **more):
    return {"mediaType": kind, "digest": f"sha256:{sha256(data)}", "size": len(data), **more}


def oci_files(tars, kind="application/vnd.oci.image.layer.v1.tar", stored=None, nested=False):
    stored = stored or tars
    config = config_of(tars)
    manifest = compact({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor(kind, one) for one in stored],
    })
    top = descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    blobs = [config, manifest, *stored]
    if nested:
        top["platform"] = {"architecture": "amd64", "os": "linux"}
        index = compact({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [top]})
        blobs.append(index)
        top = descriptor("application/vnd.oci.image.index.v1+json", index)
    top["annotations"] = {"io.containerd.image.name": "docker.io/library/app:v1", "org.opencontainers.image.ref.name": "v1"}
    index = compact({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [top]})
    files = [(f"blobs/sha256/{sha256(one)}", one) for one in blobs]
    return files + [("index.json", index), ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')], config


def archives():
    tars = layers()
    config = config_of(tars)
    names = ["app:v1", "localhost:5000/team/app:v2"]
    # docker save before 25: a directory for each layer, a repeated one as a link.
    files = [(f"{sha256(config)}.json", config)]
    ids = [sha256(one + b"id") for one in tars]
    for one, layer in zip(ids, tars):
        files += [(f"{one}/VERSION", b"1.0"), (f"{one}/json", compact({"id": one})), (f"{one}/layer.tar", layer)]
    legacy = [{"Config": f"{sha256(config)}.json", "RepoTags": names, "Layers": [f"{one}/layer.tar" for one in ids]}]
    files += [("manifest.json", compact(legacy)), ("repositories", compact({"app": {"v1": ids[-1]}}))]
    seed("archive", "docker-20", plain(files))
    link = plain(files[:-2])[:-1024]
    twice = config_of([tars[0], tars[1], tars[0]])
    again = sha256(b"again")
    legacy = [{"Config": "config.json", "RepoTags": None, "Layers": [f"{ids[0]}/layer.tar", f"{ids[1]}/layer.tar", f"{again}/layer.tar"]}]
    entries = [(info(f"{again}/layer.tar", tarfile.SYMTYPE, f"../{ids[0]}/layer.tar"), b"")]
    linked = tar(entries, tarfile.USTAR_FORMAT, end=0)
    seed("archive", "docker-20-link", link + linked + plain([("config.json", twice), ("manifest.json", compact(legacy))]))
    # Since 25: an image layout as well.
    for name, nested in [("docker-25", False), ("docker-28-index", True)]:
        both, config = oci_files(tars, nested=nested)
        manifest = [{
            "Config": f"blobs/sha256/{sha256(config)}",
            "RepoTags": names[:1],
            "Layers": [f"blobs/sha256/{sha256(one)}" for one in tars],
            "LayerSources": {f"sha256:{sha256(one)}": descriptor("application/vnd.oci.image.layer.v1.tar", one) for one in tars},
        }]
        seed("archive", name, plain(both + [("manifest.json", compact(manifest))]))
    # skopeo and podman: flat, by digest. Rules for Bazel and crane: gzip inside.
    flat = [(f"{sha256(one)}.tar", one) for one in tars]
    manifest = [{"Config": f"{sha256(config)}.json", "RepoTags": names, "Layers": [name for name, _ in flat]}]
    seed("archive", "skopeo", plain(flat + [(f"{sha256(config)}.json", config), ("manifest.json", compact(manifest))]))
    packed = [gzip.compress(one, mtime=0) for one in tars]
    manifest = [{"Config": "sha256:" + sha256(config), "RepoTags": names[:1], "Layers": ["0.tar.gz", "1.tar.gz"]}]
    crane = [("0.tar.gz", packed[0]), ("1.tar.gz", packed[1]), ("sha256:" + sha256(config), config), ("manifest.json", compact(manifest))]
    seed("archive", "crane", plain(crane))
    two = manifest + [dict(manifest[0], RepoTags=["other:1"])]
    seed("archive", "two-images", plain(crane[:3] + [("manifest.json", compact(two))]))
    gzipped, _ = oci_files(tars, "application/vnd.oci.image.layer.v1.tar+gzip", packed)
    seed("archive", "oci-gzip", plain(gzipped))
    zstd = [run("zstd", "-q", "-c", data=one) for one in tars]
    zstd_files, _ = oci_files(tars, "application/vnd.oci.image.layer.v1.tar+zstd", zstd, nested=True)
    seed("archive", "oci-zstd-nested", plain(zstd_files))
    seed("archive", "oci-whole-gzip", gzip.compress(plain(gzipped), mtime=0))
    seed("archive", "docker-whole-zstd", run("zstd", "-q", "-c", data=plain(crane)))
    seed("archive", "empty", plain([]))
    seed("archive", "no-images", plain([("manifest.json", b"[]")]))


# Layouts, in the form that src/layout.rs describes.


def part(kind, at, **more):
    text = json.dumps({"mediaType": kind, "digest": f"@D{at}", **more}, separators=(",", ":"))
    return text[:-1] + f',"size":@S{at}}}'


def layouts():
    oci = "application/vnd.oci.image"
    index = f"{oci}.index.v1+json"
    manifest = f"{oci}.manifest.v1+json"

    def list_of(*parts):
        return '{"schemaVersion":2,"mediaType":"' + index + '","manifests":[' + ",".join(parts) + "]}"

    def image(config, *parts, rest=""):
        config = part(f"{oci}.config.v1+json", config)
        return '{"schemaVersion":2,"mediaType":"' + manifest + '","config":' + config + ',"layers":[' + ",".join(parts) + "]" + rest + "}"

    config = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    named = {"annotations": {"org.opencontainers.image.ref.name": "app"}}
    amd = {"platform": {"architecture": "amd64", "os": "linux"}}
    arm = {"platform": {"architecture": "arm64", "os": "linux", "variant": "v8"}}

    def layout(name, *parts, version=""):
        seed("layout", name, "\x1e".join((version,) + parts))

    layer = part(f"{oci}.layer.v1.tar+gzip", 4)
    layout("one", list_of(part(manifest, 2, **named)), image(3, layer), config, "layer")
    layout("platforms", list_of(part(index, 2, **named)), list_of(part(manifest, 3, **amd), part(manifest, 4, **arm)), image(5), image(5), config)
    layout("subject", list_of(part(manifest, 2), part(manifest, 3, **named)), image(4, rest=',"subject":' + part(manifest, 3)), image(4), config)
    layout("nested", list_of(part(index, 2)), list_of(part(index, 3)), list_of(part(index, 4)), list_of(part(manifest, 5)), image(6), config)
    layout("twice", list_of(part(manifest, 2, **named), part(manifest, 3, **named)), image(4), image(4, part("x/y", 5)), config, "blob")
    layout("artifact", list_of(part("application/spdx+json", 2, artifactType="x/y")), "{}")
    layout("empty", '{"schemaVersion":2,"manifests":[]}', version='{"imageLayoutVersion":"1.0.0"}')
    layout("version", '{"schemaVersion":2,"manifests":null}', version='{"imageLayoutVersion":"2.0.0"}')
    layout("missing", list_of('{"mediaType":"' + manifest + '","digest":"sha256:' + "0" * 64 + '","size":7}'))


# Documents and texts.


def documents():
    tars = layers()
    seed("config", "small", config_of(tars))
    config = json.loads(config_of(tars))
    config["config"] |= {
        "User": "65532:65532", "ExposedPorts": {"8080/tcp": {}}, "Volumes": {"/data": {}}, "WorkingDir": "/", "Entrypoint": "/bin/sh",
        "Labels": {"é": "\u0001"}, "StopSignal": "SIGTERM", "Shell": ["/bin/sh"],
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 30_000_000_000, "Retries": 3},
    }
    config |= {"variant": "v8", "os.version": "10.0", "os.features": ["win32k"], "author": "A", "container_config": {"x": 1.50e3}}
    seed("config", "full", json.dumps(config, indent=1))
    seed("config", "null", b'{"rootfs":{"type":"layers","diff_ids":null},"config":null,"history":null,"os":null}')
    seed("config", "numbers", b'{"rootfs":{},"a":[1e400,-0,0.10,18446744073709551616],"b":"\\ud83d\\ude00\\u0000"}')
    files, _ = oci_files(tars)
    seed("manifest", "oci", files[1][1])
    seed("manifest", "index", files[-2][1])
    docker = json.loads(files[1][1])
    docker["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json"
    docker["layers"][0] |= {"urls": ["https://example.com/a"], "annotations": {"a": "b"}, "data": "eA=="}
    docker["subject"] = docker["config"]
    seed("manifest", "docker", compact(docker))
    both = {**json.loads(files[-2][1]), **json.loads(files[1][1])}
    seed("manifest", "both", compact(both))
    for number, text in enumerate([
        "app", "app:v1", "localhost:5000/team/app:v1", "docker.io/library/app@sha256:" + "a" * 64, "index.docker.io/app", "[::1]:5000/a/b__c-d.e:T",
        "Upper.Example/a:latest", "a" * 64, "https://host/app", "sha256:" + "0" * 64, "sha512:" + "0" * 128, "linux/arm64/v8", "windows(10.0)/amd64", "linux",
        "host/a.b/c:x@sha256:" + "f" * 64, "a/b/c/d/e", "",
    ]):
        seed("reference", f"{number:02}", text)


def plans():
    for path in sorted((HERE.parent / "tests" / "golden").rglob("*.jsonl")):
        if path.stat().st_size < 6000:
            seed("plan", "golden-" + path.stem, path.read_bytes())
    seed("plan", "layer", "\n".join(json.dumps(line) for line in [
        {"plan": "layer", "version": 1, "encoder": "zstd-1", "level": 3},
        {"path": "a", "file": "src/a", "mode": "0644", "uid": 1, "user": "u", "mtime": -1, "fold": False},
        {"path_b64": "/w==", "base64": "AAE=", "xattrs": {"user.a": "AAE="}},
        {"path": "t", "tree": "src", "dir_mode": "0700"},
        {"path": "l", "symlink": "a"}, {"path": "h", "hardlink": "a"}, {"path": "d", "dir": True}, {"path": "w", "whiteout": True},
        {"path": "o", "opaque": True}, {"path": "f", "fifo": True}, {"path": "c", "char_device": [1, 3]}, {"path": "b", "block_device": [8, 0]},
        {"runtime": "users"}, {"runtime": "ca-certificates"},
        {"match": "**/[a-c]", "mode": "0755", "dir_mode": "0700", "gid": 1, "xattrs": {"user.b": "AAE="}},
    ]))
    seed("plan", "index", "\n".join(json.dumps(line) for line in [
        {"plan": "index", "version": 1, "names": ["app:v1"], "annotations": {"a": "b"}, "media_types": "docker"},
        {"image": {"platform": "linux/arm64", "base": {"reference": "oci:base", "digest": "sha256:" + "0" * 64}, "author": "A", "created": "2001-02-03T04:05:06Z",
                   "config": {"user": "1", "env": {"*": None, "A": "b", "C": None}, "entrypoint": ["x"], "cmd": None, "exposed_ports": ["80"], "volumes": {"/a": True},
                              "labels": None, "stop_signal": "9", "healthcheck": {"test": ["NONE"], "interval": 1}}}},
        {"layer": {"name": "n", "created_by": "c", "annotations": {"x": "y"}}}, {"path": "a", "text": "é"}, {"layer": {"tar": "layer.tar"}},
        {"image": {"platform": "linux/amd64", "base": {"manifest": "m.json", "config": "c.json"}}},
    ]))


# Streams.


def streams():
    text = b"a cask of oak, a cask of elm\n" * 8
    seed("gzip", "plain", gzip.compress(text, mtime=0))
    seed("gzip", "stored", gzip.compress(text[:40], 0, mtime=0))
    seed("gzip", "empty", gzip.compress(b"", mtime=0))
    seed("gzip", "members", gzip.compress(text, mtime=0) + gzip.compress(b"more", mtime=0))
    seed("gzip", "zeros-behind", gzip.compress(text, mtime=0) + bytes(40))
    seed("gzip", "garbage-behind", gzip.compress(text, mtime=0) + b"x")
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    flushed = raw.compress(text) + raw.flush(zlib.Z_SYNC_FLUSH) + raw.compress(text) + raw.flush(zlib.Z_FULL_FLUSH) + raw.flush()
    trailer = struct.pack("<II", zlib.crc32(text * 2), len(text) * 2)
    seed("gzip", "flushed", b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + flushed + trailer)
    header = b"\x1f\x8b\x08\x1e\1\2\3\4\2\3" + struct.pack("<H", 4) + b"AB\0\0" + b"name\0comment\0"
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    seed("gzip", "all-fields", header + flushed + trailer)
    seed("gzip", "fixed", b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x4b\x04\x00" + struct.pack("<II", zlib.crc32(b"a"), 1))
    seed("gzip", "pigz", run("pigz", "-c", data=text * 9))
    seed("gzip", "bomb", gzip.compress(bytes(1 << 20), mtime=0))
    for name, flags in [("plain", []), ("no-check", ["--no-check"]), ("fast", ["--fast=5"]), ("ultra", ["-19"]), ("long", ["--long=24"])]:
        seed("zstd", name, run("zstd", "-q", "-c", *flags, data=text * 4))
    plain_frame = run("zstd", "-q", "-c", data=text)
    seed("zstd", "empty", run("zstd", "-q", "-c", data=b""))
    seed("zstd", "frames", plain_frame + run("zstd", "-q", "-c", data=b"more"))
    skippable = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"notes"
    seed("zstd", "skippable", skippable + plain_frame + skippable)
    seed("zstd", "bomb", run("zstd", "-q", "-c", data=bytes(1 << 20)))
    seed("zstd", "random", run("zstd", "-q", "-c", data=hashlib.sha512(b"x").digest() * 3 + hashlib.sha512(b"y").digest()))
    seed("deflate", "empty", b"")
    seed("deflate", "periods", b"abcabcabcabdabcabcabcabdabcabc" * 30)
    seed("deflate", "text", b"".join(b"line %d of %d\n" % (n % 17, n) for n in range(400)))
    seed("deflate", "zeros", bytes(3000))
    far, too_far = hashlib.sha512(b"a").digest() * 5, hashlib.sha512(b"b").digest() * 5
    seed("deflate", "window", far + too_far + bytes(32768 - len(far + too_far)) + far + b"x" + too_far)
    seed("deflate", "noise", b"".join(hashlib.sha512(bytes([n])).digest() for n in range(60)))
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory) / "data"
        place.write_bytes(text)
        seed("zstd", "with-size", run("zstd", "-q", "-c", place))


# Programs.


def programs():
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)

        def compile(name, code, *flags):
            (place / "code.c").write_text(code)
            out = place / name
            run("cc", "-nostdlib", "-fno-asynchronous-unwind-tables", "-s", "-Wl,-z,noseparate-code,-z,max-page-size=4096,--build-id=none,-z,norelro", "-o", out, place / "code.c", *flags)
            return out

        (place / "map").write_text("V1 { global: f; local: *; };\nV2 { global: g; } V1;\n")
        library = compile("libx.so.1", "int f(void){return 1;} int g(void){return 2;}", "-shared", "-fPIC", "-Wl,-soname,libx.so.1", f"-Wl,--version-script={place}/map")
        code = "int f(void); int g(void); void _start(void){f();g();}"
        program = compile("app", code, library, "-Wl,-rpath,$ORIGIN:/opt/lib", "-Wl,--dynamic-linker=/lib/ld-x.so")
        old = compile("old", code, library, "-Wl,-rpath,/a:/b,--disable-new-dtags", "-no-pie", "-Wl,--dynamic-linker=/lib/ld-x.so")
        static = compile("static", "void _start(void){}", "-static")
        for path in [library, program, old, static]:
            seed("elf", path.name, path.read_bytes())
        # The same header for another word and byte order.
        header = b"\x7fELF\1\2\1" + bytes(9) + struct.pack(">HHIIIIIHHHHHH", 2, 8, 1, 0, 52, 0, 0x70001007, 52, 32, 1, 40, 0, 0) + struct.pack(">8I", 3, 84, 0, 0, 8, 8, 4, 1) + b"/ld.so\0\0"
        seed("elf", "mips", header)
        seed("elf", "mach-o", struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 2, 1, 24, 0, 0) + struct.pack("<6I", 0x32, 24, 1, 0x000B0000, 0, 0))
        seed("elf", "pe", b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 0, 0, 0, 0, 0, 0x22))
        root = place / "root"
        (root / "etc").mkdir(parents=True)
        (root / "lib").mkdir()
        (root / "lib" / "libx.so.1").write_bytes(library.read_bytes())
        (root / "lib" / "liby.so.2").write_bytes(library.read_bytes())
        (root / "etc" / "ld.so.conf").write_text("/lib\n")
        for form in ["new", "compat"]:
            run("ldconfig", "-c", form, "-X", "-r", root)
            seed("ld", f"cache-{form}", (root / "etc" / "ld.so.cache").read_bytes())
    seed("ld", "include", b"include ld.so.conf.d/*.conf\n/opt/a # comment\nhwcap 1 nosegneg\n/opt/b=libc6\nrelative\n/opt/a:/opt/c/\0/usr/local/lib\n")
    seed("ld", "circle", b"include /etc/ld.so.conf ld.so.conf.d/?econd.c*\n\0include ../ld.so.conf\n/x/../y")
    seed("ld", "odd", b"/a,/b\t/c\xff\n#\ninclude\ninclude /etc/*/*\n//\n/..\n\0")


for make in [tars, archives, layouts, documents, plans, streams, programs]:
    make()
for target in sorted(OUT.iterdir()):
    sizes = [path.stat().st_size for path in target.iterdir()]
    print(f"{target.name:10} {len(sizes):3} seeds, {sum(sizes):7} bytes, the longest {max(sizes)}")
