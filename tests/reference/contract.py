#!/usr/bin/env python3
"""Byte contract 1, written a second time from docs/determinism.md and docs/plan-format.md alone.

Python 3.11, standard library only. Section numbers are those of docs/determinism.md. It reads
plans without bases, runtime lines and foreign tars; it does not compress: stored layers are
given to it, and it says whether their form is the contract's and their blocks are the tar's.

    contract.py                       one job a line on standard input, one answer a line
    contract.py tar PLAN ROOT NUMBER  writes the tar of a plan's layer (counted from 0)

What no plan can say, but programs that use the crates can, is read as well: "root":true in place
of a path, "nanoseconds" beside "mtime", "user_b64" and "group_b64", and "zeros" for a file of so
many zero bytes; with "heads" in its job, a plan's layers are answered with their heads in hexadecimal,
and no body is made.

A job is {"plan": FILE, "root": DIRECTORY, "stored": [[FILE, BLOCKS], ...]}, with each layer's
blob and the [stored offset, stored length] of its blocks; without `stored`, no documents are
made. Names of files are relative to the root.
"""

import base64
import hashlib
import json
import os
import re
import stat
import struct
import sys
import zlib
from typing import NamedTuple


class Refused(Exception):
    """There is no output, says the contract."""


def check(holds, reason):
    if not holds:
        raise Refused(reason)


# 1. The tree


class Attributes(NamedTuple):
    mode: int
    uid: int = 0
    gid: int = 0
    user: bytes = b""
    group: bytes = b""
    mtime: int = 0
    nanoseconds: int = 0
    xattrs: tuple = ()


class Entry(NamedTuple):
    kind: str
    attributes: Attributes | None = None
    content: bytes = b""
    fold: bool = True
    target: bytes = b""
    device: tuple = (0, 0)


class Tree:
    def __init__(self):
        self.entries = {}
        self.opaque = set()

    def add(self, path, entry):
        check(self.entries.setdefault(path, entry) == entry, f"two different entries at {path}")

    def check(self):
        for path in [*self.entries, *self.opaque]:
            for above in ancestors(path):
                check(above not in self.entries or self.entries[above].kind == "dir", f"{path} lies below no directory")
        for path in self.opaque:
            check(path not in self.entries or self.entries[path].kind == "dir", f"{path} is opaque and no directory")


def check_path(path):
    check(1 <= len(path) <= 4095 and b"\0" not in path, f"no path: {path}")
    for component in path.split(b"/"):
        check(component not in (b"", b".", b"..") and not component.startswith(b".wh."), f"no path: {path}")
    return path


def ancestors(path):
    """The proper ancestors but the root."""
    return [path[:at] for at, byte in enumerate(path) if byte == ord("/")]


