"""`title`: names in capitals or small letters as people write them. Pure."""

import re

from runner.message.given import text_of

# A run of letters, with digits before it and apostrophes in it.
_APOSTROPHES = "'’‘ʼ`´"
_WORD = re.compile(rf"(\d*)([^\W\d_]+(?:[{_APOSTROPHES}][^\W\d_]+)*)")
_AT_APOSTROPHE = re.compile(rf"([{_APOSTROPHES}])")
# What follows an apostrophe without being a name: John's, we'll.
_ENDINGS = frozenset({"s", "t", "ll", "re", "ve", "m", "d"})
_MC = re.compile(r"Mc[^\W\d_]{3,}")
_LAST_NUMERAL = re.compile(r"(?<=\s)(ii|iii|iv)$", re.IGNORECASE)


def title(value: object) -> str:
    """The name with its capitals: ANNA-MARIA O'NEIL is Anna-Maria O'Neil, john's shop is John's Shop.

    A value that has capitals and small letters already (McDonald, van der Berg, DeShawn, LaToya J.) stays as it is:
    its owner knows better. Raises FilterError for what is no text.
    """
    text = text_of(value)
    if text != text.lower() and text != text.upper():
        return text
    titled = _WORD.sub(lambda match: match[1] + _word(match[2], after_digit=bool(match[1])), text)
    return _LAST_NUMERAL.sub(lambda match: match[0].upper(), titled)


def _word(word: str, *, after_digit: bool) -> str:
    if after_digit:  # 2nd, 10th
        return _lower(word)
    pieces = _AT_APOSTROPHE.split(word)
    written = [_capital(pieces[0])]
    for before, apostrophe, piece in zip(pieces[0::2], pieces[1::2], pieces[2::2], strict=False):
        written += [apostrophe, _capital(piece) if _begins_name(before, piece) else _lower(piece)]
    return "".join(written)


def _begins_name(before: str, piece: str) -> bool:
    """O'Neil, D'Or and De'Andre go on with a capital; John's, we'll and ma'am don't."""
    return piece.lower() not in _ENDINGS and (len(before) <= 1 or len(piece) > 2)


def _capital(piece: str) -> str:
    if piece[:1] in ("", "ʻ"):  # ʻAlika: a letter of Hawaiian; inside of a name (Oʻahu) no capital follows it
        return piece[:1] + (_capital(piece[1:]) if piece else "")
    capital = piece[0].title() + _lower(piece)[len(_lower(piece[0])) :]
    return capital[:2] + capital[2].upper() + capital[3:] if _MC.fullmatch(capital) else capital


def _lower(piece: str) -> str:
    # Turkish İ would become an i with a combining dot, a character that forces UCS-2.
    return piece.lower().replace("i\u0307", "i")
