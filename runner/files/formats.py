"""The format of a file, by its extension and first bytes, which must agree; and its unpacked bytes.

A spreadsheet named .csv, a web page named .xls, an archive without its extension: the error says what the file is and
what to do. Reading on would give nonsense rows.
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
    """File formats, with words that follow "is". The archive formats contain text."""

    TEXT = "text"
    GZIP = "compressed with gzip"
    ZSTD = "compressed with zstd"
    PARQUET = "a Parquet file"
    XLSX = "an Excel workbook (XLSX)"
    XLS = "an old Excel workbook (XLS)"
    ODS = "a spreadsheet (ODS)"
    ZIP = "a ZIP archive or a damaged spreadsheet"
    PDF = "a PDF document"
    MARKUP = "a web page (HTML) or an XML file"
    JSON = "a JSON file"

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
    Format.ZIP: "unpack it and use the file inside, or create the file again",
    Format.MARKUP: 'open it in a spreadsheet and save it as "CSV UTF-8"',
    Format.TEXT: 'rename it to {text} if it is a text file, or save it as "CSV UTF-8"',
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

# A zstd block has at least 4 bytes and unpacks to at most 128 kB, so this much input gives at most 32 MB.
_ZSTD_INPUT = 1_024
# A list of distinct numbers shrinks to a twentieth. What grows to two hundred times its size is no list, and 5 MB of
# gzip can hold 5 GB of blank lines.
_MOST_GROWTH = 200
_SMALL_BYTES = 1 << 28

# The default limit of zstd; `zstd --long=31` would need 2 GB.
_ZSTD_WINDOW = 1 << 27


def identify(path: Path) -> Format:
    """The format of a supported file.

    Raises InputError if the path is missing, not a file or empty, or if content and extension don't match.
    """
    _check_file(path)
    with readable(path), path.open("rb") as file:
        head = file.read(_HEAD)
    ending = path.suffix.lower()
    expected, found = _BY_ENDING.get(ending), _content(path, head)
    if expected is None:
        words = f"{path} has the unsupported extension {ending}" if ending else f"{path} has no file extension"
        words = words if found is Format.TEXT else f"{words} and is {found}"
        raise InputError.of(words, f"use a {SUPPORTED} file")
    if not head:
        raise InputError.of(f"{path} is empty", "write the column names on the first line")
    if expected in _ARCHIVES:
        inner = Path(path.stem).suffix.lower()
        packed = _BY_ENDING.get(inner)
        if packed is Format.PARQUET or packed in _SPREADSHEETS:
            what = f"{path} is a compressed {inner} file, which is not supported"
            raise InputError.of(what, f"unpack it to {path.stem}")
        if packed is not Format.TEXT:
            remedy = f"rename it to end in .csv{path.suffix} if it contains CSV"
            raise InputError.of(f"{path} has no extension for the format inside the archive", remedy)
    if found is not expected and not (found.is_spreadsheet and expected.is_spreadsheet):
        raise _mismatch(path, expected, found)
    if expected in _ARCHIVES:
        with readable(path), open_bytes(path, expected) as file:
            content = _content(path, file.read(_HEAD))
        if content is not Format.TEXT:
            what = f"{path} doesn't contain text; the content is {content}"
            raise InputError.of(what, "unpack it and use the file inside")
    return found


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(f"{path} does not exist", "check the path; it is relative to the campaign file") from None
    except (OSError, ValueError) as error:
        raise InputError.of(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(mode):
        raise InputError.of(f"{path} is a folder", f"write the path of a {SUPPORTED} file in it")
    if not stat.S_ISREG(mode):
        raise InputError.of(f"{path} is a pipe or a device", "save the data to a file: it is read twice")


def _mismatch(path: Path, expected: Format, found: Format) -> InputError:
    what = f"{path} should be {'a spreadsheet' if expected.is_spreadsheet else expected} (by its extension), but is"
    is_archive = expected in _ARCHIVES
    remedy = _REMEDIES.get(found, "export the list again as CSV").format(
        name=path.stem if is_archive else path.name,
        stem=path.stem,
        text=path.stem if is_archive else f"{path.stem}.csv",
    )
    return InputError.of(f"{what} {'not' if found is Format.TEXT else found}", remedy)


def _content(path: Path, head: bytes) -> Format:
    """The format by the first bytes; TEXT for any other format."""
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
            mimetype = b""
            if "mimetype" in names:
                with archive.open("mimetype") as file:
                    mimetype = file.read(80)
    except (BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError):
        return Format.ZIP
    if any(re.fullmatch(r"xl/workbook\w*\.(?:xml|bin)", name) for name in names):
        return Format.XLSX
    return Format.ODS if mimetype.startswith(b"application/vnd.oasis.opendocument.spreadsheet") else Format.ZIP


def open_bytes(path: Path, file_format: Format) -> BinaryIO:
    """The unpacked bytes, to be read within `readable`. Memory doesn't grow with the file."""
    if file_format is Format.GZIP:
        return cast("BinaryIO", _GzipFile(path))
    if file_format is Format.ZSTD:
        return cast("BinaryIO", io.BufferedReader(_ZstdFile(path), 1 << 17))
    return path.open("rb")


