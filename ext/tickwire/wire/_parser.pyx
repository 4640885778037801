"""The frame parser: RFC 6455 section 5, in place and without an object per frame.

A data frame that is a whole message and not larger than `in_place_limit` is read where it lies: it
waits in the caller's buffer until all of it is there, is unmasked and checked once, and its payload
is borrowed to the handler. The payload of every other data frame (a fragment, or too large for the
buffer) goes to the streamed message as it comes, so the caller's buffer never has to grow. Control
frames are whole in the buffer before they are looked at, and are gathered in a fixed queue.

A message that is compressed (RFC 7692) is inflated, in one go where it would have been read in
place, else as its bytes come. Its limits hold for what is inflated, those of a frame for what is on
the wire.

A message that the handler refuses stays: the one in place is not consumed and is marked, so that it
is not unmasked or inflated twice; the streamed one is kept where it is. The next `feed` offers it
again before anything else. After a fault or a close frame nothing more is taken.

Lengths are unsigned and are checked against the limits before they are narrowed or used.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from tickwire.wire._control cimport ControlQueue
from tickwire.wire._handler cimport Handler, Verdict
from tickwire.wire._inflate cimport Inflater, InflateResult
from tickwire.wire._rules cimport (
    CONTROL,
    FIN,
    MASK,
    RSV1,
    Fault,
    Opcode,
    close_fault,
    head_fault,
    is_text,
)
from tickwire.wire._simd cimport force_simd_level, tw_simd_level, tw_simd_name
from tickwire.wire._streamed cimport StreamedMessage, inflate_fault

from tickwire.errors import ProtocolError
from tickwire.wire.faults import FAULTS as _FAULTS

cdef extern from "tickwire/wire/mask.h":
    void tw_mask(uint8_t* bytes_, size_t n, const uint8_t* key, size_t offset) nogil

cdef extern from "tickwire/base/utf8.h":
    size_t tw_ascii_prefix(const uint8_t* p, size_t n) nogil


cdef enum:
    FAULTY = -1  # beside the values of Verdict: there is an error, nothing was offered


cdef inline uint64_t _big_endian(const uint8_t* p, size_t n) noexcept nogil:
    cdef uint64_t value = 0
    cdef size_t i
    for i in range(n):
        value = (value << 8) | p[i]
    return value


cdef class Parser:
    """What takes the frames of one connection; a receiver feeds it, `FrameParser` is for Python.

    Parameters and errors are those of `FrameParser`.
    """

    def __cinit__(
        self,
        role: str = "client",
        *,
        max_frame: int = 16_777_216,
        max_message: int = 16_777_216,
        in_place_limit: int = 131_072,
    ):
        if role not in ("client", "server"):
            raise ValueError(f"role must be 'client' or 'server', not {role!r}")
        for name, value in (("max_frame", max_frame), ("max_message", max_message)):
            if not 0 < value < 1 << 62:
                raise ValueError(f"{name} must be positive and below 2**62, not {value}")
        if not 125 <= in_place_limit < 1 << 62:
            raise ValueError(f"in_place_limit must be at least 125, not {in_place_limit}")
        self.is_server = role == "server"
        self.max_frame = max_frame
        self.max_message = max_message
        self.in_place_limit = in_place_limit
        self.streamed = StreamedMessage(max_message)
        self.control = ControlQueue()

    cdef Py_ssize_t feed(self, uint8_t* data, size_t n, Handler handler) noexcept nogil:
        """Take the frames at the front of `data` and hand their messages to `handler`.

        Shape    data[0:n] starts where the last call stopped consuming; n may be 0, to offer a
                 refused message again. A caller that can show `in_place_limit` + 14 bytes at once
                 never gets stuck.
        Units    bytes.
        Returns  how many bytes from the front are done with; the caller keeps the rest. Then look
                 at `error`, `closed`, `blocked`, `halted` and `has_control()`.
        Threads  one at a time.
        Memory   payloads of a client are unmasked in `data` itself. The handler's payload lies in
                 `data` or in the streamed message and lives until `on_message` returns.
        Source   RFC 6455 section 5.
        """
        cdef size_t pos = 0
        cdef size_t used
        self.blocked = False
        self.halted = False
        if self.closed or self.error != Fault.NO_FAULT:
            return 0
        if self.streamed.whole and not self._offer_streamed(handler):
            return 0
        while True:
            if self.streamed.in_frame:
                pos += self.streamed.take(data + pos, n - pos, &self.error)
                if self.streamed.in_frame:
                    break
                self.n_frames += 1
                if self.streamed.whole and not self._offer_streamed(handler):
                    break
            pos += self._take_plain(data + pos, n - pos, handler)
            if self.blocked or self.halted:
                break
            used = self._take_frame(data + pos, n - pos, handler)
            pos += used
            if used == 0 or self.halted or self.closed:
                break
            if self.stop_at_control and self.has_control():
                break
        self.n_bytes += <int64_t> pos
        return <Py_ssize_t> pos

    # What nearly every frame of a feed is: a text of its own, unmasked, below 64 KiB. The same as
    # `_take_frame` does with it, in one loop; anything else is left to that. Gives the bytes taken.
    cdef size_t _take_plain(self, uint8_t* data, size_t n, Handler handler) noexcept nogil:
        cdef size_t pos = 0
        cdef size_t header, length
        cdef int64_t n_taken = 0
        cdef int verdict
        cdef uint64_t limit = min(self.in_place_limit, min(self.max_frame, self.max_message))
        if self.is_server or self.streamed.opcode != 0 or self.prepared:
            return 0
        while n - pos >= 4 and data[pos] == (FIN | Opcode.TEXT):
            header = 2
            length = data[pos + 1]
            if length >= 126:
                header = 4
                length = <size_t> data[pos + 2] << 8 | data[pos + 3]
                if data[pos + 1] != 126 or length < 126:
                    break
            if length > limit or n - pos < header + length:
                break
            if tw_ascii_prefix(data + pos + header, length) != length and not is_text(
                data + pos + header, length
            ):
                break
            verdict = handler.on_message(Opcode.TEXT, data + pos + header, length)
            if verdict == Verdict.BLOCKED:
                self.blocked = True
                self.prepared = True
                break
            pos += header + length
            n_taken += 1
            if verdict == Verdict.HALT:
                self.halted = True
                break
        self.n_frames += n_taken
        self.n_messages += n_taken
        return pos

    # Section 5.2, from the first byte to the last. Gives the bytes taken: a whole frame, or the
    # header of one whose payload is streamed; 0 if there is nothing to take now.
    cdef size_t _take_frame(self, uint8_t* data, size_t n, Handler handler) noexcept nogil:
        cdef uint8_t first, second
        cdef size_t header = 2
        cdef uint64_t length
        cdef int opcode, fault
        cdef bint compressed
        if n < 2:
            return 0
        first = data[0]
        second = data[1]
        opcode = first & 0x0F
        fault = head_fault(
            first, second, self.rsv_allowed, self.streamed.opcode, self.is_server
        )
        if fault != Fault.NO_FAULT:
            self.error = fault
            return 0
        length = second & 0x7F
        if length >= 126:
            header = 4 if length == 126 else 10
            if n < header:
                return 0
            length = _big_endian(data + 2, header - 2)
            if length >> 63:
                self.error = Fault.LENGTH_TOO_HIGH
                return 0
            if length <= (125 if header == 4 else 0xFFFF):
                self.error = Fault.LENGTH_NOT_MINIMAL
                return 0
        if length > self.max_frame:
            self.error = Fault.FRAME_TOO_BIG
            return 0
        if not opcode & CONTROL and length > self.max_message - self.streamed.assembly.size:
            compressed = (
                self.streamed.compressed if opcode == Opcode.CONTINUATION else first & RSV1 != 0
            )
            if not compressed:
                self.error = Fault.MESSAGE_TOO_BIG
                return 0
        if second & MASK:
            header += 4
            if n < header:
                return 0
        if not opcode & CONTROL and not (
            first & FIN and opcode != Opcode.CONTINUATION and length <= self.in_place_limit
        ):
            self.streamed.begin_frame(
                first, length, data + header - 4 if second & MASK else NULL
            )
            return header
        # Not above in_place_limit, so it can be narrowed and cannot overflow.
        if n < header + <size_t> length:
            return 0
        if second & MASK and not self.prepared:
            tw_mask(data + header, <size_t> length, data + header - 4, 0)
        if opcode & CONTROL:
            return self._take_control_frame(opcode, data + header, header, <size_t> length)
        return self._offer_in_place(first, data + header, header, <size_t> length, handler)

    cdef size_t _offer_in_place(
        self, uint8_t first, uint8_t* payload, size_t header, size_t length, Handler handler
    ) noexcept nogil:
        cdef int opcode = first & 0x0F
        cdef const uint8_t* message = payload
        cdef size_t n = length
        cdef int verdict
        if first & RSV1:
            if not self.prepared:
                self.error = self.streamed.inflate_frame(opcode, payload, length)
                if self.error != Fault.NO_FAULT:
                    return 0
            message = self.streamed.inflater.data()
            n = self.streamed.inflater.size()
        elif opcode == Opcode.TEXT and not self.prepared and not is_text(payload, length):
            self.error = Fault.TEXT_NOT_UTF8
            return 0
        if opcode == Opcode.BINARY and self.unpacker is not None:
            verdict = self._offer_unpacked(message, n, handler)
            if verdict == FAULTY:
                return 0
        else:
            verdict = handler.on_message(opcode, message, n)
        if verdict == Verdict.BLOCKED:
            self.blocked = True
            self.prepared = True
            return 0
        self.prepared = False
        if first & RSV1:
            self.streamed.inflater.clear()
        self.halted = verdict == Verdict.HALT
        self.n_frames += 1
        self.n_messages += 1
        return header + length

    # Section 5.5.
    cdef size_t _take_control_frame(
        self, int opcode, const uint8_t* payload, size_t header, size_t length
    ) noexcept nogil:
        if opcode == Opcode.CLOSE:
            self.error = close_fault(payload, length, &self.close_code)
            if self.error != Fault.NO_FAULT:
                return 0
            self.closed = True
        self.control.add(opcode, payload, length)
        self.n_frames += 1
        return header + length

    # False if the caller must stop: blocked, halted or faulty.
    cdef bint _offer_streamed(self, Handler handler) noexcept nogil:
        cdef const uint8_t* payload = self.streamed.data()
        cdef size_t n = self.streamed.size()
        cdef int verdict
        if self.streamed.opcode == Opcode.BINARY and self.unpacker is not None:
            verdict = self._offer_unpacked(payload, n, handler)
            if verdict == FAULTY:
                return False
        else:
            verdict = handler.on_message(self.streamed.opcode, payload, n)
        if verdict == Verdict.BLOCKED:
            self.blocked = True
            return False
        self.streamed.clear()
        self.n_messages += 1
        self.halted = verdict == Verdict.HALT
        return not self.halted

    # A binary message that is packed as a whole, the venue's own way: not RFC 7692. What cannot be
    # unpacked is handed over as it came, because it is the handler that knows what to do with it;
    # only what would not fit fails the connection.
    cdef int _offer_unpacked(
        self, const uint8_t* packed, size_t n, Handler handler
    ) noexcept nogil:
        cdef InflateResult result
        cdef int verdict
        if not self.unpacked:
            result = self.unpacker.inflate(packed, n)
            if result == InflateResult.CORRUPT:
                self.unpacker.clear()
                return handler.on_message(Opcode.BINARY, packed, n)
            self.error = inflate_fault(result)
            if self.error != Fault.NO_FAULT:
                return FAULTY
        verdict = handler.on_message(Opcode.BINARY, self.unpacker.data(), self.unpacker.size())
        self.unpacked = verdict == Verdict.BLOCKED
        if not self.unpacked:
            self.unpacker.clear()
        return verdict

    def use_deflate(self, *, keep_context: bool = True, window_bits: int = 15) -> None:
        """Take compressed messages from now on, as agreed on in the opening handshake.

        Parameters
        ----------
        keep_context
            Whether the peer's messages may refer to those before them (context takeover).
        window_bits
            The largest window that the peer uses, 8 to 15.

        Raises
        ------
        TickwireError
            If there is no zlib.
        """
        self.streamed.inflater = Inflater(
            self.max_message, form="message", keep_context=keep_context, window_bits=window_bits
        )
        self.rsv_allowed = RSV1

    def unpack_binary(self, form: str) -> None:
        """Inflate each binary message before it is handed over, as some venues pack them.

        Parameters
        ----------
        form
            "deflate" or "gzip".

        Raises
        ------
        ValueError
            If it is neither.
        TickwireError
            If there is no zlib.
        """
        if form not in ("deflate", "gzip"):
            raise ValueError(f"form must be 'deflate' or 'gzip', not {form!r}")
        self.unpacker = Inflater(self.max_message, form=form)

    def take_control(self) -> list[tuple[int, bytes]]:
        """The control frames that wait as (opcode, payload): pings, the newest pong, the close."""
        return self.control.take()

    @property
    def mid_message(self):
        """Whether a message in pieces, or a large one, has begun and is not whole."""
        return self.streamed.opcode != 0 and not self.streamed.whole

    @property
    def n_pings(self):
        """Pings received."""
        return self.control.n_pings

    @property
    def assembly_bytes(self):
        """The memory held for messages that come in pieces or are inflated, bytes."""
        cdef size_t held = self.streamed.held_bytes()
        if self.unpacker is not None:
            held += self.unpacker.output.capacity
        return held

    def error_as_exception(self) -> ProtocolError | None:
        """What the peer did wrong, or None."""
        if self.error == Fault.NO_FAULT:
            return None
        return ProtocolError(*_FAULTS[self.error])


def simd_level() -> str:
    """Name the SIMD instructions that the parser uses: avx2, sse2, neon or portable."""
    return tw_simd_name(tw_simd_level()).decode()


def _force_simd_level(level: str | None) -> bool:
    """Use another level here from now on, for tests; None: the best. False if there is none."""
    return force_simd_level(level)
