"""Which proxy a connection takes: the one that is set, one of the environment's, or none.

Rules of this file
------------------
- `off` means none, whatever the environment says; a URL means that proxy and no other.
- Else the environment decides, as it does for curl: `https_proxy` for wss and https, `http_proxy`
  for ws and http, `all_proxy` for both; capitals too, small letters first. Hosts that `no_proxy`
  names are reached directly.
- A proxy is shown without its user and password, and with the name of what named it.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from tickwire import errors
from tickwire.redaction import hide_url, shown_url

OFF = "off"
# Scheme to the port where a URL names none.
SCHEMES = {"http": 80, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
VARIABLES = ("https_proxy", "http_proxy", "all_proxy")
NO_PROXY = "no_proxy"
_VARIABLE_OF = {
    "wss": "https_proxy", "https": "https_proxy", "ws": "http_proxy", "http": "http_proxy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and what named it.

    Parameters
    ----------
    url
        Its URL, as it was given.
    named_by
        `proxy`, the setting, or a variable of the environment.

    Raises
    ------
    ConnectionFailed
        If it is none that can be used.
    """

    url: str = field(repr=False)
    named_by: str = "proxy"

    def __post_init__(self) -> None:
        hide_url(self.url)
        if self.parts.scheme not in SCHEMES or not self.parts.hostname:
            schemes = ", ".join(SCHEMES)
            raise errors.ConnectionFailed(f"{self}: a proxy is SCHEME://HOST:PORT, with {schemes}")

    def __str__(self) -> str:
        return f"proxy {shown_url(self.url)} ({self.named_by})"

    @property
    def parts(self) -> SplitResult:
        """The parts of its URL; one without a scheme is an HTTP proxy's."""
        try:
            parts = urlsplit(self.url if "://" in self.url else f"http://{self.url}")
            _ = parts.port
        except ValueError:
            return urlsplit("")
        return parts


def proxy_for(
    url: str, setting: str | None, environment: Mapping[str, str] | None = None
) -> Proxy | None:
    """Give the proxy on the way to a URL; None: connect directly.

    Parameters
    ----------
    url
        Where to; of the schemes ws, wss, http, https.
    setting
        The URL of a proxy, `off`, or None: what the environment says.
    environment
        Instead of the process's own.

    Raises
    ------
    ConnectionFailed
        If what is named is no proxy that can be used.
    """
    if setting is not None:
        return None if setting == OFF else Proxy(setting)
    named = named_proxies(environment)
    parts = urlsplit(url)
    for name in (_VARIABLE_OF[parts.scheme], "all_proxy"):
        if name in named:
            variable, value = named[name]
            excepted = named.get(NO_PROXY, ("", ""))[1]
            if _is_excepted(parts.hostname or "", parts.port, excepted):
                return None
            return Proxy(value, variable)
    return None


def named_proxies(environment: Mapping[str, str] | None = None) -> dict[str, tuple[str, str]]:
    """Give what the environment says of proxies: name to the variable as it is written, value.

    Parameters
    ----------
    environment
        Instead of the process's own.
    """
    given = os.environ if environment is None else environment
    named = {}
    for name in (*VARIABLES, NO_PROXY):
        for variable in (name, name.upper()):
            # What a web server passes on of a request's header "Proxy" is not for us: httpoxy.
            if variable == "HTTP_PROXY" and "REQUEST_METHOD" in given:
                continue
            if given.get(variable):
                named[name] = (variable, given[variable])
                break
    return named


def _is_excepted(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether a host is in a list such as `localhost,.example.org,10.0.0.0/8,host:8080`."""
    for given in no_proxy.lower().split(","):
        entry = given.strip().removeprefix("*.").lstrip(".")
        if entry == "*":
            return True
        for place in (host, f"{host}:{port}"):
            if entry and (place == entry or place.endswith(f".{entry}")):
                return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False):
                return True
        except ValueError:  # a name
            continue
    return False
