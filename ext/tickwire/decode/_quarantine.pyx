"""Messages that cannot be decoded: counted by reason, handed to the table quarantine."""

from libc.stdint cimport int64_t, uint8_t

from tickwire.decode._connection cimport Connection

# By Outcome.
REASONS = (
    "", "not_json", "missing", "wrong_kind", "bad_number", "bad_time", "unknown_choice", "bad_text",
    "too_long", "too_many_rows", "dictionary_full", "no_memory", "", "", "inflate",
)


cdef object reason_of(int outcome):
    return REASONS[outcome]


cdef class Quarantine:
    """Counts what a source could not decode, and hands it on to be kept.

    Parameters
    ----------
    venue
        The source's, by name.
    table
        Keeps it, a `tickwire.decode.contract.QuarantineTable`; None to count only.
    metrics
        The source's.
    """

    def __init__(self, venue, table, metrics):
        self.venue = venue
        self.table = table
        self.counters = {
            reason: metrics.counter("decode_errors", reason=reason) for reason in REASONS if reason
        }

    def counts(self):
        """Give the messages by reason; a reason without any is left out."""
        return {reason: n.value for reason, n in self.counters.items() if n.value}

    cdef int keep(
        self, Connection connection, int64_t ts_recv_ns, int outcome, const uint8_t* payload,
        size_t n
    ) except -1:
        cdef size_t longest
        reason = REASONS[outcome]
        self.counters[reason].add()
        if self.table is not None:
            longest = self.table.max_bytes
            self.table.keep(
                self.venue,
                reason,
                payload[:min(n, longest)],
                ts_recv=ts_recv_ns,
                conn=connection.conn,
                is_truncated=n > longest,
            )
        return 0
