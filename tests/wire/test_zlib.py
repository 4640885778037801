import zlib

from tickwire.wire import zlib_version


def test_it_is_the_zlib_of_this_python():
    assert zlib_version() == zlib.ZLIB_RUNTIME_VERSION


def test_other_places_are_tried_where_the_first_has_none(monkeypatch):
    from tickwire.wire import _zlib

    places = _zlib._candidates()
    assert None in places  # the process itself
    assert any(place is not None and "libz" in place for place in places)
    assert _zlib._addresses("/nowhere/libz.so.1") is None
    assert _zlib._addresses(places[-2]) is not None


def test_a_library_without_the_calls_is_passed_over():
    import math

    from tickwire.wire import _zlib

    where = getattr(math, "__file__", None)
    assert where is None or _zlib._addresses(where) is None