def decoded(text):
    """Base64 of RFC 4648, 4: padded, unused bits zero."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused(f"no Base64: {text}") from error
    check(base64.b64encode(data) == text.encode(), f"no Base64: {text}")
    return data


def given(line, name):
    """The bytes of a member that may be Base64, None if it is absent."""
    if name + "_b64" in line:
        return decoded(line[name + "_b64"])
    return line[name].encode() if name in line else None


def given_path(line, name):
    text = given(line, name)
    return None if text is None else check_path(text.removeprefix(b"/").removesuffix(b"/"))


def given_attributes(line, mode):
    a = Attributes(
        mode=int(line["mode"], 8) if "mode" in line else mode,
        uid=line.get("uid", 0),
        gid=line.get("gid", 0),
        user=given(line, "user") or b"",
        group=given(line, "group") or b"",
        mtime=line.get("mtime", 0),
        nanoseconds=line.get("nanoseconds", 0),
        xattrs=tuple(sorted((name.encode(), decoded(value)) for name, value in line.get("xattrs", {}).items())),
    )
    check(0 <= a.mode <= 0o7777 and 0 <= a.uid < 2**64 and 0 <= a.gid < 2**64, f"out of range: {line}")
    check(-(2**63) <= a.mtime < 2**63 and b"\0" not in a.user + a.group, f"out of range: {line}")
    for name, _ in a.xattrs:
        check(name and b"\0" not in name and b"=" not in name, f"no name of an xattr: {name}")
    return a


def read(name):
    with open(name, "rb") as file:
        return file.read()


def add_line(tree, line, root):
    path = b"" if "root" in line else given_path(line, "path")
    if "tree" in line:
        return add_tree(tree, line, path, os.path.join(root, line["tree"].encode()))
    check(path is not None, "an entry without a path")
    file = given(line, "file")
    if file is not None:
        content = read(os.path.join(root, file))
        entry = Entry("file", given_attributes(line, 0o644), content, line.get("fold", True))
    elif "text" in line or "base64" in line:
        content = line["text"].encode() if "text" in line else decoded(line["base64"])
        entry = Entry("file", given_attributes(line, 0o644), content)
    elif "zeros" in line:
        entry = Entry("file", given_attributes(line, 0o644), range(line["zeros"]), False)
    elif "dir" in line:
        entry = Entry("dir", given_attributes(line, 0o755))
    elif (target := given(line, "symlink")) is not None:
        check(target and b"\0" not in target, f"no target: {line}")
        entry = Entry("symlink", given_attributes(line, 0o777), target=target)
    elif (target := given_path(line, "hardlink")) is not None:
        entry = Entry("hardlink", given_attributes(line, 0o644), target=target)
    elif "fifo" in line:
        entry = Entry("fifo", given_attributes(line, 0o644))
    elif "char_device" in line or "block_device" in line:
        kind = "char" if "char_device" in line else "block"
        device = tuple(line[kind + "_device"])
        check(all(0 <= number <= 0o7777777 for number in device), f"no device: {line}")
        entry = Entry(kind, given_attributes(line, 0o644), device=device)
    elif "whiteout" in line:
        entry = Entry("whiteout")
    elif "opaque" in line:
        return tree.opaque.add(path)
    else:
        raise Refused(f"not known here: {line}")
    tree.add(path, entry)


def apply_matches(tree, lines):
    """Attributes by path: of several lines the later one's, member by member."""
    for line in lines:
        pattern = re.compile(glob_pattern(line["match"].removeprefix("/").encode()), re.DOTALL)
        found = [path for path, entry in tree.entries.items() if entry.kind not in ("whiteout", "hardlink") and pattern.fullmatch(path)]
        check(found, f"nothing matches {line}")
        for path in found:
            entry = tree.entries[path]
            a = given_attributes(line | {"mode": "0"}, 0)
            set_here = {member: getattr(a, member) for member in ("uid", "gid", "user", "group", "mtime") if member in line}
            mode = {"dir": line.get("dir_mode"), "symlink": None}.get(entry.kind, line.get("mode"))
            if mode is not None:
                set_here["mode"] = int(mode, 8)
            set_here["xattrs"] = tuple(sorted((dict(entry.attributes.xattrs) | dict(a.xattrs)).items()))
            tree.entries[path] = entry._replace(attributes=entry.attributes._replace(**set_here))


def glob_pattern(glob):
    """A glob without classes, as a regular expression."""
    special = {b"*": rb"[^/]*", b"?": rb"[^/]", b"{": rb"(?:", b"}": rb")", b",": rb"|"}
    out, depth = b"", 0
    for part in re.findall(rb"\\.|^\*\*/|/\*\*/|/\*\*$|^\*\*$|.", glob, re.DOTALL):
        check(part != b"[", f"not known here: {glob}")
        depth += {b"{": 1, b"}": -1}.get(part, 0)
        deep = {b"**/": rb"(?:.*/)?", b"/**/": rb"/(?:.*/)?", b"/**": rb"/.*", b"**": rb".*"}
        if part in deep:
            out += deep[part]
        elif part in special and (part != b"," or depth):
            out += special[part]
        else:
            out += re.escape(part[-1:])
    return out


