"""The encoding of a text file: told, shown by its first bytes, or found out. Never guessed in doubt.

A wrong guess raises no error. It garbles names, and the garbled names go to phones.

1. `recipients.encoding` says it; or a byte order mark at the start does.
2. A file that is valid UTF-8 to its last byte is UTF-8: no text in another encoding is, by chance.
3. UTF-16 without a mark is told by its zeros.
4. What is left is read as Windows-1252, if it surely is (`guess.py`), but for rows that may be garbled.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.audience.guess import Doubts, find_western
from runner.audience.unpack import Packing, open_bytes, readable
from runner.errors import InputError, Position, Problem

_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 24
_LINE_END = re.compile(rb"[\r\n]")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)


@dataclass(frozen=True, slots=True)
class Charset:
    """How to decode a file: a Python codec, and what a person should know of the choice."""

    codec: str
    remark: str | None = None
    clean: bool = False  # there is certainly no NUL
    doubts: Doubts | None = None  # set when the encoding was found out by the words


def charset_of(path: Path, packing: Packing, told: str | None = None) -> Charset:
    """Reads the whole file once and decodes it, so that reading it again raises no errors.

    Raises InputError with line and column for bytes that don't fit the encoding, and for a file whose encoding is in
    doubt.
    """
    with readable(path):
        with open_bytes(path, packing) as file:
            head = file.read(256)
        mark = next((found for found in _MARKS if head.startswith(found[0])), None)
        if told is not None:
            codec = _codec(told)
            if mark is not None:
                # Its mark would become a letter of the first name.
                if not codec.startswith(mark[1].removesuffix("-sig")):
                    what = f'{path} is {mark[2]}, as its first bytes say, and not "{told}"'
                    raise InputError([Problem(what, "leave recipients.encoding out", "recipients.encoding")])
                codec = mark[1]
            _must_decode(path, packing, codec, f"{told}, which recipients.encoding says")
            return Charset(codec)
        if mark is not None:
            _must_decode(path, packing, mark[1], f"{mark[2]}, which its first bytes say")
            return Charset(mark[1], None if mark[1] == "utf-8-sig" else f"{path.name} is read as {mark[2]}")
        if codec16 := _utf16(head):
            _must_decode(path, packing, codec16, "UTF-16, which its zeros say")
            return Charset(codec16, f"{path.name} is read as UTF-16, found out from its bytes")
        clean = _is_clean_utf8(path, packing)
        if clean is not None:
            return Charset("utf-8", clean=clean)
        doubts = find_western(path, packing)
        remark = f"{path.name} is read as Windows-1252, found out from its bytes"
        return Charset("cp1252", f"{remark}; set recipients.encoding if names look wrong", doubts=doubts)


def _codec(told: str) -> str:
    try:
        found = codecs.lookup(told)
        found.incrementaldecoder()
        known = isinstance("".encode(told), bytes) and isinstance(b"".decode(told), str)
    except (LookupError, TypeError, ValueError):
        known = False
    if not known:
        what = f'"{told}" is not the name of a text encoding'
        raise InputError([Problem(what, "write one such as utf-8, windows-1252 or shift_jis", "recipients.encoding")])
    return codecs.lookup(told).name


def _utf16(head: bytes) -> str | None:
    """A header in ASCII has a zero in every second byte; a stray NUL in a text file has letters on both sides."""
    # As far as `delimited` looks for a plain header: with two views of a line, a NUL behind a CR would be in one alone.
    line = _LINE_END.split(head, 1)[0]
    even, odd = line[0::2].count(0), line[1::2].count(0)
    half = len(line) // 2
    if half >= 2 and odd > 0.4 * half and even == 0:
        return "utf-16-le"
    if half >= 2 and even > 0.4 * half and odd == 0:
        return "utf-16-be"
    return None


def _is_clean_utf8(path: Path, packing: Packing) -> bool | None:
    """Whether there is no NUL in it; None when it isn't UTF-8."""
    clean = True
    try:
        for chunk in _decoded(path, packing, "utf-8"):
            clean &= "\0" not in chunk
            if "\x1b$" in chunk:
                what = f"{path} looks like Japanese in ISO-2022"
                raise InputError.of(what, 'save it as "CSV UTF-8", or set recipients.encoding: iso2022_jp')
    except UnicodeDecodeError:
        return None
    return clean


def _must_decode(path: Path, packing: Packing, codec: str, words: str) -> None:
    try:
        for _ in _decoded(path, packing, codec):
            pass
    except UnicodeError as error:
        line, column = _place(path, packing, codec)
        where = Position(str(path), line, column)
        remedy = 'save it as "CSV UTF-8", or set recipients.encoding to what it is'
        raise InputError([Problem(f"this is not {words}", remedy, where=where)]) from error


def _decoded(path: Path, packing: Packing, codec: str) -> Iterator[str]:
    """The text in pieces. Raises InputError if it comes in no lines: a reader of lines would take it all to memory."""
    decoder = codecs.getincrementaldecoder(codec)()
    without = 0
    with open_bytes(path, packing) as file:
        while chunk := file.read(_CHUNK):
            text = decoder.decode(chunk)
            without = 0 if "\n" in text or "\r" in text else without + len(text)
            if without > _LONGEST_LINE:
                raise InputError.of(f"{path} has a line of more than 16 MB", "it is no list of people; check the file")
            yield text
        yield decoder.decode(b"", final=True)


def _place(path: Path, packing: Packing, codec: str) -> tuple[int, int]:
    """Line and column of the first character that doesn't decode. Byte by byte near the end: only an error pays."""
    decoder = codecs.getincrementaldecoder(codec)()
    line, column, carriage = 1, 1, False
    with open_bytes(path, packing) as file:
        while chunk := file.read(512):
            state = decoder.getstate()
            try:
                pieces: Iterator[str] = iter([decoder.decode(chunk)])
            except UnicodeError:
                decoder.setstate(state)
                pieces = _one_by_one(decoder, chunk)
            for character in (character for piece in pieces for character in piece):
                if character == "\n" and carriage:
                    carriage = False
                    continue
                carriage = character == "\r"
                line, column = (line + 1, 1) if character in "\r\n" else (line, column + 1)
    return line, column


def _one_by_one(decoder: codecs.IncrementalDecoder, chunk: bytes) -> Iterator[str]:
    for byte in chunk:
        try:
            yield decoder.decode(bytes([byte]))
        except UnicodeError:
            return
