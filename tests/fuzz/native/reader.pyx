"""The reader of frames of tests/wire/reference.py once more: written from the RFC, byte by byte."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc


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
    """RFC 6455 sections 5 to 7, and the first fault; payload and parts are n bytes long."""
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
