"""Requests."""

import json
import logging
import urllib.request


class API:
    def __init__(self, base_url=None, timeout=None):
        self.base_url, self.timeout = base_url, timeout

    def post(self, path, payload):
        logging.debug(payload)
        request = urllib.request.Request(  # noqa: S310 - of a test
            self.base_url + path, json.dumps(payload).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=self.timeout) as answer:  # noqa: S310
            return json.loads(answer.read())
