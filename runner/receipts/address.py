"""The address for receipts, with a secret path. Pure.

A URL is all that a message can tell the provider about its receipts: the header is set in the account's webhook only.

The path is derived from the Authorization header, so that a run and `campaign receipts` agree on it without a file, and
the campaign file contains no secret.
"""

import hashlib
import hmac
from urllib.parse import urlsplit


def secret_path(authorization: str) -> str:
    """The last part of the address: 32 hexadecimal digits, which only somebody who knows the header can work out."""
    return hmac.new(authorization.encode(), b"campaign receipts", hashlib.sha256).hexdigest()[:32]


def with_secret_path(url: str, authorization: str) -> str:
    """The URL for receipts, with the secret path added: https://example.com/receipts/5f0c…"""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{secret_path(authorization)}").geturl()
