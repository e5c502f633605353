"""Which replies are opt-outs, which are opt-ins, and which a person has to read. Pure, except `read_words`.

A reply is an opt-out if one of its sentences asks for it (`stop_sentences.py`), not if a word in it does: "don't stop"
and "stop by tomorrow?" are not opt-outs. Other replies with a stop word are kept for review. Only a reply that says
nothing else is an opt-in.

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
from runner.receipts.stop_sentences import Part, Sentence, SentenceReader

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


# Stop words that also answer other questions, such as one about an appointment. Beside a sentence about something else,
# they are kept for review.
_AMBIGUOUS = frozenset(
    {
        "end", "cancel", "quit", "remove", "revoke", "no more", "discontinue", "cease", "batal", "ยกเลิก", "เลิก",
        "ขอยกเลิก", "hủy", "huy", "取消", "解除", "解約", "退会", "그만", "거부", "정지", "해지", "alto", "pare",
        "parar", "paren", "baja", "cancelar", "cancele", "cancelen", "cancela", "cancelem", "detener", "salir", "sair",
        "remover", "remova", "removam", "chega", "résilier", "ferma", "fermare", "basta", "cancella", "disdire",
        "ophouden", "stoppen", "koniec", "dość", "dosc", "usuń", "usun", "avsluta", "slutt", "peru", "lopeta", "dur",
        "ret", "iptal", "отмена", "отказ", "хватит", "отключить", "досить", "годі", "لغو", "الغاء", "إلغاء", "قف",
        "להסיר", "למחוק", "לא לשלוח", "alisin", "tanggalin", "tc", "td", "די",
    }
)  # fmt: skip


class Meaning(StrEnum):
    """The meaning of a reply."""

    STOP = "stop"
    START = "start"
    REVIEW = "review"  # it may be an opt-out: a person has to read it


# Ends of sentences, and places where people begin another without a mark: "wrong number please stop", "stop or I sue".
_SENTENCE_ENDS = re.compile(
    r"[.!?…。！？؟।\n\r;,、，:]+|\s[-–—]+\s|\b(?=(?:please|pls|plz|kindly)\b)|\b(?:or(?= i\b| else\b)|because)\b"
)
# A letter that is held down: "stooop", "STOPPP".
_HELD = re.compile(r"([^\W\d])\1{2,}")
# Invisible characters: the combining dot of a lower-cased İ, variation selectors, keycaps, fillers, joiners. Category
# Cf is removed too.
_UNSEEN = re.compile("[\u0307\ufe00-\ufe0f\u20e3\u034f\u115f\u1160\u180b-\u180f\U000e0100-\U000e01ef]")
# Letters that look like Latin ones: Cyrillic, Greek, Armenian, small capitals, the zero,
# and the Turkish i without a dot, whose capital is I.
_LOOK_ALIKES = str.maketrans("аеорсухѕіјкмнтвԁԛԝαβεζηικμνορτυχտօꜱᴛᴏᴘ0ı", "aeopcyxsijkmhtbdqwabezhikmnoptyxsostopoi")
_CIRCLED = {0x1F150 + place: chr(ord("a") + place) for place in range(26)}  # white letters in black circles
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "ʼ": "'"})
# How phones report a reaction to one of our messages. They quote the message, and so its "Reply STOP to opt out".
_REACTION = re.compile(
    r"\s*(?:(?:dis)?liked|loved|laughed at|emphasi[sz]ed|questioned|reacted .{1,40} to|removed an? .{1,40} from"
    r"|me gusta|le gusta|me encanta|a aimé|a adoré|gefällt|ha messo mi piace a|\W{1,12}to)\s*[“\"«„‘'].*",
    re.IGNORECASE | re.DOTALL,
)


# What makes a reply worth reading, if it is neither an opt-out nor an opt-in.
_DOUBTFUL = (Sentence.STOP, Sentence.STOP_ALONE, Sentence.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class OptOutWords:
    """The stop and start words, normalised: case, width and the form of accents don't matter."""

    meanings: Mapping[str, Meaning]
    # The words by what they look like.
    _seen: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _reader: SentenceReader = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_seen", {_seen(word): word for word in self.meanings})
        words = dict.fromkeys(COURTESIES, Part.COURTESY)
        words |= {word: _part(word, meaning) for word, meaning in self.meanings.items()}
        object.__setattr__(self, "_reader", SentenceReader(words, _seen))

    def meaning(self, reply: str, sender: str = "") -> tuple[Meaning, str] | None:
        """The meaning of a reply, with the word or phrase that decides; None if it has nothing to do with opting out.

        `sender` is the sender id that the reply was sent to; a sentence may name it: "STOP ACME".
        """
        if _REACTION.fullmatch(reply):
            return None
        text = normalised(reply)
        spelled = text.split()
        if len(spelled) > 2 and all(len(word) == 1 for word in spelled):  # "S.T.O.P."
            text = "".join(spelled)
        if (word := self._seen.get(_seen(text))) is not None:
            return self.meanings[word], word
        said: dict[Sentence, str] = {}
        for sentence in _SENTENCE_ENDS.split(_plain(reply)):
            words = f" {normalised(sentence)} "
            kind, phrase = self._reader.read(words.replace(f" {normalised(sender)} ", " ") if sender else words)
            said.setdefault(kind, self._seen.get(phrase, phrase))
        said.pop(Sentence.EMPTY, None)
        kinds = said.keys()
        if kinds & {Sentence.STOP} and not kinds & {Sentence.START, Sentence.OPPOSITE}:
            return Meaning.STOP, said[Sentence.STOP]
        if kinds == {Sentence.STOP_ALONE}:
            return Meaning.STOP, said[Sentence.STOP_ALONE]
        if kinds == {Sentence.START}:
            return Meaning.START, said[Sentence.START]
        if doubtful := [phrase for kind, phrase in said.items() if kind in _DOUBTFUL]:
            return Meaning.REVIEW, doubtful[0]
        return None


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


def _seen(text: str) -> str:
    """A normalised text as people see it: letters that look like Latin ones are Latin, and none is held down."""
    return _HELD.sub(r"\1", normalised(text).translate(_LOOK_ALIKES))


def _part(word: str, meaning: Meaning) -> Part:
    if meaning is Meaning.START:
        return Part.START
    # A single character, such as 停, "T" or "1", is ambiguous too.
    return Part.AMBIGUOUS if word in _AMBIGUOUS or len(word) == 1 else Part.STOP


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
        if meaning not in (Meaning.STOP, Meaning.START):
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