def add_tree(tree, line, path, top):
    both = given_attributes(line, 0o644)
    directory = both._replace(mode=int(line.get("dir_mode", "0755"), 8))

    def walk(on_disk, inside):
        """`inside` is the path below the top, as components."""
        here = b"/".join(([path] if path else []) + inside)
        status = os.lstat(on_disk) if inside else os.stat(on_disk)
        if stat.S_ISDIR(status.st_mode):
            if here:
                tree.add(check_path(here), Entry("dir", directory))
            for name in os.listdir(on_disk):
                walk(os.path.join(on_disk, name), [*inside, name])
        elif stat.S_ISLNK(status.st_mode) and stays_inside(os.readlink(on_disk), len(inside) - 1):
            tree.add(check_path(here), Entry("symlink", both._replace(mode=0o777), target=os.readlink(on_disk)))
        else:
            check(os.path.isfile(on_disk), f"{here} leads to no regular file")
            tree.add(check_path(here), Entry("file", both, read(on_disk)))

    walk(top, [])


def stays_inside(target, depth):
    if target.startswith(b"/"):
        return False
    for component in target.split(b"/"):
        if component == b"..":
            if depth == 0:
                return False
            depth -= 1
        elif component not in (b"", b"."):
            depth += 1
    return True


# 2. The resolved tree


class Item(NamedTuple):
    type: bytes
    name: bytes  # as in 3.1, without the slash of a directory
    attributes: Attributes
    content: bytes = b""
    fold: bool = False
    link: bytes = b""
    device: tuple = (0, 0)


TYPES = {"file": b"0", "symlink": b"2", "char": b"3", "block": b"4", "dir": b"5", "fifo": b"6"}
MARK = Attributes(0o644)


def inside(directory, name):
    return directory + b"/" + name if directory else name


def key_of(path, entry):
    if entry.kind != "whiteout":
        return path
    directory, _, name = path.rpartition(b"/")
    return inside(directory, b"\0" + name)


def resolve(tree, folding):
    tree.check()
    entries = dict(tree.entries)
    wanted = [above for path in [*tree.entries, *tree.opaque] for above in ancestors(path)]
    for path in [*wanted, *(tree.opaque - {b""})]:
        mode = {b"tmp": 0o1777, b"var/tmp": 0o1777, b"root": 0o700}.get(path, 0o755)
        entries.setdefault(path, Entry("dir", Attributes(mode)))

    keyed = [(key_of(path, entry), path, entry) for path, entry in entries.items()]
    keyed += [(inside(path, b"\0"), path, None) for path in tree.opaque]
    keyed.sort(key=lambda one: one[0])

    ends = {path: end_of(path, entries) for path, entry in entries.items() if entry.kind == "hardlink"}
    linked = set(ends.values())
    items, leaders = [], {}
    for _, path, entry in keyed:
        directory, _, name = path.rpartition(b"/")
        if entry is None:
            items.append(Item(b"0", inside(path, b".wh..wh..opq"), MARK))
        elif entry.kind == "whiteout":
            items.append(Item(b"0", inside(directory, b".wh." + name), MARK))
        else:
            end = ends.get(path, path)
            entry = entries[end]
            if end in leaders:
                items.append(Item(b"1", path, entry.attributes, link=leaders[end]))
                continue
            if end in linked:
                leaders[end] = path
            items.append(Item(TYPES[entry.kind], path or b".", entry.attributes, entry.content, entry.kind == "file" and entry.fold, entry.target, entry.device))
    return fold(items) if folding else items


def end_of(path, entries):
    seen = set()
    while True:
        check(path not in seen, f"hard links in a circle at {path}")
        seen.add(path)
        check(path in entries and entries[path].kind not in ("dir", "whiteout"), f"a hard link to {path}, which cannot have two names")
        if entries[path].kind != "hardlink":
            return path
        path = entries[path].target


