"""The encoding of a text file: the one that the campaign names, UTF-8, or UTF-16 that its bytes show. Never a guess.

A wrong guess raises no error: it garbles names, and the garbled names are sent. So a file in any other encoding is
refused with its doubtful words as several encodings read them: a person sees at once which reading is right.
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

# Bytes read at once; the first of these chunks is all that `campaign check` reads of a file.
_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 24
_SAVE = 'save it as "CSV UTF-8"'

# Byte order marks, each with its codec and its name for people. UTF-32's begin with the bytes of UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)

# What a CSV from an office may be in: Windows all over the world, DOS, Macintosh and Unix; the last four are what
# Excel writes in Japan, Taiwan, China and Korea. The first is by far the most frequent.
_CANDIDATES = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "cp850",
    "mac_roman", "koi8_r", "iso8859_2", "iso8859_15", "cp932", "cp950", "gb18030", "cp949",
]  # fmt: skip
_MOST_READINGS = 3
# Bytes that are enough for the language of a file to show; charset-normalizer's time grows with them.
_SAMPLE = 20_000
# Of the lines in GBK that hold nothing but a name of two characters, 3% happen to be UTF-8 as well. Where more are,
# two files in different encodings were put together, or a UTF-8 file was damaged.
_BY_ACCIDENT = 0.2
# What no text begins with. DOS ended its text files with Ctrl-Z (1A), and Escape (1B) begins words in ISO-2022.
_FIRST_LINES = 100
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x19\x1c-\x1f]")
# What separates words. Only the pipe may also be the second byte of a character.
_BETWEEN_WORDS = re.compile(rb'[\0-\x20,;"|]+')

# Stands for what doesn't decode: half of a surrogate pair, which no text holds.
_BROKEN = "\ud800"
codecs.register_error("runner.broken", lambda error: (_BROKEN, getattr(error, "end", 0)))


def find_codec(source: Source, file_format: Format, remarks: list[str], *, whole: bool) -> str:
    """The Python codec that decodes the file; decodes all of it once, or (not `whole`) its first megabyte.

    `remarks` collects what a person should know of the choice. Raises InputError with line and column for bytes that
    don't fit the encoding, and for a file that is neither UTF-8 nor UTF-16 where the campaign names no encoding.
    """
    path, text = source.path, _Text(source.path, file_format, whole)
    with readable(path):
        with open_bytes(path, file_format) as file:
            head = file.read(256)
        mark = next(((codec, name) for mark, codec, name in _MARKS if head.startswith(mark)), None)
        codec, evidence, remark, remedy = "utf-8", None, None, _SAVE
        if source.encoding is not None:
            codec = codecs.lookup(source.encoding).name
            evidence, remedy = f"{source.encoding}, which {source.encoding_key} says", _remedy(source)
            # Decoded as anything else, the mark would become a letter of the first name.
            if mark and not codec.startswith(mark[0].removesuffix("-sig")):
                what = f'{path} is {mark[1]}, as its first bytes say, and not "{source.encoding}"'
                raise InputError([Problem(what, f"leave {source.encoding_key} out", source.encoding_key or "")])
            codec = mark[0] if mark else codec
        elif mark is not None:
            codec, evidence = mark[0], f"{mark[1]}, which its first bytes say"
            remark = f"{path.name} is read as {mark[1]}" if codec != "utf-8-sig" else None
        elif utf16 := _utf16(head):
            codec, evidence = utf16, "UTF-16, which its zeros say"
            remark = f"{path.name} is read as UTF-16, found out from its bytes"
        try:
            escapes = sum("\x1b$" in piece for piece in text.pieces(codec))
        except UnicodeError:
            if evidence is None:
                raise InputError([_not_utf8(source, text)]) from None
            raise InputError([Problem(f"this is not {evidence}", remedy, where=text.first_broken(codec))]) from None
        if escapes and evidence is None:
            raise InputError.of(f"{path} looks like Japanese in ISO-2022", _remedy(source, ": iso2022_jp"))
    if remark:
        remarks.append(remark)
    return codec


def _remedy(source: Source, encoding: str = " to what it is") -> str:
    return _SAVE if source.encoding_key is None else f"{_SAVE}, or set {source.encoding_key}{encoding}"


def _utf16(head: bytes) -> str | None:
    """The codec of UTF-16 without a mark: a header in ASCII has a zero in every second byte, and none in between."""
    # A CR ends a line too, so that a stray NUL behind one is not taken for half of UTF-16's line end.
    line = re.split(rb"[\r\n]", head, maxsplit=1)[0]
    even, odd, half = line[0::2].count(0), line[1::2].count(0), len(line) // 2
    if half < 2 or (even and odd) or even + odd <= 0.4 * half:
        return None
    return "utf-16-le" if odd else "utf-16-be"


@dataclass(frozen=True, slots=True)
class _Text:
    """A text file, the `whole` of it or its first chunk."""

    path: Path
    format: Format
    whole: bool

    def pieces(self, codec: str) -> Iterator[str]:
        """The text in pieces. Raises UnicodeError where it doesn't decode; a character that the chunk cuts is fine.

        Raises InputError for a line that a reader of lines couldn't hold in memory.
        """
        length = 0
        for piece in self._decoded(codecs.getincrementaldecoder(codec)()):
            length = 0 if "\n" in piece or "\r" in piece else length + len(piece)
            if length > _LONGEST_LINE:
                what = f"{self.path} has a line of more than 16 MB"
                raise InputError.of(what, "it is no list of people; check the file")
            yield piece

    def first_broken(self, codec: str) -> Position:
        """The place of the first character that doesn't decode."""
        line, column = 1, 1
        decoder = codecs.getincrementaldecoder(codec)("runner.broken")
        with contextlib.suppress(UnicodeError):  # a codec that goes by no handler, such as punycode
            for piece in self._decoded(io.IncrementalNewlineDecoder(decoder, translate=True)):
                good, broken, _ = piece.partition(_BROKEN)
                line += good.count("\n")
                column = len(good) - good.rfind("\n") if "\n" in good else column + len(good)
                if broken:
                    break
        return Position(str(self.path), line, column)

    def lines(self) -> Iterator[bytes]:
        """The lines with their ends, in pieces of at most a megabyte."""
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
    """What a file is that isn't UTF-8: two files in one, no text at all, or text in one of several encodings."""
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
        remedy = 'correct it; or if two files in different encodings were put together, save each as "CSV UTF-8" before'
        return Problem(what, remedy, where=where)
    if any(map(_CONTROL.search, islice(text.lines(), _FIRST_LINES))):
        return Problem("this is not a text file", "export the list as CSV from where it came", where=where)
    readings = _readings(text, valid_sample, bytes(sample))
    if not readings:
        return Problem("this is not UTF-8, and its bytes don't tell what it is", _remedy(source), where=where)
    what = ", ".join(f"{words} as {codec}" for codec, words in readings.items())
    remedy = _SAVE
    if source.encoding_key is not None:
        section, _, key = source.encoding_key.rpartition(".")
        right = ", or the one that reads right" if len(readings) > 1 else " if it reads right"
        remedy = f"write {key}: {next(iter(readings))} under {section}{right}; or {_SAVE}"
    return Problem(f"this is not UTF-8; it reads {what}", remedy, where=where)


