"""The format of a file, by its ending and its first bytes, which must agree; and its bytes, unpacked and unchanged.

A spreadsheet that is named .csv, a web page that is named .xls, an archive without its ending: each is named for what
it is, with what to do. Guessing on would end in rows of nonsense.
"""

import gzip
import io
import re
import stat
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, cast

from runner.base.errors import InputError


class Format(StrEnum):
    """What a file is, in words that go on with "is". Those of archives mean text in them."""

    TEXT = "text"
    GZIP = "compressed with gzip"
    ZSTD = "compressed with zstd"
    PARQUET = "a Parquet file"
    XLSX = "an Excel workbook (XLSX)"
    XLS = "an old Excel workbook (XLS)"
    ODS = "a spreadsheet (ODS)"
    ZIP = "a ZIP archive, or a damaged spreadsheet"
    PDF = "a PDF document"
    MARKUP = "a web page (HTML) or an XML document"
    JSON = "a JSON document"

    @property
    def is_text(self) -> bool:
        return self is Format.TEXT or self in _ARCHIVES

    @property
    def is_spreadsheet(self) -> bool:
        return self in _SPREADSHEETS


SUPPORTED = ".csv, .tsv, .txt, .xlsx or .parquet"
_ARCHIVES = (Format.GZIP, Format.ZSTD)
_SPREADSHEETS = (Format.XLSX, Format.XLS, Format.ODS)
_BY_ENDING = {
    ".csv": Format.TEXT, ".tsv": Format.TEXT, ".txt": Format.TEXT, ".gz": Format.GZIP, ".zst": Format.ZSTD,
    ".parquet": Format.PARQUET, ".xlsx": Format.XLSX, ".xlsm": Format.XLSX, ".xlsb": Format.XLSX, ".xls": Format.XLS,
    ".ods": Format.ODS,
}  # fmt: skip
_REMEDIES = {
    Format.GZIP: "rename it to {name}.gz",
    Format.ZSTD: "rename it to {name}.zst",
    Format.PARQUET: "rename it to {stem}.parquet",
    Format.XLSX: 'rename it to {stem}.xlsx, or save it as "CSV UTF-8"',
    Format.XLS: 'rename it to {stem}.xls, or save it as "CSV UTF-8"',
    Format.ODS: 'rename it to {stem}.ods, or save it as "CSV UTF-8"',
    Format.ZIP: "unpack it and name the file that is in it, or make it again",
    Format.MARKUP: 'open it in a spreadsheet and save it as "CSV UTF-8"',
    Format.TEXT: 'rename it to {text} if it is text, else save it as "CSV UTF-8"',
}
_MAGIC = {
    b"PAR1": Format.PARQUET,
    b"\x1f\x8b": Format.GZIP,
    b"\x28\xb5\x2f\xfd": Format.ZSTD,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": Format.XLS,
    b"%PDF-": Format.PDF,
}
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|body|meta|table|div|script|style|\?xml)\b", re.IGNORECASE)
_JSON = re.compile(rb'\s*(?:\{\s*"|\{\s*\}|\[\s*[\[{"\]])')
_HEAD = 4_096

# A block of zstd is at least 4 bytes and unpacks to at most 128 kB, so this much input makes at most 32 MB.
_ZSTD_INPUT = 1_024
# What zstd itself takes by default; `zstd --long=31` would ask for 2 GB.
_ZSTD_WINDOW = 1 << 27


