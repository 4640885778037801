"""Targets that need no Python per input: streams of frames, compressed messages, whole messages.

Rules of this file
------------------
- Each `run_*` is what libFuzzer calls: any bytes in, 0 out, or the process ends. It reads an input
  the same way as the Python target of the same name, and makes everything anew for each input, or
  puts it back to how it was made. `decode` alone keeps decoders, which learn.
- One input in so many, chosen by a hash of its bytes, goes through the Python target as well.
- Bytes lie in memory that ends where they do, and what has not been shown to the parser yet is
  poisoned, so that the address sanitizer sees a read too far.
- The reader of frames here is the one of tests/wire/reference.py again: written from the RFC, for
  whole streams, byte by byte.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport abort, free, malloc
from libc.string cimport memcpy

from tickwire.decode._decoder cimport ConnectionDecoder, Decoder
from tickwire.ring._ring cimport Ring
from tickwire.session._receiver cimport BUFFER_BYTES, Receiver
from tickwire.wire._handler cimport Handler, Verdict
from tickwire.wire._inflate cimport Inflater, InflateResult
from tickwire.wire._parser cimport FrameParser
from tickwire.wire._rules cimport RSV1

import sys
import traceback

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
    CLOSE = 8
    MAX_STREAM_BYTES = 100_000
    MOST_FAULTS = 64
    LIMIT_OF_RECEIVER = 1000
    DEFAULT_LIMIT = 16_777_216
    DEFAULT_IN_PLACE = 131_072
    MAX_MESSAGES = 8
    MAX_MESSAGE_BYTES = 3000

cdef uint64_t PRIME = 0x9E3779B97F4A7C15

# The Python targets, and one input in how many they get.
cdef dict whole = {}
cdef dict rates = {}
cdef list makers = []

# Close code and section of each Fault, the section as a number: "5.5.1" is 551.
cdef int[MOST_FAULTS] fault_code
cdef int[MOST_FAULTS] fault_section


def _section(str text):
    return int(text.replace(".", ""))


for _number, _fault in enumerate(FAULTS):
    if _number:
        fault_code[_number] = _fault[1]
        fault_section[_number] = _section(_fault[2])


cdef void fail(str what) noexcept:
    print(f"== FINDING: {what}", file=sys.stderr, flush=True)
    abort()


cdef inline uint64_t mixed(uint64_t hash, const uint8_t* p, size_t n) noexcept nogil:
    cdef uint64_t word
    hash = (hash ^ n) * PRIME
    while n >= 8:
        memcpy(&word, p, 8)
        hash = (hash ^ word) * PRIME
        hash ^= hash >> 29
        p += 8
        n -= 8
    word = 0
    if n:
        memcpy(&word, p, n)
    hash = (hash ^ word) * PRIME
    return hash ^ (hash >> 32)


cdef int also_whole(str name, const uint8_t* data, size_t n) noexcept:
    """Give one input in so many to the Python target."""
    if mixed(1, data, n) % <uint64_t> rates[name]:
        return 0
    try:
        whole[name]((<const char*> data)[:n])
    except BaseException:
        traceback.print_exc()
        fail(f"{name}: the Python target")
    return 0


# What came out of a stream.
cdef struct Outcome:
    uint64_t all_events     # in their order
    uint64_t messages       # without control frames
    int64_t n_messages
    int code                # 0: no fault
    int section
    bint closed


cdef inline void note(Outcome* outcome, int opcode, const uint8_t* p, size_t n) noexcept nogil:
    outcome.all_events = mixed(outcome.all_events ^ <uint64_t> opcode, p, n)
    if opcode < CLOSE:
        outcome.messages = mixed(outcome.messages ^ <uint64_t> opcode, p, n)
        outcome.n_messages += 1
    elif opcode == CLOSE:
        outcome.closed = True


cdef inline Outcome nothing() noexcept nogil:
    cdef Outcome outcome
    outcome.all_events = outcome.messages = 1
    outcome.n_messages = 0
    outcome.code = outcome.section = 0
    outcome.closed = False
    return outcome


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


# How a stream is cut: as `cut` of frames.py means it, though not at the same places.
cdef struct Cuts:
    uint32_t state
    size_t longest


cdef Cuts new_cuts(uint8_t seed) noexcept nogil:
    cdef Cuts cuts
    cdef size_t[4] lengths = [2, 10, 200, 5000]
    cuts.state = <uint32_t> seed * <uint32_t> 2654435761 + 1
    cuts.longest = 0 if seed == 0 else 1 if seed == 1 else lengths[seed & 3]
    return cuts


cdef size_t next_piece(Cuts* cuts, size_t left) noexcept nogil:
    cdef size_t size
    if cuts.longest == 0:
        return left
    cuts.state ^= cuts.state << 13
    cuts.state ^= cuts.state >> 17
    cuts.state ^= cuts.state << 5
    size = 1 + cuts.state % cuts.longest
    return size if size < left else left


cdef int take_fault(Outcome* outcome, int error) noexcept:
    if error:
        outcome.code = fault_code[error]
        outcome.section = fault_section[error]
    return 0


cdef dict parsers = {}


cdef FrameParser new_parser(bint server, size_t limit, size_t in_place_limit):
    """A parser as it is made, but for the objects that it holds, which take long to make."""
    key = (server, limit, in_place_limit)
    cdef FrameParser parser = parsers.get(key)
    if parser is None:
        parser = parsers[key] = FrameParser(
            "server" if server else "client",
            max_frame=DEFAULT_LIMIT,
            max_message=limit,
            in_place_limit=in_place_limit,
        )
    parser.blocked = parser.halted = parser.closed = False
    parser.error = parser.close_code = parser.message_opcode = 0
    parser.n_frames = parser.n_messages = parser.n_bytes = 0
    parser.control.n_waiting_pings = 0
    parser.control.pong_waiting = parser.control.close_waiting = False
    parser.prepared = parser.unpacked = parser.compressed = parser.assembled = False
    parser.streaming = parser.streaming_fin = parser.streaming_masked = False
    parser.pending_bytes = parser.streaming_seen = 0
    parser.streaming_left = 0
    parser.utf8.need = parser.utf8.low = parser.utf8.high = 0
    parser.assembly.clear()
    parser.inflater = None
    parser.rsv_allowed = 0
    return parser


cdef Outcome drive(
    FrameParser parser, const uint8_t* data, size_t n, uint8_t seed, bint stubborn
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


cdef enum Text:
    BROKEN
    WHOLE
    OPEN


cdef Text text_of(const uint8_t* p, size_t n) noexcept nogil:
    """Decode UTF-8 by arithmetic; an end in the middle is OPEN if any character begins so."""
    cdef size_t i = 0
    cdef size_t k, need, missing
    cdef uint32_t point, low, high, least
    while i < n:
        if p[i] < 0x80:
            i += 1
            continue
        if p[i] & 0xE0 == 0xC0:
            need, point, least = 1, p[i] & 0x1F, 0x80
        elif p[i] & 0xF0 == 0xE0:
            need, point, least = 2, p[i] & 0x0F, 0x800
        elif p[i] & 0xF8 == 0xF0:
            need, point, least = 3, p[i] & 0x07, 0x10000
        else:
            return BROKEN
        missing = need
        for k in range(need):
            if i + 1 + k < n:
                if p[i + 1 + k] & 0xC0 != 0x80:
                    return BROKEN
                point = (point << 6) | (p[i + 1 + k] & 0x3F)
                missing -= 1
                low = max(least, point << (6 * missing))
                high = min(
                    <uint32_t> 0x10FFFF, ((point + 1) << (6 * missing)) - 1
                )
                if low > high or (low >= 0xD800 and high <= 0xDFFF):
                    return BROKEN
        if missing == need:
            low = max(least, point << (6 * missing))
            high = min(<uint32_t> 0x10FFFF, ((point + 1) << (6 * missing)) - 1)
            if low > high:
                return BROKEN
        if missing:
            return OPEN
        i += need + 1
    return WHOLE


cdef inline int fault(Outcome* outcome, int code, int section) noexcept nogil:
    outcome.code = code
    outcome.section = section
    return 0


cdef int close_is_wrong(Outcome* outcome, const uint8_t* payload, size_t n) noexcept nogil:
    cdef int code
    if n == 1:
        fault(outcome, 1002, 551)
    elif n:
        code = payload[0] * 256 + payload[1]
        if not (
            3000 <= code <= 4999 or (1000 <= code <= 1014 and code not in (1004, 1005, 1006))
        ):
            fault(outcome, 1002, 74)
        elif text_of(payload + 2, n - 2) != WHOLE:
            fault(outcome, 1007, 551)
    return outcome.code


cdef int read_frames(
    Outcome* out, const uint8_t* data, size_t n, uint8_t* payload, uint8_t* parts,
    bint server, uint64_t limit, uint64_t in_place_limit
) noexcept nogil:
    """RFC 6455 sections 5 to 7, and the first fault; payload and parts have room for n bytes."""
    cdef size_t at = 0
    cdef size_t n_parts = 0
    cdef size_t i, has, width
    cdef uint64_t length
    cdef uint8_t key[4]
    cdef int opcode, message_opcode = 0
    cdef bint fin, masked, is_whole
    cdef Text text
    while n - at >= 2:
        fin, opcode = data[at] >= 0x80, data[at] % 16
        masked, length = data[at + 1] >= 0x80, data[at + 1] % 128
        if data[at] // 16 % 8:
            return fault(out, 1002, 52)
        if opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
            return fault(out, 1002, 52)
        if opcode >= CLOSE and (not fin or length > 125):
            return fault(out, 1002, 55)
        if (opcode == 0 and not message_opcode) or (0 < opcode < CLOSE and message_opcode):
            return fault(out, 1002, 54)
        if masked != server:
            return fault(out, 1002, 51)
        at += 2
        if length >= 126:
            width = 2 if length == 126 else 8
            if n - at < width:
                return 0
            length = 0
            for i in range(width):
                length = length * 256 + data[at + i]
            at += width
            if length < <uint64_t> (126 if width == 2 else 65_536) or length >> 63:
                return fault(out, 1002, 52)
        if length > limit or (opcode < CLOSE and length + n_parts > limit):
            return fault(out, 1009, 104)
        for i in range(4):
            key[i] = 0
        if masked:
            if n - at < 4:
                return 0
            for i in range(4):
                key[i] = data[at + i]
            at += 4
        has = <size_t> min(length, <uint64_t> (n - at))
        is_whole = has == length
        for i in range(has):
            payload[i] = data[at + i] ^ key[i % 4]
        at += has
        if opcode >= CLOSE:
            if not is_whole:
                return 0
            if opcode == CLOSE and close_is_wrong(out, payload, has):
                return 0
            note(out, opcode, payload, has)
            if opcode == CLOSE:
                return 0
            continue
        if fin and opcode and length <= in_place_limit:
            if not is_whole:
                return 0
            if opcode == 1 and text_of(payload, has) != WHOLE:
                return fault(out, 1007, 81)
            note(out, opcode, payload, has)
            continue
        if opcode:
            message_opcode, n_parts = opcode, 0
        for i in range(has):
            parts[n_parts + i] = payload[i]
        n_parts += has
        if message_opcode == 1:
            text = text_of(parts, n_parts)
            if text == BROKEN or (text == OPEN and fin and is_whole):
                return fault(out, 1007, 81)
        if not is_whole:
            return 0
        if fin:
            note(out, message_opcode, parts, n_parts)
            message_opcode, n_parts = 0, 0
    return 0


cdef Outcome expected_of(
    const uint8_t* data, size_t n, bint server, uint64_t limit, uint64_t in_place_limit
) noexcept:
    cdef Outcome outcome = nothing()
    cdef uint8_t* room = <uint8_t*> malloc(2 * n + 1)
    read_frames(&outcome, data, n, room, room + n, server, limit, in_place_limit)
    free(room)
    return outcome


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
            traceback.print_exc()
            fail("frames: an exception")
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
        traceback.print_exc()
        fail("receiver: an exception")
    return also_whole("receiver", data, n)


cdef dict inflaters = {}


cdef Inflater new_inflater(size_t limit, str form, bint keep_context, int which):
    """An inflater as it is made, but for zlib's memory, which takes long to make."""
    key = (limit, form, keep_context, which)
    cdef Inflater inflater = inflaters.get(key)
    if inflater is None:
        inflater = inflaters[key] = Inflater(limit, form=form, keep_context=keep_context)
    inflater.zlib.inflate_reset(&inflater.stream)
    inflater.stream_ended = inflater.has_input = False
    inflater.output.size = 0
    return inflater


