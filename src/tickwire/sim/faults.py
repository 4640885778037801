"""What can be made to go wrong, and the words for it: `KIND[:ARG][*N or /N][=TARGET][@WHEN]`.

Rules of this file
------------------
- A fault is an event (it strikes at occasions: a reset, a dropped message, a 429) or lasts (muted,
  frozen, refused). An event with a point in time strikes once, or `*N` times, from then on; in a
  span of time it strikes at every occasion, or at every Nth with `/N`. What lasts, lasts to the end
  of its span, and without one until the simulator ends.
- Times count from the moment at which the fault was given: the start, or a call of `inject`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from http import HTTPStatus

from tickwire.errors import ConfigError

GRAMMAR = "KIND[:ARG][*N or /N][=TARGET,...][@WHEN]"


class Occasion(Enum):
    """When a fault can strike."""

    TIME = "a connection, at a time"
    MESSAGE = "a data message"
    UPGRADE = "an opening handshake"
    SUBSCRIBE = "a subscribe"
    REST = "a REST request"
    STATE = "the whole exchange"


class Argument(Enum):
    """What may follow the colon."""

    NONE = ""
    SECONDS = "a time such as 2s or 50ms"
    SKEW = "a time such as 5s or -200ms"
    CODE = "a close code, 1000 to 4999"
    BYTES = "a number of bytes such as 65536, 64k or 1m"
    END = "fin, reset or hold"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault.

    Parameters
    ----------
    name
        As it is written.
    occasion
        When it can strike.
    help
        What happens.
    lasts
        Whether it is a state and no event.
    argument, default
        What may follow the colon, and what counts where nothing does.
    """

    name: str
    occasion: Occasion
    help: str
    lasts: bool = False
    argument: Argument = Argument.NONE
    default: float | str = 0.0


def _kinds() -> dict[str, Kind]:
    time, message, subscribe = Occasion.TIME, Occasion.MESSAGE, Occasion.SUBSCRIBE
    upgrade, rest, state = Occasion.UPGRADE, Occasion.REST, Occasion.STATE
    seconds = Argument.SECONDS
    listed = (
        Kind("reset", time, "RST"),
        Kind("fin", time, "FIN without a close frame"),
        Kind("close", time, "close frame with this code", argument=Argument.CODE, default=1001),
        Kind("freeze", time, "nothing is read, answered or sent; the socket stays", lasts=True),
        Kind("stall", time, "no data; pings and requests are answered", lasts=True),
        Kind(
            "delay", time, "all is sent later, in order",
            lasts=True, argument=seconds, default=0.02,
        ),
        Kind(
            "jitter", time, "all is sent later by chance, up to this, in order",
            lasts=True, argument=seconds, default=0.02,
        ),
        Kind("notice", time, "the venue says that it will end the connection (Binance)"),
        Kind("unsubscribe", time, "the venue ends subscriptions"),
        Kind("drop", message, "is left out"),
        Kind("repeat", message, "comes twice"),
        Kind("reorder", message, "comes after the next one of its connection"),
        Kind("truncate", message, "lacks its second half: no JSON"),
        Kind("corrupt", message, "has a byte changed: no JSON"),
        Kind("missing-field", message, "has a required key renamed"),
        Kind("break-sequence", message, "the ids of a book's change leave a hole (Binance, OKX)"),
        Kind("error", message, "the venue's error message comes instead"),
        Kind("protocol-error", message, "a frame with a reserved opcode comes instead"),
        Kind(
            "half-frame", message, "ends in the middle of its frame; then fin, reset or hold",
            argument=Argument.END, default="fin",
        ),
        Kind("mute", message, "is left out, as long as this lasts", lasts=True),
        Kind("reject", subscribe, "is refused at once", lasts=True),
        Kind(
            "reject-late", subscribe, "is refused after a time, with an echo",
            lasts=True, argument=seconds, default=1.0,
        ),
        Kind(
            "reject-blind", subscribe, "is refused after a time, without an echo",
            lasts=True, argument=seconds, default=1.0,
        ),
        Kind("silent", subscribe, "is acknowledged and never delivers", lasts=True),
        Kind("unanswered", subscribe, "gets no answer and no data", lasts=True),
        Kind("kill", subscribe, "resets its connection", lasts=True),
        Kind(
            "429, 503, 403, any from 400 on", upgrade,
            "is refused with this status; ARG: Retry-After", argument=seconds,
        ),
        Kind("wrong-key", upgrade, "is answered with a wrong accept key"),
        Kind("garbage", upgrade, "is answered with bytes that are no HTTP"),
        Kind(
            "byte-by-byte", upgrade, "is answered a byte at a time; ARG: from one to the next",
            argument=seconds, default=0.005,
        ),
        Kind("hang", upgrade, "is never answered"),
        Kind("abort", upgrade, "is answered with a RST"),
        Kind("refuse", state, "connections are refused; those that are open stay", lasts=True),
        Kind("down", state, "all is reset, and refused; REST too", lasts=True),
        Kind(
            "backlog", state, "a client that has not read this much is reset",
            lasts=True, argument=Argument.BYTES, default=float(1 << 20),
        ),
        Kind(
            "clock", state, "the venue's clock is off by this much",
            lasts=True, argument=Argument.SKEW, default=5.0,
        ),
        Kind("rest-slow", rest, "is answered late", lasts=True, argument=seconds, default=2.0),
        Kind("rest-stale", rest, "gets the state of when this began", lasts=True),
        Kind("rest-hang", rest, "is never answered", lasts=True),
        Kind("rest-dead", state, "REST connections are refused", lasts=True),
        Kind(
            "rest-418, rest-429, any from 400 on", rest,
            "is answered with this status; ARG: Retry-After", argument=seconds, default=1.0,
        ),
    )  # fmt: skip
    return {kind.name: kind for kind in listed}


