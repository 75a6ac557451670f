"""What other readers make of tars and compressed streams: a helper of differential.rs.

A request is a letter, eight bytes of length and so many bytes; the answer is a line of JSON. `t` is a
tar, read by Python's tarfile and by libarchive, which bsdtar is made of; `g` is gzip, read by zlib;
`z` is zstd, read by the tool; `d` is one member of gzip without a name, read by zlib, libdeflate and
igzip's library, of which each is to leave nothing.
"""

import ctypes
import ctypes.util
import hashlib
import io
import json
import locale
import struct
import subprocess
import sys
import tarfile
import zlib
from decimal import Decimal

LONGEST = 1 << 20
KINDS = {0o100000: "file", 0o040000: "directory", 0o120000: "symlink", 0o010000: "fifo", 0o020000: "character", 0o060000: "block"}


def load(name, functions):
    library = ctypes.CDLL(name)
    for name, result, arguments in functions:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def load_libarchive():
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64
    return load("libarchive.so.13", [
        ("archive_read_new", pointer, []),
        ("archive_read_free", ctypes.c_int, [pointer]),
        ("archive_read_support_format_tar", ctypes.c_int, [pointer]),
        ("archive_read_open_memory", ctypes.c_int, [pointer, text, ctypes.c_size_t]),
        ("archive_read_next_header", ctypes.c_int, [pointer, ctypes.POINTER(pointer)]),
        ("archive_read_data", ctypes.c_ssize_t, [pointer, pointer, ctypes.c_size_t]),
        ("archive_error_string", text, [pointer]),
        ("archive_entry_pathname", text, [pointer]),
        ("archive_entry_filetype", ctypes.c_uint, [pointer]),
        ("archive_entry_perm", ctypes.c_uint, [pointer]),
        ("archive_entry_size", number, [pointer]),
        ("archive_entry_uid", number, [pointer]),
        ("archive_entry_gid", number, [pointer]),
        ("archive_entry_uname", text, [pointer]),
        ("archive_entry_gname", text, [pointer]),
        ("archive_entry_mtime", number, [pointer]),
        ("archive_entry_mtime_nsec", ctypes.c_long, [pointer]),
        ("archive_entry_symlink", text, [pointer]),
        ("archive_entry_hardlink", text, [pointer]),
        ("archive_entry_rdevmajor", ctypes.c_uint64, [pointer]),
        ("archive_entry_rdevminor", ctypes.c_uint64, [pointer]),
        ("archive_entry_sparse_count", ctypes.c_int, [pointer]),
    ])


# Names are bytes: in this locale libarchive changes none that are UTF-8.
locale.setlocale(locale.LC_ALL, "C.UTF-8")
LIBRARY = load_libarchive()


class Refused(Exception):
    pass


def entry(path, kind, mode, owner, names, mtime, link=b"", device=(0, 0), body=b""):
    return {
        "path": path.hex(), "kind": kind, "mode": mode & 0o7777, "owner": owner, "names": [name.hex() for name in names], "mtime": mtime,
        "link": link.hex(), "device": device, "size": len(body), "body": hashlib.sha256(body).hexdigest(),
    }


def by_libarchive(data):
    archive = LIBRARY.archive_read_new()
    try:
        yield from read_libarchive(archive, data)
    finally:
        LIBRARY.archive_read_free(archive)


def read_libarchive(archive, data):
    def check(code):
        # A warning says that something was not understood.
        if code not in (0, 1):
            raise Refused((LIBRARY.archive_error_string(archive) or b"?").decode("utf-8", "replace"))
        return code

    LIBRARY.archive_read_support_format_tar(archive)
    check(LIBRARY.archive_read_open_memory(archive, data, len(data)))
    found = ctypes.c_void_p()
    while check(LIBRARY.archive_read_next_header(archive, ctypes.byref(found))) == 0:
        if LIBRARY.archive_entry_sparse_count(found):
            raise Refused("sparse")
        kind = KINDS.get(LIBRARY.archive_entry_filetype(found), "unknown")
        link = LIBRARY.archive_entry_hardlink(found)
        if link is not None:
            kind = "hard link"
        elif kind == "symlink":
            link = LIBRARY.archive_entry_symlink(found)
        body, buffer = b"", ctypes.create_string_buffer(65536)
        while kind == "file" and len(body) < LONGEST:
            count = LIBRARY.archive_read_data(archive, buffer, len(buffer))
            check(min(count, 0))
            if count == 0:
                break
            body += buffer.raw[:count]
        if kind == "file" and len(body) != LIBRARY.archive_entry_size(found):
            raise Refused("its length is another")
        device = (0, 0)
        if kind in ("character", "block"):
            device = (LIBRARY.archive_entry_rdevmajor(found), LIBRARY.archive_entry_rdevminor(found))
        yield entry(
            LIBRARY.archive_entry_pathname(found) or b"", kind, LIBRARY.archive_entry_perm(found),
            (LIBRARY.archive_entry_uid(found), LIBRARY.archive_entry_gid(found)),
            (LIBRARY.archive_entry_uname(found) or b"", LIBRARY.archive_entry_gname(found) or b""),
            (LIBRARY.archive_entry_mtime(found), LIBRARY.archive_entry_mtime_nsec(found)), link or b"", device, body,
        )


TARFILE_KINDS = {
    tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.CONTTYPE: "file", tarfile.LNKTYPE: "hard link", tarfile.SYMTYPE: "symlink",
    tarfile.DIRTYPE: "directory", tarfile.FIFOTYPE: "fifo", tarfile.CHRTYPE: "character", tarfile.BLKTYPE: "block",
}


