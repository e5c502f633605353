"""What tells one message from all others, at the provider and in the ledger."""

from base64 import b32encode
from hashlib import blake2b

# 120 bits: two of ten million keys share a token with a probability of 10^-23.
TOKEN_BYTES = 15


class MessageIds:
    """The clientMessageIds of one run: `NAME.RUN.TOKEN`, the token derived from name, run and key alone.

    So a plan that is made again gives every recipient the same id, whatever became of the file around it; and neither
    the number nor the key stands in it. At most 64 + 64 + 24 characters and two dots (the provider takes 350).
    """

    def __init__(self, name: str, run: str) -> None:
        self._prefix = f"{name}.{run}."
        self._seed = blake2b(f"{name}\0{run}\0".encode(), digest_size=TOKEN_BYTES)

    def of(self, key: str) -> str:
        digest = self._seed.copy()
        digest.update(key.encode("utf-8", "surrogatepass"))
        return self._prefix + token(digest.digest())


def token(random: bytes) -> str:
    """`TOKEN_BYTES` bytes as 24 characters of a-z and 2-7 (base 32 of RFC 4648, in small letters)."""
    return b32encode(random).decode().lower()
