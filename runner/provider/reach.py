"""What all requests to the provider share: encryption, the key as a header, and a failure in words."""

import ssl

from runner.errors import InputError

CONNECT_TIMEOUT_S = 10.0
"""For a connection to stand."""


def tls_context() -> ssl.SSLContext:
    """Certificates verified against the system's store or SSL_CERT_FILE; TLS 1.3 at least, as Singapore demands."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def header_safe(api_key: str) -> str:
    """A key that cannot be a header value is refused here, because an error further down would print it."""
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise InputError.of(
            "EIGHTXEIGHT_API_KEY holds a space, a line break or another character that no API key has",
            "copy it again from the provider's portal",
        )
    return api_key


def in_words(error: Exception) -> str:
    """A library's error on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
