"""Numbers, times, strings, values that are skipped; common.pyx has the rules.

Numbers are compared with `strtod`, times with exact integers and `timegm`.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc, strtod
from libc.string cimport memcmp, memcpy

from common cimport also_whole, fail
from tickwire.decode._values cimport (
    TEXT_STRING,
    Text,
    fill_pow5,
    read_f64,
    read_i64,
    read_scalar,
    tw_parse_rfc3339,
    tw_parse_time,
    tw_pow5,
    tw_skip_value,
    tw_string_stop,
    tw_string_stop_portable,
    tw_structure,
    tw_structure_portable,
    unescape,
)

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    typedef __int128 wide;
    static int64_t days_to_seconds(int year, int month, int day) {
        struct tm when = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
        return (int64_t)timegm(&when);
    }
    """
    ctypedef long long wide  # of 128 bits
    int64_t days_to_seconds(int year, int month, int day)

cdef enum:
    MAX_DEPTH = 512

fill_pow5(tw_pow5)


cdef inline bint digit(uint8_t c) noexcept nogil:
    return 48 <= c <= 57


# What a text is by the grammar of RFC 8259 section 6.
cdef struct Number:
    bint right
    bint whole          # digits only, behind a sign
    bint count          # no exponent
    size_t whole_end    # behind the digits before the dot
    size_t end          # behind the fraction


cdef Number number_of(const uint8_t* p, size_t n) noexcept nogil:
    cdef Number number
    cdef size_t i = 0
    cdef size_t first
    number.right = number.whole = number.count = False
    number.whole_end = number.end = 0
    if i < n and p[i] == c"-":
        i += 1
    first = i
    while i < n and digit(p[i]):
        i += 1
    if i == first or (p[first] == c"0" and i - first > 1):
        return number
    number.whole_end = number.end = i
    number.whole = i == n
    if i < n and p[i] == c".":
        first = i + 1
        i = first
        while i < n and digit(p[i]):
            i += 1
        if i == first:
            return number
        number.end = i
    number.count = i == n
    if i < n and (p[i] == c"e" or p[i] == c"E"):
        i += 1
        if i < n and (p[i] == c"+" or p[i] == c"-"):
            i += 1
        first = i
        while i < n and digit(p[i]):
            i += 1
        if i == first:
            return number
    number.right = i == n
    return number


cdef bint whole_of(const uint8_t* p, size_t n, int64_t* value) noexcept nogil:
    """Digits with a sign as an int64 that is not the least one."""
    cdef uint64_t sum_ = 0
    cdef size_t i
    for i in range(1 if p[0] == c"-" else 0, n):
        if sum_ > (<uint64_t> INT64_MAX - (p[i] - 48)) // 10:
            return False
        sum_ = sum_ * 10 + (p[i] - 48)
    value[0] = -<int64_t> sum_ if p[0] == c"-" else <int64_t> sum_
    return True


cdef bint time_of(const uint8_t* p, const Number* number, int64_t unit_ns, int64_t* ns) \
        noexcept nogil:
    """A count of units, exactly; digits past nine of the fraction, and what is below 1 ns, cut."""
    cdef int64_t count
    cdef int64_t billionths = 0
    cdef size_t i
    cdef int n_digits = 0
    if not number.count or not whole_of(p, number.whole_end, &count):
        return False
    for i in range(number.whole_end + 1, number.end):
        if n_digits < 9:
            billionths = billionths * 10 + (p[i] - 48)
            n_digits += 1
    while n_digits < 9:
        billionths *= 10
        n_digits += 1
    cdef wide total = (<wide> count if count >= 0 else -<wide> count) * unit_ns
    total += <wide> billionths * unit_ns // 1_000_000_000
    if total > <wide> INT64_MAX:
        return False
    ns[0] = -<int64_t> total if p[0] == c"-" else <int64_t> total
    return True


cdef int pair(const uint8_t* p) noexcept nogil:
    return (p[0] - 48) * 10 + p[1] - 48


