"""Paths in an image, and other small texts that attributes hold."""

visibility(["//bazel/private"])

_HEX_DIGITS = "0123456789abcdefABCDEF"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

# From the space on, in the order of their numbers.
_ASCII = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

def image_path(label, attribute, path):
    """A path in the image, without slashes around it.

    Args:
      label: whose attribute it is.
      attribute: its name.
      path: what the attribute says.

    Returns:
      The path from the image's root; empty for the root itself.
    """
    bare = path.strip("/")
    if bare and ("//" in bare or bare.startswith(".") or "/." in bare):
        for part in bare.split("/"):
            if part in ("", ".", ".."):
                fail("{}: `{}` has the path `{}`, expected one without empty parts, `.` and `..`".format(shown(label), attribute, path))
    return bare

def shown(label):
    """A label as people write it.

    Args:
      label: a Label.

    Returns:
      Its text, without the two `@` of the main repository.
    """
    text = str(label)
    return text[2:] if text.startswith("@@//") else text

def mode(label, attribute, text):
    """Checks a mode.

    Args:
      label: whose attribute it is.
      attribute: its name.
      text: the mode, octal.

    Returns:
      The mode.
    """
    if not text or len(text) > 5 or text.strip("01234567"):
        fail("{}: `{}` has the mode `{}`, expected octal digits such as `0755`".format(shown(label), attribute, text))
    return text

def owner(label, attribute, text):
    """Reads `UID:GID`.

    Args:
      label: whose attribute it is.
      attribute: its name.
      text: two numbers.

    Returns:
      A dict with `uid` and `gid`.
    """
    parts = text.split(":")
    if len(parts) != 2 or not parts[0].isdigit() or not parts[1].isdigit():
        fail("{}: `{}` is `{}`, expected `UID:GID`, two numbers; names are for `owner_name`".format(shown(label), attribute, text))
    return {
        "gid": int(parts[1]),
        "uid": int(parts[0]),
    }

def owner_name(label, attribute, text):
    """Reads `USER:GROUP`.

    Args:
      label: whose attribute it is.
      attribute: its name.
      text: two names.

    Returns:
      A dict with `user` and `group`.
    """
    parts = text.split(":")
    if len(parts) != 2 or not parts[0] or not parts[1]:
        fail("{}: `{}` is `{}`, expected `USER:GROUP`, two names".format(shown(label), attribute, text))
    return {
        "group": parts[1],
        "user": parts[0],
    }

def seconds(label, attribute, text):
    """Reads a time in seconds.

    Args:
      label: whose attribute it is.
      attribute: its name.
      text: digits.

    Returns:
      The number.
    """
    if not text.isdigit():
        fail("{}: `{}` is `{}`, expected seconds since 1970".format(shown(label), attribute, text))
    return int(text)

def duration(label, attribute, text):
    """Reads a duration as Docker writes it.

    Args:
      label: whose attribute it is.
      attribute: its name.
      text: `30s`, `500ms`, `1m`.

    Returns:
      Nanoseconds.
    """
    for unit, factor in [("ms", 1000000), ("s", 1000000000), ("m", 60 * 1000000000), ("h", 3600 * 1000000000)]:
        if text.endswith(unit) and text[:-len(unit)].isdigit():
            return int(text[:-len(unit)]) * factor
    fail("{}: `{}` is `{}`, expected a duration such as `30s`, `500ms`, `1m`".format(shown(label), attribute, text))

def xattr(label, text):
    """Reads `NAME=VALUE`, the value as `getfattr` prints it.

    Args:
      label: whose attribute it is.
      text: the value is text, or Base64 after `0s`, or hexadecimal after `0x`.

    Returns:
      The name, and the value in Base64.
    """
    name, found, value = text.partition("=")
    if not name or not found:
        fail("{}: `xattrs` has `{}`, expected `NAME=VALUE`".format(shown(label), text))
    if value.startswith("0s"):
        return name, value[2:]
    if value.startswith("0x"):
        digits = value[2:]
        if len(digits) % 2 or digits.strip(_HEX_DIGITS):
            fail("{}: `xattrs` has `{}`, expected pairs of hexadecimal digits after `0x`".format(shown(label), text))
        return name, _base64([int(digits[i:i + 2], 16) for i in range(0, len(digits), 2)])
    numbers = [_ASCII.find(character) for character in value.elems()]
    if -1 in numbers:
        fail("{}: `xattrs` has `{}`, whose value is not plain ASCII: write it in Base64 after `0s`".format(shown(label), text))
    return name, _base64([32 + number for number in numbers])

def _base64(numbers):
    text = ""
    for i in range(0, len(numbers), 3):
        three = numbers[i:i + 3]
        bits = 0
        for number in three + [0] * (3 - len(three)):
            bits = bits * 256 + number
        four = [_BASE64[(bits >> shift) & 63] for shift in [18, 12, 6, 0]]
        text += "".join(four[:len(three) + 1]) + "=" * (3 - len(three))
    return text