def fold(items):
    groups, became, out = {}, {}, []
    for item in items:
        a = item.attributes
        if item.type == b"0" and item.fold and len(item.content) >= 65536 and a.uid == a.gid == 0 and not a.mode & 0o022:
            leader = groups.setdefault((hashlib.sha256(item.content).digest(), len(item.content), a), item.name)
            if leader != item.name:
                became[item.name] = leader
                item = Item(b"1", item.name, a, link=leader)
        elif item.type == b"1":
            item = item._replace(link=became.get(item.link, item.link))
        out.append(item)
    return out


# 3. The tar


def padded(data):
    return data + bytes(-len(data) % 512)


def octal(number, digits):
    return b"%0*o\0" % (digits, number)


def fitting(number, digits):
    return number if 0 <= number < 8**digits else 0


def header(type, name, size, a, link=b"", device=(0, 0)):
    def joined(checksum):
        return b"".join((
            name[:100].ljust(100, b"\0"),
            octal(a.mode, 7),
            octal(fitting(a.uid, 7), 7),
            octal(fitting(a.gid, 7), 7),
            octal(fitting(size, 11), 11),
            octal(fitting(a.mtime, 11), 11),
            checksum,
            type,
            link[:100].ljust(100, b"\0"),
            b"ustar\0" b"00",
            a.user[:31].ljust(32, b"\0"),
            a.group[:31].ljust(32, b"\0"),
            octal(device[0], 7),
            octal(device[1], 7),
            bytes(155 + 12),
        ))

    return joined(octal(sum(joined(b" " * 8)), 6) + b" ")


def is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def record(key, value):
    rest = len(b" %s=%s\n" % (key, value))
    digits = next(digits for digits in range(1, 20) if len(str(rest + digits)) == digits)
    return b"%d %s=%s\n" % (rest + digits, key, value)


def seconds(whole, nanoseconds):
    total = whole * 10**9 + nanoseconds
    whole, nanoseconds = divmod(abs(total), 10**9)
    fraction = f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""
    return f"{'-' if total < 0 else ''}{whole}{fraction}".encode()


def head(item):
    a = item.attributes
    name = item.name + b"/" if item.type == b"5" else item.name
    size = len(item.content)

    def long(data, limit):
        return len(data) > limit or not data.isascii()

    records = [(b"SCHILY.xattr." + key, value) for key, value in a.xattrs]
    if a.gid >= 8**7:
        records.append((b"gid", b"%d" % a.gid))
    if long(a.group, 31):
        records.append((b"gname", a.group))
    if not all(is_utf8(text) for text in (a.user, a.group, name, item.link)):
        records.append((b"hdrcharset", b"BINARY"))
    if long(item.link, 100):
        records.append((b"linkpath", item.link))
    if not 0 <= a.mtime < 8**11 or a.nanoseconds:
        records.append((b"mtime", seconds(a.mtime, a.nanoseconds)))
    if long(name, 100):
        records.append((b"path", name))
    if size >= 8**11:
        records.append((b"size", b"%d" % size))
    if a.uid >= 8**7:
        records.append((b"uid", b"%d" % a.uid))
    if long(a.user, 31):
        records.append((b"uname", a.user))

    extended = b"".join(record(key, value) for key, value in records)
    check(len(extended) <= 1048576, f"{name} has too long PAX records")
    before = header(b"x", b"././@PaxHeader", len(extended), MARK) + padded(extended) if extended else b""
    return before + header(item.type, name, size, a, item.link, item.device)


def tar(items):
    return b"".join(part for item in items for part in (head(item), padded(item.content))) + bytes(1024)


# 4. Blocks

OWN = 262144
END = 1024


