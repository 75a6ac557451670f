#!/usr/bin/env python3
"""Inputs for contract.py: the files of golden plans, and plans by chance, always the same.

    trees.py files PLAN DIRECTORY      the files that a plan of tests/golden names, as its README says
    trees.py plans SEED COUNT DIRECTORY   0.jsonl, 1.jsonl … and their files, each of six layers
"""

import base64
import hashlib
import json
import os
import random
import sys

WORDS = "alder birch cask drum elm firkin gauge hoop iron joint kilderkin ledger mallet notch oak puncheon".split()


def stream(seed, length):
    parts = (hashlib.sha256(f"{seed}:{number}".encode()).digest() for number in range(-(-length // 32)))
    return bytearray(b"".join(parts)[:length])


def contents(name):
    kind, _, rest = name.partition("-")
    seed, _, length = rest.rpartition("-")
    length = int(length)
    if kind == "text":
        # A word is five bytes or more with its space.
        return "".join(WORDS[byte % 16] + " " for byte in stream(seed, length // 4 + 1)).encode()[:length]
    data = stream(seed, length)
    if kind == "flip":
        data[length // 2] ^= 0xFF
    return data


def write(name, data):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "wb") as file:
        file.write(data)


def write_files(plan, directory):
    with open(plan, encoding="utf-8") as lines:
        for line in map(json.loads, filter(str.strip, lines)):
            if "file" in line:
                write(os.path.join(directory, line["file"]), contents(os.path.basename(line["file"])))


# Around `.wh.`, around `/`, long, no UTF-8 (overlong, surrogate, above the last), normal forms.
NAMES = [
    b"!", b"+", b"-", b".a", b".w", b".wg", b".wh", b".wh-", b".wi", b"...", b"0", b"A", b"a", b"a-", b"a.", b"a0", b"\x01", b"\n", b" ", b"~", b"\x7f",
    b"tmp", b"var", b"root", b"\\", b'"', b"c" * 31, b"d" * 49, b"e" * 99, b"f" * 100, b"g" * 101, b"h" * 255, b"i" * 95,
    "é".encode(), "e\u0301".encode(), "\U0010ffff".encode(), b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82",
]
IDS = [1, 65532, 2097151, 2097152, 2**32, 2**63, 2**64 - 1]
TIMES = [1, 1700000000, 8589934591, 8589934592, 2**63 - 1, -1, -(2**63), -86400]
MODES = ["0", "0600", "0755", "0664", "0646", "4755", "2755", "1777", "7777", "0644", "0640"]
OWNERS = ["a", "root", "u" * 31, "v" * 32, "w" * 200, "Jürgen", "ü" * 15, "ü" * 16]
SIZES = [0, 1, 511, 512, 513, 4096, 65023, 65024, 65535, 65536, 65537, 131072, 262143, 262144, 262145, 262656, 327680, 1047040, 1048575, 1048576, 1048577]


def encoded(chance, member, data):
    """A member as text or as Base64."""
    try:
        if chance.random() < 0.7:
            return {member: data.decode()}
    except UnicodeDecodeError:
        pass
    return {member + "_b64": base64.b64encode(data).decode()}


def attributes(chance):
    found = {}
    if chance.random() < 0.4:
        found["mode"] = chance.choice(MODES)
    for member, values in (("uid", IDS), ("gid", IDS), ("mtime", TIMES), ("user", OWNERS), ("group", OWNERS)):
        if chance.random() < 0.12:
            found[member] = chance.choice(values)
    if chance.random() < 0.12:
        keys = chance.sample(["user.a", "user.b", "user.ä", "security.capability", "user.a b", "user.\n", "user." + "k" * 80], chance.randint(1, 3))
        found["xattrs"] = {key: base64.b64encode(chance.randbytes(chance.choice([0, 1, 20, 60, 73, 80, 500, 970, 2000]))).decode() for key in keys}
    return found


def write_pool(chance, directory):
    """Files of every size, of most more than one with the same bytes, some that differ in the middle."""
    pool = []
    for size in SIZES:
        data = bytearray(chance.randbytes(size // 2) + b"cooper " * (size // 14 + 1))[:size]
        for twin in range(3):
            if twin == 2 and size:
                data[size // 2] ^= 0xFF
            pool.append((size, f"pool/{size}-{twin}"))
            write(os.path.join(directory, pool[-1][1]), data)
    return pool


def layer(chance, pool):
    """The lines of a layer that has no conflicts."""
    kinds, lines, names = {}, [], []
    size = chance.choice([1, 3, 10, 30, 80, 250])
    depth = chance.choice([1, 2, 4])
    budget = 2_000_000 if chance.random() < 0.5 else 400_000
    alphabet = chance.sample(NAMES, chance.choice([6, 20, len(NAMES)])) + [b"%d" % n for n in range(chance.choice([0, 40]))]
    directories = [b""]
    for _ in range(size):
        above = chance.choice(directories)
        path = b"/".join(([above] if above else []) + [chance.choice(alphabet) for _ in range(chance.randint(1, depth))])
        parents = [path[:at] for at, byte in enumerate(path) if byte == ord("/")]
        if path in kinds or len(path) > 4000 or any(kinds.get(one, "dir") != "dir" for one in parents):
            continue
        what = chance.choices(
            ["file", "bytes", "dir", "symlink", "hardlink", "fifo", "char", "block", "whiteout", "opaque"],
            [40, 12, 12, 6, 10, 2, 2, 2, 8, 6],
        )[0]
        if what == "hardlink" and not names:
            what = "dir"
        line = encoded(chance, "path", path)
        if what == "opaque":
            lines.append(line | {"opaque": True})
            for one in [*parents, path]:
                kinds.setdefault(one, "dir")
            continue
        for one in parents:
            kinds.setdefault(one, "dir")
        kinds[path] = "dir" if what == "dir" else "other"
        line |= attributes(chance) if what != "hardlink" or chance.random() < 0.2 else {}
        if what == "file":
            length, name = chance.choice([one for one in pool if one[0] <= max(budget, 4096)])
            budget -= length
            line |= encoded(chance, "file", name.encode())
            if chance.random() < 0.08:
                line["fold"] = False
        elif what == "bytes":
            line |= chance.choice([{"text": "é\n" * chance.randint(0, 600)}, {"base64": base64.b64encode(chance.randbytes(chance.randint(0, 1100))).decode()}])
        elif what == "symlink":
            line |= encoded(chance, "symlink", chance.choice([b"/abs", b"../..", b"a//", b"\xff", "ä".encode(), b"t" * 100, b"t" * 101, b"."]))
        elif what == "hardlink":
            line |= encoded(chance, "hardlink", chance.choice(names))
        elif what in ("char", "block"):
            line[what + "_device"] = [chance.choice([0, 1, 2097151]), chance.randint(0, 2097151)]
        else:
            line[what] = True
        if what == "dir":
            directories.append(path)
        elif what != "whiteout":
            names.append(path)
        lines.append(line)
        if chance.random() < 0.03:
            lines.append(dict(line))
    lines += matches(chance, lines)
    chance.shuffle(lines)
    return lines


def matches(chance, lines):
    """Attributes by path, each for one entry at least."""
    can = [line["path"] for line in lines if "path" in line and not {"hardlink", "hardlink_b64", "whiteout", "opaque"} & line.keys()]
    found = []
    for _ in range(chance.choice([0, 0, 1, 3]) if can else 0):
        path = chance.choice(can)
        escaped = ["".join("\\" * (char in "\\*?[]{},!") + char for char in part) for part in path.split("/")]
        above = "/".join(escaped[:-1])
        globs = ["/".join(escaped), "**", "**/" + escaped[-1], "{" + "/".join(escaped) + ",nothing}", "/".join([above, "*"]) if above else "*"]
        if above:
            globs += [above + "/**", above + "/**/" + escaped[-1]]
        line = {"match": chance.choice(["", "/"]) + chance.choice(globs)} | attributes(chance)
        if chance.random() < 0.3 or len(line) == 1:
            line["dir_mode"] = chance.choice(MODES)
        found.append(line)
    return found


def folding_layer(chance, pool):
    """Many names of a few files, that agree in most attributes."""
    lines, names = [], []
    few = chance.sample([one for one in pool if 65535 <= one[0] <= 131072], 4)
    for number in range(40):
        line = {"path": f"{chance.choice('abc')}/{chance.choice(['tmp', 'x', 'é'])}/{number}"}
        if names and chance.random() < 0.3:
            line["hardlink"] = chance.choice(names)
        else:
            line["file"] = chance.choice(few)[1]
            for member, values in (("mode", ["0664", "0646", "0755"]), ("uid", [0, 1]), ("gid", [0, 1]), ("mtime", [0, 1]), ("user", ["", "a"]), ("fold", [True, False])):
                if chance.random() < 0.15:
                    line[member] = chance.choice(values)
        names.append(line["path"])
        lines.append(line)
    lines += [{"path": path, "text": ""} for path in ("tmp/x/tmp/x", "var/tmp/x/root/x", "root/tmp/x")]
    lines += matches(chance, lines)
    chance.shuffle(lines)
    return lines


def full_layer(chance):
    """A group of about 64 KiB, to the header: whether one more fits, and whether the end does."""
    lines = [{"path": "!", "text": "x" * (63488 - 512 * chance.randint(0, 1))}]
    return lines + [{"path": f"{chance.randint(0, 999)}-{number}", "dir": True} for number in range(chance.randint(0, 5))]


def head(chance):
    """The members of a layer's line: the encoders at their fastest."""
    encoder = chance.choice(["none-1", "gzip-1", "gzip-2", "zstd-1"])
    found = {"encoder": encoder, "level": 0 if encoder == "none-1" else 1, "block_size": chance.choice([65536, 65537, 100000, 131072, 262144, 1048576, 4194304])}
    if chance.random() < 0.2:
        found["fold"] = False
    for member, values in (
        ("name", ["server", "", 'ü "\\\x7f\u2028']),
        ("created_by", ["make", ""]),
        ("comment", ["words", ""]),
        ("created", ["2026-11-20T00:00:00+01:00"]),
        ("annotations", [{"org.example.b": "", "org.example.\U0001f600": "\x1f\t", "org.example.\uff5e": "é"}, {}]),
    ):
        if chance.random() < 0.3:
            found[member] = chance.choice(values)
    return found


def image(chance):
    config = {}
    for member, values in (
        ("user", ["0:0", "", None]),
        ("entrypoint", [["/app", ""], [], "/app", None]),
        ("cmd", [["a"], [], "b c", None]),
        ("working_dir", ["/srv", ""]),
        ("stop_signal", ["SIGTERM", ""]),
        ("env", [{}, {"B": "2", "A": "", "\uff5e": "=", "\U0001f600": "x", "GONE": None, "*": None}]),
        ("labels", [{}, {"b": "", "\uff5e": "y", "\U0001f600": "x", "gone": None}]),
        ("exposed_ports", [[], ["8080/tcp", "53/udp"], {"80/tcp": True, "1/tcp": None}]),
        ("volumes", [["/data", "/a"], {"/b": True, "*": None}]),
        ("healthcheck", [None, {"test": ["NONE"]}, {"test": ["CMD", "x"], "interval": 1, "timeout": 2, "start_period": 3, "start_interval": 4, "retries": 5}]),
    ):
        if chance.random() < 0.4:
            config[member] = chance.choice(values)
    found = {"plan": "image", "version": 1, "config": config}
    for member, values in (
        ("platform", ["linux/arm64/v8", "aarch64", "armel", "Linux/X86-64", "linux/arm/V7", "i386", "windows(10.0.1)/amd64"]),
        ("created", ["2026-11-21T12:34:56.789Z"]),
        ("author", ["somebody", ""]),
        ("names", [["app"], ["z/y:1", "localhost/a", "registry.example:5000/team/app", "z/b-c:latest"]]),
        ("annotations", [{}, {"org.example.a": "b"}]),
    ):
        if chance.random() < 0.4:
            found[member] = chance.choice(values)
    return found


def write_plans(seed, count, directory):
    chance = random.Random(seed)
    pool = write_pool(chance, directory)
    for number in range(count):
        lines = [image(chance)]
        for _ in range(6):
            made = chance.choices([lambda: layer(chance, pool), lambda: folding_layer(chance, pool), lambda: full_layer(chance)], [8, 2, 2])[0]
            lines += [{"layer": head(chance)}, *made()]
        text = "".join(json.dumps(line, ensure_ascii=chance.random() < 0.5) + "\n" for line in lines)
        write(os.path.join(directory, f"{number}.jsonl"), text.encode())


if __name__ == "__main__":
    if sys.argv[1] == "files":
        write_files(*sys.argv[2:])
    else:
        write_plans(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
