"""Which replies are opt-outs, and which are opt-ins. Pure, except `read_words`.

The whole reply must match, not a word in it: "don't stop" and "stop by tomorrow?" are not opt-outs. Punctuation, emoji
and courtesies may surround the word: "Stop. Thank you", "please stop!". An ambiguous reply is neither.

Source of the English words: CTIA, "Short Code Monitoring Handbook" (STOP, END, CANCEL, UNSUBSCRIBE, QUIT), and words
that large senders add (STOPALL, START, UNSTOP). Words that also answer other questions are not in the list: "yes" and
"kabul" for start, and the Vietnamese "dung" for stop, which without accents means "correct" or "stop". If CANCEL
answers another question, such as an appointment, use a list without it. HELP is not an opt-out.
"""

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from runner.base.errors import InputError, Position, Problem

# The built-in words, in the same format as a user's file: language (BCP 47), meaning, word.
BUILT_IN_FILE = Path(__file__).with_name("optout_words.csv")

# Courtesies that may surround a word without changing its meaning.
COURTESIES = frozenset(
    {
        "please", "pls", "plz", "kindly", "thanks", "thank you", "thank you very much", "thankyou", "thx", "ty", "tq",
        "many thanks", "cheers", "sorry", "now", "hi", "hello", "sir", "madam", "ok", "bye", "tolong", "terima kasih",
        "makasih", "salamat", "po", "ครับ", "ค่ะ", "ขอบคุณ", "xin", "cảm ơn", "谢谢", "請", "请", "謝謝", "お願いします",
        "ください", "감사합니다", "por favor", "gracias", "obrigado", "obrigada", "merci", "svp", "s'il vous plaît",
        "s'il vous plait", "bitte", "danke", "vielen dank", "per favore", "grazie", "alstublieft", "bedankt", "proszę",
        "dziękuję", "tack", "tak", "takk", "kiitos", "пожалуйста", "спасибо", "lütfen", "teşekkürler",
        "من فضلك", "شكرا",
        "dhanyavad", "mit freundlichen grüßen", "regards",
        "sent from my iphone", "sent from my ipad", "sent from my samsung", "sent from my phone",
    }
)  # fmt: skip


class Meaning(StrEnum):
    """The meaning of a reply."""

    STOP = "stop"
    START = "start"


_SENTENCE_ENDS = re.compile(r"[.!?…。！？؟।\n\r;,、，:]+|\s[-–—]+\s")
# Invisible characters: the combining dot of a lower-cased İ, variation selectors, keycaps, fillers, joiners. Category
# Cf is removed too.
_UNSEEN = re.compile("[\u0307\ufe00-\ufe0f\u20e3\u034f\u115f\u1160\u180b-\u180f\U000e0100-\U000e01ef]")
# Letters that look like Latin ones: Cyrillic, Greek, Armenian, small capitals, and the zero.
_LOOK_ALIKES = str.maketrans("аеорсухѕіјкмнтвԁԛԝαβεζηικμνορτυχտօꜱᴛᴏᴘ0", "aeopcyxsijkmhtbdqwabezhikmnoptyxsostopo")
_CIRCLED = {0x1F150 + place: chr(ord("a") + place) for place in range(26)}  # white letters in black circles
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "ʼ": "'"})
# The longest reply that can be an opt-out, in characters; no word with courtesies is longer.
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class OptOutWords:
    """The stop and start words, normalised: case, width and the form of accents don't matter."""

    meanings: Mapping[str, Meaning]
    # The words by what they look like.
    _seen: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        seen = {word.translate(_LOOK_ALIKES): word for word in self.meanings}
        object.__setattr__(self, "_seen", seen)

    def _known(self, words: str) -> str | None:
        """The word of the list that these words are or look like."""
        return words if words in self.meanings else self._seen.get(words.translate(_LOOK_ALIKES))

    def meaning(self, reply: str, sender: str = "") -> tuple[Meaning, str] | None:
        """The meaning of a reply, with the word found; None if it is neither, or could be both.

        `sender` is the sender id that the reply was sent to; it may follow the word: "STOP ACME".
        """
        if len(reply) > _LONGEST:
            return None
        text = normalised(reply)
        spelled = text.split()
        if len(spelled) > 2 and all(len(word) == 1 for word in spelled):  # "S.T.O.P."
            text = "".join(spelled)
        if (word := self._known(text)) is not None:
            return self.meanings[word], word
        suffix = f" {normalised(sender)}"
        found: tuple[Meaning, str] | None = None
        for sentence in _SENTENCE_ENDS.split(_plain(reply)):
            words = _COURTESIES_AROUND.sub("", normalised(sentence)).removesuffix(suffix)
            if not words:
                continue
            if len(set(words.split())) == 1:  # "STOP STOP STOP"
                words = words.split()[0]
            word = self._known(words)
            if word is None or (found and found[0] is not self.meanings[word]):
                return None
            found = found or (self.meanings[word], word)
        return found