def plan_blocks(items, block_size):
    size = max(block_size, 4096)
    blocks, offset, group = [], 0, 0

    def cut(length):
        nonlocal offset
        blocks.append([offset, length])
        offset += length

    for item in items:
        length = len(item.content)
        whole = length + -length % 512
        own = length >= OWN
        add = len(head(item)) + (0 if own else whole)
        chosen = group >= size // 4 and hashlib.sha256(item.name).digest()[0] & 0x0F == 0
        if group > 0 and (group + add > size or chosen):
            cut(group)
            group = 0
        group += add
        if own:
            cut(group)
            group = 0
            for start in range(0, length, size):
                cut(whole - start if start + size >= length else size)  # the last piece has the padding
    if group > 0 and group + END > size:
        cut(group)
        group = 0
    cut(group + END)
    return blocks


# 5. The stored form

ENCODERS = {"none-1": (0, 1048576), "gzip-1": (5, 1048576), "gzip-2": (5, 1048576), "zstd-1": (3, 4194304)}
LEVELS = {"none-1": range(1), "gzip-1": range(1, 10), "gzip-2": range(1, 10), "zstd-1": range(1, 20)}
GZIP = ("gzip-1", "gzip-2")
GZIP_HEADER = bytes.fromhex("1f8b08000000000000ff")


def encoding(layer):
    encoder = layer.get("encoder", "gzip-2")
    check(encoder in ENCODERS, f"no encoder: {encoder}")
    level, block_size = ENCODERS[encoder]
    level, block_size = layer.get("level", level), layer.get("block_size", block_size)
    check(level in LEVELS[encoder] and 65536 <= block_size <= 67108864, f"no encoding: {layer}")
    return encoder, level, block_size


def check_stored(encoder, data, table, blob, stored):
    """Whether `blob` has the form of the contract and its parts hold the blocks of `data`."""
    check(len(stored) == len(table), "as many stored parts as blocks")
    first, last = (len(GZIP_HEADER), 10) if encoder in GZIP else (0, 0)
    place = first
    for (offset, length), (stored_offset, stored_length) in zip(table, stored):
        check(stored_offset == place, f"block {offset} is stored at {stored_offset}, not at {place}")
        place += stored_length
        block, part = data[offset : offset + length], blob[stored_offset:place]
        if encoder == "none-1":
            check(part == block, f"block {offset} is stored as it is")
        elif encoder in GZIP:
            stream = zlib.decompressobj(-15)
            check(stream.decompress(part) == block, f"block {offset} inflates alone")
            check(not stream.eof and not stream.unconsumed_tail, f"block {offset} has no last DEFLATE block")
            check(part.endswith(b"\0\0\xff\xff"), f"block {offset} ends in an empty stored block")
        else:
            check_frame(part, length)
    check(place + last == len(blob), "nothing else is stored")
    if encoder in GZIP:
        check(blob.startswith(GZIP_HEADER), "the header of gzip")
        check(blob[-10:] == b"\3\0" + struct.pack("<II", zlib.crc32(data), len(data) % 2**32), "the trailer of gzip")
        member = zlib.decompressobj(31)
        check(member.decompress(blob) == data and member.eof and not member.unused_data, "one member of gzip")


def check_frame(part, length):
    """Whether `part` is one zstd frame, without checksum or dictionary, that says its length."""
    check(part[:4] == bytes.fromhex("28b52ffd"), "the magic number of zstd")
    descriptor = part[4]
    check(descriptor & 0b00001111 == 0, "no checksum, no dictionary, no reserved bit")
    single = descriptor >> 5 & 1
    width = (single, 2, 4, 8)[descriptor >> 6]
    at = 5 if single else 6
    size = int.from_bytes(part[at : at + width], "little") + (256 if width == 2 else 0)
    check(width > 0 and size == length, f"the frame says {size}, the block has {length}")
    at += width
    last = 0
    while not last:
        check(at + 3 <= len(part), "a zstd block is cut off")
        block = int.from_bytes(part[at : at + 3], "little")
        last, kind, size = block & 1, block >> 1 & 3, block >> 3
        at += 3 + (1 if kind == 1 else size)
    check(at == len(part), "one frame of zstd")