class _GzipFile(gzip.GzipFile):
    """An unpacked archive that raises InputError if it grows too much."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path = path

    def read1(self, size: int = -1) -> bytes:
        _check_growth(self._path, self.tell())
        return super().read1(size)

    def read(self, size: int | None = -1) -> bytes:
        _check_growth(self._path, self.tell())
        return super().read(size)


def _check_growth(path: Path, unpacked: int) -> None:
    if unpacked > _SMALL_BYTES and unpacked > _MOST_GROWTH * path.stat().st_size:
        what = f"{path} is more than {_MOST_GROWTH} times as large when unpacked, so it is not a list of recipients"
        raise InputError.of(what, "create it again; if it is right, unpack it")


class _DamagedError(Exception):
    """A compressed file that is truncated or invalid."""


@contextmanager
def readable(path: Path) -> Generator[None, None, None]:
    """Turn errors of reading bytes into InputError."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, _DamagedError) as error:
        what = f"{path} is a damaged or incomplete archive"
        raise InputError.of(what, "copy or create it again") from error
    except OSError as error:
        remedy = "change its permissions, or ask its owner" if error.errno == 13 else ""
        raise InputError.of(f"{path} can't be read: {error.strerror or error}", remedy) from error


@contextmanager
def unchanged(path: Path) -> Generator[None, None, None]:
    """Raise InputError at the end of the block if the file was replaced or written to since its start.

    Rows of an old and a new list must not be mixed. The error replaces any other error of the block: an unclosed quote
    in a half-written file is misleading, and a second read may miss what the first found.
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
    """The error for a file that changed."""
    return InputError.of(f"{path} changed while it was read", "wait until it is complete, then run the command again")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Inode, bytes and nanoseconds; None if there is no file: opening it reports the error."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class _ZstdFile(io.RawIOBase):
    """An unpacked archive. zstandard's own reader doesn't notice a truncated archive."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._pieces = _unpacked(path, self._file)
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - typing has no name for writable buffers
        self._piece = self._piece or next(self._pieces, self._piece)
        count = min(len(buffer), len(self._piece))
        buffer[:count], self._piece = self._piece[:count], self._piece[count:]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacked(path: Path, file: BinaryIO) -> Iterator[memoryview]:
    """The content in pieces. An archive may have several frames, as after `cat a.zst b.zst`."""
    import zstandard

    frame = None
    total = 0
    try:
        while packed := file.read(_ZSTD_INPUT):
            while packed:
                frame = frame or zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
                if piece := frame.decompress(packed):
                    total += len(piece)
                    _check_growth(path, total)
                    yield memoryview(piece)
                packed, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    except zstandard.ZstdError as error:
        raise _DamagedError from error
    if frame is not None:
        raise _DamagedError
