"""Where something may be posted."""

import ipaddress
from urllib.parse import urlsplit


def is_absolute(url: str) -> bool:
    """Whether an URL says how and where, in full."""
    try:
        parts = urlsplit(url)
    except ValueError:  # "https://[::1"
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def is_loopback(host: str | None) -> bool:
    """Whether a host, as an URL has it, is this computer: by its address, or by the one name that says so."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