# 6. Documents


def canonical(value):
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(value)}" for key, value in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def present(**members):
    """The members that are there, "if any"; `_` in a name stands for a dot."""
    return {name.replace("_", "."): value for name, value in members.items() if value not in (None, [], {})}


OCI = {
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "index": "application/vnd.oci.image.index.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "none-1": "application/vnd.oci.image.layer.v1.tar",
    "gzip-1": "application/vnd.oci.image.layer.v1.tar+gzip",
    "gzip-2": "application/vnd.oci.image.layer.v1.tar+gzip",
    "zstd-1": "application/vnd.oci.image.layer.v1.tar+zstd",
}
DOCKER = {
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "index": "application/vnd.docker.distribution.manifest.list.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "none-1": "application/vnd.docker.image.rootfs.diff.tar",
    "gzip-1": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "gzip-2": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "zstd-1": "application/vnd.docker.image.rootfs.diff.tar.zstd",
}


def media_types(image):
    return DOCKER if image.get("media_types") == "docker" else OCI


def descriptor(media_type, data):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def parse_platform(text):
    parts = text.split("/")
    if len(parts) == 1:
        parts.insert(0, "linux")
    os_name, _, version = parts[0].removesuffix(")").partition("(")
    os_name, architecture = os_name.lower(), parts[1].lower()
    variant = parts[2].lower() if len(parts) > 2 else None
    os_name = {"macos": "darwin"}.get(os_name, os_name)
    if architecture == "i386":
        variant = None
    variant = {"armhf": "v7", "armel": "v6"}.get(architecture, variant)
    renamed = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm", "armel": "arm"}
    architecture = renamed.get(architecture, architecture)
    return {"os": os_name, "architecture": architecture} | present(variant=variant, os_version=version or None)


def history(layer, created):
    created_by = layer.get("created_by", "cooperage: " + layer.get("name", "layer"))
    return present(created=layer.get("created", created)) | {"created_by": created_by} | present(comment=layer.get("comment"))


def layer_metadata(layer, built, data, blob, stored):
    encoder, level, block_size = encoding(layer)
    blocks = []
    for (offset, length), (stored_offset, stored_length) in zip(built["blocks"], stored):
        crc = zlib.crc32(data[offset : offset + length])
        blocks.append([offset, length, stored_offset, stored_length, crc])
    return present(name=layer.get("name")) | {
        "layer_metadata": 1,
        "descriptor": descriptor(OCI[encoder], blob) | present(annotations=layer.get("annotations")),
        "diff_id": built["diff_id"],
        "size": built["size"],
        "entries": built["entries"],
        "history": history(layer, None),
        "encoder": encoder,
        "level": level,
        "block_size": block_size,
        "blocks": blocks,
    }


def set_members(value):
    """A map whose members are given by name, `null` ones and `*` unset."""
    return {name: text for name, text in (value or {}).items() if text is not None and name != "*"}


def names(value):
    return {name: {} for name in (set_members(value) if isinstance(value, dict) else value or [])}


def container_config(plan):
    def words(name):
        return [plan[name]] if isinstance(plan.get(name), str) else plan.get(name)

    env = sorted(set_members(plan.get("env")).items(), key=lambda one: one[0].encode())
    kept = {
        "User": plan.get("user"),
        "WorkingDir": plan.get("working_dir"),
        "StopSignal": plan.get("stop_signal"),
        "Entrypoint": words("entrypoint"),
        "Cmd": words("cmd"),
    }
    check_of = plan.get("healthcheck") or {}
    return {name: value for name, value in kept.items() if value is not None} | present(
        ExposedPorts=names(plan.get("exposed_ports")),
        Env=[f"{name}={value}" for name, value in env],
        Volumes=names(plan.get("volumes")),
        Labels=set_members(plan.get("labels")),
        Healthcheck=present(
            Test=check_of.get("test"),
            Interval=check_of.get("interval"),
            Timeout=check_of.get("timeout"),
            StartPeriod=check_of.get("start_period"),
            StartInterval=check_of.get("start_interval"),
            Retries=check_of.get("retries"),
        ),
    )


