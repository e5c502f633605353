"""Network errors as people read them: without error numbers, and without Python objects."""

import errno
import socket
import ssl

import pytest

from runner.provider.network_errors import network_error_text, no_connection_text
from runner.provider.proxy import Proxy


def certificate_error(message: str, code: int = 10) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] {message} (_ssl.c:1006)")
    error.verify_message, error.verify_code = message, code
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1006)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (OSError(errno.ECONNREFUSED, "Multiple exceptions: [Errno 111] …, [Errno 111] …"), "connection refused"),
        (
            ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
            "the connection was closed by the other side",
        ),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "the network can't be reached"),
        (OSError(errno.EACCES, "…"), "Permission denied"),
        (socket.gaierror(socket.EAI_AGAIN, "…"), "the host name can't be looked up now: no answer from DNS"),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "the host name can't be found in DNS (Name or service not known)",
        ),
        (
            certificate_error("certificate has expired"),
            "the TLS certificate has expired; the provider must renew it, or this computer's clock is wrong",
        ),
        (
            certificate_error("unable to get local issuer certificate", 20),
            "the TLS certificate is from an unknown authority (unable to get local issuer certificate); if a proxy "
            "inspects TLS, set SSL_CERT_FILE to a file with its authority",
        ),
        (ssl.SSLCertVerificationError(1, "no match"), "the TLS certificate is not valid: no match"),
        (
            tls_error("WRONG_VERSION_NUMBER"),
            "the other side does not speak TLS on this port; check EIGHTXEIGHT_BASE_URL",
        ),
        (tls_error("TLSV1_ALERT_INTERNAL_ERROR"), "TLS failed: tlsv1 alert internal error"),
        (UnicodeError("label empty or too long"), "the host name is not valid"),
        (ConnectionResetError("the connection was closed\n early"), "the connection was closed early"),
        (ConnectionError(), "ConnectionError"),
        (ConnectionError("x" * 500), "x" * 119 + "…"),
    ],
)
def test_what_people_read(error: Exception, expected: str) -> None:
    assert expected == network_error_text(error)


def test_a_proxy_is_named_without_its_password() -> None:
    proxy = Proxy("HTTPS_PROXY", "http", "proxy.example", 3128, "me", "hunter2")

    assert (
        "can't connect to sms.8x8.com:443 through the proxy http://proxy.example:3128: connection refused"
        == no_connection_text("sms.8x8.com:443", proxy, "connection refused")
    )
    assert "can't connect to sms.8x8.com:443: connection refused" == no_connection_text(
        "sms.8x8.com:443", None, "connection refused"
    )
