"""Chains: how a change shows that none before it is missing, of books that begin in band.

Rules of this file
------------------
- A chain is a function without state; what follows from its answer is `_follower`'s. To add one:
  write it here, and give it a line in `_table` and in `CHAINS`.
- A change that the book has already is OLD. On one connection that is a repeat, so that its last
  number is the book's own; of several connections also whatever is behind.
- `linked`: numbers may fall where they still link, as after a maintenance at OKX. So a change that
  links to something else is a hole, whether its numbers are higher or lower.
- A chain that has no numbers of its own (`per_connection`, `checksum`, `none`) takes every change:
  the connection's count or the book's checksum tells.
"""

from libc.stdint cimport INT64_MIN, int64_t, uint64_t

from tickwire.book._rules cimport HOLE, NEXT, OLD, Delta, Relation
from tickwire.book._rules import RELATIONS

CHAINS = ("linked", "counted", "ranges", "per_connection", "checksum", "none")
# Those whose numbers are the symbol's own, so that several connections bring the same.
NUMBERED = CHAINS[:3]

cdef Follow[6] _table
_table[0] = linked
_table[1] = counted
_table[2] = ranges
_table[3] = _table[4] = _table[5] = unnumbered


cdef Relation linked(const Chain* chain, int64_t last_id, const Delta* delta) noexcept nogil:
    if delta.prev == INT64_MIN or delta.last == INT64_MIN:
        return HOLE
    if delta.prev == last_id:
        return NEXT
    return OLD if delta.last == last_id else HOLE


cdef Relation counted(const Chain* chain, int64_t last_id, const Delta* delta) noexcept nogil:
    if delta.last == INT64_MIN:
        return HOLE
    # Written without `last_id + step`, which the largest number would overflow.
    if delta.last > last_id:
        return NEXT if <uint64_t>delta.last - <uint64_t>last_id == <uint64_t>chain.step else HOLE
    return OLD


cdef Relation ranges(const Chain* chain, int64_t last_id, const Delta* delta) noexcept nogil:
    if delta.first == INT64_MIN or delta.last == INT64_MIN:
        return HOLE
    if delta.first > last_id:
        return NEXT if <uint64_t>delta.first - <uint64_t>last_id == 1 else HOLE
    return OLD if delta.last <= last_id else HOLE


cdef Relation unnumbered(const Chain* chain, int64_t last_id, const Delta* delta) noexcept nogil:
    return NEXT


cdef Follow follow_named(str name) except NULL:
    if name not in CHAINS:
        raise ValueError(f"unknown chain {name!r}: one of {', '.join(CHAINS)}")
    return _table[CHAINS.index(name)]


cdef int64_t missing_of(str name, const Chain* chain, int64_t last_id, const Delta* delta):
    if name == "counted" and delta.last > last_id:
        return (delta.last - last_id) // chain.step - 1
    if name == "ranges" and delta.first > last_id >= 0:
        return delta.first - last_id - 1
    return 0


def follows(
    str name, int64_t last_id, *, int64_t first=INT64_MIN, int64_t last=INT64_MIN,
    int64_t prev=INT64_MIN, int64_t step=1,
) -> str:
    """Compare a change with what a book has, as a chain does.

    Parameters
    ----------
    name
        One of `CHAINS`.
    last_id
        The number that the book has.
    first, last, prev
        The change's numbers; left out where it has none.
    step
        From one number to the next.

    Returns
    -------
    str
        `old`, `next` or `hole`.

    Raises
    ------
    ValueError
        There is no such chain.
    """
    cdef Follow follow = follow_named(name)
    cdef Chain chain = Chain(step=step, restart=INT64_MIN)
    cdef Delta delta = Delta(first=first, last=last, prev=prev)
    return RELATIONS[follow(&chain, last_id, &delta)]
