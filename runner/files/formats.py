"""The format of a file, by its ending and its first bytes, which must agree; and its bytes, unpacked and steady.

A spreadsheet that is named .csv, a web page that is named .xls, an archive without its ending: each is named for what
it is, with what to do. Guessing on would end in rows of nonsense.
"""

import gzip
import io
import re
import stat
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from runner.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]


class FileKind(StrEnum):
    """Which reader a file needs."""

    TEXT = "text"
    PARQUET = "parquet"
    SPREADSHEET = "spreadsheet"


class Packing(StrEnum):
    """How a text file is compressed, in words that go on with "is"."""

    NONE = "not compressed"
    GZIP = "compressed with gzip"
    ZSTD = "compressed with zstd"


class Content(StrEnum):
    """What the first bytes of a file show, in words that go on with "is"."""

    PARQUET = "a Parquet file"
    XLSX = "an Excel workbook (XLSX)"
    XLS = "an old Excel workbook (XLS)"
    ODS = "a spreadsheet (ODS)"
    GZIP = Packing.GZIP.value
    ZSTD = Packing.ZSTD.value
    ZIP = "a ZIP archive, or a damaged spreadsheet"
    PDF = "a PDF document"
    MARKUP = "a web page (HTML) or an XML document"
    JSON = "a JSON document"


@dataclass(frozen=True, slots=True)
class Format:
    """A file's kind, and how it is compressed (a text file only)."""

    kind: FileKind
    packing: Packing = Packing.NONE


SUPPORTED = ".csv, .tsv, .txt, .xlsx or .parquet"
_TEXT = (".csv", ".tsv", ".txt")
_SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_PACKED = {".gz": Packing.GZIP, ".zst": Packing.ZSTD}
_WORKBOOKS = {Content.XLSX: ".xlsx", Content.XLS: ".xls", Content.ODS: ".ods"}
_REMEDIES = {
    Content.GZIP: "rename it to {name}.gz",
    Content.ZSTD: "rename it to {name}.zst",
    Content.PARQUET: "rename it to {stem}.parquet",
    Content.ZIP: "unpack it and name the file that is in it, or make it again",
    Content.MARKUP: 'open it in a spreadsheet and save it as "CSV UTF-8"',
} | {found: f'rename it to {{stem}}{ending}, or save it as "CSV UTF-8"' for found, ending in _WORKBOOKS.items()}
_MAGIC = {
    b"PAR1": Content.PARQUET,
    b"\x1f\x8b": Content.GZIP,
    b"\x28\xb5\x2f\xfd": Content.ZSTD,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": Content.XLS,
    b"%PDF-": Content.PDF,
}
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|body|meta|table|div|script|style|\?xml)\b", re.IGNORECASE)
_JSON = re.compile(rb'\s*(?:\{\s*"|\{\s*\}|\[\s*[\[{"\]])')
_HEAD = 4_096

# A block of zstd is at least 4 bytes and unpacks to at most 128 kB, so this much input makes at most 32 MB.
_ZSTD_INPUT = 1_024
# What zstd itself takes without being told to; `zstd --long=31` would ask for 2 GB.
_ZSTD_WINDOW = 1 << 27


def identify(path: Path) -> Format:
    """The format of a file.

    Raises InputError for a file that is missing, empty, no file, or not what its ending says.
    """
    _must_be_a_file(path)
    with readable(path), path.open("rb") as file:
        head = file.read(_HEAD)
    ending = path.suffix.lower()
    if not head and ending in (*_TEXT, *_SPREADSHEETS, *_PACKED, ".parquet"):
        raise InputError.of(f"{path} is empty", "its first line must name the columns")
    content = _content(path, head)
    if packing := _PACKED.get(ending):
        _must_be_packed_text(path, packing, content)
        return Format(FileKind.TEXT, packing)
    for kind, endings, expected, words in (
        (FileKind.TEXT, _TEXT, (None,), "text"),
        (FileKind.PARQUET, (".parquet",), (Content.PARQUET,), "a Parquet file"),
        (FileKind.SPREADSHEET, _SPREADSHEETS, _WORKBOOKS, "a spreadsheet"),
    ):
        if ending in endings:
            if content not in expected:
                raise _mismatch(path, words, content)
            return Format(kind)
    words = f"{path} has the ending {ending}, which is not supported" if ending else f"{path} has no ending"
    raise InputError.of(f"{words}, and is {content}" if content else words, f"use a {SUPPORTED} file")


