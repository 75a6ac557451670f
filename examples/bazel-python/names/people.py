"""Whom to greet."""


def anybody():
    return "cooper"
