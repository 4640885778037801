"""Compressed messages: whole and in pieces alike; common.pyx has the rules."""

from libc.stdint cimport uint8_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from common cimport Cuts, also_whole, fail, fail_with_traceback, mixed, new_cuts, next_piece
from reader cimport Outcome
from streams cimport (
    DEFAULT_IN_PLACE, DEFAULT_LIMIT, MAX_STREAM_BYTES, check, drive, new_parser,
)
from tickwire.wire._inflate cimport Inflater, InflateResult
from tickwire.wire._parser cimport Parser
from tickwire.wire._rules cimport RSV1


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
    cdef Parser parser = new_parser(
        way & 1, limit, 125 if way & 8 else DEFAULT_IN_PLACE
    )
    parser.max_frame = DEFAULT_LIMIT
    parser.streamed.inflater = new_inflater(limit, "message", way >> 1 & 1, 0)
    parser.rsv_allowed = RSV1
    cdef Outcome outcome = drive(parser, data, n, seed, stubborn)
    if parser.streamed.inflater.output.capacity > limit + 1:
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
        fail_with_traceback("compressed: an exception")
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
        fail_with_traceback("inflate: an exception")
    return also_whole("inflate", data, n)


ADDRESSES = {
    "compressed": <uintptr_t> <void*> run_compressed,
    "inflate": <uintptr_t> <void*> run_inflate,
}
