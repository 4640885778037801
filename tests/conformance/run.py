"""Run the Autobahn|Testsuite against our client, and say how it went.

    run.py [--folder FOLDER] [--must-run] [--all | --cases PATTERN ...] [NAME ...]

Exit code 1 if a case failed, closed badly or has no report. Where there is no CPython 2.7, or the
suite cannot be installed for it, that is said in a line that starts with SKIPPED, and the exit code
is 0 unless it must run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import client
import report
import suite

HERE = Path(__file__).resolve().parent
JUDGED = ("protocol", "stream", "session")
# The suite measures compression with messages of 18 sizes, up to 128 KiB and a thousand times each,
# which takes its own server most of an hour for three clients. Without --all: six sizes, to 8 KiB.
N_SUBGROUPS = {"12": 5, "13": 7}  # of compression: payloads, and parameters
QUICK = (
    *("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"),
    *(
        f"{group}.{subgroup}.{size}"
        for group, n_subgroups in N_SUBGROUPS.items()
        for subgroup in range(1, n_subgroups + 1)
        for size in range(1, 7)
    ),
)
EVERYTHING = ("*",)
# A run of fewer must not pass for one.
N_CASES = {QUICK: 373, EVERYTHING: 517}
START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0
CLIENT_LIMIT_S = 7200.0


@contextmanager
def fuzzing_server(
    python27: Path, packages: Path, reports: Path, patterns: tuple[str, ...]
) -> Iterator[tuple[str, list[str]]]:
    """Run the server; gives its URL and the cases that it will run."""
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    log = reports / "server.log"
    command = [python27, HERE / "fuzzing_server.py", packages, reports, *patterns]
    with log.open("wb") as told:
        server = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT)  # noqa: S603 - our own arguments
    try:
        yield _wait_until_it_listens(server, log)
    finally:
        server.terminate()
        try:
            server.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_it_listens(server: subprocess.Popen[bytes], log: Path) -> tuple[str, list[str]]:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and server.poll() is None:
        told = dict(
            line.split("=", 1)
            for line in log.read_text().splitlines()
            if line.startswith(("cases=", "ws="))
        )
        if "ws" in told:
            return told["ws"], json.loads(told["cases"])
        time.sleep(0.1)
    raise RuntimeError(f"the fuzzing server does not listen; it said:\n{log.read_text()}")


def run_agent(name: str, url: str) -> list[str]:
    """Let a client go through all cases; says what was wrong with the client itself."""
    command = [sys.executable, HERE / "client.py", name, "--url", url]
    try:
        code = subprocess.run(command, check=False, timeout=CLIENT_LIMIT_S).returncode  # noqa: S603 - our own arguments
    except subprocess.TimeoutExpired:
        return [f"the client did not end in {CLIENT_LIMIT_S:g} s"]
    return [f"the client ended with exit code {code}"] if code else []


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(client.NAMES))
    parser.add_argument("--folder", type=Path, default=Path("build/autobahn"))
    parser.add_argument("--must-run", action="store_true", help="fail where it cannot")
    parser.add_argument("--all", action="store_true", help="every case; takes most of an hour")
    parser.add_argument("--cases", nargs="+", default=QUICK, metavar="PATTERN")
    given = parser.parse_args()
    patterns = EVERYTHING if given.all else tuple(given.cases)
    names = given.names or JUDGED
    if unknown := set(names) - set(client.NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    python27 = suite.find_python27()
    folder = given.folder.resolve()
    try:
        if python27 is None:
            raise suite.Unavailable("it needs CPython 2.7; name one with PYTHON27=...")
        packages = suite.install(python27, folder)
    except suite.Unavailable as error:
        print(f"SKIPPED: the Autobahn|Testsuite: {error}", flush=True)
        return int(given.must_run)
    failed = False
    for name in names:
        reports = folder / "reports" / name
        with fuzzing_server(python27, packages, reports, patterns) as (url, cases):
            wrong = run_agent(name, url)
        if patterns in N_CASES and len(cases) != N_CASES[patterns]:
            wrong.append(f"the suite offered {len(cases)} cases, not {N_CASES[patterns]}")
        verdicts = report.read(reports, name)
        wrong += report.problems(verdicts, cases)
        print(report.table(name, verdicts), flush=True)
        for line in wrong:
            print(f"  WRONG {line}", flush=True)
        # For information only: what picows does with frames is its own.
        failed = failed or (bool(wrong) and name in JUDGED)
    print(f"reports: {folder / 'reports'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