def identify(path: Path) -> Format:
    """The format of a file, one that can be read.

    Raises InputError for a file that is missing, empty, no file, or not what its ending says.
    """
    _check_file(path)
    with readable(path), path.open("rb") as file:
        head = file.read(_HEAD)
    ending = path.suffix.lower()
    expected, found = _BY_ENDING.get(ending), _content(path, head)
    if expected is None:
        words = f"{path} has the ending {ending}, which is not supported" if ending else f"{path} has no ending"
        words = words if found is Format.TEXT else f"{words}, and is {found}"
        raise InputError.of(words, f"use a {SUPPORTED} file")
    if not head:
        raise InputError.of(f"{path} is empty", "its first line must name the columns")
    if expected in _ARCHIVES:
        inner = Path(path.stem).suffix.lower()
        packed = _BY_ENDING.get(inner)
        if packed is Format.PARQUET or packed in _SPREADSHEETS:
            raise InputError.of(f"{path} is a compressed {inner} file", f"unpack it to {path.stem}")
        if packed is not Format.TEXT:
            remedy = f"name it .csv{path.suffix}, if that is what it holds"
            raise InputError.of(f"{path} doesn't say what it holds", remedy)
    if found is not expected and not (found.is_spreadsheet and expected.is_spreadsheet):
        raise _mismatch(path, expected, found)
    if expected in _ARCHIVES:
        with readable(path), open_bytes(path, expected) as file:
            content = _content(path, file.read(_HEAD))
        if content is not Format.TEXT:
            raise InputError.of(f"{path} holds no text: unpacked it is {content}", "unpack it, and name that file")
    return found


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(f"{path} does not exist", "check the name; it is relative to the campaign file") from None
    except (OSError, ValueError) as error:
        raise InputError.of(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(mode):
        raise InputError.of(f"{path} is not a file but a folder", f"name a {SUPPORTED} file in it")
    if not stat.S_ISREG(mode):
        raise InputError.of(f"{path} is not a file but a pipe or a device", "write to a file first: it is read twice")


def _mismatch(path: Path, expected: Format, found: Format) -> InputError:
    what = f"{path} is not {'a spreadsheet' if expected.is_spreadsheet else expected}, as its ending says"
    is_archive = expected in _ARCHIVES
    remedy = _REMEDIES.get(found, "export the list as CSV from where it came").format(
        name=path.stem if is_archive else path.name,
        stem=path.stem,
        text=path.stem if is_archive else f"{path.stem}.csv",
    )
    return InputError.of(what if found is Format.TEXT else f"{what}, but {found}", remedy)


def _content(path: Path, head: bytes) -> Format:
    """What the first bytes show; TEXT also for what people don't hand in."""
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    for magic, found in _MAGIC.items():
        if head.startswith(magic):
            return found
    text = head.removeprefix(b"\xef\xbb\xbf")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", "ignore").encode("ascii", "ignore")
    if _MARKUP.match(text):
        return Format.MARKUP
    return Format.JSON if _JSON.match(text) else Format.TEXT


def _zip(path: Path) -> Format:
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            mimetype = archive.read("mimetype")[:80] if "mimetype" in names else b""
    except (BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError):
        return Format.ZIP
    if any(re.fullmatch(r"xl/workbook\w*\.(?:xml|bin)", name) for name in names):
        return Format.XLSX
    return Format.ODS if mimetype.startswith(b"application/vnd.oasis.opendocument.spreadsheet") else Format.ZIP


def open_bytes(path: Path, file_format: Format) -> BinaryIO:
    """The unpacked bytes, to be read within `readable`; unpacking takes no more memory for a larger file."""
    if file_format is Format.GZIP:
        return cast("BinaryIO", gzip.open(path, "rb"))
    if file_format is Format.ZSTD:
        return cast("BinaryIO", io.BufferedReader(_ZstdFile(path), 1 << 17))
    return path.open("rb")


class _DamagedError(Exception):
    """A compressed file that breaks off, or holds what its format doesn't."""


@contextmanager
def readable(path: Path) -> Generator[None, None, None]:
    """Raises InputError for what happens when bytes are read that cannot be."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, _DamagedError) as error:
        what = f"{path} is a damaged or cut off archive"
        raise InputError.of(what, "copy or make it again; nothing of it is used") from error
    except OSError as error:
        remedy = "check that this user may read it" if error.errno == 13 else ""
        raise InputError.of(f"{path} cannot be read: {error.strerror or error}", remedy) from error


@contextmanager
def unchanged(path: Path) -> Generator[None, None, None]:
    """Raises InputError at the end of the block if the file was replaced or written to since its start.

    Half of an old list and half of a new one make no list. The error replaces any other in the block: a
    quote that is never closed in a half written file is no news, and a second reading may miss what the first found.
    """
    before = _stamp(path)
    try:
        yield
    except Exception as error:
        if before is not None and _stamp(path) != before:
            raise changed(path) from error
        raise
    if before is not None and _stamp(path) != before:
        raise changed(path)


def changed(path: Path) -> InputError:
    """The error for a file that is no longer what it was."""
    return InputError.of(f"{path} changed while it was read", "run again when it is written whole")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Inode, bytes and nanoseconds; None where there is no file: opening it says what is wrong."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class _ZstdFile(io.RawIOBase):
    """An unpacked archive. zstandard's own reader takes one that breaks off for one that ends."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._pieces = _unpacked(self._file)
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - typing has no name for what can be written to
        self._piece = self._piece or next(self._pieces, self._piece)
        count = min(len(buffer), len(self._piece))
        buffer[:count], self._piece = self._piece[:count], self._piece[count:]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacked(file: BinaryIO) -> Iterator[memoryview]:
    """The content in pieces. Several frames make one archive, as with `cat a.zst b.zst`."""
    import zstandard

    frame = None
    try:
        while packed := file.read(_ZSTD_INPUT):
            while packed:
                frame = frame or zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
                if piece := frame.decompress(packed):
                    yield memoryview(piece)
                packed, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    except zstandard.ZstdError as error:
        raise _DamagedError from error
    if frame is not None:
        raise _DamagedError
