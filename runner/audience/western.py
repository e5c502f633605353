"""Whether words that were decoded as Windows-1252 look like words of Western Europe. Pure.

Every byte is some letter in every Windows code page, so a wrong guess raises no error: it sends "Erdõs" to Mr Erdős.
What tells is where a letter stands. The code pages of Central Europe, Turkey and the Baltic put a consonant where
Windows-1252 has a vowel (č and è, ř and ø), Cyrillic and Greek make words of such letters alone, and those of DOS and
of old Macintoshes have letters where Windows has quotes and dashes. Letters that all of these share (é, ü, ö, ç) prove
nothing and harm nothing.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum


class Look(IntEnum):
    """What one word says about the guess."""

    NEUTRAL = 0  # the same in every Latin code page that it could be in
    WESTERN = 1
    OPEN = 2  # could be either
    ODD = 3  # hardly ever seen in a Western language
    IMPOSSIBLE = 4


@dataclass(slots=True)
class Evidence:
    """Counts of distinct words, and the first one that speaks against the guess."""

    neutral: int = 0
    western: int = 0
    open: int = 0
    odd: int = 0
    impossible: int = 0
    witness: str | None = None
    icelandic: bool = False

    def is_strange(self, word: str) -> bool:
        """Whether this word may be garbled although the others look Western.

        Where nothing but neutral words speaks for the guess, as in Hungarian, also what could be either.
        """
        bound = Look.OPEN if 4 * self.western >= self.neutral else Look.WESTERN
        return look_of(word, icelandic=self.icelandic) > bound

    @property
    def convincing(self) -> bool:
        """Of a few words, one that cannot be Western is enough against it. Of many, some are odd in any language.

        Neutral words say little: of the Hungarian ones that aren't ASCII, nine in ten are, and the tenth is Mr Erdős.
        """
        strange = self.odd + self.impossible
        total = self.neutral + self.western + strange
        if not total - strange or self.open > self.western + self.neutral / 20:
            return False
        return strange <= max(TOLERATED * total, total >= ENOUGH) and strange <= self.western + self.neutral / 50


TOLERATED = 0.05
"""The share of strange words that lists of real names have: "Võro" in German. The rows with them are left out."""

ENOUGH = 12
"""From so many words on, one may be strange."""

_ANY = "A-Za-z\x80-\x9f\xa1-\xac\xae-\uffff"
WORD = re.compile(f"[{_ANY}]*[\x80-\x9f\xa1-\xac\xae-\uffff][{_ANY}]*")
"""A run of letters and other characters beyond ASCII, with at least one of the latter; NBSP and soft hyphen part it."""

_VOWELS = frozenset("aeiouyáàâäãåæéèêëíìîïóòôöõøúùûüýœ")
_OPENING = "“„‘‚‹«"
_BOTH_SIDES = "’'´`–—-…·"
# Currencies, superscripts and marks that are letters elsewhere: ³ is ł, ¹ is ą, £ is Ł, ¿ is ż, ¥ is Ą, ¢ is ó of DOS.
_NEVER_INSIDE = frozenset("‡†ˆ‰ƒ˜¤¦¯¢£¥¹²³¿¡±¶¼½¾×÷¬•€™©®§µ¨¸") | frozenset(_OPENING) - {"‘"}
_BEFORE_A_WORD = frozenset(_OPENING) | frozenset("¿¡’'©§µ•–—-…·´`")
_AFTER_A_WORD = frozenset("”’'›»™®©ªº²³…–—-€·´`“‘•†")
_SUFFIXES = frozenset({"s", "t", "d", "m", "n", "re", "ve", "ll", "em", "tis", "er"})
_UNITS = frozenset({"m", "cm", "dm", "km", "mm"})
_RUN = re.compile("[^\\W\\d_A-Za-z]{3}")


def evidence(words: Iterable[str]) -> Evidence:
    """Judges each of the words, which hold the matches of `WORD`."""
    known = list(words)
    icelandic = _icelandic(known)
    found = Evidence(icelandic=icelandic)
    worst = Look.WESTERN
    for word in known:
        look = look_of(word, icelandic=icelandic)
        found.neutral += look is Look.NEUTRAL
        found.western += look is Look.WESTERN
        found.open += look is Look.OPEN
        found.odd += look is Look.ODD
        found.impossible += look is Look.IMPOSSIBLE
        if look > worst:
            worst, found.witness = look, word
    return found


def look_of(word: str, *, icelandic: bool = False) -> Look:
    """`icelandic`: whether the words around it are, so that ð, þ and ý are no ğ, ş and ı of Turkish."""
    look = _marks(word)
    for part in re.findall(r"[^\W\d_ªº]+", word):
        look = max(look, _letters(part, icelandic))
    return look


def is_word(text: str) -> bool:
    """Whether it is letters of one script, in a case that words have."""
    if not text.isalpha() or (text.lower() != text and text.upper() != text and text.title() != text):
        return False
    return len({unicodedata.name(letter, "?").partition(" ")[0] for letter in text}) == 1


def _marks(word: str) -> Look:
    """What stands in, before and after the letters and is none itself."""
    look = Look.NEUTRAL
    for place, sign in enumerate(word):
        if _is_letter(sign):
            continue
        before, after = word[:place], word[place + 1 :]
        if sign in "\x81\x8d\x8f\x90\x9d¤":
            return Look.IMPOSSIBLE
        inside = before and after and _is_letter(before[-1]) and _is_letter(after[0])
        if inside:
            look = max(look, _inside(sign, before, after))
        elif _misplaced(sign, before, after):
            return Look.IMPOSSIBLE
        elif _loose(sign, before, after):
            look = max(look, Look.OPEN)
    return look


def _loose(sign: str, before: str, after: str) -> bool:
    """Marks that may stand there, and that DOS and Macintoshes have as letters: citt… is città, Niccol“ is Niccolì."""
    if sign in "…¿":
        return before != "" or after[:1].islower()
    if sign in "“‘":
        return before != "" and not before.startswith(("„", "‚"))
    return sign in "º–—" and before != ""


def _misplaced(sign: str, before: str, after: str) -> bool:
    if after and _is_letter(after[0]) and sign not in _BEFORE_A_WORD:
        return True
    if before and _is_letter(before[-1]) and sign not in _AFTER_A_WORD:
        return True
    return sign in "²³" and before != "" and before.lower() not in _UNITS


def _inside(sign: str, before: str, after: str) -> Look:
    if sign in "’'":
        head = re.split(r"[^\w]", before)[-1]
        tail = re.split(r"[^\w]", after)[0]
        fine = after[0].isupper() or len(head) <= 2 or head.lower().endswith("qu") or tail.lower() in _SUFFIXES
        return Look.NEUTRAL if fine else Look.IMPOSSIBLE
    if sign == "\xa0":
        return Look.OPEN
    if sign in "´`·…":
        return Look.NEUTRAL
    if sign in "–—‘":
        # "A–Z", "Huber–Meier"; but Spanish of a Macintosh ("Mu–oz") and Japanese ("—é–Ø") have letters here.
        joins = before[-1].isascii() and after[0].isascii() and after[0].isupper()
        return Look.NEUTRAL if joins else Look.ODD
    return Look.IMPOSSIBLE


def _letters(part: str, icelandic: bool) -> Look:
    foreign = [letter for letter in part if letter > "\x7f"]
    if not foreign:
        return Look.NEUTRAL
    if _RUN.search(part) or (len(part) > 1 and len(foreign) == len(part) and part.lower() not in ("éé", "öö", "ää")):
        return Look.IMPOSSIBLE
    look = Look.NEUTRAL
    lower = part.lower()
    for place, letter in enumerate(part):
        if letter <= "\x7f":
            continue
        if letter.isupper() and place and not part[place - 1].isupper() and not _irish(part, place):
            return Look.IMPOSSIBLE  # "RenŽe", "MŸller": é and ü of a Macintosh
        if letter.isupper() and place and part[place - 1].isupper() and part[place + 1 : place + 2].islower():
            return Look.IMPOSSIBLE
        rule = _RULES.get(lower[place])
        if rule is not None:
            look = max(look, rule(lower[:place], lower[place + 1 :], icelandic))
    return look


def _irish(part: str, place: int) -> bool:
    """In "Ó hÉigeartaigh" and "an tÚdar" a small letter is put before a capital one."""
    return place == 1 and part[0] in "hnt" and part[1] in "ÁÉÍÓÚ"


def _is_letter(sign: str) -> bool:
    return sign.isalpha() and sign not in "ªº"


def _vowel(text: str, place: int) -> bool:
    """Whether there is a vowel at the place; y is none, because it closes French and opens English syllables."""
    return bool(text) and text[place] in _VOWELS and text[place] != "y"


def _only(fine: bool, otherwise: Look = Look.ODD) -> Look:
    return Look.WESTERN if fine else otherwise


_Rule = Callable[[str, str, bool], Look]


def _e_grave(before: str, after: str, _: bool) -> Look:
    """Č of Kovačić, Čech; French and Italian: Hélène, Agnès, Lumière, Mosè, Ève."""
    closed = not _vowel(after, 0) and (not _vowel(before, -1) or before[-1] in "iu")
    return _only(closed and (before != "" or after.startswith("v")))


def _e_circumflex(before: str, after: str, _: bool) -> Look:
    """Ę of Wałęsa, Dębski; French and Portuguese: Forêt, Prêtre, Inês."""
    return _only(before != "" and (after in ("", "u") or after[0] in "tvmrsnl" or after.startswith(("ch", "qu"))))


def _o_slash(before: str, after: str, _: bool) -> Look:
    """Ř of Jiří, Dvořák, Březina; Danish: Søren, Bjørn, Øyvind."""
    if _vowel(before, -1) or after.startswith(tuple("áíéýìùa")):
        return Look.ODD
    return Look.OPEN if _vowel(after, 0) else Look.WESTERN


def _ae(before: str, after: str, _: bool) -> Look:
    """Ć of Petrović, Ćwik; Danish: Kjær, Sæther, Ærø."""
    if before:
        return _only(not _vowel(before, -1))
    return _only(after != "" and not _vowel(after, 0) and not after.startswith("w"))


def _y_acute(before: str, after: str, icelandic: bool) -> Look:
    """Dotless i of Yılmaz; Icelandic: Sýrus, and the same letter in Czech: Nový."""
    return Look.OPEN if before and after in ("", "ch", "m") else _only(icelandic)


def _s_caron(before: str, after: str, _: bool) -> Look:
    """Ö of a Macintosh between consonants: Jšrg, Kšln; elsewhere the same in the code page of Central Europe."""
    if not before or _vowel(before, -1) or _vowel(after, 0):
        return Look.NEUTRAL
    return Look.IMPOSSIBLE if after else Look.ODD


def _c_cedilla(_: str, after: str, __: bool) -> Look:
    """Long e of Latvian, as in Bērziņš; French: François, Turkish in both: Çelik, Genç."""
    return Look.NEUTRAL if after == "" or _vowel(after, 0) else Look.ODD


# letter → (what stands before, what stands behind, whether the file is Icelandic) → look
_RULES: dict[str, _Rule] = {
    "è": _e_grave,
    "ê": _e_circumflex,
    "ø": _o_slash,
    "æ": _ae,
    "ý": _y_acute,
    "š": _s_caron,
    "ç": _c_cedilla,
    # ń of Gdańsk, Poznań; Spanish: Muñoz
    "ñ": lambda _, b, __: _only(_vowel(b, 0)),
    # ň of Plzeň, Váňa; Italian: Nicolò
    "ò": lambda a, b, _: _only(a + b != "" and not _vowel(a, -1) and not _vowel(b, 0)),
    # ů of Martinů, Růžička; French: où, Italian: Gesù
    "ù": lambda a, b, _: _only(a == "o" and b == "", Look.OPEN if b == "" else Look.ODD),
    # ű of Szűcs; French: Août
    "û": lambda a, _, __: _only(_vowel(a, -1), Look.OPEN),
    # ő of Erdős, Győr; Portuguese: Camões
    "õ": lambda _, b, __: _only(b.startswith("e")),
    # ă of Brăila, Răzvan; Portuguese: João, Magalhães
    "ã": lambda _, b, __: _only(b.startswith(("o", "e")), Look.OPEN if b == "" else Look.ODD),
    # ě of Zdeněk, Němec; Italian: Forlì
    "ì": lambda a, b, _: _only(b == "" and a != ""),
    # ď of Ďurďák; French and Dutch: Anaïs, Loïc
    "ï": lambda a, _, __: _only(_vowel(a, -1)),
    # ś of Śląsk, Kościuszko; French: cœur
    "œ": lambda _, b, __: _only(b.startswith(("u", "i", "d")), Look.IMPOSSIBLE),
    # я of Cyrillic, ź of Polish in capitals
    "ÿ": lambda a, _, __: _only(_vowel(a, -1), Look.IMPOSSIBLE),
    # ğ of Erdoğan, đ of Đorđe; Icelandic: Guðrún
    "ð": lambda a, _, icelandic: _only(icelandic and a != ""),
    # ş of Ayşe, ţ of Ionuţ; Icelandic: Þórður
    "þ": lambda _, __, icelandic: _only(icelandic),
}


def _icelandic(words: list[str]) -> bool:
    """Turkish has none of á, í, ó, ú, and Icelandic hardly a word without them; ç is Turkish alone of the two."""
    suspects = sum(1 for word in words if re.search("[ðþÐÞ]", word))
    acute = sum(1 for word in words if re.search("[áíóúÁÍÓÚ]", word))
    return suspects > 0 and 2 * acute >= suspects and not any("ç" in word.lower() for word in words)
