"""Find garbled cells, and mend them. Pure.

A cell is garbled if it was read in another encoding than it was written in (SÃ©bastien), or has HTML entities
(O&#039;Brien), escapes (Zo\\u00eb) or a formula around it (="00042"). ftfy recognizes wrong encodings. It takes 0.1 s
to load, so it is loaded for the first cell with two characters side by side that a wrong encoding can produce.
"""

import html
import re
from functools import lru_cache

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ESCAPE = re.compile(r"\\u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|[0-9a-fA-F]{4})")
# Keeps the zeros of a CSV that Excel opens.
_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
# A character that UTF-8 writes in several bytes becomes several characters of a Latin, Greek or Cyrillic encoding. The
# last one may be a no-break space, which other programs turn into a space.
_SIDE_BY_SIDE = re.compile(r"[\x80-\u052f\u2000-\u25ff\uf8ff\ufb01\ufb02]{2}|[ÃÂ](?: |$)")
# What a text may become that ftfy doesn't suspect: Latin letters of European languages and of Vietnamese, dashes and
# quotation marks, Thai, Chinese, Japanese, Korean. Without Greek and others, because HANUNÓ’O would become HANUNӒO.
_LIKELY = re.compile(
    r"[\x00-\x7f\u00c0-\u017f\u01a0\u01a1\u01af\u01b0\u0218-\u021b\u0e00-\u0e7f\u1e00-\u1eff\u2010-\u2044\u3000-\u30ff"
    r"\u3400-\u9fff\uac00-\ud7a3]*"
)
# A cell may be garbled several times, as in &amp;eacute;.
_MOST_ROUNDS = 4


def may_be_garbled(text: str) -> bool:
    """A cheap check, so that most texts need no more (`python -m benchmarks.steps`)."""
    return not text.isascii() or "&" in text or "\\u" in text or '="' in text


@lru_cache(maxsize=4_096)
def mended(cell: str) -> str:
    """The cell as it was meant; the cell itself if it isn't garbled. U+FFFD stands for a character that is lost."""
    if not may_be_garbled(cell):
        return cell
    text = cell
    for _ in range(_MOST_ROUNDS):
        before = text
        if "&" in text:
            text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
        if "\\u" in text:
            text = _ESCAPE.sub(lambda match: _unescaped(match[0]), text)
        if formula := _FORMULA.fullmatch(text):
            text = formula[1].replace('""', '"')
        if not text.isascii() and _SIDE_BY_SIDE.search(text):
            text = _read_again(text)
        if text == before:
            break
    # A no-break space would force UCS-2.
    return text if text == cell else text.replace("\u00a0", " ").strip()


def _unescaped(escapes: str) -> str:
    units = bytes.fromhex(escapes.replace("\\u", ""))
    return units.decode("utf-16-be", "replace")


def _read_again(text: str) -> str:
    """The text in the encoding that it was probably written in."""
    import ftfy
    from ftfy.badness import is_bad

    if is_bad(text):
        return ftfy.fix_encoding(text)
    # ftfy doesn't suspect AyÅŸe and Nguyá»…n, because letters and dots are usual. But as Windows-1252 they are UTF-8.
    try:
        again = text.encode("sloppy-windows-1252").decode()
    except UnicodeError:
        return text
    return again if _LIKELY.fullmatch(again) else text
