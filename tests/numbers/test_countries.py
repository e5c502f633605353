"""Countries as people write them, and what only looks like one."""

import pytest

from runner.numbers.countries import country_code

KNOWN = [
    # (as written, alpha-2, why it is here)
    ("SG", "SG", "alpha-2"),
    ("sg", "SG", "alpha-2 in small letters"),
    ("SGP", "SG", "alpha-3"),
    ("gbr", "GB", "alpha-3 in small letters"),
    ("Singapore", "SG", "a name"),
    (" SINGAPORE ", "SG", "a name in capitals, with blanks"),
    ("Deutschland", "DE", "a name in German"),
    ("日本", "JP", "a name in Japanese"),
    ("Espan\u0303a", "ES", "an accent as a separate character"),
    ("Espana", "ES", "a name without its accent"),
    ("Cote d'Ivoire", "CI", "another apostrophe than Babel's"),
    ("Hong Kong", "HK", "Babel has Hong Kong SAR China"),
    ("Burma", "MM", "Babel has Myanmar (Burma)"),
    ("Trinidad and Tobago", "TT", "Babel has an ampersand"),
    ("St. Lucia", "LC", "abbreviated"),
    ("The Netherlands", "NL", "with an article"),
    ("U.S.A.", "US", "alpha-3 with full stops"),
    ("UK", "GB", "a name, though no code"),
    ("Tanzania, United Republic of", "TZ", "the name in ISO 3166-1"),
    ("Bolivia (Plurinational State of)", "BO", "the same in brackets"),
    ("Niger", "NE", "the beginning of another name"),
]


@pytest.mark.parametrize(("written", "code", "why"), KNOWN, ids=[row[-1] for row in KNOWN])
def test_knows(written: str, code: str, why: str) -> None:
    assert code == country_code(written)


UNKNOWN = [
    # (as written, why it is none)
    ("", "nothing"),
    ("Narnia", "no country"),
    ("Singapor3", "a slip"),
    ("Congo", "two countries"),
    ("Korea", "two countries"),
    ("SIN", "an airport; China in Maltese"),
    ("XX", "not assigned"),
    ("001", "the world"),
    ("702", "a number, though Singapore's"),
    ("65", "a country calling code"),
    ("AQ", "no numbers"),
    ("CT", "a state; once an island's code"),
]


@pytest.mark.parametrize(("written", "why"), UNKNOWN, ids=[row[-1] for row in UNKNOWN])
def test_does_not_guess(written: str, why: str) -> None:
    assert country_code(written) is None
