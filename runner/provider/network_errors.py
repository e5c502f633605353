"""What went wrong on the network, for people to read: no error numbers, no Python objects. Pure.

Libraries report network errors in their own ways, such as `[Errno 104]`, `Cannot connect to host … ssl:<ssl.SSLContext
object at 0x…>` or `[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1016)`. The functions here translate the
usual ones. They keep the original text, shortened, where it says more than the translation.
"""

import errno
import os
import socket
import ssl

from runner.provider.proxy import Proxy

# The most characters of a library's text.
ORIGINAL_LENGTH = 120

# By error number: what happened.
_BY_NUMBER = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "the connection was closed by the other side",
    errno.ECONNABORTED: "the connection was closed",
    errno.EPIPE: "the connection was closed by the other side",
    errno.ETIMEDOUT: "the connection timed out",
    errno.ENETUNREACH: "the network can't be reached",
    errno.ENETDOWN: "the network can't be reached",
    errno.EHOSTUNREACH: "the host can't be reached",
    errno.EHOSTDOWN: "the host can't be reached",
    errno.EMFILE: "too many open files; raise the limit (ulimit -n)",
}

# OpenSSL's verify codes for a certificate whose authority isn't trusted: self-signed, or an issuer that isn't known.
_UNKNOWN_AUTHORITY = (18, 19, 20, 21)
_EXPIRED = 10
_WRONG_HOST = (62, 64)

_NO_TLS = "the other side does not speak TLS on this port; check EIGHTXEIGHT_BASE_URL"
_NO_TLS_1_3 = "the other side does not support TLS 1.3, which 8x8 requires; check EIGHTXEIGHT_BASE_URL and the proxy"
_NO_CLIENT_CERTIFICATE = "the other side demands a client certificate; set EIGHTXEIGHT_CLIENT_CERT"
_WRONG_CLIENT_CERTIFICATE = "the other side refuses the client certificate; check EIGHTXEIGHT_CLIENT_CERT"

# By the name that OpenSSL gives the error. Trying again changes none of these.
_BY_TLS_REASON = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_TLS_1_3,
    "UNSUPPORTED_PROTOCOL": _NO_TLS_1_3,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _NO_CLIENT_CERTIFICATE,
    "SSLV3_ALERT_BAD_CERTIFICATE": _WRONG_CLIENT_CERTIFICATE,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _WRONG_CLIENT_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _WRONG_CLIENT_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _WRONG_CLIENT_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _WRONG_CLIENT_CERTIFICATE,
    "TLSV1_ALERT_UNKNOWN_CA": _WRONG_CLIENT_CERTIFICATE,
    "TLSV1_ALERT_ACCESS_DENIED": _WRONG_CLIENT_CERTIFICATE,
}


def network_error_text(error: BaseException) -> str:
    """One line about an error of a connection, such as "connection refused"."""
    if isinstance(error, ssl.SSLCertVerificationError):
        # Only OpenSSL sets these attributes; Python code can raise the error without them.
        message = one_line(getattr(error, "verify_message", "") or str(error)).rstrip(".")
        if getattr(error, "verify_code", 0) in _UNKNOWN_AUTHORITY:
            remedy = "if a proxy inspects TLS, set SSL_CERT_FILE to a file with its authority"
            return f"the TLS certificate is from an unknown authority ({message}); {remedy}"
        if getattr(error, "verify_code", 0) == _EXPIRED:
            return "the TLS certificate has expired; the provider must renew it, or this computer's clock is wrong"
        if getattr(error, "verify_code", 0) in _WRONG_HOST:
            return f"the TLS certificate is for another host ({message}); check EIGHTXEIGHT_BASE_URL"
        return f"the TLS certificate is not valid: {message}"
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", "") or ""
        return _BY_TLS_REASON.get(reason) or f"TLS failed: {reason.replace('_', ' ').lower() or one_line(str(error))}"
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return "the host name can't be looked up now: no answer from DNS"
        return f"the host name can't be found in DNS ({one_line(error.strerror or str(error))})"
    if isinstance(error, UnicodeError):
        return "the host name is not valid"
    if isinstance(error, OSError) and (error.errno or 0) > 0:
        number = error.errno or 0
        return _BY_NUMBER.get(number) or os.strerror(number)
    return one_line(str(error)) or type(error).__name__


def is_lasting(error: BaseException | None) -> bool:
    """Whether a connection failed for a reason in TLS that trying again doesn't change, such as a wrong certificate."""
    if isinstance(error, ssl.SSLError):
        return isinstance(error, ssl.SSLCertVerificationError) or error.reason in _BY_TLS_REASON
    return False


def proxy_error_text(error: Exception) -> str:
    """One line about a connection that failed at the proxy. `error` is python-socks' own."""
    from python_socks import ProxyConnectionError  # only loaded where there is a proxy

    if isinstance(error, ProxyConnectionError):
        return f"the proxy can't be reached: {network_error_text(error.__cause__ or error)}"
    return f"the proxy refused the connection ({one_line(str(error))})"


def no_connection_text(host: str, proxy: Proxy | None, why: str) -> str:
    """One line about a connection that could not be established. A proxy is shown without its password."""
    through = f" through the proxy {proxy}" if proxy else ""
    return f"can't connect to {host}{through}: {why}"


def one_line(text: str, length: int = ORIGINAL_LENGTH) -> str:
    """A library's text on one line, shortened."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())  # a proxy's answer may hold any bytes
    return line if len(line) <= length else line[: length - 1] + "…"
