"""Every error that tickwire raises on purpose.

Each is one clear sentence for a person; `tickwire` prints it on one line, without a traceback.
"""

from __future__ import annotations

from tickwire.redaction import hidden


class TickwireError(Exception):
    """The base of them all; a secret in its text is hidden."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(hidden(each) if isinstance(each, str) else each for each in args))


class ConfigError(TickwireError):
    """The configuration or the command line is wrong.

    Parameters
    ----------
    problems
        One line each: file, key, what is wrong and what is allowed.
    readable
        The sections that are right in themselves, as a `tickwire.config.Config`; None where there
        is no source among them.
    """

    def __init__(self, problems: list[str], readable: object = None) -> None:
        super().__init__("\n".join(problems))
        self.problems = [hidden(problem) for problem in problems]
        self.readable = readable


class PlanError(TickwireError):
    """A venue's declaration cannot be compiled; the text names venue, message and field."""


class ProtocolError(TickwireError):
    """The peer broke RFC 6455, or RFC 7692 where compression was agreed on.

    Parameters
    ----------
    reason
        What it did.
    close_code
        The code to close with, RFC 6455 section 7.4.1.
    section
        The section that it broke, such as "5.5".
    rfc
        The number of the RFC.
    """

    def __init__(self, reason: str, close_code: int, section: str, rfc: int = 6455) -> None:
        super().__init__(f"{reason} (RFC {rfc} section {section})")
        self.reason = reason
        self.close_code = close_code
        self.section = section
        self.rfc = rfc


class HandshakeError(TickwireError):
    """The opening handshake failed.

    Parameters
    ----------
    reason
        What was wrong.
    status
        The HTTP status that the server answered, if it did.
    retry_after
        The header Retry-After of its answer; empty where it has none.
    """

    def __init__(self, reason: str, status: int | None = None, retry_after: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


class ConnectionFailed(TickwireError):
    """No connection could be made: name, address, TLS or time."""


class Unreachable(ConnectionFailed):
    """Nothing took the connection: no address, refused, no route, no answer in time."""


class HostDown(Unreachable):
    """A host that has failed again and again is left alone for a while; nothing was asked of it.

    Parameters
    ----------
    host
        Which.
    wait_s
        For how long at most.
    down_s
        For how long it has failed.
    """

    def __init__(self, host: str, wait_s: float, down_s: float) -> None:
        super().__init__(f"{host}: failing for {down_s:.0f} s, left alone for {wait_s:.0f} s")
        self.wait_s = wait_s
        self.down_s = down_s


class ConnectionClosed(TickwireError):
    """The WebSocket connection is closed.

    Parameters
    ----------
    code
        The close code received, 1005 where there was none, 1006 where the transport was lost.
    reason
        The peer's reason, or our own.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"connection closed with {code}" + (f": {reason}" if reason else ""))
        self.code = code
        self.reason = reason


class ConnectionLost(TickwireError):
    """A connection of a session has ended, without having been asked to.

    Parameters
    ----------
    reason
        As `tickwire.session.Session` has them, such as `timeout`.
    detail
        For a person.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class RequestRefused(TickwireError):
    """The venue refused a subscription or a REST request."""


class DecodeError(TickwireError):
    """A payload cannot be decoded.

    Parameters
    ----------
    reason
        One of the reasons that are counted, such as `missing`.
    what
        Which payload.
    """

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.reason = reason


class EmergencyShutdown(TickwireError):
    """The feed has shut down in an emergency; the text says why, and what is left undone."""


class BookBroken(TickwireError):
    """Changes of a book are missing.

    Parameters
    ----------
    symbol
        Whose book.
    n_missing
        How many ids, where the venue's numbering tells.
    """

    def __init__(self, symbol: str, n_missing: int | None = None) -> None:
        missing = "" if n_missing is None else f", {n_missing} ids"
        super().__init__(f"changes of the book of {symbol} are missing{missing}")


class SinkError(TickwireError):
    """A sink cannot be opened or written."""


class NothingTakesRows(SinkError):
    """Neither a sink nor its spill has taken rows for too long."""


class RingCorrupted(TickwireError):
    """A ring's memory is not what its writer has left there."""


class ConsumerLagged(TickwireError):
    """A consumer with `on_lag="raise"` has lost rows because it lagged a full ring.

    Parameters
    ----------
    consumer, table
        Which one, of which table.
    n_rows
        How many rows since it was raised last.
    """

    def __init__(self, consumer: str, table: str, n_rows: int) -> None:
        super().__init__(f"{consumer} lagged and lost {n_rows:,} rows of {table}")
        self.consumer = consumer
        self.table = table
        self.n_rows = n_rows


class CaptureError(TickwireError):
    """A capture cannot be read."""


class DictionaryFull(TickwireError):
    """A dictionary of symbols or names has reached its bound, or the value is too long."""
