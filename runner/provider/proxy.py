"""The proxy between this computer and the provider, as set in the environment."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from runner.base.errors import InputError

# By scheme: the kind of proxy, and its default port. With all of these, the proxy resolves the provider's host name.
_KINDS: Final = {
    "http": ("http", 80),
    "socks": ("socks5", 1080),
    "socks5": ("socks5", 1080),
    "socks5h": ("socks5", 1080),
    "socks4": ("socks4", 1080),
    "socks4a": ("socks4", 1080),
}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. Its string form doesn't contain the password."""

    variable: str  # the environment variable that it comes from
    kind: str  # http (with CONNECT), socks5 or socks4
    host: str
    port: int
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"


def proxy_for(url: str) -> Proxy | None:
    """The proxy for a URL, or None, from HTTPS_PROXY, ALL_PROXY and NO_PROXY. Lower case takes precedence.

    HTTP_PROXY has no effect: plain http only leads to this computer, which a proxy elsewhere can't reach.

    Raises InputError if the variable has no valid proxy address.
    """
    from urllib.request import getproxies, proxy_bypass  # loads slowly, and `check` does without

    parts = urlsplit(url)
    proxies = getproxies()
    schemes = ("https", "all") if parts.scheme == "https" else ("all",)
    scheme = next((scheme for scheme in schemes if proxies.get(scheme)), None)
    if scheme is None or proxy_bypass(parts.netloc, proxies):
        return None
    return _read(f"{scheme.upper()}_PROXY", proxies[scheme])


def _read(variable: str, address: str) -> Proxy:
    scheme, rest = address.split("://", 1) if "://" in address else ("http", address)
    kind = _KINDS.get(scheme.lower())
    if kind is None:
        raise _wrong(
            variable, f"begins with {scheme}://, which is not supported" if scheme.isalnum() else "is not valid"
        )
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _wrong(variable, "has no valid host and port") from None
    if not host:
        raise _wrong(variable, "has no host name")
    if parts.username is None:
        return Proxy(variable, kind[0], host, port or kind[1])
    username, password = unquote(parts.username), unquote(parts.password or "")
    if ":" in username or max(username + password, default="") > "\xff":  # what an HTTP header can't contain
        raise _wrong(variable, "has a user name or password with characters that proxies don't support")
    return Proxy(variable, kind[0], host, port or kind[1], username, password)


def _wrong(variable: str, what: str) -> InputError:
    # The value isn't quoted, because it may contain a password.
    return InputError.of(
        f"the proxy address in the environment variable {variable} {what}",
        "use an address such as http://proxy.example:3128 or socks5://user:password@proxy.example:1080, with %40 for "
        "an @ in the password; or add the hosts that need no proxy to NO_PROXY",
    )