def image_documents(image, metadata):
    types = media_types(image)
    created = image.get("created", "1970-01-01T00:00:00Z")
    layers = image["layers"]
    config = canonical(
        parse_platform(image.get("platform", "linux/amd64"))
        | {"created": created}
        | present(author=image.get("author"))
        | {"config": container_config(image.get("config") or {})}
        | {"rootfs": {"type": "layers", "diff_ids": [one["diff_id"] for one in metadata]}}
        | present(history=[history(layer, created) for layer in layers])
    ).encode()
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": types["manifest"],
            "config": descriptor(types["config"], config),
            "layers": [one["descriptor"] | {"mediaType": types[one["encoder"]]} for one in metadata],
        }
        | present(annotations=image.get("annotations"))
    ).encode()
    return config, manifest


def index(types, descriptors, annotations=None):
    return canonical({"schemaVersion": 2, "mediaType": types["index"], "manifests": descriptors} | present(annotations=annotations))


def platform_of(config):
    config = json.loads(config)
    return {name: config[name] for name in ("os", "architecture", "variant", "os.version", "os.features") if name in config}


def plan_documents(plan, images):
    """The descriptors of all images, the index of an index plan, and the descriptor of the whole."""
    described = [
        descriptor(media_types(image)["manifest"], manifest) | {"platform": platform_of(config)}
        for image, (config, manifest) in images
    ]
    root, whole = described[0] if described else None, None
    if plan["plan"] == "index":
        types = media_types(plan)
        whole = index(types, described, plan.get("annotations"))
        root = descriptor(types["index"], whole.encode())
    return described, whole, root


# 7. Media

REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def layout_descriptors(root, names):
    return [root | {"annotations": {REF_NAME: name}} for name in names] or [root]


def archive(first, blobs):
    """The tar of files in this order, and of blobs by their digests, each once, where it is first."""
    items = [Item(b"0", name, MARK, content) for name, content in first]
    directories = [b"blobs", b"blobs/sha256"] if blobs else []
    items += [Item(b"5", name, Attributes(0o755)) for name in directories]
    items += [Item(b"0", blob_path(name).encode(), MARK, content) for name, content in dict(blobs).items()]
    return tar(items)


def blob_path(digest):
    return "blobs/" + digest.replace(":", "/")


def oci_archive(root, names, whole, images, blobs):
    """`images` are pairs of a config and a manifest, `whole` is their index, `blobs` has the layers."""
    order = []
    for config, manifest in images:
        layers = [one["digest"] for one in json.loads(manifest)["layers"]]
        order += [(digest(config), config), *((one, blobs[one]) for one in layers), (digest(manifest), manifest)]
    if whole is not None:
        order.append((root["digest"], whole.encode()))
    first = index(OCI, layout_descriptors(root, sorted(names, key=str.encode)))
    once = list(dict(order).items())
    return archive([(b"index.json", first.encode()), (b"oci-layout", LAYOUT)], once[::-1])


def full_name(name):
    domain, _, path = name.partition("/")
    if not path or not ("." in domain or ":" in domain or domain == "localhost"):
        domain, path = "docker.io", name if path else "library/" + name
    return f"{domain}/{path}" if ":" in path else f"{domain}/{path}:latest"


