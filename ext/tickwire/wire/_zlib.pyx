"""zlib by way of the library that Python's own `zlib` has loaded.

Building tickwire needs nothing but CPython's headers, so zlib.h and `-lz` are not to be counted on;
and every machine that runs Python has zlib itself, because pip cannot live without it. So its
functions are looked up at run time, when compression is first wanted: in what Python's `zlib`
module is linked to, in the process, and under the names that systems give the library.
"""

import ctypes
import sys
import zlib

from tickwire.errors import TickwireError

cdef Zlib calls
cdef object loaded_version = None

_NAMES = ("libz.1.dylib", "libz.dylib") if sys.platform == "darwin" else ("libz.so.1", "libz.so")
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


def _candidates():
    """Where zlib may be, the likeliest place first; None is the process itself."""
    own = getattr(zlib, "__file__", None)  # None where it is built into the interpreter
    return (own, None, *_NAMES) if own else (None, *_NAMES)


def _addresses(place):
    """Give version and addresses of the calls in that library; None where it has not all."""
    try:
        library = ctypes.CDLL(place)
        version = library.zlibVersion
        addresses = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in _CALLS]
    except (OSError, AttributeError):
        return None
    version.restype = ctypes.c_char_p
    return version().decode("ascii", "replace"), addresses


cdef const Zlib* load_zlib() except NULL:
    """Find zlib, once.

    Returns  its functions, for the life of the process.
    Raises   TickwireError where there is none.
    """
    global loaded_version
    if loaded_version is not None:
        return &calls
    for place in _candidates():
        found = _addresses(place)
        if found is None:
            continue
        at = found[1]
        calls.inflate_init = <inflate_init_call> <size_t> at[0]
        calls.inflate = <flush_call> <size_t> at[1]
        calls.inflate_reset = <stream_call> <size_t> at[2]
        calls.inflate_reset_keep = <stream_call> <size_t> at[3]
        calls.inflate_end = <stream_call> <size_t> at[4]
        calls.deflate_init = <deflate_init_call> <size_t> at[5]
        calls.deflate = <flush_call> <size_t> at[6]
        calls.deflate_reset = <stream_call> <size_t> at[7]
        calls.deflate_end = <stream_call> <size_t> at[8]
        loaded_version = found[0]
        return &calls
    raise TickwireError(f"compression needs the library zlib ({_NAMES[0]}), which was not found")


def zlib_version():
    """Give the version of the zlib that inflates and deflates.

    Returns
    -------
    str
        Such as "1.3.1".

    Raises
    ------
    TickwireError
        If there is none.
    """
    load_zlib()
    return loaded_version
