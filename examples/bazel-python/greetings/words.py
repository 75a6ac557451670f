"""What a greeting says."""

import pathlib


def greeting():
    """The greeting that lies beside this file."""
    return pathlib.Path(__file__).with_name("greeting.txt").read_text().strip()
