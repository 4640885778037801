"""Deflating messages to send: RFC 7692 section 7.2.1.

A client of a market-data feed sends little, so this is a plain function from bytes to bytes; zlib's
256 kB are taken when the first message is deflated.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport uint8_t
from libc.string cimport memset

from tickwire.wire._zlib cimport (
    Z_BUF_ERROR,
    Z_DEFAULT_STRATEGY,
    Z_DEFLATED,
    Z_NO_FLUSH,
    Z_OK,
    Z_SYNC_FLUSH,
    load_zlib,
    z_stream,
)

from inspect import signature

cdef enum:
    PIECE_BYTES = 1 << 30  # zlib counts in 32 bits
    TAIL_BYTES = 4         # 00 00 FF FF, which stays out (section 7.2.1)


@cython.final
cdef class Deflater:
    """Deflates the messages of one connection.

    Parameters
    ----------
    keep_context
        Whether messages refer to those before them (context takeover). Each message must then
        reach the peer, in order.
    window_bits
        The largest window, 9 to 15; zlib has none of 8.
    level
        How hard to try, 1 to 9.

    Raises
    ------
    ValueError
        If a number is out of range.
    TickwireError
        If there is no zlib.
    """

    __signature__ = signature(lambda *, keep_context=True, window_bits=15, level=6: None)

    def __cinit__(self, *, keep_context: bool = True, window_bits: int = 15, level: int = 6):
        if not 9 <= window_bits <= 15:
            raise ValueError(f"window_bits must be 9 to 15, not {window_bits}")
        if not 1 <= level <= 9:
            raise ValueError(f"level must be 1 to 9, not {level}")
        self.keep_context = keep_context
        self.zlib = load_zlib()
        memset(&self.stream, 0, sizeof(z_stream))
        if self.zlib.deflate_init(
            &self.stream,
            level,
            Z_DEFLATED,
            -window_bits,
            8,
            Z_DEFAULT_STRATEGY,
            self.zlib.version,
            self.zlib.stream_bytes,
        ) != Z_OK:
            raise MemoryError
        self.ready = True

    def __dealloc__(self):
        if self.ready:
            self.zlib.deflate_end(&self.stream)

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        """Deflate a message.

        Parameters
        ----------
        data
            The message.

        Returns
        -------
        bytes
            The payload of a frame with RSV1 set; to be divided at will if the message is sent in
            fragments.
        """
        cdef Py_buffer view
        cdef const uint8_t* source
        cdef size_t left, piece
        cdef bytearray out
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if view.len == 0:
                return b"\x00"  # section 7.2.3.6; zlib would give nothing after another flush
            if not self.keep_context:
                self.zlib.deflate_reset(&self.stream)
            # Past this it is not worth compressing; then the buffer grows.
            out = bytearray(view.len + (view.len >> 10) + 64)
            source = <const uint8_t*> view.buf
            left = <size_t> view.len
            self.stream.next_out = <uint8_t*> PyByteArray_AS_STRING(out)
            self.stream.avail_out = 0
            self.stream.total_out = 0
            while left:
                piece = left if left < PIECE_BYTES else PIECE_BYTES
                self.stream.next_in = source
                self.stream.avail_in = <unsigned int> piece
                source += piece
                left -= piece
                self._pump(out, Z_NO_FLUSH if left else Z_SYNC_FLUSH)
            return bytes(memoryview(out)[:self.stream.total_out - TAIL_BYTES])
        finally:
            PyBuffer_Release(&view)

    cdef int _pump(self, bytearray out, int flush) except -1:
        """Deflate the input at hand into `out`, behind what it holds."""
        cdef size_t done, room
        cdef int status
        while True:
            done = self.stream.total_out
            if done == <size_t> len(out):
                out.extend(bytes(len(out)))
            room = <size_t> len(out) - done
            if room > PIECE_BYTES:
                room = PIECE_BYTES
            self.stream.next_out = <uint8_t*> PyByteArray_AS_STRING(out) + done
            self.stream.avail_out = <unsigned int> room
            status = self.zlib.deflate(&self.stream, flush)
            if status != Z_OK and status != Z_BUF_ERROR:
                raise RuntimeError(f"zlib's deflate gave {status}")
            if self.stream.avail_out:
                return 0