cdef int moment_is_wrong(const uint8_t* p, size_t n, int64_t ns) noexcept nogil:
    """Whether a text that was taken for a time of RFC 3339 is another one."""
    cdef wide total
    cdef int64_t fraction = 0
    cdef size_t i = 19
    cdef int n_digits = 0
    cdef int day, leaps
    if n < 20 or p[4] != c"-" or p[7] != c"-" or p[13] != c":" or p[16] != c":":
        return 1
    for i in range(19):
        if i not in (4, 7, 10, 13, 16) and not digit(p[i]):
            return 2
    if pair(p + 11) > 23 or pair(p + 14) > 59 or pair(p + 17) > 60 or pair(p + 5) > 12:
        return 3
    cdef int year = pair(p) * 100 + pair(p + 2)
    leaps = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    day = 28 + leaps if pair(p + 5) == 2 else 30 if pair(p + 5) in (4, 6, 9, 11) else 31
    if not 1 <= pair(p + 8) <= day or pair(p + 5) == 0:
        return 4
    i = 19
    if p[i] == c".":
        i += 1
        while i < n and digit(p[i]):
            if n_digits < 9:
                fraction = fraction * 10 + (p[i] - 48)
                n_digits += 1
            i += 1
        if n_digits == 0:
            return 5
    while n_digits < 9:
        fraction *= 10
        n_digits += 1
    total = days_to_seconds(year, pair(p + 5), pair(p + 8))
    total += pair(p + 11) * 3600 + pair(p + 14) * 60 + pair(p + 17)
    if n - i == 1 and p[i] in (c"Z", c"z"):
        pass
    elif n - i == 6 and p[i] in (c"+", c"-") and p[i + 3] == c":":
        if pair(p + i + 1) > 23 or pair(p + i + 4) > 59:
            return 6
        day = pair(p + i + 1) * 3600 + pair(p + i + 4) * 60
        total += day if p[i] == c"-" else -day
    else:
        return 7
    return 0 if total * 1_000_000_000 + fraction == ns else 8


cdef int numbers(const uint8_t* p, size_t n, const uint8_t* ended) noexcept:
    """The text p[0:n], and the same with a zero behind it."""
    cdef double value, expected
    cdef int64_t integer, expected_integer, unit_ns = 1
    cdef bint is_integer, expected_is
    cdef char* stop
    cdef Number number = number_of(p, n)
    if read_f64(p, n, &value) != number.right:
        fail("numbers: taken for a number, or not")
    if number.right:
        expected = strtod(<const char*> ended, &stop)
        if <const uint8_t*> stop != ended + n or memcmp(&value, &expected, sizeof(double)):
            fail("numbers: another float64")
    is_integer = read_i64(p, n, &integer)
    expected_is = number.whole and whole_of(p, n, &expected_integer)
    if is_integer != expected_is or (is_integer and integer != expected_integer):
        fail("numbers: another int64")
    while unit_ns <= 1_000_000_000:
        is_integer = tw_parse_time(p, p + n, unit_ns, &integer) == p + n
        expected_is = time_of(p, &number, unit_ns, &expected_integer)
        if is_integer != expected_is or (is_integer and integer != expected_integer):
            fail(f"numbers: another time in units of {unit_ns} ns")
        unit_ns *= 1000
    if tw_parse_rfc3339(p, p + n, &integer) and moment_is_wrong(p, n, integer):
        fail(f"numbers: no RFC 3339 time, or another: {moment_is_wrong(p, n, integer)}")
    return 0


cdef int run_numbers(const uint8_t* data, size_t n) noexcept:
    cdef uint8_t* exact = <uint8_t*> malloc(n if n else 1)
    cdef uint8_t* ended = <uint8_t*> malloc(n + 1)
    memcpy(exact, data, n)
    memcpy(ended, data, n)
    ended[n] = 0
    numbers(exact, n, ended)
    free(exact)
    free(ended)
    return also_whole("numbers", data, n)


cdef inline bint hexadecimal(uint8_t c) noexcept nogil:
    return digit(c) or 65 <= c <= 70 or 97 <= c <= 102


