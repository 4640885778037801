"""A certificate authority of the simulator's own, for `--tls`."""

from __future__ import annotations

import ssl
from pathlib import Path

from tickwire.errors import TickwireError


def server_context(host: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make an authority and a certificate that it signed for `host`.

    Parameters
    ----------
    host
        Name or address that clients connect to; `localhost` and `127.0.0.1` are always covered.
    folder
        Where the authority's certificate is written, as `ca.pem`.

    Returns
    -------
    tuple
        The server's TLS context, and the file that clients have to trust.

    Raises
    ------
    TickwireError
        Where the package `trustme` is not installed.
    """
    try:
        import trustme
    except ImportError as error:
        raise TickwireError(
            "TLS in the simulator needs the package trustme: pip install 'tickwire[sim]'"
        ) from error
    authority = trustme.CA()
    names = dict.fromkeys((host, "localhost", "127.0.0.1"))
    certificate = authority.issue_cert(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate.configure_cert(context)
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    return context, ca_file
