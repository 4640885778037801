"""A reader of frames to compare with, and what comes out of one."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from common cimport mixed

cdef enum:
    CLOSE = 8

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


# What a whole stream gives.
cdef Outcome expected_of(
    const uint8_t* data, size_t n, bint server, uint64_t limit, uint64_t in_place_limit
) noexcept