cdef size_t string_of(const uint8_t* p, size_t n) noexcept nogil:
    """Length of the string at p with its quotes, RFC 8259 section 7; 0 where there is none."""
    cdef size_t i = 1
    if n == 0 or p[0] != c'"':
        return 0
    while i < n:
        if p[i] == c'"':
            return i + 1
        if p[i] < 0x20:
            return 0
        if p[i] != c"\\":
            i += 1
            continue
        if n - i < 2:
            return 0
        if p[i + 1] == c"u":
            if n - i < 6 or not (
                hexadecimal(p[i + 2]) and hexadecimal(p[i + 3])
                and hexadecimal(p[i + 4]) and hexadecimal(p[i + 5])
            ):
                return 0
            i += 6
        elif p[i + 1] in (c'"', c"\\", c"/", c"b", c"f", c"n", c"r", c"t"):
            i += 2
        else:
            return 0
    return 0


cdef size_t bracketed(const uint8_t* p, size_t n) noexcept nogil:
    """Length of the value in brackets at p; 0 where they do not match or nest too deep."""
    cdef uint8_t[MAX_DEPTH] opened
    cdef size_t i = 0
    cdef size_t size
    cdef int depth = 0
    while i < n:
        if p[i] == c'"':
            size = string_of(p + i, n - i)
            if size == 0:
                return 0
            i += size
            continue
        if p[i] in (c"[", c"{"):
            if depth == MAX_DEPTH:
                return 0
            opened[depth] = p[i]
            depth += 1
        elif p[i] in (c"]", c"}"):
            depth -= 1
            if opened[depth] + 2 != p[i]:  # in ASCII, two before
                return 0
            if depth == 0:
                return i + 1
        i += 1
    return 0


cdef int strings(const uint8_t* p, size_t n) noexcept:
    cdef size_t[3] starts = [0, min(<size_t> 1, n), n // 2]
    cdef const uint8_t* end = p + n
    cdef const uint8_t* after
    cdef size_t start, expected
    cdef Py_ssize_t n_content
    cdef uint8_t* content
    cdef Text text
    for start in starts:
        if tw_string_stop(p + start, end) != tw_string_stop_portable(p + start, end):
            fail("strings: vector code and portable code differ in a string")
        if tw_structure(p + start, end) != tw_structure_portable(p + start, end):
            fail("strings: vector code and portable code differ in a structure")
    after = tw_skip_value(p, end)
    if after != NULL and not p < after <= end:
        fail("strings: a value ends where it cannot")
    if n and p[0] in (c"[", c"{", c'"'):
        expected = string_of(p, n) if p[0] == c'"' else bracketed(p, n)
        if expected != (0 if after == NULL else <size_t> (after - p)):
            fail("strings: a skipped value ends elsewhere")
    if read_scalar(p, end, &text):
        if not p < text.after <= end or text.p < p or text.p + text.n > end:
            fail("strings: a scalar ends where it cannot")
        if (text.form == TEXT_STRING) != (p[0] == c'"'):
            fail("strings: a string, or none")
        if text.form == TEXT_STRING:
            if text.after != p + string_of(p, n):
                fail("strings: a string ends elsewhere")
            content = <uint8_t*> malloc(text.n if text.n else 1)
            n_content = unescape(text.p, text.n, content)
            if n_content > <Py_ssize_t> text.n:
                fail("strings: more content than text")
            if not text.escaped and (
                n_content != <Py_ssize_t> text.n or memcmp(content, text.p, text.n)
            ):
                fail("strings: a string without escapes has another content")
            free(content)
    elif n and p[0] == c'"' and string_of(p, n):
        fail("strings: a string is refused")
    return 0


cdef int run_strings(const uint8_t* data, size_t n) noexcept:
    cdef uint8_t* exact = <uint8_t*> malloc(n if n else 1)
    memcpy(exact, data, n)
    strings(exact, n)
    free(exact)
    return also_whole("strings", data, n)


ADDRESSES = {
    "numbers": <uintptr_t> <void*> run_numbers,
    "strings": <uintptr_t> <void*> run_strings,
}
