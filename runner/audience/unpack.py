"""The bytes of a file, unpacked as they are read: an archive of any size takes no more memory than a plain file."""

import gzip
import io
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from runner.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]


class Packing(StrEnum):
    """How a file is compressed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


# A block of zstd is at least 4 bytes and unpacks to at most 128 kB, so this much input makes at most 32 MB.
_ZSTD_INPUT = 1_024
# What zstd itself takes without being told to; `zstd --long=31` would ask for 2 GB.
_ZSTD_WINDOW = 1 << 27


class _DamagedError(Exception):
    """A compressed file that breaks off, or holds what its format doesn't."""


def open_bytes(path: Path, packing: Packing) -> BinaryIO:
    """The unpacked bytes, to be read within `readable`."""
    if packing is Packing.GZIP:
        return cast("BinaryIO", gzip.open(path, "rb"))
    if packing is Packing.ZSTD:
        return cast("BinaryIO", io.BufferedReader(_Zstd(path), 1 << 17))
    return path.open("rb")


@contextmanager
def readable(path: Path) -> Generator[None, None, None]:
    """Raises InputError for what happens when bytes are read that cannot be."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, _DamagedError) as error:
        what = f"{path} is a damaged or cut off archive"
        raise InputError([Problem(what, "copy or make it again; nothing of it is used")]) from error
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror or error}"
        raise InputError([Problem(what, "check that this user may read it" if error.errno == 13 else "")]) from error


class _Zstd(io.RawIOBase):
    """Not zstandard's own reader: that one takes an archive which breaks off for one that ends."""

    def __init__(self, path: Path) -> None:
        import zstandard

        self._error = zstandard.ZstdError
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._file = path.open("rb")
        self._input = b""
        self._output = memoryview(b"")

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def readinto(self, buffer: "Buffer") -> int:
        while not self._output:
            if not self._advance():
                return 0
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._output))
        target[:count] = self._output[:count]
        self._output = self._output[count:]
        return count

    def _advance(self) -> bool:
        """Unpacks a little more. False: the archive is at its end, and whole."""
        data = self._input or self._file.read(_ZSTD_INPUT)
        self._input = b""
        if not data:
            if self._frame is not None:
                raise _DamagedError
            return False
        if self._frame is None:
            self._frame = self._decompressor.decompressobj()
        try:
            self._output = memoryview(self._frame.decompress(data))
        except self._error as error:
            raise _DamagedError from error
        if self._frame.eof:
            self._input = self._frame.unused_data  # several frames make one archive, as with `cat a.zst b.zst`
            self._frame = None
        return True