cdef Outcome inflated_frames(
    const uint8_t* data, size_t n, uint8_t way, uint8_t seed, bint stubborn
):
    cdef size_t limit = 100 if way >> 2 & 1 else 1 << 20
    cdef FrameParser parser = new_parser(
        way & 1, limit, 125 if way & 8 else DEFAULT_IN_PLACE
    )
    parser.max_frame = DEFAULT_LIMIT
    parser.inflater = new_inflater(limit, "message", way >> 1 & 1, 0)
    parser.rsv_allowed = RSV1
    cdef Outcome outcome = drive(parser, data, n, seed, stubborn)
    if parser.inflater.output.capacity > limit + 1:
        fail("compressed: the inflater has more memory than its limit")
    return outcome


cdef int run_compressed(const uint8_t* data, size_t n) noexcept:
    cdef size_t n_stream
    cdef Outcome expected
    if n < 2:
        return 0
    n_stream = min(n - 2, <size_t> MAX_STREAM_BYTES)
    try:
        expected = inflated_frames(data + 2, n_stream, data[0], 0, False)
        check(
            "compressed", inflated_frames(data + 2, n_stream, data[0], data[1], False),
            expected, False,
        )
        check(
            "compressed", inflated_frames(data + 2, n_stream, data[0], data[1], True),
            expected, True,
        )
    except BaseException:
        traceback.print_exc()
        fail("compressed: an exception")
    return also_whole("compressed", data, n)


