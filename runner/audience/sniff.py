"""What a file is: by its ending and by its first bytes, which must agree.

A spreadsheet that is named .csv, a web page that is named .xls, an archive without its ending: each is named for what
it is, with what to do. Guessing on would end in a message about "a NUL byte in line 1", or in rows of nonsense.
"""

import re
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner.audience.unpack import Packing, open_bytes, readable
from runner.errors import InputError


class Kind(StrEnum):
    """Which reader a file needs."""

    TEXT = "text"
    PARQUET = "parquet"
    SPREADSHEET = "spreadsheet"


class Content(StrEnum):
    """What a file is by its first bytes, in words that go on with "is"; None stands for nothing but text."""

    PARQUET = "a Parquet file"
    ENCRYPTED = "an encrypted Parquet file"
    XLSX = "an Excel workbook (XLSX)"
    XLSB = "an Excel workbook (XLSB)"
    XLS = "an old Excel workbook (XLS)"
    ODS = "a spreadsheet (ODS)"
    GZIP = "compressed with gzip"
    ZSTD = "compressed with zstd"
    BZIP2 = "compressed with bzip2"
    XZ = "compressed with xz"
    ZIP = "a ZIP archive"
    DAMAGED_ZIP = "a damaged ZIP archive or spreadsheet"
    SEVEN_ZIP = "a 7-Zip archive"
    RAR = "a RAR archive"
    WEB_PAGE = "a web page (HTML)"
    XML_SPREADSHEET = "an XML spreadsheet of Excel 2003"
    WORD = "a Word document"
    APPLE = "a document of Apple Numbers or Pages"
    PDF = "a PDF document"
    RTF = "a text document (RTF)"
    JSON = "a JSON document"
    SQLITE = "an SQLite database"
    ARROW = "an Arrow file"
    ORC = "an ORC file"
    AVRO = "an Avro file"
    PNG = "a picture (PNG)"
    JPEG = "a picture (JPEG)"


@dataclass(frozen=True, slots=True)
class Found:
    """A file's kind, and how it is compressed (a text file only)."""

    kind: Kind
    packing: Packing = Packing.NONE


SUPPORTED = ".csv, .tsv, .txt, .xlsx or .parquet"
_TEXT = (".csv", ".tsv", ".txt")
_SPREADSHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_PACKED = {".gz": Packing.GZIP, ".zst": Packing.ZSTD}
_WORKBOOKS = {Content.XLSX: ".xlsx", Content.XLSB: ".xlsb", Content.XLS: ".xls", Content.ODS: ".ods"}
_COMPRESSED = {Content.GZIP: ".gz", Content.ZSTD: ".zst"}
_TO_UNPACK = frozenset({Content.BZIP2, Content.XZ, Content.ZIP, Content.DAMAGED_ZIP, Content.SEVEN_ZIP, Content.RAR})
_SAVE_AS_CSV = 'save it as "CSV UTF-8" and name that file'
_HEAD = 4_096

_MAGIC: tuple[tuple[bytes, Content], ...] = (
    (b"PAR1", Content.PARQUET),
    (b"PARE", Content.ENCRYPTED),
    (b"\x1f\x8b", Content.GZIP),
    (b"\x28\xb5\x2f\xfd", Content.ZSTD),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Content.XLS),
    (b"BZh", Content.BZIP2),
    (b"\xfd7zXZ\0", Content.XZ),
    (b"7z\xbc\xaf\x27\x1c", Content.SEVEN_ZIP),
    (b"Rar!\x1a\x07", Content.RAR),
    (b"%PDF-", Content.PDF),
    (b"{\\rtf", Content.RTF),
    (b"SQLite format 3\0", Content.SQLITE),
    (b"ARROW1\0\0", Content.ARROW),
    (b"ORC", Content.ORC),
    (b"Obj\x01", Content.AVRO),
    (b"\x89PNG", Content.PNG),
    (b"\xff\xd8\xff", Content.JPEG),
)
_WEB = re.compile(rb"\s*<(?:!doctype|html|head|body|meta|table|div|script|style|\?xml)\b", re.IGNORECASE)
_XML_SPREADSHEET = b"urn:schemas-microsoft-com:office:spreadsheet"
_JSON = re.compile(rb'\s*(?:\{\s*"|\{\s*\}|\[\s*[\[{"\]])')
# A column may well be called ORC… or BZh…; these few letters say something only before bytes that no text holds.
_LIKE_TEXT = (b"ORC", b"BZh")


def identify(path: Path) -> Found:
    """The kind of a file. Raises InputError for a file that is missing, empty, no file, or not what its ending says."""
    _must_be_a_file(path)
    with readable(path), path.open("rb") as file:
        head = file.read(_HEAD)
    if not head and path.suffix.lower() in (*_TEXT, *_SPREADSHEETS, *_PACKED, ".parquet"):
        raise InputError.of(f"{path} is empty", "its first line must name the columns")
    return _by_ending(path, head)


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