KINDS = _kinds()
_STATUS = next(kind for name, kind in KINDS.items() if name.startswith("429"))
_REST_STATUS = next(kind for name, kind in KINDS.items() if name.startswith("rest-418"))
_STATUSES = frozenset(int(status) for status in HTTPStatus if status >= 400)
# Where connections and not streams are struck, a target may be one of them, too.
ONE = "one"
_SPEC = re.compile(r"(?P<kind>[a-z0-9-]+)(?::(?P<argument>[^*/=@]*))?(?:(?P<how>[*/])(?P<n>\d+))?")
_TIME = r"\d+(?:\.\d+)?(?:ms|s|m)"
_WHEN = re.compile(
    rf"n(?P<message>\d+)|(?P<start>{_TIME})(?:\.\.(?P<end>{_TIME})?|/(?P<every>{_TIME}))?"
)
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Parameters
    ----------
    text
        As it was written.
    kind
        What happens.
    status
        HTTP status, of the kinds that are one; else 0.
    argument
        What followed the colon: seconds, a code, a number of bytes, or how a connection ends.
    targets
        Symbols, channels, connections (`#3`) or `one`; none for everything.
    start_s
        From when on.
    end_s
        Until when; None where it was a point in time.
    every_s
        How often again after `start_s`; None for not at all.
    message
        From which data message on, counted over all connections from 1; 0 where times count.
    n
        How many occasions it strikes; 0 for all in its time.
    nth
        It strikes every nth occasion only.
    """

    text: str
    kind: Kind
    status: int = 0
    argument: float | str = 0.0
    targets: tuple[str, ...] = ()
    start_s: float = 0.0
    end_s: float | None = None
    every_s: float | None = None
    message: int = 0
    n: int = 0
    nth: int = 1

    @property
    def name(self) -> str:
        """The kind's name as written, such as `reset` or `429`."""
        if self.status:
            return f"rest-{self.status}" if self.kind is _REST_STATUS else str(self.status)
        return self.kind.name

    def fits(self, symbol: str, channel: str, connection: int) -> bool:
        """Whether a stream or a connection is among the targets; `one` was chosen before."""
        targets = self.targets
        return not targets or (
            symbol in targets or channel in targets or f"#{connection}" in targets
        )


def parse(text: str) -> Fault:
    """Read a fault.

    Raises
    ------
    ConfigError
        It is none; says what is wrong and what is allowed.
    """
    head, target, when = _split(text)
    match = _SPEC.fullmatch(head)
    if match is None:
        raise _wrong(text, f"should be {GRAMMAR}, such as reset@5s")
    kind, status = _kind(text, match["kind"])
    times = _times(text, when)
    n, nth = (int(match["n"]), 1) if match["how"] == "*" else (0, int(match["n"] or 1))
    if match["how"] and (kind.lasts or not int(match["n"])):
        why = "lasts, and has no occasions to count" if kind.lasts else "has to count from 1"
        raise _wrong(text, f"{match['how']}{match['n']}: {match['kind']} {why}")
    if times.get("every_s") is not None and kind.occasion is not Occasion.TIME:
        raise _wrong(text, f"@{when}: only what strikes at a time repeats: {_names(Occasion.TIME)}")
    if times.get("message") and kind.occasion not in (Occasion.TIME, Occasion.MESSAGE):
        raise _wrong(text, f"@{when}: {match['kind']} does not strike at messages")
    is_once = times.get("end_s") is None and times.get("every_s") is None
    if not kind.lasts and not match["how"] and is_once:
        n = 1
    if kind.name == "unsubscribe" and not target:
        raise _wrong(text, "needs a target: unsubscribe=SYMBOL")
    argument = _argument(text, kind, match["argument"])
    targets = tuple(part for part in target.split(",") if part)
    return Fault(text, kind, status, argument, targets, n=n, nth=nth, **times)  # type: ignore[arg-type] # floats


