"""What is expected of a file of an image."""

visibility(["//bazel"])

def expect_file(type = None, mode = None, uid = None, gid = None, size = None, sha256 = None, text = None, target = None):
    """What `image_test.files` expects at a path; what is not given may be anything.

    Args:
      type: `file`, `dir`, `symlink` or `hardlink`.
      mode: octal, as a string: `0755`.
      uid: the owner, a number.
      gid: the group, a number.
      size: of a file, in bytes.
      sha256: of a file's bytes, in hexadecimal digits.
      text: all that a file says.
      target: of a link.

    Returns:
      A string for a value of `image_test.files`.
    """
    members = {
        "gid": gid,
        "mode": mode,
        "sha256": sha256,
        "size": size,
        "target": target,
        "text": text,
        "type": type,
        "uid": uid,
    }
    return json.encode({key: value for key, value in members.items() if value != None})