def _by_ending(path: Path, head: bytes) -> Found:
    ending = path.suffix.lower()
    if packing := _PACKED.get(ending):
        return _packed(path, packing, head)
    if ending == ".numbers":
        raise InputError.of(f"{path} is a spreadsheet of Apple Numbers", _SAVE_AS_CSV)
    if ending in _TEXT:
        _must_be_text(path, head)
        return Found(Kind.TEXT)
    if ending == ".parquet":
        if not head.startswith(b"PAR1"):
            raise _not(path, "a Parquet file", content(path, head))
        return Found(Kind.PARQUET)
    if ending in _SPREADSHEETS:
        found = content(path, head)
        if found not in _WORKBOOKS:
            raise _not(path, "a spreadsheet", found)
        return Found(Kind.SPREADSHEET)
    found = content(path, head)
    words = f"{path} has the ending {ending}, which is not supported" if ending else f"{path} has no ending"
    raise InputError.of(f"{words}, and is {found}" if found else words, f"use a {SUPPORTED} file")


def _packed(path: Path, packing: Packing, head: bytes) -> Found:
    inner = path.with_suffix("")
    if inner.suffix.lower() not in _TEXT:
        if inner.suffix.lower() in (".parquet", *_SPREADSHEETS):
            raise InputError.of(f"{path} is a compressed {inner.suffix.lower()} file", f"unpack it to {inner.name}")
        raise InputError.of(f"{path} doesn't say what it holds", f"name it .csv{path.suffix}, if that is what it holds")
    expected = Content.GZIP if packing is Packing.GZIP else Content.ZSTD
    found = content(path, head)
    if found != expected:
        holds = f"is {found}" if found else "holds plain text"
        remedy = f"rename it to {inner.name}" if found is None else "check how it was made"
        raise InputError.of(f"{path} is not {expected}, as its ending says, but {holds}", remedy)
    with readable(path), open_bytes(path, packing) as file:
        inside = file.read(_HEAD)
    what = content(inner, inside)
    if what is not None:
        raise InputError.of(f"{path} holds no text: unpacked it is {what}", "unpack it, and name that file")
    return Found(Kind.TEXT, packing)


def _must_be_text(path: Path, head: bytes) -> None:
    found = content(path, head)
    if found is None:
        return
    words = f"{path} is {found}, not the text that its ending says"
    if found is Content.PARQUET:
        raise InputError.of(words, f"rename it to {path.with_suffix('.parquet').name}")
    if ending := _WORKBOOKS.get(found):
        raise InputError.of(words, f'rename it to {path.with_suffix(ending).name}, or save it as "CSV UTF-8"')
    if ending := _COMPRESSED.get(found):
        raise InputError.of(words, f"rename it to {path.name}{ending}")
    if found in _TO_UNPACK:
        raise InputError.of(words, "unpack it, and name the file that is in it")
    if found in (Content.WEB_PAGE, Content.XML_SPREADSHEET):
        raise InputError.of(words, 'open it in a spreadsheet and save it as "CSV UTF-8"')
    raise InputError.of(words, "export the list as CSV from where it came")


def _not(path: Path, kind: str, found: Content | None) -> InputError:
    if found is None:
        words = f"{path} is not {kind}, as its ending says, but looks like plain text"
        return InputError.of(words, "rename it to .csv if that is what it is")
    remedy = _SAVE_AS_CSV
    if found is Content.WEB_PAGE:
        remedy = f"open it in a spreadsheet and {_SAVE_AS_CSV}"
    elif found is Content.PARQUET:
        remedy = f"rename it to {path.with_suffix('.parquet').name}"
    return InputError.of(f"{path} is not {kind}, as its ending says, but is {found}", remedy)


def content(path: Path, head: bytes) -> Content | None:
    """What the first bytes show; None: nothing but text."""
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    for magic, found in _MAGIC:
        if head.startswith(magic) and not (magic in _LIKE_TEXT and head.isascii()):
            return found
    text = _as_ascii(head)
    if _XML_SPREADSHEET in text:
        return Content.XML_SPREADSHEET
    if _WEB.match(text):
        return Content.WEB_PAGE
    if _JSON.match(text):
        return Content.JSON
    return None


def _as_ascii(head: bytes) -> bytes:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "ignore").encode("ascii", "ignore")
    return head.removeprefix(b"\xef\xbb\xbf")


def _zip(path: Path) -> Content:
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype")[:80] if "mimetype" in names else b""
    except (BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError):
        # A workbook that is cut off is a damaged ZIP archive; its reader says so.
        return Content.DAMAGED_ZIP
    if "xl/workbook.bin" in names:
        return Content.XLSB
    if any(re.fullmatch(r"xl/workbook\w*\.xml", name) for name in names):
        return Content.XLSX
    if kind.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        return Content.ODS
    if any(name.startswith("word/") for name in names):
        return Content.WORD
    if any(name.endswith(".iwa") for name in names):
        return Content.APPLE
    return Content.ZIP
