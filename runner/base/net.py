"""Hosts, addresses and URLs: what several rooms ask about them."""

import ipaddress
import os
from urllib.parse import urlsplit


def is_loopback(host: str | None) -> bool:
    """Whether only this computer can reach `host`, a name or address without port or brackets.

    No name but `localhost` counts: what others resolve to can change. A number such as 2130706433, which some resolvers
    read as 127.0.0.1, doesn't count either.
    """
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_http_url(url: str) -> bool:
    """Whether `url` is absolute: http or https, with a host."""
    try:
        parts = urlsplit(url)
    except ValueError:  # "https://[::1"
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def listen_failure(error: OSError) -> str:
    """Why a server cannot listen, such as "Address already in use"."""
    # The event loop's own words name addresses in Python's notation; a resolver's errors have negative numbers.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else str(error.strerror)
