"""Whole messages through decoders that have learned; common.pyx has the rules."""

from libc.stdint cimport int64_t, uint8_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from common cimport also_whole, fail, fail_with_traceback
from tickwire.decode._decoder cimport ConnectionDecoder, Decoder
from tickwire.wire._handler cimport Verdict

cdef enum:
    MAX_MESSAGES = 8
    MAX_MESSAGE_BYTES = 3000

# Who makes a feed: of a target's name and an input's first byte.
cdef object make_feed = None


def use(maker):
    """Say who makes feeds."""
    global make_feed
    make_feed = maker


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
        feed = feeds[key] = Feed(*make_feed(name, data[0]))
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
            n_rows -= <int64_t> ring.published
        n_errors = sum((<dict> feed.decoder._errors).values())
        feed.connection.begin_read(n_lines + 1, n_lines + 1)
        verdict = feed.connection.on_message(1, payload, size)
        feed.connection.end_read()
        free(payload)
        if verdict != Verdict.TAKEN:
            fail(f"{name}: a message is not taken")
        for ring in feed.rings:
            n_rows += <int64_t> ring.published
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
        fail_with_traceback(f"{name}: an exception")
    return also_whole(name, data, n)


cdef int run_plans(const uint8_t* data, size_t n) noexcept:
    return run_decoder("plans", data, n)


cdef int run_venues(const uint8_t* data, size_t n) noexcept:
    return run_decoder("venues", data, n)


ADDRESSES = {
    "plans": <uintptr_t> <void*> run_plans,
    "venues": <uintptr_t> <void*> run_venues,
}
