"""Frames and the receive buffer, against the reader of frames; common.pyx has the rules."""

from libc.stdint cimport int64_t, uint8_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from common cimport Cuts, fail, fail_with_traceback, also_whole, new_cuts, next_piece
from reader cimport Outcome, expected_of, note, nothing
from tickwire.net._receiver cimport BUFFER_BYTES, Receiver
from tickwire.wire._handler cimport Handler, Verdict
from tickwire.wire._parser cimport Parser
from tickwire.wire._streamed cimport StreamedMessage

from tickwire.wire.faults import FAULTS

cdef extern from *:
    """
    void __asan_poison_memory_region(void const volatile *at, size_t n);
    void __asan_unpoison_memory_region(void const volatile *at, size_t n);
    void *__asan_region_is_poisoned(void *at, size_t n);
    """
    void __asan_poison_memory_region(const void* at, size_t n) nogil
    void __asan_unpoison_memory_region(const void* at, size_t n) nogil
    void* __asan_region_is_poisoned(void* at, size_t n) nogil

cdef enum:
    MOST_FAULTS = 64
    LIMIT_OF_RECEIVER = 1000

# Close code and section of each Fault, the section as a number: "5.5.1" is 551.
cdef int[MOST_FAULTS] fault_code
cdef int[MOST_FAULTS] fault_section


def _section(str text):
    return int(text.replace(".", ""))


for _number, _fault in enumerate(FAULTS):
    if _number:
        fault_code[_number] = _fault[1]
        fault_section[_number] = _section(_fault[2])


cdef class Digest(Handler):
    """Notes messages; a stubborn one refuses each the first time."""

    cdef Outcome outcome
    cdef bint stubborn
    cdef bint refused
    cdef bint poisoned
    cdef size_t largest

    cdef int on_message(self, int opcode, const uint8_t* payload, size_t n) noexcept nogil:
        if self.stubborn and not self.refused:
            self.refused = True
            return Verdict.BLOCKED
        self.refused = False
        if n and __asan_region_is_poisoned(<void*> payload, n) != NULL:
            self.poisoned = True
        else:
            note(&self.outcome, opcode, payload, n)
        self.largest = max(self.largest, n)
        return Verdict.TAKEN


cdef Digest new_digest(bint stubborn):
    cdef Digest digest = Digest()
    digest.outcome = nothing()
    digest.stubborn = stubborn
    return digest


cdef int take_fault(Outcome* outcome, int error) noexcept:
    if error:
        outcome.code = fault_code[error]
        outcome.section = fault_section[error]
    return 0


cdef dict parsers = {}


cdef Parser new_parser(bint server, size_t limit, size_t in_place_limit):
    """A parser as it is made, but for the objects that it holds, which take long to make."""
    key = (server, limit, in_place_limit)
    cdef Parser parser = parsers.get(key)
    if parser is None:
        parser = parsers[key] = Parser(
            "server" if server else "client",
            max_frame=DEFAULT_LIMIT,
            max_message=limit,
            in_place_limit=in_place_limit,
        )
    parser.blocked = parser.halted = parser.closed = False
    parser.error = parser.close_code = 0
    parser.n_frames = parser.n_messages = parser.n_bytes = 0
    parser.control.n_waiting_pings = 0
    parser.control.pong_waiting = parser.control.close_waiting = False
    parser.prepared = parser.unpacked = False
    cdef StreamedMessage streamed = parser.streamed
    streamed.inflater = None
    streamed.compressed = streamed.in_frame = streamed.frame_fin = streamed.frame_masked = False
    streamed.frame_left = streamed.frame_seen = 0
    streamed.utf8.need = streamed.utf8.low = streamed.utf8.high = 0
    streamed.clear()
    parser.rsv_allowed = 0
    return parser


cdef Outcome drive(
    Parser parser, const uint8_t* data, size_t n, uint8_t seed, bint stubborn
):
    """Show a stream to a parser piece by piece."""
    cdef Digest digest = new_digest(stubborn)
    cdef Cuts cuts = new_cuts(seed)
    cdef size_t start = 0
    cdef size_t shown = 0
    cdef Py_ssize_t used
    cdef uint8_t* p = <uint8_t*> malloc(n if n else 1)
    cdef int64_t n_turns = 0
    memcpy(p, data, n)
    __asan_poison_memory_region(p, n)
    parser.stop_at_control = not stubborn
    while True:
        shown += next_piece(&cuts, n - shown)
        __asan_unpoison_memory_region(p, shown)
        while True:
            used = parser.feed(p + start, shown - start, digest)
            if used < 0 or <size_t> used > shown - start:
                fail("feed took what it was not shown")
            start += <size_t> used
            if parser.has_control():
                for opcode, payload in parser.control.take():
                    note(&digest.outcome, opcode, payload, len(payload))
            if parser.closed or parser.error or (used == 0 and not parser.blocked):
                break
            n_turns += 1
            if n_turns > 4 * <int64_t> n + 16:
                fail("feed goes on for ever")
        if parser.closed or parser.error or shown == n:
            break
    if digest.poisoned:
        fail("a payload reaches into memory that is not its own")
    if parser.n_bytes != <int64_t> start or parser.n_messages != digest.outcome.n_messages:
        fail("bytes or messages are counted wrongly")
    __asan_unpoison_memory_region(p, n)
    free(p)
    take_fault(&digest.outcome, parser.error)
    return digest.outcome