def ends_with_global_records(data):
    """Whether nothing is behind the records for all entries: Python wants an entry there."""
    offset, last = 0, b""
    while data[offset : offset + 512].strip(b"\0"):
        header = data[offset : offset + 512]
        last = header[156:157]
        offset += 512 + -(-tarfile.nti(header[124:136]) // 512) * 512
    return last == b"g"


def by_tarfile(data):
    try:
        yield from read_tarfile(data)
    except tarfile.ReadError as error:
        if str(error) != "end of file header" or not ends_with_global_records(data):
            raise


def read_tarfile(data):
    def raw(text):
        return text.encode("utf-8", "surrogateescape")

    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            if member.issparse():
                raise Refused("sparse")
            kind = TARFILE_KINDS.get(member.type, "unknown")
            body = tar.extractfile(member).read() if kind == "file" else b""
            if kind == "file" and len(body) != member.size:
                raise Refused("cut short")
            # As a float it would lose digits.
            text = member.pax_headers.get("mtime") or str(member.mtime)
            mtime = Decimal(text)
            seconds = int(mtime // 1) - (1 if mtime < 0 and mtime % 1 else 0)
            device = (member.devmajor, member.devminor) if kind in ("character", "block") else (0, 0)
            link = raw(member.linkname) if kind in ("symlink", "hard link") else b""
            yield entry(
                raw(member.name), kind, member.mode, (member.uid, member.gid), (raw(member.uname), raw(member.gname)),
                (seconds, int((mtime - seconds) * 10**9)), link, device, body,
            )
        # It stops at what is no header, and says nothing.
        if data[tar.offset : tar.offset + 512].strip(b"\0"):
            raise Refused("it stopped before the end")


def by_zlib(data):
    out = b""
    while True:
        stream = zlib.decompressobj(31)
        out += stream.decompress(data, LONGEST - len(out))
        if len(out) >= LONGEST:
            return out
        if not stream.eof:
            raise Refused("cut short")
        data = stream.unused_data
        if not data.strip(b"\0"):
            return out
        if data[0] != 0x1F:
            raise Refused("something follows")


def by_zstd(data):
    done = subprocess.run(["zstd", "-dqc"], input=data, capture_output=True)
    if done.returncode:
        raise Refused(done.stderr.decode("utf-8", "replace"))
    return done.stdout[:LONGEST]


class IgzipState(ctypes.Structure):
    """The beginning of `struct inflate_state`, and more room than the rest of it takes."""

    _fields_ = [
        ("next_out", ctypes.c_void_p), ("avail_out", ctypes.c_uint32), ("total_out", ctypes.c_uint32), ("next_in", ctypes.c_char_p),
        ("read_in", ctypes.c_uint64), ("avail_in", ctypes.c_uint32), ("read_in_length", ctypes.c_int32), ("rest", ctypes.c_ubyte * (1 << 20)),
    ]


def load_others():
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    libdeflate = load("libdeflate.so.0", [
        ("libdeflate_alloc_decompressor", pointer, []),
        ("libdeflate_gzip_decompress", ctypes.c_int, [pointer, text, size, pointer, size, ctypes.POINTER(size)]),
    ])
    igzip = load("libisal.so.2", [("isal_inflate_init", None, [pointer]), ("isal_inflate", ctypes.c_int, [pointer])])
    return libdeflate, libdeflate.libdeflate_alloc_decompressor(), igzip, IgzipState(), ctypes.create_string_buffer(LONGEST)


# What reads `d`, loaded when it is first asked for.
others = None


def by_one_zlib(data):
    stream = zlib.decompressobj(31)
    out = stream.decompress(data) + stream.flush()
    if not stream.eof or stream.unused_data or stream.unconsumed_tail:
        raise Refused("it does not end with the member")
    return out


def by_libdeflate(data):
    libdeflate, decompressor, _, _, room = others
    length = ctypes.c_size_t()
    code = libdeflate.libdeflate_gzip_decompress(decompressor, data, len(data), room, LONGEST, ctypes.byref(length))
    if code:
        raise Refused(f"libdeflate says {code}")
    return room.raw[:length.value]


def by_igzip(data):
    _, _, igzip, state, room = others
    # Raw DEFLATE: between a header of ten bytes and the checksum and length.
    raw = data[10:-8]
    igzip.isal_inflate_init(ctypes.byref(state))
    state.next_in, state.avail_in = raw, len(raw)
    state.next_out, state.avail_out = ctypes.addressof(room), LONGEST
    code = igzip.isal_inflate(ctypes.byref(state))
    if code or state.avail_in:
        raise Refused(f"igzip says {code} and leaves {state.avail_in} bytes")
    return room.raw[:state.total_out]


def attempt(reader, data):
    try:
        found = reader(data)
        if isinstance(found, bytes):
            return {"bytes": len(found), "digest": hashlib.sha256(found).hexdigest()}
        return {"entries": list(found)}
    except (Refused, tarfile.TarError, zlib.error, ArithmeticError, ValueError, OSError, struct.error) as error:
        return {"refused": f"{type(error).__name__}: {error}"}


READERS = {b"t": {"tarfile": by_tarfile, "libarchive": by_libarchive}, b"g": {"zlib": by_zlib}, b"z": {"zstd": by_zstd}}
READERS[b"d"] = {"zlib": by_one_zlib, "libdeflate": by_libdeflate, "igzip": by_igzip}

while head := sys.stdin.buffer.read(9):
    data = sys.stdin.buffer.read(int.from_bytes(head[1:], "little"))
    if head[:1] == b"d" and others is None:
        others = load_others()
    print(json.dumps({name: attempt(reader, data) for name, reader in READERS[head[:1]].items()}), flush=True)
