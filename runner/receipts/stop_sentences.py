"""Sentences that ask to opt out: "please stop sending me these messages", "I want to opt out". Pure.

A sentence is read as a row of parts, each a known phrase or an unknown word. It asks to opt out if it contains a stop
word, and every other part only says who asks ("I want to"), what is to end ("sending me messages") or since when ("from
now on"). One unknown word is enough to leave it to a person: "stop by the shop", "when does the sale stop".
"""

import csv
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path


class Part(StrEnum):
    """A part of a sentence: one letter each, so that a pattern can describe sentences."""

    STOP = "s"
    AMBIGUOUS = "a"  # a stop word that also answers other questions: "cancel", "end"
    START = "t"
    WISH = "w"  # stands before a stop word
    PERSON = "i"  # stands before or after a stop word
    MESSAGES = "m"  # what is to end
    REST = "o"  # stands after a stop word
    COURTESY = "c"  # stands anywhere
    RECEIVING = "g"  # stands after a stop word, or after a wish to end
    NEVER = "n"  # ends messages ("don't text me"), or turns a stop word into its opposite ("don't stop")
    UNWANTED = "u"  # "I don't want": ends messages, or turns a stop word into its opposite
    UNWANTED_LAST = "v"  # the same in languages in which it comes last
    CANNOT_STOP = "k"  # "can't stop laughing", but also "can't stop these texts"
    HINT = "h"  # may be meant as an opt-out
    OTHER = "?"  # leaves open what is meant: "not", and every unknown word


# The phrases of each part, a line for each language: the part's name, then the phrases. Texts in other languages hold
# English words too, so the languages aren't kept apart.
_PHRASES_FILE = Path(__file__).with_name("stop_phrases.csv")

# The part of a phrase that is in the lists of two parts, in one language or in two.
_BOTH = {
    (Part.WISH, Part.PERSON): Part.PERSON,
    (Part.WISH, Part.REST): Part.PERSON,
    (Part.PERSON, Part.REST): Part.PERSON,
    (Part.MESSAGES, Part.REST): Part.MESSAGES,
}

# Scripts that put no blanks between words: Thai, Lao, Burmese, Khmer, kana and Chinese characters.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[^ {_UNSPACED}]+|[{_UNSPACED}]")
# The last character of a word.
_BOUNDARY = re.compile(rf"[{_UNSPACED}]|.(?=[ {_UNSPACED}]|$)")

# A sentence that asks to opt out: with a stop word, or with what ends messages and messages.
_AROUND = f"{Part.WISH}{Part.PERSON}{Part.MESSAGES}"
_AFTER = f"{_AROUND}{Part.REST}{Part.RECEIVING}{Part.STOP}{Part.AMBIGUOUS}"
_ASKS = re.compile(
    f"[{_AROUND}]*s[{_AFTER}]*|(?=.*[ms])[{_AROUND}]*a[{_AFTER}]*|w*n[wio]*m[{_AFTER}n]*|[wi]*u[wiog]*m[{_AFTER}u]*"
    f"|[wio]*m[wiom]*{Part.UNWANTED_LAST}[{_AFTER}]*"
)
_ASKS_ALONE = re.compile("[wi]*(?:a+|v)")
_OPPOSITE = re.compile(f"[nu][wi]*[sa]|[sa][wio]*v|{Part.CANNOT_STOP}(?![om])")
_MAY_ASK = re.compile("[sahkv]|[nu].*m|^[wio]*u[wiog]*$")


class Sentence(StrEnum):
    """What a sentence of a reply says."""

    EMPTY = "empty"  # or only courtesies
    STOP = "stop"
    STOP_ALONE = "stop alone"  # asks to opt out, unless other sentences are about something else
    START = "start"
    OPPOSITE = "opposite"  # "don't stop"
    IN_DOUBT = "in doubt"
    OTHER = "other"


class SentenceReader:
    """Reads sentences. `words` are more phrases with their part: stop and start words, and courtesies.

    `form` gives texts the form in which they are compared.
    """

    def __init__(self, words: Mapping[str, Part], form: Callable[[str], str]) -> None:
        self._form = form
        known: dict[str, Part] = {}
        for part, written in _phrases():
            phrase = form(written)
            known[phrase] = _BOTH.get((known.get(phrase, part), part), part)
        known |= {form(word): part for word, part in words.items()}
        # By their first word, or first character of a script without blanks; the longest first.
        self._known: dict[str, list[tuple[str, Part]]] = {}
        for phrase, part in sorted(known.items(), key=lambda each: -len(each[0])):
            if first := _WORD.match(phrase):
                self._known.setdefault(first[0], []).append((phrase, part))

    def read(self, sentence: str) -> tuple[Sentence, str]:
        """What a sentence says, and the phrase that decides, or ""."""
        parts = [each for each in self._parts(self._form(sentence)) if each[0] is not Part.COURTESY]
        letters = "".join(part for part, _ in parts)
        if not letters.strip("t"):
            return (Sentence.START, parts[0][1]) if letters else (Sentence.EMPTY, "")
        if _ASKS.fullmatch(letters):
            return Sentence.STOP, _deciding(parts, "sanuv")
        if _ASKS_ALONE.fullmatch(letters):
            return Sentence.STOP_ALONE, _deciding(parts, "av")
        without = _OPPOSITE.sub("", letters)
        if _MAY_ASK.search(without):
            return Sentence.IN_DOUBT, _deciding(parts, "sahkvnu")
        return (Sentence.OTHER if without == letters else Sentence.OPPOSITE), ""

    def _parts(self, text: str) -> Iterator[tuple[Part, str]]:
        place = 0
        while word := _WORD.search(text, place):
            start = word.start()
            for phrase, part in self._known.get(word[0], ()):
                place = start + len(phrase)
                if text.startswith(phrase, start) and _BOUNDARY.match(text, place - 1):
                    yield part, phrase
                    break
            else:
                place = word.end()
                yield Part.OTHER, word[0]


def _deciding(parts: Sequence[tuple[Part, str]], letters: str) -> str:
    """The first phrase of one of these parts; one that ends messages comes with the messages: "do not send"."""
    place = next(place for place, (part, _) in enumerate(parts) if part in letters)
    part, phrase = parts[place]
    messages = [more for kind, more in parts[place:] if kind is Part.MESSAGES]
    return " ".join([phrase, *messages[:1]]) if part in (Part.NEVER, Part.UNWANTED) else phrase


@functools.cache
def _phrases() -> Sequence[tuple[Part, str]]:
    """All phrases, also without apostrophes: "dont" for "don't"."""
    with _PHRASES_FILE.open(encoding="utf-8", newline="") as file:
        listed = [(Part[name.upper()], phrase) for name, *phrases in csv.reader(file) for phrase in phrases]
    return [(part, written) for part, phrase in listed for written in (phrase, phrase.replace("'", ""))]
