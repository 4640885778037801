"""The best bid and ask of each instrument over all venues: rows of the table `nbbo`."""

cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t

from tickwire.book._kept_book cimport tw_kept_book
from tickwire.ring._ring cimport Ring
from tickwire.ring._tw_ring cimport tw_ring

# A side's best level over the venues of an instrument; without one, `venue` is -1.
cdef struct Best:
    double price
    double size
    int64_t ts_recv                 # of the message that brought this price and size
    int16_t venue                   # in the dictionary of `bid_venue` or `ask_venue`

# What one venue offers of an instrument: a bid and an ask.
cdef struct Offer:
    Best sides[2]
    int32_t market                  # the place of its instrument
    int32_t next                    # the number of the instrument's next offer and 1; 0: none
    int16_t venue
    bint is_in                      # its book can be trusted

cdef struct Market:
    Best shown[2]                   # as in the last row
    int32_t first                   # as `Offer.next`
    int16_t instrument
    int16_t left_out                # venues that are left out, -1: none
    int16_t shown_left_out
    bint compares_sizes             # those of its venues have one unit


@cython.final
cdef class NbboOutput:
    cdef readonly Ring ring
    cdef tw_ring* core
    cdef dict instruments           # names by venue and symbol
    cdef set offered                # venue and symbol of each offer
    cdef dict market_of             # places by name
    cdef Offer* offers              # owned
    cdef Market* markets            # owned
    cdef int32_t n_offers
    cdef int32_t n_markets
    cdef int16_t unnamed            # what `left_out` says where it has no code for more names
    cdef int16_t* venue
    cdef int32_t* symbol
    cdef int64_t* ts_event
    cdef int64_t* ts_recv
    cdef int32_t* conn
    cdef int16_t* instrument
    cdef double* prices[2]
    cdef double* sizes[2]
    cdef int16_t* venues[2]
    cdef int64_t* times[2]
    cdef double* spread
    cdef uint8_t* crossed
    cdef int64_t* age_ns
    cdef int16_t* left_out

    # Expect a book; gives the number of its offer and 1, 0 where it belongs to no instrument.
    cdef int32_t add(self, int16_t venue, int32_t symbol) except -1
    # Whether a book of an instrument is not left out.
    cdef bint counts(self, const tw_kept_book* kept) noexcept nogil
    # Take what a book shows; there is room for a row.
    cdef void note(self, const tw_kept_book* kept, bint is_in) noexcept nogil

    cdef int32_t market(self, str name) except -1
    cdef void name_left_out(self, Market* market) noexcept
    cdef Best best(self, const Market* market, int side) noexcept nogil
    cdef void write(
        self, const tw_kept_book* kept, const Market* market, const Best* best
    ) noexcept nogil
