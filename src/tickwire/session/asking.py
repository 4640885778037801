"""What a session is to do about its subscriptions next, and what has come of them."""

from __future__ import annotations

from dataclasses import dataclass

from tickwire.venues.base import Subscription


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a request for these subscriptions.

    Parameters
    ----------
    subscriptions
        Which.
    request_id
        Its number.
    end_id
        The number of a request that ends them first; None where they need no end.
    """

    subscriptions: tuple[Subscription, ...]
    request_id: int
    end_id: int | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """Send a request that ends these subscriptions.

    Parameters
    ----------
    subscriptions
        Which.
    request_id
        Its number.
    """

    subscriptions: tuple[Subscription, ...]
    request_id: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for an answer, or for so many seconds; None: for an answer alone."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Hopeless:
    """Leave: the venue answers nothing on this connection."""

    text: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The venue has taken a subscription."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue does not have a subscription, or has it no more.

    Parameters
    ----------
    subscription
        Which one.
    text
        Why.
    retry
        Whether it is asked for again soon: a limit, or an end by the venue.
    again_s
        After how many seconds it is asked for again.
    """

    subscription: Subscription
    text: str
    retry: bool
    again_s: float


@dataclass(frozen=True, slots=True)
class Warned:
    """The venue said something that names no subscription.

    Parameters
    ----------
    text
        What.
    hold_s
        How long to ask for nothing, because a limit has been reached.
    """

    text: str
    hold_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Late:
    """A request had no answer in time; its subscriptions are asked for again.

    Parameters
    ----------
    keys
        Of the subscriptions.
    """

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suspected:
    """A connection died while these had been asked for and not answered; they come last now.

    Parameters
    ----------
    keys
        Of the subscriptions.
    """

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllAnswered:
    """Each subscription has been acknowledged or refused on this connection."""


Event = Acknowledged | Refused | Warned | Late | Suspected | AllAnswered
