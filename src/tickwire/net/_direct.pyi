"""Reading a socket beside the transport that owns it."""

from typing_extensions import disjoint_base

@disjoint_base
class DirectReader:
    """The base of carriers; this one reads nothing."""
