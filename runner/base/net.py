"""Checks of hosts, addresses and URLs that several rooms need."""

import ipaddress
import os
from urllib.parse import urlsplit


def is_loopback(host: str | None) -> bool:
    """Whether only this computer can reach `host`, a name or address without port or brackets.

    The only name that counts is `localhost`, because other names can resolve to anything. A number such as 2130706433,
    which some resolvers read as 127.0.0.1, doesn't count either.
    """
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_private(host: str | None) -> bool:
    """Whether `host` is an address in a private network or of this computer, or the name `localhost`."""
    try:
        return not ipaddress.ip_address(host or "").is_global
    except ValueError:
        return is_loopback(host)


def is_http_url(url: str) -> bool:
    """Whether `url` is an absolute URL: http or https, with a host."""
    try:
        parts = urlsplit(url)
    except ValueError:  # "https://[::1"
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def listen_failure(error: OSError) -> str:
    """Why a server can't listen, such as "Address already in use"."""
    # Not the text of the event loop, which shows addresses as Python tuples. Errors of DNS have negative numbers.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else str(error.strerror)
