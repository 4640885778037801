"""`tickwire status`: asks a running feed how it is."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from tickwire.errors import TickwireError
from tickwire.redaction import shown

ANSWER_S = 5.0
SHOWN_SQL = 120


def status(
    feed: Annotated[
        str,
        typer.Argument(
            metavar="[FEED]",
            help="A feed's name (with its state in ./.tickwire), its configuration, or the URL of "
            "its metrics.",
        ),
    ] = "main",
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    tasks: Annotated[
        bool, typer.Option("--tasks", help="A line for each task, not only for those that failed.")
    ] = False,
) -> None:
    """Ask a running feed how it is; exit code 1 where none runs."""
    report = ask(feed)
    typer.echo(json.dumps(report, indent=2) if as_json else "\n".join(lines_of(report, tasks)))


def ask(feed: str) -> dict[str, Any]:
    """Get a feed's `/health`.

    Parameters
    ----------
    feed
        A name, a configuration or a URL.

    Raises
    ------
    TickwireError
        No such feed runs.
    """
    for connection in places(feed):
        report = asked(connection, "GET", "/health")
        if report is not None and "components" in report:
            return report
    raise TickwireError(f"no feed {feed!r} runs, or none that can be asked")


def asked(
    connection: http.client.HTTPConnection, method: str, target: str
) -> dict[str, Any] | None:
    """Give the JSON object that a feed answers; None where nothing answers, or something else."""
    try:
        connection.request(method, target)
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None


def local_socket(feed: str) -> Path | None:
    """Give the path of the socket of a feed, by its name or its configuration."""
    from tickwire.config import STATE_DIR, load_readable
    from tickwire.config.sockets import health_socket

    if not feed.endswith(".toml"):
        return health_socket(STATE_DIR, feed)
    config = load_readable(feed)
    if config.feed.state_dir is None:
        return None
    return health_socket(Path(config.feed.state_dir), config.feed.name)


def lines_of(report: dict[str, Any], has_tasks: bool = False) -> list[str]:
    """Put a report in lines for people.

    Parameters
    ----------
    report
        What `/health` has answered.
    has_tasks
        A line for each task; without, for those that have failed.
    """
    summary = report["summary"]
    rows = ", ".join(f"{table} {n:,}" for table, n in summary["rows"].items() if n)
    lines = [
        f"{report['feed']}: {report['status']}, up {report['uptime_s']:,.0f} s, "
        f"pid {report['pid']}, tickwire {report['version']}",
        f"messages {summary['messages']:,.0f}, rows {rows or 'none'}, "
        f"reconnects {summary['reconnects']:,.0f}, gaps {summary['gaps']:,.0f}",
    ]
    for component in report["components"]:
        lines.append(f"  {component['status']:<9} {component['name']}")
        lines += [f"            {reason}" for reason in component["reasons"]]
    for each in report.get("queries", ()):
        sql = shown(" ".join(each["sql"].split()), SHOWN_SQL)
        lines.append(f"  query for {each['seconds']:,.1f} s: {sql}")
    return [*lines, *_lines_of_tasks(report["tasks"], has_tasks)]


def _lines_of_tasks(tasks: Sequence[dict[str, Any]], has_all: bool) -> Iterator[str]:
    for task in tasks:
        if not has_all and not task["last_error"]:
            continue
        restarts = f", {task['restarts']} restarts" if task["restarts"] else ""
        error = f", {task['last_error']}" if task["last_error"] else ""
        where = f", {task['where']}" if task["where"] and has_all else ""
        yield f"  task {task['name']}: {task['state']}{restarts}{error}{where}"


def places(feed: str) -> list[http.client.HTTPConnection]:
    """Give where a feed may answer, in the order to try.

    Parameters
    ----------
    feed
        A name, a configuration or a URL.
    """
    if "://" in feed:
        url = urlsplit(feed)
        if url.scheme != "http" or not url.hostname:
            raise TickwireError(f"{feed}: should be http://HOST:PORT")
        return [http.client.HTTPConnection(url.hostname, url.port, timeout=ANSWER_S)]
    path = local_socket(feed)
    places: list[http.client.HTTPConnection] = [] if path is None else [LocalConnection(path)]
    if feed.endswith(".toml"):
        from tickwire.config import load

        address = load(feed).metrics.address
        if address is not None:
            places.append(http.client.HTTPConnection(*address, timeout=ANSWER_S))
    return places


class LocalConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the path."""
        from tickwire.config.sockets import reachable

        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            with reachable(self._path) as short:
                self.sock.connect(short)
        except OSError:
            self.sock.close()
            raise
