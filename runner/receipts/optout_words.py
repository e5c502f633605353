"""Which replies are an opt-out, and which take an opt-out back. Pure, except `read_words`.

The whole message counts, never a word in it: "don't stop" and "stop by tomorrow?" are no opt-outs. Punctuation, emoji
and courtesies may stand around the word: "Stop. Thank you", "please stop!". An ambiguous reply is neither.

Source of the English words: CTIA, "Short Code Monitoring Handbook" (STOP, END, CANCEL, UNSUBSCRIBE, QUIT), and what
large senders add (STOPALL, START, UNSTOP). Words that answer other questions too are left out: "yes" and "kabul" for
start, and for stop the Vietnamese "dung", which without its accents means "correct" or "stop". Where CANCEL answers
another question, such as an appointment, use a list without it. HELP is no opt-out.
"""

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner.base.errors import InputError, Position, Problem

# The built-in words, in the format of a user's own file: language (BCP 47), meaning, word.
BUILT_IN_FILE = Path(__file__).with_name("optout_words.csv")

# What may stand around a word without changing what it means.
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
    """What a reply means."""

    STOP = "stop"
    START = "start"


_SENTENCE_ENDS = re.compile(r"[.!?…。！？؟।\n\r;,、，:]+|\s[-–—]+\s")
# Invisible marks and letters: the dot that is left of a small İ, variation selectors, keycaps, fillers, joiners. Those
# of category Cf are removed too.
_UNSEEN = re.compile("[\u0307\ufe00-\ufe0f\u20e3\u034f\u115f\u1160\u180b-\u180f\U000e0100-\U000e01ef]")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "ʼ": "'"})
# Characters of a reply that can be an opt-out; no word with its courtesies is longer.
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class OptOutWords:
    """The words that stop and start, normalised, so that case, width and the form of accents don't matter."""

    meanings: Mapping[str, Meaning]

    def meaning(self, reply: str, sender: str = "") -> tuple[Meaning, str] | None:
        """What a reply means, and the word for that; None when it is neither, or could be both.

        `sender` is the sender id that the reply went to; it may follow the word: "STOP ACME".
        """
        if len(reply) > _LONGEST:
            return None
        text = normalised(reply)
        spelled = text.split()
        if len(spelled) > 2 and all(len(word) == 1 for word in spelled):  # "S.T.O.P."
            text = "".join(spelled)
        if text in self.meanings:
            return self.meanings[text], text
        suffix = f" {normalised(sender)}"
        found: tuple[Meaning, str] | None = None
        for sentence in _SENTENCE_ENDS.split(_plain(reply)):
            words = _COURTESIES_AROUND.sub("", normalised(sentence)).removesuffix(suffix)
            if not words:
                continue
            if len(set(words.split())) == 1:  # "STOP STOP STOP"
                words = words.split()[0]
            meaning = self.meanings.get(words)
            if meaning is None or (found and found[0] is not meaning):
                return None
            found = found or (meaning, words)
        return found


def normalised(text: str) -> str:
    """A text as words are compared: plain lower-case letters, without punctuation and emoji around and between."""
    letters = "".join(
        character if unicodedata.category(character)[0] in "LMN" or character == "'" else " "
        for character in _plain(text)
    )
    return " ".join(word for part in letters.split() if (word := part.strip("'")))


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold()
    plain = _UNSEEN.sub("", "".join(c for c in plain if unicodedata.category(c) != "Cf"))
    return unicodedata.normalize("NFKC", plain)


# The longest first: "thank you" would leave "very much" of "thank you very much", and the reply would mean nothing.
_COURTESY = "|".join(sorted({re.escape(normalised(words)) for words in COURTESIES}, key=lambda one: (-len(one), one)))
# Courtesies at the beginning and at the end of a normalised sentence.
_COURTESIES_AROUND = re.compile(rf"^(?:(?:{_COURTESY})(?: |$))+|(?: (?:{_COURTESY}))+$")


def read_words(path: Path) -> OptOutWords:
    """The words of a CSV file (UTF-8) with the columns meaning (stop or start) and word, in place of the built-in ones.

    Raises InputError with every mistake: an opt-out that isn't understood is a complaint.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            reader.fieldnames = header = [name.strip().lower() for name in reader.fieldnames or ()]
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not CSV in UTF-8"
        raise InputError.of(
            f"the words in {path} cannot be read: {words}", "check the name and the encoding"
        ) from error
    if missing := [name for name in ("meaning", "word") if name not in header]:
        raise InputError.of(
            f"{path} has no column {' and '.join(missing)}",
            "begin with the line language,meaning,word; `campaign receipts --print-words` shows the built-in ones",
        )
    meanings: dict[str, Meaning] = {}
    problems: list[Problem] = []
    for line, row in rows:
        if not "".join(map(str, row.values())).strip():
            continue
        meaning, word = row["meaning"].strip().lower(), row["word"].strip()
        what, remedy = "", "keep one of the two"
        if meaning not in tuple(Meaning):
            what, remedy = f'the meaning "{meaning}" is neither stop nor start', "write one of the two"
        elif not normalised(word):
            what, remedy = f'the word "{word}" has no letter', "write a word, or remove the line"
        elif meanings.setdefault(normalised(word), Meaning(meaning)) != meaning:
            what = f'"{word}" means both stop and start'
        if what:
            problems.append(Problem(what, remedy, "", Position(str(path), line, 1)))
    if not problems and Meaning.STOP not in meanings.values():
        problems.append(Problem(f"{path} has no word that means stop", "add one, or nobody can opt out"))
    if problems:
        raise InputError(problems)
    return OptOutWords(meanings)


BUILT_IN = read_words(BUILT_IN_FILE)
