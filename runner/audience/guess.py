"""Whether a text file that isn't UTF-8 is Windows-1252 (or Latin-1, a part of it), by its words.

It is so only if its words look Western (`western.py`) and charset-normalizer, which knows 90 encodings and 40
languages, sees nothing better. The library alone won't do: of a file with one name it says "cp1250" for Müller, "big5"
for Hélène and for Łukasz. Rows with a word that may be garbled all the same are left out.

`python -m benchmarks.encodings` measures that on the names of countries, languages and currencies, in 20 languages of
Windows-1252 and in 46 pairs of a language and another encoding. With 200 such words 85% of the Western files are read
(all but Danish, Faroese and Gaelic ones) and 0.7% of their rows left out; of the other files 2% are read (Hungarian
ones, whose strange words are few), and no garbled word gets through. With 20 words 3% are read, and 1 in 80 of their
words is garbled. One word alone proves little: 1 in 17 files with one is read wrong, and the plan says how it was read.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runner.audience.unpack import Packing, open_bytes
from runner.audience.western import WORD, Evidence, evidence, is_word
from runner.errors import InputError, Position, Problem

_CHUNK = 1 << 20
_SPACE_INSIDE = re.compile("[A-Za-z]\xa0[a-z]")
# Bytes that are enough for the language of a file to show; the library's time grows with them.
_SAMPLE = 20_000
_MOST_WORDS = 200_000
# The rest of Europe, the Near and Far East, DOS and Macintosh: what a CSV from an office may be in.
# The likelier first.
_RIVALS = ["cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "mac_roman", "cp850", "koi8_r", "cp1255", "cp1256",
           "shift_jis", "big5", "gb18030", "cp949"]  # fmt: skip


@dataclass(slots=True)
class _Survey:
    """What the lines that aren't ASCII look like."""

    words: dict[str, int]  # decoded as Windows-1252, each with its first line
    sample: bytearray
    first: tuple[int, bytes] | None = None  # the first line that isn't UTF-8
    valid: int | None = None  # a line that is UTF-8, and not ASCII


class Doubts:
    """Which rows of a file that was found to be Windows-1252 may be garbled all the same."""

    def __init__(self, found: Evidence) -> None:
        self._found = found
        self._known: dict[str, bool] = {}

    def word_in(self, cells: Iterable[str]) -> str | None:
        """The first word of a row that doesn't look Western, None when all do."""
        for cell in cells:
            if cell.isascii():
                continue
            for word in WORD.findall(cell):
                if word not in self._known and len(self._known) < _MOST_WORDS:
                    self._known[word] = self._found.is_strange(word)
                if self._known.get(word, True) and self._found.is_strange(word):
                    return _shown(word)
        return None


def find_western(path: Path, packing: Packing) -> Doubts:
    """Returns if the file, which isn't UTF-8, is surely Windows-1252. Raises InputError with what it may be."""
    survey = _surveyed(path, packing)
    assert survey.first is not None
    number, line = survey.first
    where = Position(str(path), number, _column(line))
    if survey.valid is not None:
        what = f"this line is not UTF-8, but line {survey.valid} is: two files in different encodings were put together"
        raise InputError([Problem(what, 'save each as "CSV UTF-8" before', where=where)])
    found = evidence(survey.words)
    rivals = _rivals(bytes(survey.sample))
    if found.convincing and not rivals:
        return Doubts(found)
    witness = found.witness or next(iter(survey.words), None)
    if witness is None:
        raise InputError([Problem("this is not UTF-8, and its bytes don't tell what it is", _remedy([]), where=where)])
    what = "surely not Windows-1252 either" if found.impossible else "its bytes don't tell what it is"
    what = f'this is not UTF-8, and {what}: as Windows-1252 it would say "{_shown(witness)}"'
    where = Position(str(path), survey.words[witness], 1)
    raise InputError([Problem(what, _remedy(_readings(witness, rivals)), where=where)])


def _surveyed(path: Path, packing: Packing) -> _Survey:
    survey = _Survey({}, bytearray())
    with open_bytes(path, packing) as file:
        for number, line in enumerate(_lines(file), 1):
            if line.isascii():
                continue
            try:
                line.decode()
            except UnicodeDecodeError:
                survey.first = survey.first or (number, line)
                if len(survey.sample) < _SAMPLE:
                    survey.sample += line
                if len(survey.words) < _MOST_WORDS:
                    for word in _words(_western(line)):
                        survey.words.setdefault(word, number)
            else:
                survey.valid = survey.valid or number
    return survey


def _words(line: str) -> list[str]:
    """Those beyond ASCII. A NBSP is a space in all of Windows, but á in DOS: "M rquez"; between words it is fine."""
    spaces = _SPACE_INSIDE.findall(line) or ["\xa0"] if "\xa0" in line else []
    return [*WORD.findall(line), *spaces]


def _western(line: bytes) -> str:
    """Decoded as Windows-1252; a byte that it doesn't have becomes a control character, which no word holds."""
    try:
        return line.decode("cp1252")
    except UnicodeDecodeError:
        return "".join(bytes([byte]).decode("cp1252", "replace").replace("\ufffd", chr(byte)) for byte in line)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends (LF, CRLF or CR); one of more than a megabyte comes in pieces."""
    rest = b""
    while chunk := file.read(_CHUNK):
        lines = (rest + chunk).splitlines(keepends=True)
        # The last one may go on, and a CR at its end may be half of a CRLF.
        rest = lines.pop()
        yield from lines
        if len(rest) > _CHUNK:
            yield rest
            rest = b""
    if rest:
        yield rest


def _column(line: bytes) -> int:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return len(line[: error.start].decode()) + 1
    return 1


def _rivals(sample: bytes) -> list[str]:
    """Encodings in which charset-normalizer finds much more of a language than in Windows-1252, likeliest first."""
    from charset_normalizer import from_bytes

    matches = list(from_bytes(sample, cp_isolation=["cp1252", *_RIVALS], preemptive_behaviour=False))
    own = max((match.coherence for match in matches if "cp1252" in match.could_be_from_charset), default=0.0)
    others = [match for match in matches if "cp1252" not in match.could_be_from_charset]
    better = [match for match in others if match.coherence > own + 0.2]
    return [match.encoding for match in sorted(better, key=lambda match: -match.coherence)]


def _readings(witness: str, rivals: list[str]) -> list[tuple[str, str]]:
    """What the word says in other encodings, where it is a word there: a person sees at once which one is right."""
    raw = b"".join(_byte(letter) for letter in witness)
    readings: list[tuple[str, str]] = []
    for codec in dict.fromkeys([*rivals, *_RIVALS]):
        try:
            text = raw.decode(codec)
        except UnicodeDecodeError:
            continue
        if is_word(text) and text not in (text for _, text in readings):
            readings.append((_named(codec), text))
    return readings[:3]


def _byte(letter: str) -> bytes:
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")


def _named(codec: str) -> str:
    return codec.replace("cp125", "windows-125").replace("_", "-")


def _shown(word: str) -> str:
    printable = "".join(letter if letter.isprintable() else "�" for letter in word)
    return printable if len(printable) <= 30 else f"{printable[:30]}…"


def _remedy(readings: list[tuple[str, str]]) -> str:
    remedy = 'save it as "CSV UTF-8", or set recipients.encoding to what it is'
    if not readings:
        return remedy
    choices = ", ".join(f'{name} makes that "{_shown(text)}"' for name, text in readings)
    return f"{remedy}: {choices}"
