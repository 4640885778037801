"""The program: its commands, and what an error becomes.

Rules of this file
------------------
- An error that a person can mend is one line on standard error per problem, never a traceback.
- Exit codes: 0 done; 1 failed while running; 2 bad configuration or usage; 70 emergency shutdown.
- Each command imports what it needs when it is called, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Annotated

import typer

from tickwire.cli.attach import attach
from tickwire.cli.bench import bench
from tickwire.cli.book import book
from tickwire.cli.capture import capture
from tickwire.cli.check import check
from tickwire.cli.coverage import coverage
from tickwire.cli.doctor import doctor
from tickwire.cli.driving import EMERGENCY, LAST_FLUSH_S
from tickwire.cli.emergency import emergency
from tickwire.cli.logs import LogFormat, set_up_logs
from tickwire.cli.query import query
from tickwire.cli.record import record
from tickwire.cli.replay import replay
from tickwire.cli.run import run
from tickwire.cli.sim import sim
from tickwire.cli.status import status
from tickwire.cli.symbols import symbols
from tickwire.cli.terminal import STDERR, flush_output, take_standard_streams
from tickwire.cli.venue import venue
from tickwire.cli.verify import verify
from tickwire.errors import ConfigError, EmergencyShutdown, TickwireError
from tickwire.log_writer import LOG_WRITER
from tickwire.redaction import shown

FAILED = 1
MISUSED = 2
INTERRUPTED = 130  # what typer makes of Ctrl-C where no command takes it
LONGEST_PROBLEM = 4096
LEFT_BEHIND = ("sink-", "spill-", "state")  # threads of a feed whose stop gave up on them
# typer brought click along from 0.20 on and used the installed one before: this finds either's.
_UsageError: type[Exception] = next(
    error for error in typer.BadParameter.__mro__ if error.__name__ == "ClickException"
)

app = typer.Typer(
    name="tickwire",
    help="A market-data feed handler: WebSocket in, Arrow out.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run,
    record,
    check,
    status,
    query,
    attach,
    book,
    emergency,
    sim,
    replay,
    verify,
    doctor,
    coverage,
    symbols,
):
    app.command()(command)
app.add_typer(bench)
app.add_typer(capture, name="capture")
app.add_typer(venue, name="venue")


def _version(wanted: bool) -> None:
    if wanted:
        from tickwire._version import __version__

        typer.echo(f"tickwire {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    log: Annotated[
        LogFormat, typer.Option(envvar="TICKWIRE_LOG", help="Form of the log on standard error.")
    ] = LogFormat.PLAIN,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    set_up_logs(log, verbose=verbose)


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit.

    Parameters
    ----------
    arguments
        Those of the command line where left out.
    """
    take_standard_streams()
    code = _exit_code(arguments)
    problem = flush_output()
    if problem is not None:
        code = _told([problem], code or FAILED)
    if any(thread.name.startswith(LEFT_BEHIND) for thread in threading.enumerate()):
        # A call to the kernel that does not return: ending in order would wait for it.
        LOG_WRITER.flush(LAST_FLUSH_S)
        os._exit(code)
    sys.exit(code)


def _exit_code(arguments: list[str] | None) -> int:
    try:
        code = app(args=arguments, prog_name="tickwire", standalone_mode=False)
    except ConfigError as error:
        return _told(error.problems, MISUSED)
    except EmergencyShutdown as error:
        return _told([str(error)], EMERGENCY)
    except TickwireError as error:
        return _told([str(error)], FAILED)
    except BrokenPipeError:
        return FAILED
    except (typer.Abort, KeyboardInterrupt):
        return _told(["interrupted"], FAILED)
    except _UsageError as error:
        return _told([_usage(error)], MISUSED)
    if code == INTERRUPTED:
        return _told(["interrupted"], FAILED)
    return code if isinstance(code, int) else 0


def _usage(error: BaseException) -> str:
    """Put a mistake in the arguments in one sentence, and say where to read on."""
    message = getattr(error, "format_message", error.__str__)().replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message} (see {context.command_path} --help)"


def _told(problems: list[str], code: int) -> int:
    for problem in problems:
        print(f"tickwire: {shown(' '.join(problem.split()), LONGEST_PROBLEM)}", file=STDERR)
    return code
