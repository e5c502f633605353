"""Countries as people write them in a column: by code or by name. Pure."""

import re
import unicodedata
from functools import cache, lru_cache

from phonenumbers import SUPPORTED_REGIONS

# Names in English that Babel doesn't have, folded.
_OTHER_NAMES = {
    "britain": "GB", "greatbritain": "GB", "ksa": "SA", "macedonia": "MK", "northernireland": "GB", "palestine": "PS",
    "republicofkorea": "KR", "russianfederation": "RU", "scotland": "GB", "uae": "AE", "uk": "GB",
    "unitedstatesofamerica": "US", "us": "US", "wales": "GB",
}  # fmt: skip
# A shorter name looks like a code, perhaps of something else: SIN is China in Maltese, and Singapore's airport.
_SHORTEST_NAME = 4
# "Iran, Islamic Republic of" and "Bolivia (Plurinational State of)" are Iran and Bolivia.
_OFFICIAL = re.compile(r"(.+?)(?:, | \()[^,()]*\bof\b.*", re.IGNORECASE)
_ARTICLE = re.compile(r"\s*the\s+", re.IGNORECASE)


@lru_cache(1_000)  # a file has few countries, but this column of it may have anything
def country_code(written: str) -> str | None:
    """The ISO 3166-1 alpha-2 code of a country with known numbers; None for anything else.

    `written` is the alpha-2 or alpha-3 code, or the country's name in English or another language, in any letter case.
    A name that several countries have, such as Congo, is none.
    """
    code = written.strip().upper()
    if code in SUPPORTED_REGIONS:
        return code
    official = _OFFICIAL.fullmatch(written)
    name = _folded(_ARTICLE.sub("", official[1] if official else written, count=1))
    if known := _alpha_3().get(name) or _OTHER_NAMES.get(name):
        return known
    if len(name) < _SHORTEST_NAME and name.isascii():
        return None
    return _names_in("en").get(name) or _names_in(*_languages()).get(name)


@cache
def _alpha_3() -> dict[str, str]:
    """Alpha-3 in small letters → alpha-2."""
    from babel.core import get_global

    codes = ((old, new) for old, new in get_global("territory_aliases").items() if len(old) == 3 and old.isalpha())
    return {old.casefold(): new[0] for old, new in codes if len(new) == 1 and new[0] in SUPPORTED_REGIONS}


@cache
def _names_in(*languages: str) -> dict[str, str]:
    """Folded name → alpha-2. All languages take a second, but only if a name isn't English."""
    from babel import Locale

    found: dict[str, set[str]] = {}
    for language in languages:
        for code, name in Locale(language).territories.items():
            if code in SUPPORTED_REGIONS:
                # "Myanmar (Burma)" and "Hong Kong SAR China" have a short form.
                for form in (name, name.partition("(")[0], name.partition(" SAR ")[0]):
                    found.setdefault(_folded(form), set()).add(code)
    return {name: codes.pop() for name, codes in found.items() if len(codes) == 1}


def _languages() -> list[str]:
    from babel.localedata import locale_identifiers

    return [name for name in locale_identifiers() if "_" not in name]


def _folded(name: str) -> str:
    """Without letter case, accents, spaces and punctuation."""
    plain = unicodedata.normalize("NFKD", name.replace("&", "and").casefold())
    return "".join(character for character in plain if character.isalnum())