cdef InflateResult inflated_in_pieces(
    Inflater inflater, const uint8_t* p, size_t n, Cuts* cuts
) noexcept:
    cdef InflateResult result = InflateResult.INFLATED
    cdef size_t piece
    inflater.begin()
    while n and result == InflateResult.INFLATED:
        piece = next_piece(cuts, n)
        result = inflater.add(p, piece)
        p += piece
        n -= piece
    return inflater.finish() if result == InflateResult.INFLATED else result


cdef size_t next_message(const uint8_t* p, size_t n) noexcept:
    cdef size_t i
    for i in range(n):
        if n - i >= 3 and p[i] == 0xFF and p[i + 1] == 0x00 and p[i + 2] == 0xFF:
            return i
    return n


cdef int run_inflate(const uint8_t* data, size_t n) noexcept:
    """Messages through one inflater whole and through another in pieces."""
    cdef size_t size, at = 1
    cdef InflateResult result
    cdef uint8_t* message
    if n == 0:
        return 0
    cdef uint8_t way = data[0]
    cdef str form = ("message", "deflate", "gzip")[way % 3]
    cdef size_t limit = 100 if way >> 2 & 1 else 1 << 20
    cdef Cuts cuts = new_cuts(way >> 2)
    try:
        first = new_inflater(limit, form, way & 8, 1)
        second = new_inflater(limit, form, way & 8, 2)
        while at <= n:
            size = next_message(data + at, n - at)
            message = <uint8_t*> malloc(size if size else 1)
            memcpy(message, data + at, size)
            result = (<Inflater> first).inflate(message, size)
            if inflated_in_pieces(second, message, size, &cuts) != result:
                fail("inflate: whole and in pieces differ in the fault")
            free(message)
            if (<Inflater> first).output.capacity > limit + 1:
                fail("inflate: more memory than the limit")
            if result != InflateResult.INFLATED:
                break
            if (<Inflater> first).size() > limit:
                fail("inflate: more bytes than the limit")
            if mixed(1, (<Inflater> first).data(), (<Inflater> first).size()) != mixed(
                1, (<Inflater> second).data(), (<Inflater> second).size()
            ):
                fail("inflate: whole and in pieces differ")
            at += size + 3
    except BaseException:
        traceback.print_exc()
        fail("inflate: an exception")
    return also_whole("inflate", data, n)


