"""Scalars of a message: where they stand, of what form, and what they mean.

Spans point into the payload and live until the message has been decoded.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tickwire.decode._bytecode cimport Bits, Scalar

cdef extern from "tickwire/decode/json.h" nogil:
    const uint8_t* tw_skip_space(const uint8_t* p, const uint8_t* end)
    const uint8_t* tw_string_stop(const uint8_t* p, const uint8_t* end)
    const uint8_t* tw_string_stop_portable(const uint8_t* p, const uint8_t* end)
    const uint8_t* tw_structure(const uint8_t* p, const uint8_t* end)
    const uint8_t* tw_structure_portable(const uint8_t* p, const uint8_t* end)
    const uint8_t* tw_string_end(const uint8_t* p, const uint8_t* end, bint* escaped)
    const uint8_t* tw_skip_value(const uint8_t* p, const uint8_t* end)
    const uint8_t* tw_scalar_end(const uint8_t* p, const uint8_t* end)
    bint tw_is_word(const uint8_t* p, const uint8_t* end, const char* word, size_t n)

cdef extern from "tickwire/decode/decimal.h" nogil:
    ctypedef struct tw_decimal:
        uint64_t mantissa
        int32_t exp10
        bint negative
        bint truncated
        bint is_integer
    const uint8_t* tw_parse_decimal(const uint8_t* p, const uint8_t* end, tw_decimal* out)
    bint tw_decimal_to_f64(const tw_decimal* d, double* out)
    bint tw_decimal_to_i64(const tw_decimal* d, int64_t* out)
    uint64_t tw_pow5[651][2]

cdef extern from "tickwire/decode/timestamp.h" nogil:
    const uint8_t* tw_parse_time(const uint8_t* p, const uint8_t* end, int64_t unit_ns, int64_t* ns)
    bint tw_parse_rfc3339(const uint8_t* p, const uint8_t* end, int64_t* ns)

cdef enum TextForm:
    TEXT_STRING = 0     # p, n: between the quotes
    TEXT_NUMBER = 1
    TEXT_WORD = 2       # true, false
    TEXT_NULL = 3

cdef struct Text:
    const uint8_t* p
    size_t n
    const uint8_t* after    # the first byte behind the scalar
    int form
    bint escaped            # a string with a backslash in it

cdef extern from "tickwire/decode/register.h" nogil:
    ctypedef struct Register "tw_register":
        Bits value
        const uint8_t* p        # texts and observed values
        size_t n
        int escaped
        int is_number           # value.i is the integer that the text spells

# The scalar at p; False where there is none or it breaks RFC 8259.
cdef bint read_scalar(const uint8_t* p, const uint8_t* end, Text* out) noexcept nogil
# A string's content with its escapes resolved: bytes written to `out` (of n bytes), or
# -1 for a lone surrogate, which no UTF-8 text can hold.
cdef Py_ssize_t unescape(const uint8_t* p, size_t n, uint8_t* out) noexcept nogil
# The float64 of all of p..p + n; False where that is no number of RFC 8259.
cdef bint read_f64(const uint8_t* p, size_t n, double* out) noexcept nogil
cdef bint read_i64(const uint8_t* p, size_t n, int64_t* out) noexcept nogil
# The float64 of a text that only exact arithmetic can round; takes the GIL.
cdef double exact_f64(const uint8_t* p, size_t n) noexcept nogil
# Whether a scalar equals a declared one; strings without escapes only.
cdef bint same(const Text* text, const Scalar* scalar) noexcept nogil
# Fills the powers of five that decimals are rounded with; each module has its own.
cdef int fill_pow5(uint64_t[2]* table) except -1
