"""The encoding of a text file: the one that the campaign names, UTF-8, or UTF-16 if detected. Never a guess.

A wrong guess raises no error: it garbles names, and the garbled names are sent. So a file in any other encoding is
refused. The error shows words as several encodings read them, so that a person can choose the right one.
"""

import codecs
import contextlib
import io
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from runner.base.errors import InputError, Position, Problem
from runner.base.text import quoted
from runner.files.formats import Format, open_bytes, readable
from runner.files.source import Source

# Bytes per read; `campaign check` reads only the first chunk of a file.
_CHUNK = 1 << 20
LONGEST_LINE = 1 << 24
_SAVE = 'save it as "CSV UTF-8"'

# Byte order marks, each with its codec and display name. UTF-32's marks start with the bytes of UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)

# Encodings of CSV files from offices: Windows in all regions, DOS, Macintosh and Unix. Excel writes the last four in
# Japan, Taiwan, China and Korea. The first is by far the most frequent.
_CANDIDATES = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "cp850",
    "mac_roman", "koi8_r", "iso8859_2", "iso8859_15", "cp932", "cp950", "gb18030", "cp949",
]  # fmt: skip
_MOST_READINGS = 3
# Enough bytes to detect the language of a file; charset-normalizer's time grows with them.
_SAMPLE = 20_000
# Of the GBK lines with only a name of two characters, 3% are also valid UTF-8. If there are more, two files in
# different encodings were merged, or a UTF-8 file is damaged.
_BY_ACCIDENT = 0.2
# Bytes that text files don't contain. DOS ends text files with Ctrl-Z (1A), and Escape (1B) is used by ISO-2022.
_FIRST_LINES = 100
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x19\x1c-\x1f]")
# Bytes that separate words. Only the pipe may also be the second byte of a character.
_BETWEEN_WORDS = re.compile(rb'[\0-\x20,;"|]+')

# Marks bytes that can't be decoded: half of a surrogate pair, which no text contains.
_BROKEN = "\ud800"
codecs.register_error("runner.broken", lambda error: (_BROKEN, getattr(error, "end", 0)))


def find_codec(source: Source, file_format: Format, remarks: list[str], *, whole: bool) -> str:
    """The Python codec for the file. Decodes the whole file once, or (not `whole`) its first megabyte.

    Adds notes on the choice to `remarks`. Raises InputError with line and column for bytes that are invalid in the
    encoding, and for a file that is neither UTF-8 nor UTF-16 if the campaign names no encoding.
    """
    path, text = source.path, _Text(source.path, file_format, whole)
    with readable(path):
        with open_bytes(path, file_format) as file:
            head = file.read(256)
        mark = next(((codec, name) for mark, codec, name in _MARKS if head.startswith(mark)), None)
        codec, evidence, remark, remedy = "utf-8", None, None, _SAVE
        if source.encoding is not None:
            codec = codecs.lookup(source.encoding).name
            evidence, remedy = f"{source.encoding} ({source.encoding_key})", _remedy(source)
            # With any other codec, the mark would become a letter of the first column name.
            if mark and not codec.startswith(mark[0].removesuffix("-sig")):
                what = f'{path} is in {mark[1]} (it has a byte order mark), not in "{source.encoding}"'
                raise InputError([Problem(what, f"remove {source.encoding_key}", source.encoding_key or "")])
            codec = mark[0] if mark else codec
        elif mark is not None:
            codec, evidence = mark[0], f"{mark[1]}, although the file has its byte order mark"
            remark = f"{path.name} is read as {mark[1]}" if codec != "utf-8-sig" else None
        elif utf16 := _utf16(head):
            codec, evidence = utf16, "UTF-16, although the file looks like it"
            remark = f"{path.name} is read as UTF-16 (detected)"
        try:
            escapes = sum("\x1b$" in piece for piece in text.pieces(codec))
        except UnicodeError:
            if evidence is None:
                raise InputError([_not_utf8(source, text)]) from None
            where = text.first_broken(codec)
            raise InputError([Problem(f"this is not valid {evidence}", remedy, where=where)]) from None
        if escapes and evidence is None:
            raise InputError.of(f"{path} seems to be Japanese text in ISO-2022", _remedy(source, ": iso2022_jp"))
    if remark:
        remarks.append(remark)
    return codec


