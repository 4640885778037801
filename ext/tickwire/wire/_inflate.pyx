"""Inflating compressed messages: RFC 1951, 1952 and RFC 7692 section 7.2.2.

Rules of this file
------------------
- The output is one buffer per inflater. It grows as bytes really come out, by doubling, to `limit`
  and one byte more, by which a message that is too big is known; after a big message its memory is
  given back. So a bomb costs the limit, whatever it promises.
- A message may come in pieces: `begin`, `add` ..., `finish`; or whole: `inflate`. What is inflated
  stays where it is until the next one, so it can be offered again without inflating it twice: the
  context of RFC 7692 section 7.2.2 moves once per message.
- After anything but INFLATED a MESSAGE inflater with a context is of no use any more.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t
from libc.string cimport memset

from tickwire.wire._assembly cimport Assembly
from tickwire.wire._zlib cimport (
    Z_BETWEEN_BLOCKS,
    Z_BUF_ERROR,
    Z_MEM_ERROR,
    Z_OK,
    Z_STREAM_END,
    Z_SYNC_FLUSH,
    Z_UNUSED_BITS,
    load_zlib,
    z_stream,
)

from inspect import signature

from tickwire.errors import DecodeError

cdef enum:
    PIECE_BYTES = 1 << 30  # zlib counts in 32 bits
    GZIP_WINDOW = 31       # zlib's way to say gzip: 15, and 16 more
    SMALLEST_WINDOW = 9    # see `__cinit__`
    LARGEST_WINDOW = 15

# RFC 7692 section 7.2.2: the end of the empty block that a sync flush writes.
cdef uint8_t[4] SYNC_TAIL = [0x00, 0x00, 0xFF, 0xFF]

_FORMS = {"message": Form.MESSAGE, "deflate": Form.DEFLATE, "gzip": Form.GZIP,
          "zlib": Form.ZLIB}


@cython.final
cdef class Inflater:
    """Inflates messages, one after the other, into memory of its own.

    Parameters
    ----------
    limit
        The most that a message may hold, bytes.
    form
        "message" as RFC 7692 has it, "deflate" for a raw deflate stream or "zlib" for one in RFC
        1950's wrapping, whose end may be missing, or "gzip".
    keep_context
        Form "message": whether messages refer to those before them (context takeover).
    window_bits
        Form "message": the largest window that the peer uses, 8 to 15.

    Raises
    ------
    ValueError
        If the form is unknown or a number out of range.
    TickwireError
        If there is no zlib.
    """

    __signature__ = signature(
        lambda limit, *, form="message", keep_context=True, window_bits=15: None
    )

    def __cinit__(
        self,
        limit: int,
        *,
        form: str = "message",
        keep_context: bool = True,
        window_bits: int = 15,
    ):
        if form not in _FORMS:
            raise ValueError(f"form must be one of {', '.join(_FORMS)}, not {form!r}")
        if not 0 < limit < 1 << 62:
            raise ValueError(f"limit must be positive and below 2**62, not {limit}")
        if not 8 <= window_bits <= 15:
            raise ValueError(f"window_bits must be 8 to 15, not {window_bits}")
        self.limit = limit
        self.form = _FORMS[form]
        self.keep_context = keep_context and self.form == Form.MESSAGE
        self.output = Assembly(limit + 1)
        self.zlib = load_zlib()
        memset(&self.stream, 0, sizeof(z_stream))
        # Peers that agreed on 8 may use 9 all the same: older zlib turns one into the other.
        bits = -max(window_bits, SMALLEST_WINDOW)
        if self.form == Form.GZIP or self.form == Form.ZLIB:
            bits = GZIP_WINDOW if self.form == Form.GZIP else LARGEST_WINDOW
        if self.zlib.inflate_init(
            &self.stream, bits, self.zlib.version, self.zlib.stream_bytes
        ) != Z_OK:
            raise MemoryError
        self.ready = True

    def __dealloc__(self):
        if self.ready:
            self.zlib.inflate_end(&self.stream)

    cdef InflateResult inflate(self, const uint8_t* source, size_t n) noexcept nogil:
        """Inflate a whole message.

        Shape    n bytes at `source`.
        Units    bytes.
        Returns  INFLATED, and then `data()` and `size()` are the message; else why not.
        Threads  one at a time.
        Memory   grows the buffer, up to the limit and one byte; none in the steady state.
        Source   RFC 7692 section 7.2.2.
        """
        cdef InflateResult result
        self.begin()
        result = self.add(source, n)
        if result == InflateResult.INFLATED:
            result = self.finish()
        return result

    cdef void begin(self) noexcept nogil:
        """Start a message; what was there of another is forgotten.

        Shape    none.
        Units    none.
        Returns  nothing.
        Threads  that of `inflate`.
        Memory   none.
        Source   RFC 7692 section 7.2.2: without context takeover, each starts afresh.
        """
        self.output.size = 0
        self.has_input = False
        if not self.keep_context:
            self.stream_ended = False
            self.zlib.inflate_reset(&self.stream)

    cdef InflateResult add(self, const uint8_t* source, size_t n) noexcept nogil:
        """Inflate more of the message.

        Shape    n bytes at `source`, which follow those of the last call.
        Units    bytes.
        Returns  INFLATED if all is well so far.
        Threads  that of `inflate`.
        Memory   as `inflate`; addresses given before are void.
        Source   RFC 1951.
        """
        cdef InflateResult result
        cdef size_t piece
        while n:
            piece = n if n < PIECE_BYTES else PIECE_BYTES
            self.has_input = True
            result = self._pump(source, piece)
            if result != InflateResult.INFLATED:
                return result
            source += piece
            n -= piece
        return InflateResult.INFLATED

    cdef InflateResult finish(self) noexcept nogil:
        """End the message.

        Shape    none.
        Units    none.
        Returns  INFLATED if it was whole.
        Threads  that of `inflate`.
        Memory   as `inflate`.
        Source   RFC 7692 sections 7.2.2 and 7.2.3.4; RFC 1952.
        """
        cdef InflateResult result
        if self.form == Form.GZIP:
            return InflateResult.INFLATED if self.stream_ended else InflateResult.CORRUPT
        if self.form == Form.DEFLATE or self.form == Form.ZLIB:
            return InflateResult.INFLATED
        # A message whose last block is a final one should have an empty block after it (section
        # 7.2.3.4). Where it is missing, what is meant is plain; the tail would complete nothing.
        if self.stream_ended and self.has_input:
            return InflateResult.INFLATED
        result = self._pump(SYNC_TAIL, 4)
        if result != InflateResult.INFLATED:
            return result
        if (
            not self.stream.data_type & Z_BETWEEN_BLOCKS
            or self.stream.data_type & Z_UNUSED_BITS
            or self.stream_ended
        ):
            return InflateResult.CORRUPT
        return InflateResult.INFLATED

    # All of source[0:n], which may hold the end of a stream and the start of the next.
    cdef InflateResult _pump(self, const uint8_t* source, size_t n) noexcept nogil:
        cdef z_stream* stream = &self.stream
        cdef size_t room
        cdef int status
        stream.next_in = source
        stream.avail_in = <unsigned int> n
        while True:
            if self.stream_ended and stream.avail_in:
                if self.form == Form.DEFLATE or self.form == Form.ZLIB:
                    return InflateResult.CORRUPT
                if self.form == Form.GZIP:
                    self.zlib.inflate_reset(stream)
                else:
                    # Section 7.2.3.4: a final block does not end the connection's window.
                    self.zlib.inflate_reset_keep(stream)
                self.stream_ended = False
            room = self.output.reserve()
            if room == 0:
                return InflateResult.NO_MEMORY
            if room > PIECE_BYTES:
                room = PIECE_BYTES
            stream.next_out = self.output.data + self.output.size
            stream.avail_out = <unsigned int> room
            status = self.zlib.inflate(stream, Z_SYNC_FLUSH)
            self.output.size += room - stream.avail_out
            if self.output.size > self.limit:
                return InflateResult.TOO_BIG
            if status == Z_STREAM_END:
                self.stream_ended = True
                if stream.avail_in == 0:
                    return InflateResult.INFLATED
            elif status == Z_OK or status == Z_BUF_ERROR:
                # What did not fit comes out even where no input is left.
                if stream.avail_out:
                    return InflateResult.INFLATED
            elif status == Z_MEM_ERROR:
                return InflateResult.NO_MEMORY
            else:
                return InflateResult.CORRUPT

    @property
    def allocated_bytes(self):
        """The memory that the output holds now; zlib's own is some 40 kB."""
        return self.output.capacity

    def decompress(self, data: bytes | bytearray | memoryview) -> bytes:
        """Inflate a whole message.

        Parameters
        ----------
        data
            Its compressed bytes.

        Returns
        -------
        bytes
            The message.

        Raises
        ------
        DecodeError
            If it cannot be inflated, or is larger than the limit; reason `inflate` or `too_big`.
        MemoryError
            If there is no memory.
        """
        cdef Py_buffer view
        cdef InflateResult result
        cdef bytes message
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            result = self.inflate(<const uint8_t*> view.buf, <size_t> view.len)
        finally:
            PyBuffer_Release(&view)
        if result == InflateResult.INFLATED:
            message = (<const char*> self.data())[:self.size()]
        self.clear()
        if result == InflateResult.CORRUPT:
            raise DecodeError("inflate", "compressed data that cannot be inflated")
        if result == InflateResult.TOO_BIG:
            raise DecodeError("too_big", f"compressed data that holds more than {self.limit} bytes")
        if result == InflateResult.NO_MEMORY:
            raise MemoryError
        return message
