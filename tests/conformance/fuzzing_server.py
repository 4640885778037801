"""The fuzzing server of the Autobahn|Testsuite, on one loopback port that it chooses itself.

    fuzzing_server.py PACKAGES REPORTS CASE_PATTERN...

Runs on CPython 2.7, with the suite installed in the folder PACKAGES. The suite's own command
listens on every interface of the machine, and on a second port. Prints `cases=[...]`, the
cases that it will run, and then `ws=URL`.
"""

import json
import site
import sys


def main(packages, reports, patterns):
    """Serve the cases until killed."""
    site.addsitedir(packages)  # with its .pth files, which PYTHONPATH would not read
    sys.path.insert(0, packages)
    from autobahntestsuite.fuzzing import FuzzingServerFactory
    from twisted.internet import reactor

    spec = {"url": "ws://127.0.0.1:1", "outdir": reports, "cases": patterns}
    factory = FuzzingServerFactory(spec)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port
    url = "ws://127.0.0.1:%d" % port  # noqa: UP031 - Python 2.7 has no f-strings
    factory.setSessionParameters(url=url, server=factory.server)
    sys.stdout.write("cases=" + json.dumps(factory.specCases) + "\nws=" + url + "\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
