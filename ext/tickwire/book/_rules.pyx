"""Rules of continuity: how a book delta relates to what the book has already.

Rules of this file
------------------
- A rule is two functions without state: one for the first delta after a snapshot, one for each
  later delta. What follows from their answers (publish, hold, refuse) is `_splice`'s.
- To add a rule: write its functions here, and give it a line in `_table` and in `RULES`. A venue
  names it in its `BookRule`. Nothing else knows the rules apart.
- The ids of a delta are `first`, `last` (its first and last update) and `prev` (the update that
  must come just before it: Binance's `pu`, on spot `U - 1`).
- `first_is_next` (Binance spot): after a snapshot S drop `last <= S`; the first delta kept has
  `first <= S + 1 <= last`. `first_covers` (Binance futures): drop `last < S`; the first delta kept
  has `first <= S <= last`, or follows the snapshot exactly (`prev == S`), which the venue's
  documentation leaves out although nothing is missing then. Afterwards always `prev == the last
  delta's last`.
"""

from libc.stdint cimport int64_t

RULES = ("first_is_next", "first_covers")
# Python's names for a Relation.
RELATIONS = ("old", "next", "hole")

cdef Rule[2] _table
_table[0] = Rule(after_snapshot=spot_snapshot, after_delta=linked)
_table[1] = Rule(after_snapshot=futures_snapshot, after_delta=linked)


cdef Relation spot_snapshot(int64_t last_id, const Delta* delta) noexcept nogil:
    if delta.last <= last_id:
        return OLD
    # Written without `last_id + 1`, which the largest id would overflow.
    if delta.prev == last_id or delta.first <= last_id or delta.first - 1 == last_id:
        return NEXT
    return HOLE


cdef Relation futures_snapshot(int64_t last_id, const Delta* delta) noexcept nogil:
    if delta.last < last_id:
        return OLD
    return NEXT if delta.prev == last_id or delta.first <= last_id else HOLE


cdef Relation linked(int64_t last_id, const Delta* delta) noexcept nogil:
    if delta.prev == last_id:
        return NEXT
    return OLD if delta.last <= last_id else HOLE


cdef const Rule* rule_named(str name) except NULL:
    if name not in RULES:
        raise ValueError(f"unknown book rule {name!r}: one of {', '.join(RULES)}")
    return &_table[RULES.index(name)]


def relation(
    str rule, int64_t last_id, int64_t first, int64_t last, int64_t prev, *,
    bint after_snapshot=False,
) -> str:
    """Compare a delta with what a book has, as a rule does.

    Parameters
    ----------
    rule
        One of `RULES`.
    last_id
        The last update that the book has.
    first, last, prev
        The delta's update ids.
    after_snapshot
        Whether a snapshot, and no delta yet, gave that update.

    Returns
    -------
    str
        `old`, `next` or `hole`.

    Raises
    ------
    ValueError
        There is no such rule.
    """
    cdef const Rule* found = rule_named(rule)
    cdef Delta delta = Delta(first=first, last=last, prev=prev)
    if after_snapshot:
        return RELATIONS[found.after_snapshot(last_id, &delta)]
    return RELATIONS[found.after_delta(last_id, &delta)]
