"""Scalars of a message."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from tickwire.decode._bytecode cimport FORM_NUMBER, FORM_STRING, Scalar

cdef extern from "Python.h":
    double PyOS_string_to_double(const char* s, char** endptr, void* overflow) except? -1.0

cdef enum:
    POW5_MIN = -342
    POW5_MAX = 308


cdef int fill_pow5(uint64_t[2]* table) except -1:
    """5^q as 128 bits, rounded as Lemire's algorithm wants: down, up for negative powers."""
    for q in range(POW5_MIN, POW5_MAX + 1):
        if q >= 0:
            power = 5**q
            n_bits = power.bit_length()
            value = power >> (n_bits - 128) if n_bits > 128 else power << (128 - n_bits)
        else:
            power = 5**-q
            value = (1 << (power.bit_length() + 127)) // power + 1
            # A power of five is no power of two, so that the quotient has 128 bits.
        table[q - POW5_MIN][0] = value >> 64
        table[q - POW5_MIN][1] = value & 0xFFFFFFFFFFFFFFFF
    return 0


fill_pow5(tw_pow5)


cdef bint read_scalar(const uint8_t* p, const uint8_t* end, Text* out) noexcept nogil:
    cdef tw_decimal number
    out.escaped = False
    if p >= end:
        return False
    if p[0] == c'"':
        out.form = TEXT_STRING
        out.p = p + 1
        out.after = tw_string_end(p + 1, end, &out.escaped)
        if out.after == NULL:
            return False
        out.n = out.after - out.p
        out.after += 1
        return True
    out.p = p
    out.after = tw_scalar_end(p, end)
    out.n = out.after - p
    if p[0] == c'-' or c'0' <= p[0] <= c'9':
        out.form = TEXT_NUMBER
        return tw_parse_decimal(p, out.after, &number) == out.after
    if p[0] == c'n':
        out.form = TEXT_NULL
        return out.n == 4 and tw_is_word(p, out.after, "null", 4)
    out.form = TEXT_WORD
    return (
        (out.n == 4 and tw_is_word(p, out.after, "true", 4))
        or (out.n == 5 and tw_is_word(p, out.after, "false", 5))
    )


cdef inline uint32_t _hex4(const uint8_t* p) noexcept nogil:
    cdef uint32_t value = 0
    cdef int i
    cdef uint8_t c
    for i in range(4):
        c = p[i]
        value = (value << 4) | (c - c'0' if c <= c'9' else (c | 0x20) - c'a' + 10)
    return value


cdef Py_ssize_t unescape(const uint8_t* p, size_t n, uint8_t* out) noexcept nogil:
    cdef const uint8_t* end = p + n
    cdef uint8_t* first = out
    cdef uint32_t point, low
    while p < end:
        if p[0] != c'\\':
            out[0] = p[0]
            out += 1
            p += 1
            continue
        # The scanner has checked the escape: RFC 8259 section 7.
        if p[1] != c'u':
            if p[1] == c'n':
                out[0] = 0x0A
            elif p[1] == c't':
                out[0] = 0x09
            elif p[1] == c'r':
                out[0] = 0x0D
            elif p[1] == c'b':
                out[0] = 0x08
            elif p[1] == c'f':
                out[0] = 0x0C
            else:
                out[0] = p[1]
            out += 1
            p += 2
            continue
        point = _hex4(p + 2)
        p += 6
        if 0xD800 <= point < 0xE000:
            if point >= 0xDC00 or end - p < 6 or p[0] != c'\\' or p[1] != c'u':
                return -1
            low = _hex4(p + 2)
            if low < 0xDC00 or low >= 0xE000:
                return -1
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
            p += 6
        # UTF-8, RFC 3629 section 3; an escape is never shorter than its bytes.
        if point < 0x80:
            out[0] = point
            out += 1
        elif point < 0x800:
            out[0] = 0xC0 | (point >> 6)
            out[1] = 0x80 | (point & 0x3F)
            out += 2
        elif point < 0x10000:
            out[0] = 0xE0 | (point >> 12)
            out[1] = 0x80 | ((point >> 6) & 0x3F)
            out[2] = 0x80 | (point & 0x3F)
            out += 3
        else:
            out[0] = 0xF0 | (point >> 18)
            out[1] = 0x80 | ((point >> 12) & 0x3F)
            out[2] = 0x80 | ((point >> 6) & 0x3F)
            out[3] = 0x80 | (point & 0x3F)
            out += 4
    return out - first