def _readings(text: _Text, valid: bytes, sample: bytes) -> dict[str, str]:
    """Up to three encodings that read the text differently, the likeliest first, each with words on which they differ.

    `valid` is a line that is UTF-8 by accident, or because two files were put together: a word of it shows which.
    """
    likely = _likely(sample)
    shown, doubtful = _words(valid, likely)[:1], _words(sample, likely)
    codec_by_reading: dict[str, str] = {}
    for codec in likely if doubtful else []:
        reading = _read([*shown, *doubtful], codec)
        if len(codec_by_reading) < _MOST_READINGS and reading not in codec_by_reading:
            with contextlib.suppress(UnicodeError):
                deque(text.pieces(codec), maxlen=0)  # all of it decodes
                codec_by_reading[reading] = codec
    found = list(codec_by_reading.values())

    def differing(words: list[bytes]) -> int:
        return len({_read(words, codec) for codec in found})

    # The fewest words on which all of the readings differ, and at least one of `sample`.
    for _ in doubtful if found else []:
        shown.append(max(doubtful, key=lambda word: differing([*shown, word])))
        if differing(shown) == len(found):
            break
    return {codec.replace("cp125", "windows-125").replace("_", "-"): _read(shown, codec) for codec in found}


def _likely(sample: bytes) -> list[str]:
    """The encodings that charset-normalizer finds, the likeliest first.

    It goes by what is frequent in a language, and from one name no language shows. So encodings that make more words
    go before those that make fewer, and Windows-1252 before others of its like. Tried with names of countries, the
    right one is then among the first three in nine of ten other encodings, and always if it is Windows-1252.
    """
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_isolation=_CANDIDATES, preemptive_behaviour=False)
    found = dict.fromkeys(codec for match in matches for codec in match.could_be_from_charset if codec in _CANDIDATES)
    words = {codec: sum(_is_word(word.decode(codec)) for word in _words(sample, list(found))) for codec in found}
    enough = 0.9 * max(words.values(), default=0)
    return sorted(found, key=lambda codec: (words[codec] < enough, codec != _CANDIDATES[0]))


def _is_word(text: str) -> bool:
    """Whether it is letters of one script, in a case that words have."""
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in text}
    return text.isalpha() and len(scripts) == 1 and text in (text.lower(), text.upper(), text.title())


def _read(words: list[bytes], codec: str) -> str:
    return " ".join(quoted(word.decode(codec)) for word in words)


def _words(line: bytes, encodings: list[str]) -> list[bytes]:
    """The words that aren't ASCII, each once. One that a pipe cuts in the middle of a character decodes nowhere."""
    words = dict.fromkeys(_BETWEEN_WORDS.split(line))
    return [word for word in words if not word.isascii() and all(_can_decode(word, codec) for codec in encodings)]


def _can_decode(content: bytes, codec: str) -> bool:
    try:
        content.decode(codec)
    except UnicodeDecodeError:
        return False
    return True
