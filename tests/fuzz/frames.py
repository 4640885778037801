"""The frame parser: against a reader written from the RFC, and against websockets' parser."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from itertools import cycle
from random import Random

import numpy as np
from tests.wire import reference
from websockets.extensions import Extension
from websockets.frames import Frame
from websockets.protocol import Protocol, Side

from tickwire.errors import ProtocolError
from tickwire.net import Receiver
from tickwire.wire import FrameParser, MessageQueue

Event = tuple[int, bytes]
Fault = tuple[int, str]

CLOSE = 8
LIMITS = (16_777_216, 200, 1)
IN_PLACE_LIMITS = (131_072, 125)
MAX_STREAM_BYTES = 100_000

# Its protocol logs what it is made to refuse.
logging.getLogger("websockets").setLevel(logging.CRITICAL)


@cache
def sizes(seed: int) -> tuple[int, ...]:
    """Sizes of pieces for a seed, to be used again and again."""
    rng = Random(seed)
    longest = rng.choice((2, 10, 200, 5000))
    return tuple(rng.randint(1, longest) for _ in range(100))


def cut(stream: bytes, seed: int) -> list[bytes]:
    """Cut a stream into pieces: none, all, or some of the cuts, as the seed says."""
    if seed == 0:
        return [stream]
    if seed == 1:
        return [stream[at : at + 1] for at in range(len(stream))]
    pieces = []
    start = 0
    for size in cycle(sizes(seed)):
        if start >= len(stream):
            break
        pieces.append(stream[start : start + size])
        start += size
    return pieces


def exact(data: bytes) -> np.ndarray:
    """Copy into memory that ends where the data does: bytes have a zero behind them."""
    return np.frombuffer(data, np.uint8).copy()


def received(parser: FrameParser, stream: bytes, seed: int) -> tuple[list[Event], Fault | None]:
    """What `receive` gives of the pieces of a stream."""
    events: list[Event] = []
    try:
        for piece in cut(stream, seed):
            events += [tuple(event) for event in parser.receive(piece)]
    except ProtocolError as error:
        events += [tuple(event) for event in parser.take_events()]
        return events, (error.close_code, error.section)
    return events, None


def fed(parser: FrameParser, stream: bytes, seed: int) -> tuple[list[Event], Fault | None]:
    """What a carrier with a handler that is often full gets; messages only."""
    queue = MessageQueue(max_bytes=1)
    events: list[Event] = []
    rest = b""
    for piece in [*cut(stream, seed), b""]:
        rest += piece
        while True:
            buffer = exact(rest)
            n = parser.feed_buffer(buffer, queue)
            rest = buffer[n:].tobytes()
            message = queue.take()
            if message is not None:
                events.append(tuple(message))
            elif not n:
                break
    error = parser.error_as_exception()
    return events, None if error is None else (error.close_code, error.section)


def of_websockets(
    stream: bytes, *, server: bool, limit: int, extensions: Sequence[Extension] = ()
) -> tuple[list[Event], bool]:
    """Events by websockets, its fragments put together, and whether it found a fault."""
    protocol = Protocol(Side.SERVER if server else Side.CLIENT, max_size=limit)
    protocol.extensions = list(extensions)
    protocol.receive_data(stream)
    events: list[Event] = []
    opcode, parts = 0, b""
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        if frame.opcode >= CLOSE:
            events.append((int(frame.opcode), bytes(frame.data)))
            continue
        opcode, parts = int(frame.opcode) or opcode, parts + bytes(frame.data)
        if frame.fin:
            events.append((opcode, parts))
            parts = b""
    error = protocol.parser_exc
    # Section 5.4 lets control frames stand between fragments, and 5.5.1 excepts no close.
    return events, error is not None and str(error) != "incomplete fragmented message"


def frames(data: bytes) -> None:
    """A stream of frames, for either role, any limits and any cuts."""
    if len(data) < 2:
        return
    way, seed, stream = data[0], data[1], data[2 : 2 + MAX_STREAM_BYTES]
    server = bool(way & 1)
    limit = LIMITS[(way >> 1) % len(LIMITS)]
    in_place_limit = IN_PLACE_LIMITS[(way >> 3) % len(IN_PLACE_LIMITS)]
    options = {
        "role": "server" if server else "client",
        "max_frame": limit,
        "max_message": limit,
        "in_place_limit": in_place_limit,
    }
    expected, fault = reference.read(
        stream, server=server, limit=limit, in_place_limit=in_place_limit
    )
    assert received(FrameParser(**options), stream, seed) == (expected, fault)
    messages = [event for event in expected if event[0] < CLOSE]
    # A fault that a message blocks is seen later, but no message is lost to it.
    assert fed(FrameParser(**options), stream, seed) == (messages, fault)

    others, is_fault = of_websockets(stream, server=server, limit=limit)
    # It does not look into text, takes longer lengths than need be, and looks at a frame when the
    # whole of it is there: it may be later to find a fault, but never finds one where there is
    # none, and gives the same before it.
    n_same = min(len(others), len(expected))
    assert others[:n_same] == expected[:n_same]
    if fault is None:
        assert not is_fault
        is_closed = expected[-1:] != [] and expected[-1][0] == CLOSE
        assert len(expected) - len(others) in (0, int(is_closed))


def receiver(data: bytes) -> None:
    """A stream through the receive buffer of a connection whose handler is often full."""
    if len(data) < 2:
        return
    way, seed, stream = data[0], data[1], data[2 : 2 + MAX_STREAM_BYTES]
    limit = 16_777_216 if way & 1 else 1000
    queue = MessageQueue(max_bytes=1 if way & 2 else 16_777_216)
    target = Receiver(queue, max_message_bytes=limit)
    if not way & 4:
        target.start()
    events: list[Event] = []
    for piece in cut(stream, seed):
        if way & 8 and not target.paused:
            memory = target.get_buffer()
            memory[: len(piece)] = piece[: len(memory)]
            target.buffer_updated(min(len(piece), len(memory)))
            piece = piece[len(memory) :]
        if piece:
            target.receive_bytes(piece)
        if way & 16:
            events += taken(target, queue)
    target.start()
    events += taken(target, queue)
    expected, fault = reference.read(stream, server=False, limit=limit, in_place_limit=131_072)
    assert events == [event for event in expected if event[0] < CLOSE]
    error = target.parser.error_as_exception()
    assert (None if error is None else (error.close_code, error.section)) == fault
    is_closed = expected[-1:] != [] and expected[-1][0] == CLOSE
    assert target.ended == (fault is not None or is_closed)


def taken(target: Receiver, queue: MessageQueue) -> list[Event]:
    """Take messages until there is none and nothing waits."""
    events: list[Event] = []
    while True:
        while (message := queue.take()) is not None:
            events.append(tuple(message))
        target.retry()
        if not len(queue):
            return events
