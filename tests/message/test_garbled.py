"""Garbled cells: recognized in many languages, and no real name is one."""

import pytest
from babel import Locale

from runner.message.garbled import mended

GARBLED = {
    "SÃ©bastien": "Sébastien",
    "FranÃ§ois": "François",
    "SÃ£o Paulo": "São Paulo",
    "Ã‘UÃ‘O": "ÑUÑO",
    "BJÃ–RN": "BJÖRN",
    "Ã…sa": "Åsa",
    "Å»aneta": "Żaneta",
    "AyÅŸe": "Ayşe",
    "Åžule": "Şule",
    "IonuÈ›": "Ionuț",
    "Nguyá»…n": "Nguyễn",
    "Ð¡ÐµÑ€Ð³ÐµÐ¹": "Сергей",
    "РЎРµСЂРіРµР№": "Сергей",
    "ä¸\xadå›½": "中国",
    "ê¹€": "김",
    "à¸ªà¸¡à¸Šà¸²à¸¢": "สมชาย",
    "Ù…Ø\xadÙ…Ø¯": "محمد",
    "ðŸ˜€": "😀",
    "Itâ€™s": "It’s",
    "â‚¬5": "€5",
    "S├⌐bastien": "Sébastien",
    "SÃƒÂ©bastien": "Sébastien",
    "O&#039;Brien": "O'Brien",
    "L&apos;Or&eacute;al": "L'Oréal",
    "Tom &amp; Jerry": "Tom & Jerry",
    "Zo&#xEB;": "Zoë",
    "&amp;eacute;": "é",
    "Ann&nbsp;Lee": "Ann Lee",
    "&nbsp;": "",
    "https://x.example/?a=1&amp;b=2": "https://x.example/?a=1&b=2",
    "Zo\\u00eb": "Zoë",
    '="00042"': "00042",
    "\\ud83d\\ude00": "😀",
}


@pytest.mark.parametrize("cell", GARBLED)
def test_garbled(cell: str) -> None:
    assert GARBLED[cell] == mended(cell)


FINE = [
    "", "Ann", "Sébastien", "Ângela", "IRMÃ DULCE", "AMANHÃ", "Ærø", "Łódź", "Þórður", "Đặng Thị Hường", "Çağla Şahin",
    "Ñuño", "Zoë’s", "ANDRÉ’S", "CAFÉ™", "CAFÉ®", "HANUNÓ’O", "BANGLADÉŠ", "AT&T", "R&D;", "Tom & Jerry", "5°", "€5",
    "https://x.example/?a=1&copy=2", "C:\\users", "Сергей", "李小龙", "สมชาย", "ΓΙΩΡΓΟΣ", "Ü", "…", "½", "naïve", "Ö",
]  # fmt: skip


@pytest.mark.parametrize("cell", FINE)
def test_fine(cell: str) -> None:
    assert cell == mended(cell)


@pytest.mark.parametrize(
    "code", ["fr", "pt", "vi", "tr", "de", "pl", "is", "cs", "hu", "lt", "ro", "sv", "es", "ru", "el"]
)
def test_real_names_are_fine(code: str) -> None:
    """CLDR's names of countries and languages, which have the letters of each language's names."""
    locale = Locale.parse(code)
    names = {str(name) for table in (locale.territories, locale.languages) for name in table.values()}
    names |= {name.upper() for name in names} | {name.title() for name in names}
    assert len(names) > 1_000
    assert [] == [(name, mended(name)) for name in sorted(names) if mended(name) != name]


@pytest.mark.parametrize("code", ["fr", "pt", "vi", "tr", "de", "pl", "is", "ro", "zh", "ko", "th"])
def test_real_names_that_were_garbled(code: str) -> None:
    locale = Locale.parse(code)
    names = [str(name) for name in locale.territories.values() if not str(name).isascii()]
    again = [mended(name.encode().decode("latin-1")) for name in names]
    wrong = [name for name, found in zip(names, again, strict=True) if found != name.replace("\u00a0", " ")]
    assert len(wrong) <= len(names) / 50
