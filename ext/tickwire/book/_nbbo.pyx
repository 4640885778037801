"""The best bid and ask of each instrument over all venues: rows of the table `nbbo`.

Rules of this file
------------------
- In the thread of the rings' writer, called by `BookOutputs`: a book offers here what `top` shows.
- A venue is left out, and named, where its book cannot be trusted: it waits, is broken or stale, or
  nothing verifies it. So is one whose book is empty.
- Of equal prices the larger size counts, and of equal sizes the venue that is configured first.
  Sizes of perpetual contracts are not compared: they are in coins at one venue, in contracts or in
  dollars at another.
- A row is written where a best price, its size or its venue has changed, or who is left out.
"""

cimport cython
from libc.math cimport NAN
from libc.stdint cimport INT32_MIN, INT64_MIN, int16_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport free, realloc

from tickwire.book._columns cimport column
from tickwire.book._kept_book cimport TW_BOOK_BROKEN, tw_kept_book
from tickwire.ring._ring cimport Ring

from tickwire.errors import DictionaryFull

SIDES = ("bid", "ask")
UNNAMED = "more than can be named"
PERPETUAL = "-PERP"  # how such names end


@cython.final
cdef class NbboOutput:
    """Write the best prices of instruments.

    Parameters
    ----------
    ring
        Of the table `nbbo`.
    instruments
        Names of instruments by venue and symbol; other books are not looked at.
    """

    def __init__(self, Ring ring not None, instruments):
        cdef int side
        self.ring = ring
        self.core = ring.core
        self.instruments = dict(instruments)
        self.offered = set()
        self.market_of = {}
        self.unnamed = <int16_t> ring.dictionaries.of("left_out").code(UNNAMED)
        self.venue = <int16_t*> column(ring, "venue")
        self.symbol = <int32_t*> column(ring, "symbol")
        self.ts_event = <int64_t*> column(ring, "ts_event")
        self.ts_recv = <int64_t*> column(ring, "ts_recv")
        self.conn = <int32_t*> column(ring, "conn")
        self.instrument = <int16_t*> column(ring, "instrument")
        for side, name in enumerate(SIDES):
            self.prices[side] = <double*> column(ring, f"{name}_price")
            self.sizes[side] = <double*> column(ring, f"{name}_size")
            self.venues[side] = <int16_t*> column(ring, f"{name}_venue")
            self.times[side] = <int64_t*> column(ring, f"{name}_ts")
        self.spread = <double*> column(ring, "spread")
        self.crossed = <uint8_t*> column(ring, "crossed")
        self.age_ns = <int64_t*> column(ring, "age_ns")
        self.left_out = <int16_t*> column(ring, "left_out")

    def __dealloc__(self):
        free(self.offers)
        free(self.markets)

    def __repr__(self):
        return f"<NbboOutput: {self.n_markets} instruments, {self.n_offers} books>"

    cdef int32_t add(self, int16_t venue, int32_t symbol) except -1:
        cdef Offer* offers
        cdef Offer* offer
        cdef Market* market
        cdef int32_t* last
        cdef int side
        key = (
            self.ring.dictionaries.venue.value(venue), self.ring.dictionaries.symbol.value(symbol)
        )
        name = self.instruments.get(key)
        # Of books of one symbol in several channels, the first counts.
        if name is None or key in self.offered:
            return 0
        offers = <Offer*> realloc(self.offers, <size_t> (self.n_offers + 1) * sizeof(Offer))
        if offers == NULL:
            raise MemoryError("no memory for nbbo")
        self.offers = offers
        offer = &offers[self.n_offers]
        offer.market = self.market(name)
        offer.venue = venue
        offer.is_in = False
        offer.next = 0
        for side in range(2):
            code = self.ring.dictionaries.of(f"{SIDES[side]}_venue").code(key[0])
            offer.sides[side] = Best(NAN, NAN, INT64_MIN, code)
        self.n_offers += 1
        self.offered.add(key)
        market = &self.markets[offer.market]
        last = &market.first
        while last[0]:
            last = &offers[last[0] - 1].next
        last[0] = self.n_offers
        self.name_left_out(market)
        return self.n_offers

    cdef int32_t market(self, str name) except -1:
        """Give the place of an instrument."""
        cdef Market* markets
        cdef int side
        cdef object known = self.market_of.get(name)
        if known is not None:
            return known
        markets = <Market*> realloc(
            self.markets, <size_t> (self.n_markets + 1) * sizeof(Market)
        )
        if markets == NULL:
            raise MemoryError("no memory for nbbo")
        self.markets = markets
        cdef Market* made = &markets[self.n_markets]
        made.first = 0
        made.instrument = <int16_t> self.ring.dictionaries.of("instrument").code(name)
        made.left_out = made.shown_left_out = -1
        made.compares_sizes = not name.endswith(PERPETUAL)
        for side in range(2):
            made.shown[side] = Best(NAN, NAN, INT64_MIN, -1)
        self.market_of[name] = self.n_markets
        self.n_markets += 1
        return self.n_markets - 1

    cdef void name_left_out(self, Market* market) noexcept:
        cdef int32_t number = market.first
        cdef list names = []
        while number:
            if not self.offers[number - 1].is_in:
                names.append(self.ring.dictionaries.venue.value(self.offers[number - 1].venue))
            number = self.offers[number - 1].next
        market.left_out = -1
        if not names:
            return
        try:
            market.left_out = self.ring.dictionaries.of("left_out").code(", ".join(names))
        except DictionaryFull:
            market.left_out = self.unnamed

    cdef bint counts(self, const tw_kept_book* kept) noexcept nogil:
        return self.offers[kept.offer - 1].is_in

    cdef void note(self, const tw_kept_book* kept, bint is_in) noexcept nogil:
        cdef Offer* offer = &self.offers[kept.offer - 1]
        cdef Market* market = &self.markets[offer.market]
        cdef Best best[2]
        cdef Best* own
        cdef int side
        for side in range(2):
            own = &offer.sides[side]
            # Without a price both are NAN, and not equal to anything: so the time is the row's.
            if own.price != kept.top[2 * side] or own.size != kept.top[2 * side + 1]:
                own.price = kept.top[2 * side]
                own.size = kept.top[2 * side + 1]
                own.ts_recv = kept.ts_recv
        is_in = is_in and (
            offer.sides[0].price == offer.sides[0].price
            or offer.sides[1].price == offer.sides[1].price
        )
        if offer.is_in != is_in:
            offer.is_in = is_in
            with gil:
                self.name_left_out(market)
        for side in range(2):
            best[side] = self.best(market, side)
        if (
            market.left_out != market.shown_left_out
            or not is_same(&best[0], &market.shown[0])
            or not is_same(&best[1], &market.shown[1])
        ):
            self.write(kept, market, best)
            market.shown_left_out = market.left_out
            market.shown[0] = best[0]
            market.shown[1] = best[1]

    cdef Best best(self, const Market* market, int side) noexcept nogil:
        cdef Best found = Best(NAN, NAN, INT64_MIN, -1)
        cdef int32_t number = market.first
        cdef const Offer* offer
        cdef const Best* own
        cdef bint is_better
        while number:
            offer = &self.offers[number - 1]
            number = offer.next
            own = &offer.sides[side]
            if not offer.is_in or own.price != own.price:
                continue
            is_better = own.price < found.price if side else own.price > found.price
            if found.venue < 0 or is_better or (
                market.compares_sizes and own.price == found.price and own.size > found.size
            ):
                found = own[0]
        return found

    cdef void write(
        self, const tw_kept_book* kept, const Market* market, const Best* best
    ) noexcept nogil:
        cdef int64_t slot = self.core.head & self.core.mask
        cdef int64_t oldest = INT64_MIN
        cdef bint has_both = best[0].venue >= 0 and best[1].venue >= 0
        cdef int side
        self.core.recv_mono[slot] = kept.mono
        self.venue[slot] = -1
        self.symbol[slot] = -1
        self.conn[slot] = INT32_MIN
        self.ts_event[slot] = INT64_MIN if kept.state == TW_BOOK_BROKEN else kept.ts_event
        self.ts_recv[slot] = kept.ts_recv
        self.instrument[slot] = market.instrument
        for side in range(2):
            self.prices[side][slot] = best[side].price
            self.sizes[side][slot] = best[side].size
            self.venues[side][slot] = best[side].venue
            self.times[side][slot] = best[side].ts_recv
            if best[side].venue >= 0 and (oldest == INT64_MIN or best[side].ts_recv < oldest):
                oldest = best[side].ts_recv
        self.spread[slot] = best[1].price - best[0].price
        self.crossed[slot] = has_both and best[0].price >= best[1].price
        self.age_ns[slot] = INT64_MIN if oldest == INT64_MIN else kept.ts_recv - oldest
        self.left_out[slot] = market.left_out
        self.core.head += 1


cdef bint is_same(const Best* one, const Best* other) noexcept nogil:
    if one.venue != other.venue:
        return False
    return one.venue < 0 or (one.price == other.price and one.size == other.size)
