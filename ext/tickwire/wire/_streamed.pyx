"""The message that is not read where it lies: in fragments, too large, or compressed.

The payload of each of its frames is taken as its bytes come, unmasked and checked once: into the
assembly, or through the inflater where the message is compressed (RFC 7692), whose bytes are thus
never assembled. A compressed message in one frame that fits the buffer is inflated in one go.

A whole message stays here until `clear`, so that it can be offered to a handler again.
"""

cimport cython
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from tickwire.wire._assembly cimport Assembly
from tickwire.wire._inflate cimport InflateResult
from tickwire.wire._rules cimport FIN, RSV1, Fault, Opcode, tw_utf8_check
from tickwire.wire._simd cimport force_simd_level

cdef extern from "tickwire/wire/mask.h":
    void tw_mask(uint8_t* bytes_, size_t n, const uint8_t* key, size_t offset) nogil


@cython.final
cdef class StreamedMessage:
    """A message that comes in pieces.

    Parameters
    ----------
    limit
        The most that it may hold, bytes; what is compressed has that of its inflater.
    """

    def __cinit__(self, size_t limit):
        self.assembly = Assembly(limit)

    cdef void begin_frame(
        self, uint8_t first, uint64_t length, const uint8_t* key
    ) noexcept nogil:
        """Start on a frame, and on a message with it where it is no continuation.

        Shape    first: the frame's first byte; key: four bytes, NULL where it has no mask.
        Units    length: bytes of the payload.
        Returns  nothing; `in_frame` is set, so that `take` gets the payload, even an empty one.
        Threads  the parser's own.
        Memory   none.
        Source   RFC 6455 section 5.4.
        """
        cdef int opcode = first & 0x0F
        if opcode != Opcode.CONTINUATION:
            self.opcode = opcode
            self.utf8.need = 0
            self.compressed = first & RSV1 != 0
            if self.compressed:
                self.inflater.begin()
        self.in_frame = True
        self.frame_fin = first & FIN != 0
        self.frame_left = length
        self.frame_seen = 0
        self.frame_masked = key != NULL
        if key != NULL:
            memcpy(self.frame_key, key, 4)

    cdef size_t take(self, uint8_t* data, size_t n, int* fault) noexcept nogil:
        """Take the next payload bytes of the frame.

        Shape    n bytes at `data`, which follow those of the last call.
        Units    bytes.
        Returns  how many belong to the frame. Then look at `fault`, a Fault; `in_frame`, cleared
                 at the frame's end; and `whole`, set at the message's.
        Threads  the parser's own.
        Memory   compressed bytes are unmasked in `data`; grows the assembly or the inflater's
                 output, never past the limit.
        Source   RFC 6455 sections 5.3 and 5.4.
        """
        fault[0] = Fault.NO_FAULT
        if n > self.frame_left:
            n = <size_t> self.frame_left
        if n:
            fault[0] = self._put_compressed(data, n) if self.compressed else self._put(data, n)
            if fault[0] != Fault.NO_FAULT:
                return n
            self.frame_left -= n
            self.frame_seen += n
        if self.frame_left == 0:
            if self.frame_fin:
                fault[0] = self._end()
                if fault[0] != Fault.NO_FAULT:
                    return n
                self.whole = True
            self.in_frame = False
        return n

    cdef int _put(self, uint8_t* data, size_t n) noexcept nogil:
        cdef uint8_t* placed = self.assembly.append(data, n)
        if placed == NULL:
            return Fault.OUT_OF_MEMORY
        if self.frame_masked:
            tw_mask(placed, n, self.frame_key, self.frame_seen)
        if self.opcode == Opcode.TEXT and not tw_utf8_check(&self.utf8, placed, n):
            return Fault.TEXT_NOT_UTF8
        return Fault.NO_FAULT

    # RFC 7692 section 7.2.2, step by step.
    cdef int _put_compressed(self, uint8_t* data, size_t n) noexcept nogil:
        cdef size_t before = self.inflater.size()
        if self.frame_masked:
            tw_mask(data, n, self.frame_key, self.frame_seen)
        return self._inflated_fault(self.opcode, before, self.inflater.add(data, n))

    # What is wrong with what came out behind `before`, in the order of the bytes: so it is the same
    # however they were cut.
    cdef int _inflated_fault(
        self, int opcode, size_t before, InflateResult result
    ) noexcept nogil:
        if opcode == Opcode.TEXT and not tw_utf8_check(
            &self.utf8, self.inflater.data() + before, self.inflater.size() - before
        ):
            return Fault.TEXT_NOT_UTF8
        return inflate_fault(result)

    cdef int _end(self) noexcept nogil:
        cdef size_t before
        cdef int fault
        if self.compressed:
            before = self.inflater.size()
            fault = self._inflated_fault(self.opcode, before, self.inflater.finish())
            if fault != Fault.NO_FAULT:
                return fault
        return Fault.TEXT_NOT_UTF8 if self.utf8.need else Fault.NO_FAULT

    cdef int inflate_frame(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil:
        """Inflate the message of one frame in one go; no other message may have begun.

        Shape    payload: n bytes, unmasked.
        Units    bytes.
        Returns  a Fault; without one `inflater` holds the message until it is cleared.
        Threads  the parser's own.
        Memory   see `Inflater.inflate`.
        Source   RFC 7692 section 7.2.2.
        """
        cdef int fault
        self.utf8.need = 0
        fault = self._inflated_fault(opcode, 0, self.inflater.inflate(payload, n))
        if fault == Fault.NO_FAULT and self.utf8.need:
            return Fault.TEXT_NOT_UTF8
        return fault

    cdef const uint8_t* data(self) noexcept nogil:
        """Where the message is.

        Shape    `size()` bytes.
        Units    bytes.
        Returns  never NULL, so that an empty message has an address too.
        Threads  the parser's own.
        Memory   lives until the next `take` or `clear`.
        Source   none.
        """
        if self.compressed:
            return self.inflater.data()
        return self.assembly.data if self.assembly.data != NULL else self.frame_key

    cdef size_t size(self) noexcept nogil:
        """How many bytes there are of the message.

        Shape    none.
        Units    bytes, inflated.
        Returns  at most the limit.
        Threads  the parser's own.
        Memory   none.
        Source   none.
        """
        return self.inflater.size() if self.compressed else self.assembly.size

    cdef void clear(self) noexcept nogil:
        """Forget the message, which is whole.

        Shape    none.
        Units    none.
        Returns  nothing.
        Threads  the parser's own.
        Memory   see `Assembly.clear`.
        Source   none.
        """
        self.whole = False
        self.opcode = 0
        if self.compressed:
            self.compressed = False
            self.inflater.clear()
        self.assembly.clear()

    cdef size_t held_bytes(self) noexcept nogil:
        """How much memory is held for messages.

        Shape    none.
        Units    bytes, without zlib's own.
        Returns  what is allocated.
        Threads  the parser's own.
        Memory   none.
        Source   none.
        """
        cdef size_t held = self.assembly.capacity
        if self.inflater is not None:
            held += self.inflater.output.capacity
        return held


def _force_simd_level(level: str | None) -> bool:
    """Use another level here from now on, for tests; None: the best. False if there is none."""
    return force_simd_level(level)
