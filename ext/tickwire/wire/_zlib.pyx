"""zlib, or zlib-ng where it is installed, looked up when compression is first wanted.

Building tickwire needs nothing but CPython's headers, so zlib.h and `-lz` are not to be counted on;
and every machine that runs Python has zlib itself, because pip cannot live without it. So functions
are looked up at run time: first in the Python package `zlib-ng`, because it is faster and its
compiled module exports the whole library; then in what Python's `zlib` module is linked to, in the
process, and under the names that systems give zlib.
"""

import ctypes
import importlib.util
import sys
import zlib

from tickwire.errors import TickwireError

cdef Zlib zlib_calls
cdef Zlib zlib_ng_calls
cdef const Zlib* chosen = NULL
cdef object chosen_name = None

_SYSTEM_NAMES = ("libz.1.dylib",) if sys.platform == "darwin" else ("libz.so.1", "libz.so")
_CALLS = (
    "inflateInit2_",
    "inflate",
    "inflateReset",
    "inflateResetKeep",
    "inflateEnd",
    "deflateInit2_",
    "deflate",
    "deflateReset",
    "deflateEnd",
)
# name: (what its calls start with, the call that gives its version, the version whose ABI we know)
_LIBRARIES = {
    "zlib-ng": ("zng_", "zlibng_version", "2."),
    "zlib": ("", "zlibVersion", "1."),
}


def _places(name):
    """Where a library may be, the likeliest place first; None is the process itself."""
    if name == "zlib-ng":
        try:
            package = importlib.util.find_spec("zlib_ng.zlib_ng")
        except ModuleNotFoundError:
            package = None
        return (package.origin,) if package is not None and package.origin else ()
    own = getattr(zlib, "__file__", None)  # None where it is built into the interpreter
    return (own, None, *_SYSTEM_NAMES) if own else (None, *_SYSTEM_NAMES)


def _addresses(name, place):
    """Addresses of the version's text and of the calls; None where that place has not all."""
    prefix, version_call, major = _LIBRARIES[name]
    try:
        library = ctypes.CDLL(place)
        give_version = library[version_call]
        found = [ctypes.cast(library[prefix + call], ctypes.c_void_p).value for call in _CALLS]
    except (OSError, AttributeError):
        return None
    give_version.restype = ctypes.c_void_p
    version = give_version()
    if not ctypes.string_at(version).startswith(major.encode()):
        return None
    return [version, *found]


cdef bint _load(name):
    """Find a library and make it the one that is used from now on; False where there is none."""
    global chosen, chosen_name
    cdef Zlib* calls = &zlib_ng_calls if name == "zlib-ng" else &zlib_calls
    if calls.version == NULL:
        at = next(filter(None, (_addresses(name, place) for place in _places(name))), None)
        if at is None:
            return False
        calls.inflate_init = <inflate_init_call> <size_t> at[1]
        calls.inflate = <flush_call> <size_t> at[2]
        calls.inflate_reset = <stream_call> <size_t> at[3]
        calls.inflate_reset_keep = <stream_call> <size_t> at[4]
        calls.inflate_end = <stream_call> <size_t> at[5]
        calls.deflate_init = <deflate_init_call> <size_t> at[6]
        calls.deflate = <flush_call> <size_t> at[7]
        calls.deflate_reset = <stream_call> <size_t> at[8]
        calls.deflate_end = <stream_call> <size_t> at[9]
        calls.stream_bytes = <int> (sizeof(zng_stream) if name == "zlib-ng" else sizeof(z_stream))
        calls.version = <const char*> <size_t> at[0]
    chosen = calls
    chosen_name = name
    return True


cdef const Zlib* load_zlib() except NULL:
    """Find a library, once.

    Returns  its functions, for the life of the process.
    Raises   TickwireError where there is none.
    """
    if chosen == NULL and not any(_load(name) for name in _LIBRARIES):
        raise TickwireError(
            f"compression needs the library zlib ({_SYSTEM_NAMES[0]}), which was not found"
        )
    return chosen


def zlib_version():
    """Say what inflates and deflates.

    Returns
    -------
    str
        Such as "zlib 1.3.1" or "zlib-ng 2.2.4".

    Raises
    ------
    TickwireError
        If there is nothing.
    """
    cdef const Zlib* calls = load_zlib()
    return f"{chosen_name} {calls.version.decode()}"


def _use(name: str) -> bool:
    """Use this library from now on, for tests. False if this machine has not."""
    return _load(name)
