import math
import zlib

import pytest

from tickwire.wire import _zlib, zlib_version


def test_it_says_what_it_uses(library):
    name, _, version = zlib_version().partition(" ")
    assert name == library
    if name == "zlib":
        assert version == zlib.ZLIB_RUNTIME_VERSION  # the one that Python itself uses
    else:
        from zlib_ng import zlib_ng

        assert version == zlib_ng.ZLIBNG_RUNTIME_VERSION


def test_the_faster_one_is_taken_where_it_is_installed():
    assert list(_zlib._LIBRARIES) == ["zlib-ng", "zlib"]


def test_zlib_is_looked_for_in_several_places():
    places = _zlib._places("zlib")
    assert None in places  # the process itself
    assert any(place is not None and "libz" in place for place in places)
    assert any(_zlib._addresses("zlib", place) for place in places)


@pytest.mark.parametrize("name", ["zlib", "zlib-ng"])
def test_a_library_without_the_calls_is_passed_over(name):
    assert _zlib._addresses(name, "/nowhere/libz.so.1") is None
    where = getattr(math, "__file__", None)
    assert where is None or _zlib._addresses(name, where) is None


def test_a_library_of_another_abi_is_passed_over(monkeypatch):
    monkeypatch.setitem(_zlib._LIBRARIES, "zlib", ("", "zlibVersion", "7."))
    assert not any(_zlib._addresses("zlib", place) for place in _zlib._places("zlib"))