def long_line(path: Path) -> InputError:
    """The error for a line that is too long to keep in memory."""
    return InputError.of(
        f"{path} has a line of more than 16 MB", "check that it is a recipient file with one row per line"
    )


def _remedy(source: Source, encoding: str = " to its encoding") -> str:
    return _SAVE if source.encoding_key is None else f"{_SAVE}, or set {source.encoding_key}{encoding}"


def _utf16(head: bytes) -> str | None:
    """The codec of UTF-16 without a mark: in an ASCII header every second byte is zero, and no other byte."""
    # A CR ends a line too, so that a stray NUL after it is not taken for half of a UTF-16 line end.
    line = re.split(rb"[\r\n]", head, maxsplit=1)[0]
    even, odd, half = line[0::2].count(0), line[1::2].count(0), len(line) // 2
    if half < 2 or (even and odd) or even + odd <= 0.4 * half:
        return None
    return "utf-16-le" if odd else "utf-16-be"


@dataclass(frozen=True, slots=True)
class _Text:
    """A text file: the `whole` file or its first chunk."""

    path: Path
    format: Format
    whole: bool

    def pieces(self, codec: str) -> Iterator[str]:
        """The text in pieces. Raises UnicodeError for invalid bytes; a character split by the chunk is fine.

        Raises InputError for a line that is too long to keep in memory.
        """
        length = 0
        for piece in self._decoded(codecs.getincrementaldecoder(codec)()):
            length = 0 if "\n" in piece or "\r" in piece else length + len(piece)
            if length > LONGEST_LINE:
                raise long_line(self.path)
            yield piece

    def first_broken(self, codec: str) -> Position:
        """The position of the first invalid character."""
        line, column = 1, 1
        decoder = codecs.getincrementaldecoder(codec)("runner.broken")
        with contextlib.suppress(UnicodeError):  # a codec that ignores error handlers, such as punycode
            for piece in self._decoded(io.IncrementalNewlineDecoder(decoder, translate=True)):
                good, broken, _ = piece.partition(_BROKEN)
                line += good.count("\n")
                column = len(good) - good.rfind("\n") if "\n" in good else column + len(good)
                if broken:
                    break
        return Position(str(self.path), line, column)

    def lines(self) -> Iterator[bytes]:
        """The lines with their line ends, in pieces of at most a megabyte."""
        read = 0
        # Latin-1 turns every byte into one character and back.
        with open_bytes(self.path, self.format) as raw, io.TextIOWrapper(raw, "latin-1", newline="") as file:
            while (self.whole or read < _CHUNK) and (line := file.readline(_CHUNK)):
                read += len(line)
                yield line.encode("latin-1")

    def _decoded(self, decoder: codecs.IncrementalDecoder | io.IncrementalNewlineDecoder) -> Iterator[str]:
        with open_bytes(self.path, self.format) as file:
            while chunk := file.read(_CHUNK):
                yield decoder.decode(chunk)
                if not self.whole and len(chunk) == _CHUNK:
                    return
            yield decoder.decode(b"", final=True)