def _must_be_packed_text(path: Path, packing: Packing, content: Content | None) -> None:
    inner = Path(path.stem).suffix.lower()
    if inner in (".parquet", *_SPREADSHEETS):
        raise InputError.of(f"{path} is a compressed {inner} file", f"unpack it to {path.stem}")
    if inner not in _TEXT:
        remedy = f"name it .csv{path.suffix}, if that is what it holds"
        raise InputError.of(f"{path} doesn't say what it holds", remedy)
    if content is None or content.value != packing.value:
        raise _mismatch(path, packing.value, content)
    with readable(path), open_bytes(path, packing) as file:
        inside = _content(path, file.read(_HEAD))
    if inside is not None:
        raise InputError.of(f"{path} holds no text: unpacked it is {inside}", "unpack it, and name that file")


def _must_be_a_file(path: Path) -> None:
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


def _mismatch(path: Path, expected: str, content: Content | None) -> InputError:
    what = f"{path} is not {expected}, as its ending says"
    packed = path.suffix.lower() in _PACKED
    if content is None:
        name = path.stem if packed else f"{path.stem}.csv"
        return InputError.of(what, f'rename it to {name} if it is text, else save it as "CSV UTF-8"')
    remedy = _REMEDIES.get(content, "export the list as CSV from where it came")
    remedy = remedy.format(name=path.stem if packed else path.name, stem=path.stem)
    return InputError.of(f"{what}, but {content}", remedy)


def _content(path: Path, head: bytes) -> Content | None:
    """What the first bytes show; None: text, or nothing that people hand in."""
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    for magic, found in _MAGIC.items():
        if head.startswith(magic):
            return found
    text = head.removeprefix(b"\xef\xbb\xbf")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", "ignore").encode("ascii", "ignore")
    if _MARKUP.match(text):
        return Content.MARKUP
    return Content.JSON if _JSON.match(text) else None


def _zip(path: Path) -> Content:
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype")[:80] if "mimetype" in names else b""
    except (BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError):
        return Content.ZIP
    if any(re.fullmatch(r"xl/workbook\w*\.(?:xml|bin)", name) for name in names):
        return Content.XLSX
    return Content.ODS if kind.startswith(b"application/vnd.oasis.opendocument.spreadsheet") else Content.ZIP


def open_bytes(path: Path, packing: Packing) -> BinaryIO:
    """The unpacked bytes, to be read within `readable`; unpacking takes no more memory for a larger file."""
    if packing is Packing.GZIP:
        return cast("BinaryIO", gzip.open(path, "rb"))
    if packing is Packing.ZSTD:
        return cast("BinaryIO", io.BufferedReader(_Pieces(_unzstd(path)), 1 << 17))
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

    Half of an old list and half of a new one belong together in no way. The error replaces any other in the block: a
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
    """Inode, bytes and nanoseconds; None where there is no file: whoever opens it says what is wrong."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class _Pieces(io.RawIOBase):
    """A file of bytes that come in pieces."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        while not self._rest:
            if (piece := next(self._pieces, None)) is None:
                return 0
            self._rest = memoryview(piece)
        target = memoryview(buffer).cast("B")
        some, self._rest = self._rest[: len(target)], self._rest[len(target) :]
        target[: len(some)] = some
        return len(some)

    def close(self) -> None:
        self._pieces.close()
        super().close()


def _unzstd(path: Path) -> Generator[bytes, None, None]:
    """Not zstandard's own reader: that one takes an archive which breaks off for one that ends."""
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame = None
    with path.open("rb") as file:
        while data := file.read(_ZSTD_INPUT):
            while data:
                frame = frame or decompressor.decompressobj()
                try:
                    yield frame.decompress(data)
                except zstandard.ZstdError as error:
                    raise _DamagedError from error
                # Several frames make one archive, as with `cat a.zst b.zst`.
                data, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None:
        raise _DamagedError