cdef int check(str what, Outcome found, Outcome expected, bint messages_only) noexcept:
    if (found.code, found.section) != (expected.code, expected.section):
        fail(f"{what}: fault {found.code} {found.section}, not {expected.code} {expected.section}")
    if found.messages != expected.messages or found.n_messages != expected.n_messages:
        fail(f"{what}: {found.n_messages} messages, not the same as {expected.n_messages}")
    if not messages_only and found.all_events != expected.all_events:
        fail(f"{what}: other events")
    return 0


cdef int run_frames(const uint8_t* data, size_t n) noexcept:
    cdef uint64_t[3] limits = [DEFAULT_LIMIT, 200, 1]
    if n < 2:
        return 0
    cdef bint server = data[0] & 1
    cdef uint64_t limit = limits[(data[0] >> 1) % 3]
    cdef uint64_t in_place = 125 if (data[0] >> 3) & 1 else DEFAULT_IN_PLACE
    cdef uint8_t seed = data[1]
    cdef size_t n_stream = min(n - 2, <size_t> MAX_STREAM_BYTES)
    cdef Outcome expected = expected_of(data + 2, n_stream, server, limit, in_place)
    cdef bint stubborn
    for stubborn in (False, True):
        parser = new_parser(server, limit, in_place)
        parser.max_frame = limit
        try:
            check(
                "frames", drive(parser, data + 2, n_stream, seed, stubborn), expected, stubborn
            )
        except BaseException:
            fail_with_traceback("frames: an exception")
    return also_whole("frames", data, n)


cdef Receiver kept_receiver = None


cdef Receiver new_receiver(Handler handler, size_t limit):
    """A receiver as it is made, but for its buffer, which takes long to make."""
    global kept_receiver
    cdef Receiver target = kept_receiver
    if target is None:
        target = kept_receiver = Receiver(handler)
    target.handler = handler
    target.parser = new_parser(False, limit, DEFAULT_IN_PLACE)
    target.parser.max_frame = limit
    target.parser.stop_at_control = False
    target.max_spill_bytes = 4 * limit + DEFAULT_LIMIT
    target.head = target.end = target.spill_start = 0
    if len(target.spill):
        target.spill = bytearray()
    target.n_reads = target.n_bytes = 0
    target.started = target.paused = target.ended = False
    return target


cdef int take_all(Receiver target) except -1:
    cdef int64_t n_turns = 0
    while target.paused:
        target.retry()
        n_turns += 1
        if n_turns > 4 * MAX_STREAM_BYTES:
            fail("retry goes on for ever")
    return 0


cdef int receive(const uint8_t* data, size_t n) except -1:
    cdef uint8_t way = data[0]
    cdef Cuts cuts = new_cuts(data[1])
    cdef size_t limit = DEFAULT_LIMIT if way & 1 else LIMIT_OF_RECEIVER
    cdef size_t at = 0
    cdef size_t size, n_stream = min(n - 2, <size_t> MAX_STREAM_BYTES)
    cdef Digest digest = new_digest(way & 2)
    cdef Receiver target = new_receiver(digest, limit)
    cdef const uint8_t* stream = data + 2
    if not way & 4:
        target.start()
    while at < n_stream:
        size = next_piece(&cuts, n_stream - at)
        if way & 8 and not target.paused:
            memory = target.get_buffer()
            size = min(size, <size_t> len(memory))
            memory[:size] = (<const char*> stream)[at : at + size]
            target.buffer_updated(size)
        else:
            target.receive_bytes((<const char*> stream)[at : at + size])
        at += size
        if target.head > target.end or target.end > BUFFER_BYTES:
            fail("receiver: the buffer's ends are wrong")
        if way & 16:
            take_all(target)
    target.start()
    take_all(target)
    cdef Outcome expected = expected_of(stream, n_stream, False, limit, DEFAULT_IN_PLACE)
    take_fault(&digest.outcome, target.parser.error)
    check("receiver", digest.outcome, expected, True)
    if target.ended != (expected.code != 0 or expected.closed):
        fail("receiver: not ended, or ended without a reason")
    return 0


cdef int run_receiver(const uint8_t* data, size_t n) noexcept:
    if n < 2:
        return 0
    try:
        receive(data, n)
    except BaseException:
        fail_with_traceback("receiver: an exception")
    return also_whole("receiver", data, n)


ADDRESSES = {
    "frames": <uintptr_t> <void*> run_frames,
    "receiver": <uintptr_t> <void*> run_receiver,
}
