"""The frame builder: RFC 6455 sections 5.2 and 5.3, always with the shortest form of the length."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from tickwire.wire._rules cimport tw_close_code_valid

from os import urandom

cdef extern from "tickwire/wire/mask.h":
    void tw_mask(uint8_t* bytes_, size_t n, const uint8_t* key, size_t offset) nogil


cdef size_t build_header(
    uint8_t* out, uint8_t first, uint64_t n, const uint8_t* key
) noexcept nogil:
    """Write the header of a frame.

    Shape    out holds HEADER_BYTES; key is 4 bytes, or NULL for a frame without a mask.
    Units    n is the payload's length in bytes, below 2**63; first is FIN, RSV and opcode.
    Returns  the header's length in bytes.
    Threads  any.
    Memory   none.
    Source   RFC 6455 section 5.2.
    """
    cdef uint8_t mask_bit = 0x80 if key != NULL else 0
    cdef size_t n_length_bytes, i
    out[0] = first
    if n <= 125:
        out[1] = mask_bit | <uint8_t> n
        n_length_bytes = 0
    elif n <= 0xFFFF:
        out[1] = mask_bit | 126
        n_length_bytes = 2
    else:
        out[1] = mask_bit | 127
        n_length_bytes = 8
    for i in range(n_length_bytes):
        out[2 + i] = <uint8_t> ((n >> (8 * (n_length_bytes - 1 - i))) & 0xFF)
    if key == NULL:
        return 2 + n_length_bytes
    memcpy(out + 2 + n_length_bytes, key, 4)
    return 6 + n_length_bytes


cdef bytes _frame(uint8_t first, const uint8_t* payload, size_t n, const uint8_t* key):
    cdef uint8_t header[HEADER_BYTES]
    cdef size_t n_header = build_header(header, first, n, key)
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, <Py_ssize_t> (n_header + n))
    cdef uint8_t* out = <uint8_t*> PyBytes_AS_STRING(frame)
    memcpy(out, header, n_header)
    if n:
        memcpy(out + n_header, payload, n)
        if key != NULL:
            tw_mask(out + n_header, n, key, 0)
    return frame


def build_frame(
    int opcode,
    payload: bytes | bytearray | memoryview = b"",
    *,
    bint fin=True,
    bint mask=True,
    int rsv=0,
    bytes key=None,
) -> bytes:
    """Build one frame.

    Parameters
    ----------
    opcode
        0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    payload
        Its bytes; of text, valid UTF-8 over all fragments, which is not checked here.
    fin
        Whether this is the last fragment of its message.
    mask
        Whether to mask it: a client must, a server must not.
    rsv
        The three reserved bits, RSV1 being 4: 0 unless an extension was agreed on.
    key
        The mask key, 4 bytes; from the system's random numbers if None, as section 10.3 asks.

    Returns
    -------
    bytes
        The frame.

    Raises
    ------
    ValueError
        If the opcode is reserved, a control frame is too long or not final, `rsv` has other bits,
        or the key does not fit.
    """
    cdef Py_buffer view
    cdef const uint8_t* key_bytes = NULL
    if opcode not in (0, 1, 2, 8, 9, 10):
        raise ValueError(f"opcode must be 0, 1, 2, 8, 9 or 10, not {opcode}")
    if not 0 <= rsv <= 7:
        raise ValueError(f"rsv must be 0 to 7, not {rsv}")
    if mask:
        if key is None:
            key = urandom(4)
        elif len(key) != 4:
            raise ValueError(f"a mask key has 4 bytes, not {len(key)}")
        key_bytes = <const uint8_t*> PyBytes_AS_STRING(key)
    elif key is not None:
        raise ValueError("a mask key was given for a frame without a mask")
    PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
    try:
        if opcode >= 8 and not fin:
            raise ValueError("a control frame cannot be fragmented")
        if opcode >= 8 and view.len > 125:
            raise ValueError(f"a control frame has at most 125 bytes of payload, not {view.len}")
        return _frame(
            <uint8_t> ((fin << 7) | (rsv << 4) | opcode),
            <const uint8_t*> view.buf,
            <size_t> view.len,
            key_bytes,
        )
    finally:
        PyBuffer_Release(&view)


def build_close(
    code: int | None = 1000, str reason="", *, bint mask=True, bytes key=None
) -> bytes:
    """Build a close frame.

    Parameters
    ----------
    code
        A close code that may be sent (section 7.4), or None for a close without one.
    reason
        Why, for a person; cut to 123 bytes of UTF-8 at a character.
    mask
        Whether to mask it: a client must, a server must not.
    key
        The mask key, 4 bytes; random if None.

    Returns
    -------
    bytes
        The frame.

    Raises
    ------
    ValueError
        If the code must not be sent, or there is a reason without a code.
    """
    if code is None:
        if reason:
            raise ValueError("a close reason needs a close code")
        return build_frame(8, b"", mask=mask, key=key)
    if not 0 <= code <= 0xFFFF or not tw_close_code_valid(code):
        raise ValueError(f"close code {code} must not be sent (RFC 6455 section 7.4)")
    text = reason.encode()[:123].decode(errors="ignore").encode()
    return build_frame(8, code.to_bytes(2, "big") + text, mask=mask, key=key)
