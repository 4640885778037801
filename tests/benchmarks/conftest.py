"""Processes start as in the tests of the room `bench`."""

from tests.bench.conftest import forked

__all__ = ["forked"]