cdef double exact_f64(const uint8_t* p, size_t n) noexcept nogil:
    with gil:
        return _exact(PyBytes_FromStringAndSize(<const char*>p, <Py_ssize_t>n))


cdef double _exact(bytes text) noexcept:
    # Correctly rounded for any length, and what `float` does; too large becomes infinite, as there.
    return PyOS_string_to_double(PyBytes_AS_STRING(text), NULL, NULL)


cdef bint read_f64(const uint8_t* p, size_t n, double* out) noexcept nogil:
    cdef tw_decimal number
    if n == 0 or tw_parse_decimal(p, p + n, &number) != p + n:
        return False
    if not tw_decimal_to_f64(&number, out):
        out[0] = exact_f64(p, n)
    return True


cdef bint read_i64(const uint8_t* p, size_t n, int64_t* out) noexcept nogil:
    cdef tw_decimal number
    if n == 0 or tw_parse_decimal(p, p + n, &number) != p + n:
        return False
    return tw_decimal_to_i64(&number, out)


cdef bint same(const Text* text, const Scalar* scalar) noexcept nogil:
    cdef double number
    if scalar.form == FORM_NUMBER:
        return text.form == TEXT_NUMBER and read_f64(text.p, text.n, &number) \
            and number == scalar.number
    if text.form != <int>(TEXT_STRING if scalar.form == FORM_STRING else TEXT_WORD):
        return False
    return text.n == scalar.n and memcmp(text.p, scalar.text, text.n) == 0


def parse_number(bytes text):
    """Give the float64 of a text, or None where it is no number of RFC 8259."""
    cdef double value
    return value if read_f64(<const uint8_t*>text, len(text), &value) else None


def parse_integer(bytes text):
    """Give the int64 of a text, or None where it is none."""
    cdef int64_t value
    return value if read_i64(<const uint8_t*>text, len(text), &value) else None


def parse_time(bytes text, int64_t unit_ns):
    """Give the ns of a count of units, or None where it is none or does not fit."""
    cdef int64_t value
    cdef const uint8_t* p = text
    return value if tw_parse_time(p, p + len(text), unit_ns, &value) == p + len(text) else None


def parse_rfc3339(bytes text):
    """Give the ns since the epoch of an RFC 3339 time, or None."""
    cdef int64_t value
    cdef const uint8_t* p = text
    return value if tw_parse_rfc3339(p, p + len(text), &value) else None


def parse_string(bytes text):
    """Give the content of a JSON string with its quotes, or None where it is broken."""
    cdef Text found
    cdef const uint8_t* p = text
    if not read_scalar(p, p + len(text), &found) or found.form != TEXT_STRING:
        return None
    if found.after != p + len(text):
        return None
    out = bytearray(found.n)
    cdef uint8_t[::1] view = out if found.n else bytearray(1)
    cdef Py_ssize_t n = unescape(found.p, found.n, &view[0])
    return None if n < 0 else bytes(out[:n])


def skip_value(bytes text):
    """Give the length of the value at the start of a text, or None where it is broken."""
    cdef const uint8_t* p = text
    cdef const uint8_t* after = tw_skip_value(p, p + len(text))
    return None if after == NULL else after - p


def stops(bytes text, Py_ssize_t start):
    """Give where a string and a skipped value would stop next: SIMD and portable, for tests."""
    cdef const uint8_t* p = text
    cdef const uint8_t* end = p + len(text)
    return (
        tw_string_stop(p + start, end) - p,
        tw_string_stop_portable(p + start, end) - p,
        tw_structure(p + start, end) - p,
        tw_structure_portable(p + start, end) - p,
    )
