"""What is measured at which pace, and how often: minutes, the quick form less than 3.

A run is a stretch of messages; runs of different pipelines take turns.
"""

from __future__ import annotations

from benchmarks.latency.peers import TO_ROW
from benchmarks.paced import clients, forms

from tickwire.bench.outcomes import StagePipeline
from tickwire.bench.stages import Pace

TICKWIRE = "tickwire"
RECV = StagePipeline(
    "recv alone, in the loop", "read", clients.receive_bytes_in_loop, decodes=False
)
EMPTY = StagePipeline("picows, empty callback", "frame", clients.receive_frames, decodes=False)
ORJSON = StagePipeline("picows + orjson", "row", TO_ROW.receive)
WEBSOCKETS = StagePipeline("websockets + orjson", "row", clients.receive_by_websockets)
TO_RING = StagePipeline(f"{TICKWIRE}, every 50 ms", "batch", forms.receive_now_and_then)
BATCHES = StagePipeline(f"{TICKWIRE}, async for", "batch", forms.receive_to_batch)
LIGHT = StagePipeline(f"{TICKWIRE}, async for, light", "batch", forms.receive_light)
ROWS = StagePipeline(f"{TICKWIRE}, async for rows", "row", forms.receive_rows)
LINGER = StagePipeline(f"{TICKWIRE}, linger_ms = 5", "batch", forms.receive_lingering)
LINGER_LIGHT = StagePipeline(
    f"{TICKWIRE}, linger_ms = 5, light", "batch", forms.receive_lingering_light
)
COALESCED = StagePipeline(
    f"{TICKWIRE}, every 50 ms, coalesce_us = 500", "batch", forms.receive_coalesced
)

PIPELINES = (
    RECV,
    EMPTY,
    ORJSON,
    WEBSOCKETS,
    TO_RING,
    BATCHES,
    LIGHT,
    ROWS,
    LINGER,
    LINGER_LIGHT,
    COALESCED,
)
PACES = (
    Pace(100.0, 2.0, 3),
    Pace(1_000.0, 1.0, 7),
    Pace(10_000.0, 0.6, 7),
    Pace(100_000.0, 0.5, 3),
)
QUICK_PACES = (Pace(1_000.0, 0.6, 5), Pace(10_000.0, 0.4, 5))
BUSY_PACE = Pace(10_000.0, 0.5, 5)
QUICK_BUSY_PACE = Pace(10_000.0, 0.4, 3)
CAPTURE_S = 4.0  # at its own pace
N_WARM = 30_000