cdef class Feed:
    """A decoder that is kept: what it learned from other inputs is part of what is tried."""

    cdef object owner       # what has the rings
    cdef Decoder decoder
    cdef ConnectionDecoder connection
    cdef list rings         # that rows go into

    def __init__(self, owner, Decoder decoder, connection, rings):
        self.owner = owner
        self.decoder = decoder
        self.connection = connection
        self.rings = rings


cdef dict feeds = {}
cdef enum:
    FEED_INPUTS = 20_000    # then it is made anew, and its dictionaries with it
cdef int64_t n_decoded = 0


cdef int decode(str name, const uint8_t* data, size_t n) except -1:
    """Lines of an input, one after the other: a message that is refused has no rows."""
    global n_decoded
    cdef Feed feed
    cdef size_t at = 1
    cdef size_t size
    cdef int n_lines = 0
    cdef int verdict
    cdef int64_t n_rows
    cdef uint8_t* payload
    cdef object key = (name, data[0] & 0x1F, data[0] >> 4 & 1)
    n_decoded += 1
    if n_decoded % FEED_INPUTS == 0:
        feeds.clear()
    feed = feeds.get(key)
    if feed is None:
        feed = feeds[key] = Feed(*makers[0](name, data[0]))
    while at <= n and n_lines < MAX_MESSAGES:
        size = 0
        while at + size < n and data[at + size] != c"\n":
            size += 1
        if size > MAX_MESSAGE_BYTES:
            break
        payload = <uint8_t*> malloc(size if size else 1)
        memcpy(payload, data + at, size)
        n_rows = 0
        for ring in feed.rings:
            n_rows -= (<Ring> ring).published
        n_errors = sum((<dict> feed.decoder._errors).values())
        feed.connection.begin_read(n_lines + 1, n_lines + 1)
        verdict = feed.connection.on_message(1, payload, size)
        feed.connection.end_read()
        free(payload)
        if verdict != Verdict.TAKEN:
            fail(f"{name}: a message is not taken")
        for ring in feed.rings:
            n_rows += (<Ring> ring).published
        n_errors = sum((<dict> feed.decoder._errors).values()) - n_errors
        if not (n_rows >= 0 and (n_errors == 0 or (n_errors == 1 and n_rows == 0))):
            fail(f"{name}: {n_errors} errors and {n_rows} rows of one message")
        if feed.connection.has_events:
            feed.connection.take_events()
        at += size + 1
        n_lines += 1
    return 0


cdef int run_decoder(str name, const uint8_t* data, size_t n) noexcept:
    if n == 0:
        return 0
    try:
        decode(name, data, n)
    except BaseException:
        traceback.print_exc()
        fail(f"{name}: an exception")
    return also_whole(name, data, n)


cdef int run_plans(const uint8_t* data, size_t n) noexcept:
    return run_decoder("plans", data, n)


cdef int run_venues(const uint8_t* data, size_t n) noexcept:
    return run_decoder("venues", data, n)


ADDRESSES = {
    "compressed": <uintptr_t> <void*> run_compressed,
    "frames": <uintptr_t> <void*> run_frames,
    "inflate": <uintptr_t> <void*> run_inflate,
    "plans": <uintptr_t> <void*> run_plans,
    "receiver": <uintptr_t> <void*> run_receiver,
    "venues": <uintptr_t> <void*> run_venues,
}


def prepare(targets, one_in, make_feed):
    """Say what the Python targets are, which share of inputs they get, and who makes feeds."""
    whole.update(targets)
    rates.update(one_in)
    makers[:] = [make_feed]
