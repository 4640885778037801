"""What a frame may be: RFC 6455 sections 5 and 7.4, as checks that hold no state."""

from libc.stdint cimport uint8_t

cdef extern from "tickwire/base/utf8.h":
    ctypedef struct tw_utf8:
        uint8_t need
        uint8_t low
        uint8_t high

    int tw_utf8_check(tw_utf8* state, const uint8_t* p, size_t n) nogil

cdef extern from "tickwire/wire/close_code.h":
    int tw_close_code_valid(int code) nogil

# Section 5.2.
cdef enum:
    FIN = 0x80
    RSV = 0x70
    RSV1 = 0x40  # RFC 7692 section 6: the message is compressed
    MASK = 0x80
    CONTROL = 0x8  # the bit of an opcode that makes it a control frame's

cdef enum Opcode:
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA

# Section 7.4.1: stands for a close frame without a code.
cdef enum:
    NO_CODE = 1005

# What the peer did wrong; `tickwire.wire.faults` has the sentence, close code and section of each,
# in this order.
cdef enum Fault:
    NO_FAULT
    RESERVED_BITS
    RESERVED_OPCODE
    MASKED_FROM_SERVER
    UNMASKED_FROM_CLIENT
    CONTROL_FRAGMENTED
    CONTROL_TOO_LONG
    LENGTH_NOT_MINIMAL
    LENGTH_TOO_HIGH
    CONTINUATION_WITHOUT_START
    DATA_INSIDE_FRAGMENTS
    FRAME_TOO_BIG
    MESSAGE_TOO_BIG
    TEXT_NOT_UTF8
    CLOSE_TOO_SHORT
    CLOSE_CODE_INVALID
    CLOSE_REASON_NOT_UTF8
    OUT_OF_MEMORY
    NOT_INFLATABLE


# Sections 5.1, 5.2, 5.4 and 5.5: the Fault that the first two bytes alone show. `message_opcode` is
# that of the message whose fragments come, or 0.
cdef inline int head_fault(
    uint8_t first, uint8_t second, uint8_t rsv_allowed, int message_opcode, bint is_server
) noexcept nogil:
    cdef int opcode = first & 0x0F
    # RFC 7692 section 6: RSV1 is for the first frame of a message.
    if first & RSV and (
        first & RSV & ~rsv_allowed or opcode & CONTROL or opcode == Opcode.CONTINUATION
    ):
        return Fault.RESERVED_BITS
    if opcode & CONTROL:
        if opcode > Opcode.PONG:
            return Fault.RESERVED_OPCODE
        if not first & FIN:
            return Fault.CONTROL_FRAGMENTED
        if (second & 0x7F) > 125:
            return Fault.CONTROL_TOO_LONG
    elif opcode > Opcode.BINARY:
        return Fault.RESERVED_OPCODE
    elif opcode == Opcode.CONTINUATION:
        if message_opcode == 0:
            return Fault.CONTINUATION_WITHOUT_START
    elif message_opcode != 0:
        return Fault.DATA_INSIDE_FRAGMENTS
    if is_server:
        if not second & MASK:
            return Fault.UNMASKED_FROM_CLIENT
    elif second & MASK:
        return Fault.MASKED_FROM_SERVER
    return Fault.NO_FAULT


# Section 8.1: whether p[0:n] is whole UTF-8.
cdef inline bint is_text(const uint8_t* p, size_t n) noexcept nogil:
    cdef tw_utf8 state
    state.need = state.low = state.high = 0
    return tw_utf8_check(&state, p, n) and state.need == 0


# Sections 5.5.1 and 7.4: the Fault of a close frame's payload; sets `code` where there is no fault.
cdef inline int close_fault(const uint8_t* payload, size_t n, int* code) noexcept nogil:
    if n == 0:
        code[0] = NO_CODE
        return Fault.NO_FAULT
    if n == 1:
        return Fault.CLOSE_TOO_SHORT
    if not tw_close_code_valid((payload[0] << 8) | payload[1]):
        return Fault.CLOSE_CODE_INVALID
    if not is_text(payload + 2, n - 2):
        return Fault.CLOSE_REASON_NOT_UTF8
    code[0] = (payload[0] << 8) | payload[1]
    return Fault.NO_FAULT
