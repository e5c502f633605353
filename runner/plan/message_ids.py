"""Message IDs: unique at the provider and in the ledger."""

from base64 import b32encode
from hashlib import blake2b

# 120 bits: two of ten million keys share a token with a probability of 10^-23.
TOKEN_BYTES = 15


class MessageIds:
    """The clientMessageIds of one run: `NAME.RUN.TOKEN`, with a token derived only from name, run and key.

    So a new plan gives every recipient the same ID, even if the file has changed, and the ID contains neither the
    number nor the key. At most 64 + 64 + 24 characters and two dots (the provider accepts 350).
    """

    def __init__(self, name: str, run: str) -> None:
        self._prefix = f"{name}.{run}."
        self._seed = blake2b(f"{name}\0{run}\0".encode(), digest_size=TOKEN_BYTES)

    def of(self, key: str) -> str:
        digest = self._seed.copy()
        digest.update(key.encode("utf-8", "surrogatepass"))
        return self._prefix + token(digest.digest())


def token(random: bytes) -> str:
    """`TOKEN_BYTES` bytes as 24 characters of a-z and 2-7 (base 32 of RFC 4648, in lower case)."""
    return b32encode(random).decode().lower()