def _not_utf8(source: Source, text: _Text) -> Problem:
    """The problem of a file that isn't UTF-8: merged files, not a text file, or text in another encoding."""
    where = text.first_broken("utf-8")
    valid = broken = valid_line = 0
    valid_sample, sample = b"", bytearray()
    for number, line in enumerate(text.lines(), 1):
        if line.isascii():
            continue
        if _can_decode(line, "utf-8"):
            valid += 1
            valid_line, valid_sample = valid_line or number, valid_sample or line
        else:
            broken += 1
            sample += line if len(sample) < _SAMPLE else b""
    if valid > _BY_ACCIDENT * (valid + broken):
        what = f"this line is not UTF-8, but line {valid_line} is"
        remedy = 'correct it; or if you merged files in different encodings, save each as "CSV UTF-8" first'
        return Problem(what, remedy, where=where)
    if any(map(_CONTROL.search, islice(text.lines(), _FIRST_LINES))):
        return Problem("this is not a text file", "export the list again as CSV", where=where)
    readings = _readings(text, valid_sample, bytes(sample))
    if not readings:
        return Problem("this is not UTF-8, and the encoding can't be detected", _remedy(source), where=where)
    what = ", ".join(f"{words} as {codec}" for codec, words in readings.items())
    remedy = _SAVE
    if source.encoding_key is not None:
        section, _, key = source.encoding_key.rpartition(".")
        right = ", or the encoding with the right text" if len(readings) > 1 else " if the text is right"
        remedy = f"write {key}: {next(iter(readings))} under {section}{right}; or {_SAVE}"
    return Problem(f"this is not UTF-8; read in other encodings: {what}", remedy, where=where)


def _readings(text: _Text, valid: bytes, sample: bytes) -> dict[str, str]:
    """Up to three encodings that read the text differently, the most likely first, each with words that differ.

    `valid` is a line that is UTF-8 by accident, or because two files were merged: one of its words shows which.
    """
    likely = _likely(sample)
    shown, doubtful = _words(valid, likely)[:1], _words(sample, likely)
    codec_by_reading: dict[str, str] = {}
    for codec in likely if doubtful else []:
        reading = _read([*shown, *doubtful], codec)
        if len(codec_by_reading) < _MOST_READINGS and reading not in codec_by_reading:
            with contextlib.suppress(UnicodeError):
                deque(text.pieces(codec), maxlen=0)  # the whole text is valid
                codec_by_reading[reading] = codec
    found = list(codec_by_reading.values())

    def differing(words: list[bytes]) -> int:
        return len({_read(words, codec) for codec in found})

    # The fewest words that differ in all readings, with at least one from `sample`.
    for _ in doubtful if found else []:
        shown.append(max(doubtful, key=lambda word: differing([*shown, word])))
        if differing(shown) == len(found):
            break
    return {codec.replace("cp125", "windows-125").replace("_", "-"): _read(shown, codec) for codec in found}


def _likely(sample: bytes) -> list[str]:
    """The encodings that charset-normalizer finds, the most likely first.

    It uses letter frequencies, which a few names don't show. So encodings that give more words come first, and
    Windows-1252 comes before similar ones. In a test with country names, the right encoding was among the first three
    for nine of ten encodings, and always for Windows-1252.
    """
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_isolation=_CANDIDATES, preemptive_behaviour=False)
    found = dict.fromkeys(codec for match in matches for codec in match.could_be_from_charset if codec in _CANDIDATES)
    words = {codec: sum(_is_word(word.decode(codec)) for word in _words(sample, list(found))) for codec in found}
    enough = 0.9 * max(words.values(), default=0)
    return sorted(found, key=lambda codec: (words[codec] < enough, codec != _CANDIDATES[0]))


def _is_word(text: str) -> bool:
    """Whether the text is letters of one script, in the usual case of words."""
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in text}
    return text.isalpha() and len(scripts) == 1 and text in (text.lower(), text.upper(), text.title())


def _read(words: list[bytes], codec: str) -> str:
    return " ".join(quoted(word.decode(codec)) for word in words)


def _words(line: bytes, encodings: list[str]) -> list[bytes]:
    """The words that aren't ASCII, each once. Words that a pipe splits inside a character are invalid everywhere."""
    words = dict.fromkeys(_BETWEEN_WORDS.split(line))
    return [word for word in words if not word.isascii() and all(_can_decode(word, codec) for codec in encodings)]


def _can_decode(content: bytes, codec: str) -> bool:
    try:
        content.decode(codec)
    except UnicodeDecodeError:
        return False
    return True
