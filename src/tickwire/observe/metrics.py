"""Every figure that tickwire keeps: its name, kind, labels and, where it has one, its summary key.

Rules of this file
------------------
- A line here and the place that counts are all that a new figure needs. The summary takes it from
  here by its key.
- Names are those of Prometheus without the prefix `tickwire_` and, for a counter, without the
  suffix `_total`: nouns in the plural, base units (bytes, seconds).
- Labels are bounded by the configuration, never by what a venue sends.
"""

from __future__ import annotations

from tickwire.observe.kinds import Kind, Metric, counter, gauge, latency

_SOURCE = ("source", "venue")
_CONSUMER = ("table", "consumer")

METRICS = (
    # Messages and rows.
    counter("messages", "Data messages.", _SOURCE, "messages"),
    counter("message_bytes", "Bytes of data messages.", _SOURCE, "bytes"),
    counter("rows", "Rows published.", ("table",), "rows", by=("table",)),
    counter(
        "symbol_rows",
        "Rows by symbol, of sources that name 50 symbols at most.",
        (*_SOURCE, "table", "symbol"),
    ),
    counter("unknown_messages", "Messages of no declared kind.", _SOURCE, "unknown_messages"),
    counter(
        "unrequested_messages",
        "Messages of a declared kind whose table is not configured.",
        _SOURCE,
        "unrequested_messages",
    ),
    counter(
        "unreadable_values",
        "Optional values that could not be read and are null.",
        (*_SOURCE, "column"),
        "unreadable_values",
        by=("column",),
        sparse=True,
    ),
    counter(
        "duplicate_trades",
        "Trades left out because they had been delivered.",
        _SOURCE,
        "duplicate_trades",
    ),
    counter(
        "leg_first_messages",
        "Messages that a leg brought before the others.",
        (*_SOURCE, "leg"),
    ),
    counter(
        "leg_late_messages",
        "Messages that another leg had brought; left out.",
        (*_SOURCE, "leg"),
    ),
    counter(
        "leg_lost_messages",
        "Messages that only other legs brought while a leg was connected.",
        (*_SOURCE, "leg"),
    ),
    counter(
        "leg_refused_messages",
        "Messages of a leg that came too late for copies to be recognised; left out.",
        (*_SOURCE, "leg"),
    ),
    latency(
        "leg_lateness_seconds",
        "How much later than the first copy of a message a leg brought its own.",
        (*_SOURCE, "leg"),
    ),
    counter(
        "planned_changes",
        "Connections that were replaced before they ended.",
        _SOURCE,
        "planned_changes",
    ),
    counter(
        "conflicting_trades",
        "Trades whose id one of another time or price had; their rows are written.",
        _SOURCE,
        "conflicting_trades",
    ),
    counter(
        "unconfigured_rows",
        "Rows left out because the source does not name their symbol.",
        (*_SOURCE, "table"),
        "unconfigured_rows",
        by=("table",),
        sparse=True,
    ),
    counter(
        "decode_errors",
        "Messages that could not be decoded.",
        (*_SOURCE, "reason"),
        "decode_errors",
        by=("reason",),
        sparse=True,
    ),
    counter(
        "quarantine_truncated",
        "Messages that the quarantine holds in part.",
        ("venue",),
        "quarantine_truncated",
    ),
    counter(
        "quarantine_dropped",
        "Messages for which the quarantine was full.",
        ("venue",),
        "quarantine_dropped",
    ),
    counter(
        "held_messages_dropped",
        "Book changes dropped while they waited for a snapshot.",
        _SOURCE,
        "held_dropped",
    ),
    counter(
        "snapshot_retries",
        "Snapshots of books fetched again: failed, or too old.",
        _SOURCE,
        "snapshot_retries",
    ),
    counter("backfilled_rows", "Missed trades that were had by REST.", _SOURCE, "backfilled_rows"),
    counter("backfill_requests", "Requests for missed trades.", _SOURCE, "backfill_requests"),
    counter(
        "backfills_given_up",
        "Gaps whose trades could not all be had by REST.",
        _SOURCE,
        "backfills_given_up",
    ),
    # Connections.
    gauge("connections", "Connections that should be open.", _SOURCE),
    gauge("connections_open", "Connections that are open.", _SOURCE),
    counter("connects", "Connections opened.", _SOURCE, "connects"),
    counter("reconnects", "Connections opened after an earlier one.", _SOURCE, "reconnects"),
    counter("failed_connects", "Connects that failed.", _SOURCE, "failed_connects"),
    counter(
        "breaker_changes",
        "Circuit breakers that opened, were half open, or closed.",
        ("breaker", "state"),
        "breaker_changes",
        by=("breaker", "state"),
        sparse=True,
    ),
    gauge("breakers", "Circuit breakers by state: closed, half_open, open.", ("state",)),
    gauge("breakers_open", "Circuit breakers that are open."),
    counter(
        "rest_limit_wait_seconds",
        "Time in which REST requests waited for the venue's limit.",
        _SOURCE,
        "rest_limit_wait_s",
        scale=1e-9,
    ),
    counter(
        "request_limit_wait_seconds",
        "Time in which subscribe requests and heartbeats waited for the venue's limits.",
        _SOURCE,
        "request_limit_wait_s",
        scale=1e-9,
    ),
    counter(
        "connect_limit_wait_seconds",
        "Time in which connects waited for the venue's limit.",
        _SOURCE,
        "connect_limit_wait_s",
        scale=1e-9,
    ),
    counter("callback_errors", "Errors of callbacks of the event loop.", summary="callback_errors"),
    counter(
        "callback_failures",
        "Calls of a program's on_gap and on_reconnect that failed or took too long.",
        summary="callback_failures",
    ),
    counter(
        "callback_events_dropped",
        "Events that a program was too slow to take.",
        summary="callback_events_dropped",
    ),
    counter(
        "protocol_errors", "Connections ended by a breach of RFC 6455.", _SOURCE, "protocol_errors"
    ),
    counter("pings", "WebSocket pings received.", _SOURCE, "pings"),
    counter("warnings", "Errors and notices sent by the venue.", _SOURCE, "warnings"),
    counter("warnings_suppressed", "Those of them not logged.", _SOURCE, "warnings_suppressed"),
    counter("refusals", "Subscriptions refused or ended by the venue, each time.", _SOURCE),
    counter("unanswered_requests", "Subscribe requests without an answer in time.", _SOURCE),
    counter("resubscribes", "Subscriptions asked for again because they fell silent.", _SOURCE),
    counter("stale_alerts", "Streams that stayed silent whatever was tried.", _SOURCE),
    gauge("stale_streams", "Streams that have been silent for too long.", _SOURCE),
    gauge("silent_streams", "Acknowledged streams that never had a row.", _SOURCE),
    gauge(
        "refused_subscriptions",
        "Subscriptions that cannot be had now.",
        _SOURCE,
        summary="refused_subscriptions",
    ),
    counter(
        "degradations",
        "Steps of doing with less that were taken (degraded) or undone (restored).",
        (*_SOURCE, "step", "change"),
        "degradations",
        by=("step", "change"),
        sparse=True,
    ),
    gauge("degraded", "How far each step of doing with less is taken; 0: not.", (*_SOURCE, "step")),
    # What is missing.
    counter("gaps", "Gaps opened.", ("table", "reason"), "gaps"),
    gauge("gaps_open", "Gaps that have not ended.", ("table", "reason")),
    counter(
        "recovered_rows",
        "Rows of a gap that came after it: the venue repeated them, or they were had by REST.",
        ("table",),
        "recovered_rows",
    ),
    counter("silences_dropped", "Silences too many to look at each.", ("table",)),
    counter("dropped_rows", "Rows overwritten unread.", ("table",), "dropped_rows"),
    counter(
        "system_rows_dropped",
        "Rows of gaps and sessions that found their ring full for too long.",
        ("table",),
        "system_rows_dropped",
    ),
    # Books.
    gauge("books", "Order books that are kept, by state.", ("state",)),
    counter("book_breaks", "Times that a book broke: rows missing, or perhaps.", (), "book_breaks"),
    counter("book_orphans", "Deletes of levels that a book did not have.", (), "book_orphans"),
    counter("book_crossed", "Book messages that left the sides crossed.", (), "book_crossed"),
    counter("book_truncated", "Levels dropped past the subscribed depth of a book."),
    counter("book_memory_failures", "Changes of books for which there was no memory."),
    # Rings and sinks.
    gauge("ring_depth", "Share of a ring that a sink has not committed.", ("sink", "table")),
    counter(
        "committed_rows",
        "Rows that readers of a sink can see.",
        ("sink", "table"),
        "rows_committed",
        by=("sink", "table"),
    ),
    counter(
        "sink_commits",
        "Commits: DuckDB's transactions, Parquet's files, IPC's flushes.",
        ("sink",),
    ),
    counter(
        "consumer_blocked_seconds",
        "Time in which a full ring waited for a consumer.",
        ("table", "consumer"),
        "consumer_blocked_s",
        by=("table", "consumer"),
        sparse=True,
        scale=1e-9,
    ),
    counter(
        "consumer_dropped_rows",
        "Rows that a consumer lost because it lagged.",
        ("table", "consumer"),
        "consumer_dropped_rows",
        by=("table", "consumer"),
        sparse=True,
    ),
    gauge("consumer_waiting_rows", "Rows that wait for a program's consumer.", _CONSUMER),
    Metric(
        "consumer_high_water_rows",
        Kind.GAUGE,
        "The most rows that have waited for a program's consumer.",
        _CONSUMER,
        "consumer_high_water_rows",
        by=_CONSUMER,
        sparse=True,
    ),
    counter("sink_stalls", "Times at which a sink could not take rows.", ("sink",)),
    counter("sink_stall_seconds", "How long together.", ("sink",), scale=1e-9),
    gauge("sink_longest_stall_seconds", "The longest of them.", ("sink",), scale=1e-9),
    counter(
        "sink_retries",
        "Writes tried again.",
        ("sink",),
        "sink_retries",
        by=("sink",),
        sparse=True,
    ),
    counter("sink_retry_wait_seconds", "How long together.", ("sink",), scale=1e-9),
    # The process.
    gauge("tasks", "Tasks, without their helpers.", ("state",)),
    counter(
        "task_restarts",
        "Tasks started again after they had ended.",
        ("task",),
        "task_restarts",
        by=("task",),
        sparse=True,
    ),
    counter("task_failures", "Tasks that failed for good.", summary="task_failures"),
    counter(
        "errors",
        "Errors, by where they happened and how bad they are.",
        ("context", "severity"),
        "errors",
        by=("context", "severity"),
        sparse=True,
    ),
    counter("log_lines_dropped", "Log lines not written.", summary="log_lines_dropped"),
    gauge(
        "ring_depth_high_water",
        "The largest share of a ring that a sink had not committed.",
        ("sink", "table"),
    ),
    # Alerts.
    counter("alerts", "Alerts sent.", ("alert",)),
    gauge("alerts_firing", "Whether the rule of an alert holds.", ("alert",)),
    counter("alert_errors", "Commands and webhooks of an alert that failed.", ("alert",)),
    # Emergencies.
    gauge("emergency", "Whether the feed shuts down in an emergency."),
    counter("emergency_hooks", "Emergency hooks that ran."),
    counter("emergency_hook_failures", "Those of them that failed or came to their deadline."),
    counter("dead_man_arms", "Times at which a dead man's switch was armed."),
    counter("dead_man_failures", "Times at which it could not be.", summary="dead_man_failures"),
    gauge("dead_man_triggers", "How often it has triggered today (UTC)."),
    # The process.
    counter("unfinished_stops", "Parts of a stop that ended at their deadline."),
    gauge("uptime_seconds", "Time since the start.", scale=1e-9),
    counter("cpu_seconds", "CPU time of the process.", scale=1e-9),
    gauge("resident_memory_bytes", "Memory of the process that is resident."),
    gauge("open_descriptors", "Open descriptors of the process."),
    gauge("ring_bytes", "Memory of a table's ring.", ("table",)),
    gauge("receive_buffer_bytes", "Receive buffers of open connections.", _SOURCE),
    gauge(
        "clock_offset_seconds",
        "The least time from a venue's event to its receipt in a minute: off where clocks are.",
        ("venue",),
        scale=1e-9,
    ),
    counter(
        "state_write_failures",
        "Writes of the feed's state that failed and are tried again.",
        summary="state_write_failures",
    ),
    # Sinks that fail.
    counter(
        "sink_failures",
        "Errors of a sink's output.",
        ("sink",),
        "sink_failures",
        by=("sink",),
        sparse=True,
    ),
    gauge("sink_failing", "Whether a sink fails, or hangs, at the moment.", ("sink",)),
    counter(
        "sink_failed_checkpoints",
        "Checkpoints of DuckDB that failed and are tried again.",
        ("sink",),
        "sink_failed_checkpoints",
        by=("sink",),
        sparse=True,
    ),
    counter(
        "sink_spilled_rows",
        "Rows that waited in the spill for a sink that failed or did not keep up.",
        ("sink",),
        "sink_spilled_rows",
        by=("sink",),
        sparse=True,
    ),
    gauge("sink_spill_bytes", "Bytes in the spill, those of unfinished files too.", ("sink",)),
    counter("spill_syncs", "Times at which the spill was synced to its disk.", ("sink",)),
    counter("spill_sync_seconds", "How long that took together.", ("sink",), scale=1e-9),
    gauge("duckdb_memory_bytes", "Memory that DuckDB holds for a sink's file.", ("sink",)),
    gauge("sink_rows_left", "Rows that a sink has not got yet.", ("sink", "table")),
    # Latencies.
    latency("loop_lag_seconds", "How much later than it should the event loop comes back."),
    latency(
        "rest_to_read_seconds",
        "How long connections with coalesce_us rested before a read: the most it has added.",
        _SOURCE,
    ),
    latency("read_to_ring_seconds", "From a read to the publication of its rows."),
    latency("read_to_batch_seconds", "From a read to a program's batch."),
    latency("read_to_commit_seconds", "From a read to a sink's commit.", ("sink",)),
)
