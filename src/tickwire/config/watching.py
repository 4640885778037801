"""Sections by which a feed is watched and shut down: `[metrics]`, `[[alert]]`, `[[emergency]]`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field

from tickwire.config.section import Section
from tickwire.config.values import as_tuple, url_with
from tickwire.redaction import hide_url, shown_url

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\s/\[\]]+):(?P<port>\d{1,5})")


def _listen(given: str) -> str:
    match = _ADDRESS.fullmatch(given)
    if match is None or int(match["port"]) > 65535:
        raise ValueError("should be HOST:PORT, such as 127.0.0.1:9464; port 0 is a free one")
    return given


def _webhook(url: str) -> str:
    hide_url(url)
    return url


def _command(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words or not words[0]:
        raise ValueError("should be a program and its arguments")
    return words


class MetricsSettings(Section):
    """`[metrics]`: where a running feed answers `/metrics` and `/health`.

    Parameters
    ----------
    listen
        HOST:PORT; left out: nowhere but at the socket in `state_dir`, which `tickwire status` asks.
    """

    listen: Annotated[str, AfterValidator(_listen)] | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port."""
        if self.listen is None:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class AlertSettings(Section):
    """`[[alert]]`: a rule over the metrics, and what happens when it holds.

    Parameters
    ----------
    name
        Unique; in the log, the metrics and what is sent.
    when
        Such as `ring_depth > 0.8 for 5s`, `rate(messages) < 1 for 30s`,
        `gaps_open{table="book"} > 0`, `p99(read_to_commit_seconds) > 0.5 for 1m`.
    command
        A program and its arguments, run without a shell; the alert is JSON on its standard input.
    webhook
        A URL that the alert is sent to (POST, JSON).
    emergency
        Shut the feed down (exit code 70), after the emergency hooks.
    hold_off_s
        After an alert the next one of this rule comes no sooner.
    """

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]
    when: Annotated[str, Field(min_length=1, max_length=300)]
    command: (
        Annotated[tuple[str, ...], BeforeValidator(as_tuple), AfterValidator(_command)] | None
    ) = None
    webhook: Annotated[str, url_with("http", "https"), AfterValidator(_webhook)] | None = None
    emergency: bool = False
    hold_off_s: Annotated[float, Field(ge=0)] = 300.0

    def __repr_args__(self) -> Any:
        for name, value in super().__repr_args__():
            yield name, shown_url(value) if name == "webhook" and value else value


class EmergencySettings(Section):
    """`[[emergency]]`: a hook that runs when the feed shuts down in an emergency.

    Parameters
    ----------
    hook
        `package.module:NAME`, a coroutine function or a class; the module may stand beside the
        configuration.
    name
        For log and summary; by default NAME.
    deadline_s
        How long it may take.
    options
        What a class is made with. A relative path under a key that ends in `_file` starts at the
        configuration's folder.
    """

    hook: Annotated[str, Field(min_length=3, max_length=300)]
    name: Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f]*$")] = ""
    deadline_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    options: dict[str, Any] = Field(default_factory=dict)

    def anchored(self, folder: Path) -> Self:
        """Give the section with the relative paths of its options starting at `folder`."""
        options = {
            key: str(folder / value) if key.endswith("_file") and isinstance(value, str) else value
            for key, value in self.options.items()
        }
        return self.model_copy(update={"options": options})