def docker_archive(described, names, config, manifest, blobs):
    names = sorted(map(full_name, names), key=str.encode)
    layers = [one["digest"] for one in json.loads(manifest)["layers"]]
    about = {"Config": blob_path(digest(config)), "Layers": [blob_path(one) for one in layers], "RepoTags": names}
    named = [
        described | {"annotations": {"io.containerd.image.name": name, REF_NAME: name.rpartition(":")[2]}} for name in names
    ]
    first = [
        (b"manifest.json", canonical([about]).encode() + b"\n"),
        (b"index.json", index(OCI, named or [described]).encode()),
        (b"oci-layout", LAYOUT),
    ]
    return archive(first, [(digest(manifest), manifest), (digest(config), config), *((one, blobs[one]) for one in layers)])


# Plans


def read_plan(name):
    """The first line, with its images, each with its layers, each with its lines."""
    lines = [json.loads(line) for line in read(name).splitlines() if line.strip()]
    plan = lines[0]
    images = {"index": [], "image": [plan | {"layers": []}], "layer": [{"layers": [plan | {"lines": []}]}]}[plan["plan"]]
    for line in lines[1:]:
        if "image" in line:
            images.append(line["image"] | {"layers": []})
        elif "layer" in line:
            images[-1]["layers"].append(line["layer"] | {"lines": []})
        else:
            images[-1]["layers"][-1]["lines"].append(line)
    return plan, images


def build_layer(layer, root, heads_alone=False):
    tree = Tree()
    for line in layer["lines"]:
        if "match" not in line:
            add_line(tree, line, os.fsencode(root))
    apply_matches(tree, [line for line in layer["lines"] if "match" in line])
    items = resolve(tree, layer.get("fold", True))
    data = b"" if heads_alone else tar(items)
    blocks = plan_blocks(items, encoding(layer)[2])
    if heads_alone:
        return {"heads": b"".join(map(head, items)).hex(), "blocks": blocks, "tar": data}
    return {"diff_id": digest(data), "size": len(data), "entries": len(items), "blocks": blocks, "tar": data}


def answer(job, result):
    plan, images = read_plan(job["plan"])
    layers, documents, blobs = result["layers"], [], {}
    stored = iter(job.get("stored", []))
    for image in images:
        metadata = []
        for layer in image["layers"]:
            built = build_layer(layer, job["root"], "heads" in job)
            data = built.pop("tar")
            layers.append(built)
            if "stored" in job:
                file, parts = next(stored)
                blob = read(os.path.join(job["root"], file))
                blobs[digest(blob)] = blob
                check_stored(encoding(layer)[0], data, built["blocks"], blob, parts)
                metadata.append(layer_metadata(layer, built, data, blob, parts))
                built["metadata"] = canonical(metadata[-1]) + "\n"
        if "stored" in job and plan["plan"] != "layer":
            documents.append((image, image_documents(image, metadata)))
    if documents:
        images = [made for _, made in documents]
        result["images"] = [{"config": config.decode(), "manifest": manifest.decode()} for config, manifest in images]
        described, whole, root = plan_documents(plan, documents)
        names = plan.get("names", [])
        result["index"] = whole
        result["layout"] = index(OCI, layout_descriptors(root, names))
        result["oci_archive"] = digest(oci_archive(root, names, whole, images, blobs))
        # What is stored as zstd would have to be compressed anew.
        if all("zstd" not in one["mediaType"] for one in json.loads(images[0][1])["layers"]):
            result["docker_archive"] = digest(docker_archive(described[0], names, *images[0], blobs))


def main(arguments):
    if arguments[:1] == ["tar"]:
        name, root, number = arguments[1:]
        layers = [layer for image in read_plan(name)[1] for layer in image["layers"]]
        sys.stdout.buffer.write(build_layer(layers[int(number)], root)["tar"])
        return
    for line in sys.stdin.buffer:
        job = json.loads(line)
        result = {"layers": []}
        try:
            answer(job, result)
        except Refused as refused:
            result["refused"] = str(refused)
        print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
