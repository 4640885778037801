"""What shows streams to parsers, for other targets too."""

from libc.stdint cimport uint8_t

from reader cimport Outcome
from tickwire.wire._parser cimport Parser

cdef enum:
    MAX_STREAM_BYTES = 100_000
    DEFAULT_LIMIT = 16_777_216
    DEFAULT_IN_PLACE = 131_072

# A parser as it is made, for any frame up to DEFAULT_LIMIT.
cdef Parser new_parser(bint server, size_t limit, size_t in_place_limit)
# What comes out of a stream that is cut as the seed says, of a handler that may be stubborn.
cdef Outcome drive(
    Parser parser, const uint8_t* data, size_t n, uint8_t seed, bint stubborn
)
# Ends the process where they differ.
cdef int check(str what, Outcome found, Outcome expected, bint messages_only) noexcept