def help_text() -> str:
    """Give the grammar and all kinds, to be printed."""
    lines = [
        f"--fault {GRAMMAR}",
        "",
        "WHEN is a time (5s, 200ms), a span (3s..10s, 3s..), a time and how often again",
        "(5s/12s), or a data message's number (n100); @0s where left out. TARGET is a symbol, a",
        "channel, a connection (#0: the first) or `one`, chosen each time; all where left out.",
        "*N strikes N occasions, /N every Nth one. Examples: reset@5s, mute=BTC@3s..10s,",
        "close:1012=one@5s/12s, drop/50=book@10s..20s, 429:3*2@5s, rest-slow:2s@0s..8s.",
    ]
    for occasion in Occasion:
        lines += ["", f"{occasion.value[0].upper()}{occasion.value[1:]}:"]
        for kind in KINDS.values():
            if kind.occasion is occasion:
                allowed = "" if kind.argument is Argument.NONE else f" ARG: {kind.argument.value}"
                default = f" ({_plain(kind)})" if allowed and kind.default else ""
                lines.append(f"  {kind.name:<16} {kind.help}.{allowed}{default}")
    return "\n".join(lines)


def _plain(kind: Kind) -> str:
    if isinstance(kind.default, str):
        return kind.default
    unit = "s" if kind.argument in (Argument.SECONDS, Argument.SKEW) else ""
    return f"{kind.default:g}{unit}" if unit else f"{kind.default:.0f}"


def _wrong(text: str, why: str) -> ConfigError:
    return ConfigError([f"--fault {text}: {why}"])


def _names(occasion: Occasion) -> str:
    return ", ".join(kind.name for kind in KINDS.values() if kind.occasion is occasion)


def _split(text: str) -> tuple[str, str, str]:
    """Part head, target and time. A symbol may hold `@` and `:`, so the time is sought last."""
    rest, at, when = text.rpartition("@")
    if not at or ("=" in rest and not _WHEN.fullmatch(when)):
        rest, when = text, ""
    head, _, target = rest.partition("=")
    return head, target, when


def _kind(text: str, name: str) -> tuple[Kind, int]:
    if name in KINDS:
        return KINDS[name], 0
    number = name.removeprefix("rest-")
    if number.isdecimal() and int(number) in _STATUSES:
        return (_STATUS if number == name else _REST_STATUS), int(number)
    near = get_close_matches(name, [each for each in KINDS if "," not in each], n=1)
    advice = f"did you mean {near[0]}?" if near else "--fault help lists all"
    raise _wrong(text, f"no fault {name}; {advice}")


def _times(text: str, when: str) -> dict[str, float | int | None]:
    if not when:
        return {}
    match = _WHEN.fullmatch(when)
    if match is None:
        raise _wrong(text, f"@{when}: should be a time such as 5s, 3s..10s, 5s/12s, or n100")
    if match["message"]:
        return {"message": int(match["message"])}
    start_s = _seconds(match["start"])
    end_s = None if ".." not in when else float("inf")
    if match["end"]:
        end_s = _seconds(match["end"])
        if end_s <= start_s:
            raise _wrong(text, f"@{when}: ends before it begins")
    every_s = _seconds(match["every"]) if match["every"] else None
    if every_s is not None and every_s < 0.001:
        raise _wrong(text, f"@{when}: cannot repeat so often")
    return {"start_s": start_s, "end_s": end_s, "every_s": every_s}


def _seconds(text: str) -> float:
    unit = re.search(r"[a-z]+$", text)
    assert unit is not None  # noqa: S101 - the pattern asked for it
    return float(text[: unit.start()]) * _UNITS_S[unit[0]]


def _argument(text: str, kind: Kind, argument: str | None) -> float | str:
    if argument is None:
        return kind.default
    value: float | str | None = None
    if kind.argument in (Argument.SECONDS, Argument.SKEW):
        sign = -1 if argument.startswith("-") and kind.argument is Argument.SKEW else 1
        number = argument.lstrip("+-") if kind.argument is Argument.SKEW else argument
        if re.fullmatch(_TIME, number):
            value = sign * _seconds(number)
        elif number.isdecimal():
            value = sign * float(number)
    elif kind.argument is Argument.CODE and argument.isdecimal() and 1000 <= int(argument) <= 4999:
        value = float(argument)
    elif kind.argument is Argument.BYTES and (found := re.fullmatch(r"(\d+)([km]?)", argument)):
        value = float(int(found[1]) << {"": 0, "k": 10, "m": 20}[found[2]])
    elif kind.argument is Argument.END and argument in ("fin", "reset", "hold"):
        value = argument
    if value is None:
        allowed = kind.argument.value
        raise _wrong(text, f":{argument}: {f'should be {allowed}' if allowed else 'takes none'}")
    return value