def normalised(text: str) -> str:
    """A text in the form in which words are compared: lower case, without punctuation and emoji."""
    letters = "".join(
        character if unicodedata.category(character)[0] in "LMN" or character == "'" else " "
        for character in _plain(text)
    )
    return " ".join(word for part in letters.split() if (word := part.strip("'")))


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES | _CIRCLED).casefold()
    plain = _UNSEEN.sub("", "".join(c for c in plain if unicodedata.category(c) != "Cf"))
    return unicodedata.normalize("NFKC", plain)


# The longest first: otherwise "thank you" would match in "thank you very much", and the reply would have no meaning.
_COURTESY = "|".join(sorted({re.escape(normalised(words)) for words in COURTESIES}, key=lambda one: (-len(one), one)))
# Courtesies at the start and the end of a normalised sentence.
_COURTESIES_AROUND = re.compile(rf"^(?:(?:{_COURTESY})(?: |$))+|(?: (?:{_COURTESY}))+$")


def read_words(path: Path) -> OptOutWords:
    """Read words from a CSV file (UTF-8) with the columns meaning (stop or start) and word.

    Raises InputError with all errors of the file: an opt-out that isn't recognised leads to a complaint.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            reader.fieldnames = header = [name.strip().lower() for name in reader.fieldnames or ()]
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        words = error.strerror if isinstance(error, OSError) else "not a CSV file in UTF-8"
        raise InputError.of(f"{path} can't be read: {words}", "check the file name and the encoding") from error
    if missing := [name for name in ("meaning", "word") if name not in header]:
        raise InputError.of(
            f"{path} has no column {' and '.join(missing)}",
            "start the file with the line language,meaning,word; `campaign receipts --print-words` prints an example",
        )
    meanings: dict[str, Meaning] = {}
    problems: list[Problem] = []
    for line, row in rows:
        if not "".join(map(str, row.values())).strip():
            continue
        meaning, word = row["meaning"].strip().lower(), row["word"].strip()
        what, remedy = "", "remove one of the two lines"
        if meaning not in tuple(Meaning):
            what, remedy = f'the meaning "{meaning}" is invalid', "write stop or start"
        elif not normalised(word):
            what, remedy = f'the word "{word}" contains no letters', "write a word, or remove the line"
        elif meanings.setdefault(normalised(word), Meaning(meaning)) != meaning:
            what = f'"{word}" means both stop and start'
        if what:
            problems.append(Problem(what, remedy, "", Position(str(path), line, 1)))
    if not problems and Meaning.STOP not in meanings.values():
        problems.append(Problem(f"{path} has no word with the meaning stop", "add one; without it nobody can opt out"))
    if problems:
        raise InputError(problems)
    return OptOutWords(meanings)


BUILT_IN = read_words(BUILT_IN_FILE)
