"""How a connection ended."""

from __future__ import annotations

from dataclasses import dataclass

from tickwire import errors

NO_STATUS = 1005  # RFC 6455 section 7.1.5: a close frame without a code
ABNORMAL = 1006  # the same: the transport was lost without a close frame


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ended.

    Parameters
    ----------
    code
        From the close frame received; 1005 where it had none, 1006 where none came.
    reason
        Its reason, or what was wrong.
    error
        What the peer broke, if that was why.
    by_us
        Whether we asked for the end.
    paused
        Whether reading was paused when it came, because of backpressure; also where that
        showed only when reading went on.
    """

    code: int
    reason: str = ""
    error: errors.ProtocolError | None = None
    by_us: bool = False
    paused: bool = False

    def exception(self) -> errors.TickwireError:
        """Give the error of any further use of the connection."""
        return self.error or errors.ConnectionClosed(self.code, self.reason)
