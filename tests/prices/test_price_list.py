"""Price files as people and programs write them: what is read, what is refused, and where the mistake is."""

import contextlib
import csv
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import InputError
from runner.prices import price_list as prices_module
from runner.prices.costs import Price
from runner.prices.price_list import COLUMNS, WITH_NUMBERS, read_prices

SAVED = """\
country,operator,price,currency,sub_account
SG,SingTel,0.0520648,SGD,acme_hq
SG,"M1, the other",0.0421477,SGD,acme_hq
US,'=Wireless,0.0161153,SGD,acme_hq
SG,SingTel,0.0099171,USD,acme_uk
"""


def of(low: str, high: str | None = None) -> Price:
    return Price(Decimal(low), Decimal(high or low))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prices.csv"


def mistakes(path: Path, text: str | bytes, sub_account_id: str | None = None) -> list[str]:
    """Every mistake, without the folder."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError) as caught:
        read_prices(path, sub_account_id)
    return [str(problem).replace(str(path), "prices.csv") for problem in caught.value.problems]


def test_what_campaign_prices_saves(path: Path) -> None:
    path.write_text(SAVED)
    found = read_prices(path, "acme_hq")

    assert ("SGD", False) == (found.currency, found.of_others)
    assert {"SG": of("0.0421477", "0.0520648"), "US": of("0.0161153")} == found.by_country
    assert (of("0.0161153"), None, None) == (found.of("US"), found.of("FR"), found.of(None))

    other = read_prices(path, "ACME_UK")
    assert ("USD", {"SG": of("0.0099171")}) == (other.currency, other.by_country)


WHOSE = "country,price,currency,sub_account\n"


@pytest.mark.parametrize(
    ("rows", "sub_account_id", "expected", "of_others"),
    [
        pytest.param("SG,1,USD,acme\nSG,2,USD,other\n", "acme", of("1"), False, id="its own"),
        pytest.param("SG,1,USD,acme\nSG,2,USD,\n", "acme", of("1", "2"), False, id="its own and everybody's"),
        pytest.param("SG,1,USD,other\nSG,2,USD,\n", "acme", of("2"), False, id="everybody's"),
        pytest.param("SG,1,USD,other\nSG,2,USD,third\n", "acme", of("1", "2"), True, id="only others'"),
        pytest.param("SG,1,USD,\nSG,2,USD,\n", "acme", of("1", "2"), False, id="nobody is named"),
        pytest.param("SG,1,USD,other\nSG,2,USD,third\n", None, of("1", "2"), False, id="nobody is asked for"),
        pytest.param("SG,1,USD,'-acme\nSG,2,USD,other\n", "-acme", of("1"), False, id="a defused name"),
    ],
)
def test_whose_prices(path: Path, rows: str, sub_account_id: str | None, expected: Price, of_others: bool) -> None:
    path.write_text(WHOSE + rows)
    found = read_prices(path, sub_account_id)

    assert (expected, of_others) == (found.of("SG"), found.of_others)


READABLE: list[tuple[str, str | bytes]] = [
    ("the smallest", "country,price,currency\nSG,0.05,USD\n"),
    ("without an end of line", "country,price,currency\nSG,0.05,USD"),
    ("Windows line ends, blank lines and cells", "country,price,currency\r\n\r\n ,,\r\nSG,0.05,USD\r\n"),
    ("another case and order, and blanks", "Currency , COUNTRY, Price\n usd, sg , 0.05 \n"),
    ("columns of the user's own", "name,country,price,currency,name\nSingapore,SG,0.05,USD,\n"),
    ("a decimal comma between semicolons", "country;price;currency\nSG;0,05;USD\n"),
    ("a decimal comma in quotes", 'country,price,currency\nSG,"0,050",USD\n'),
    ("a point between semicolons", "country;price;currency\nSG;0.050;USD\n"),
    ("tabs", "country\tprice\tcurrency\nSG\t.05\tUSD\n"),
    ("pipes", "country|price|currency\nSG|,05|USD\n"),
    ("an exponent, as spreadsheets save small numbers", "country,price,currency\nSG,5E-02,USD\n"),
    ("UTF-8 with a mark", b"\xef\xbb\xbfcountry,price,currency\nSG,0.05,USD\n"),
    ("UTF-16, a spreadsheet's Unicode text", "country\tprice\tcurrency\r\nSG\t0,05\tUSD\r\n".encode("utf-16")),
    (
        "Windows-1252 in a column that isn't read",
        "country;operator;price;currency\nSG;Télécom;0,05;USD\n".encode("cp1252"),
    ),
    ("a cell over two lines", 'country,operator,price,currency\nSG,"Sing\nTel",0.05,USD\n'),
]


@pytest.mark.parametrize("text", [text for _, text in READABLE], ids=[name for name, _ in READABLE])
def test_what_is_read(path: Path, text: str | bytes) -> None:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    found = read_prices(path)

    assert ("USD", {"SG": of("0.05")}) == (found.currency, found.by_country)


@pytest.mark.parametrize("country", ["XK", "AC", "TA", "NA", "NO"])
def test_countries_that_are_easily_lost(path: Path, country: str) -> None:
    path.write_text(f"country,price,currency\n{country},1,USD\n")

    assert of("1") == read_prices(path).of(country)


HEAD = "country,price,currency\n"

WRONG: list[tuple[str, str, list[str]]] = [
    ("a name of a country", "Singapore,1,USD", ['2:1: "Singapore" is not a country code; write a two-letter']),
    ("not the code", "UK,1,USD", ['2:1: "UK" is not a country code; write GB']),
    ("no country", ",1,USD", ['2:1: "" is not a country code']),
    ("no price", "SG,,USD", ["2:4: the price is missing; write digits"]),
    ("a sign of a currency", "SG,$1,USD", ['2:4: "$1" is not a price; write digits']),
    ("below zero", "SG,-1,USD", ['2:4: "-1" is not a price']),
    ("not a number", "SG,NaN,USD", ['2:4: "NaN" is not a price']),
    ("a point alone", "SG,.,USD", ['2:4: "." is not a price']),
    ("groups and decimals", 'SG,"1,234.5",USD', ['2:4: "1,234.5" is not a price']),
    (
        "a group or decimals?",
        'SG,"1,234",USD',
        ['2:4: "1,234" is ambiguous; write 1234 if the separator is for thousands, or 1,2340 if'],
    ),
    ("too much", "SG,1000001,USD", ['2:4: "1000001" is too high for one segment']),
    ("far too much", "SG,1E99,USD", ['2:4: "1E99" is too high for one segment']),
    ("too fine", "SG,0.0000000000001,USD", ["2:4: ", "has too many decimals; write at most 12"]),
    ("far too fine", "SG,1E-99,USD", ['2:4: "1E-99" has too many decimals']),
    ("no currency", "SG,1,", ["2:6: the currency is missing; write a code of ISO 4217"]),
    ("a word", "SG,1,Euro", ['2:6: "Euro" is not a currency code']),
    ("a cell too few", "SG,1", ["2:1: this row has 2 cells, but the header names 3 columns; put double quotes"]),
    ("an open quote", 'SG,"1,USD', ["2:1: this row has an unclosed double quote"]),
    ("another currency", "SG,1,USD\nMY,2,MYR", ["3:6: this price is in MYR, but the one in line 2 is in USD; use one"]),
    ("two decimal signs", 'SG,0.5,USD\nMY,"0,5",USD', ["3:4: ", "a different decimal separator than line 2 ('.')"]),
    ("after quotes with quotes in them", '"SG","x""y",USD', ['2:6: "x"y" is not a price']),
]


@pytest.mark.parametrize(("rows", "expected"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_mistakes_have_a_place_and_a_remedy(path: Path, rows: str, expected: list[str]) -> None:
    [mistake] = mistakes(path, f"{HEAD}{rows}\n")

    assert mistake.startswith(f"prices.csv:{expected[0]}")
    assert expected[-1] in mistake
    assert "; " in mistake


@pytest.mark.parametrize("price", ["1.234", "1,234"])
def test_a_point_between_semicolons_may_be_a_german_thousand(path: Path, price: str) -> None:
    [mistake] = mistakes(path, f"country;price;currency\nSG;{price};USD\n")

    assert "prices.csv:2:4: " in mistake
    assert "is ambiguous" in mistake


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["prices.csv has no prices; add a header with country, price, currency"]),
        ("\n \n", ["prices.csv has no prices"]),
        (HEAD, ["prices.csv has no prices"]),
        ("land,preis\nSG,1\n", ["prices.csv:1:1: there is no column country", "no column price", "no column currency"]),
        ("Countries,price,currency\n", ['prices.csv:1:1: there is no column country; rename "Countries"']),
        ("country,price,price,currency\n", ["prices.csv:1:15: there are two columns price; remove one"]),
        (b"PK\x03\x04rest", ['prices.csv is a spreadsheet or an archive; save it as "CSV UTF-8"']),
        (b"PAR1\x00\x00", ["prices.csv:1:1: there is no column country"] + ["there is no column"] * 2),
    ],
)
def test_what_is_no_price_file(path: Path, text: str | bytes, expected: list[str]) -> None:
    found = mistakes(path, text)

    assert len(expected) == len(found)
    for words, mistake in zip(expected, found, strict=True):
        assert words in mistake


def test_all_mistakes_are_told_at_once(path: Path) -> None:
    found = mistakes(path, f"{HEAD}UK,1,USD\nSG,$1,dollar\nMY,1\nSG,1,USD\nSG,1,SGD\n")

    assert ["2:1", "3:4", "3:7", "4:1", "6:6"] == [":".join(mistake.split(":")[1:3]) for mistake in found]


def test_a_mistake_in_anothers_row_counts_and_anothers_currency_does_not(path: Path) -> None:
    rows = "SG,1,USD,acme\nSG,1,SGD,other\n"
    path.write_text(WHOSE + rows)

    assert "USD" == read_prices(path, "acme").currency
    assert ["prices.csv:3:6"] == [mistake.partition(": ")[0] for mistake in mistakes(path, WHOSE + rows, "third")]
    assert ["prices.csv:4:4"] == [
        mistake.partition(": ")[0] for mistake in mistakes(path, f"{WHOSE}{rows}SG,x,USD,other", "acme")
    ]


def test_a_file_of_mistakes_is_cut_short(path: Path) -> None:
    found = mistakes(path, HEAD + "UK,1,USD\n" * 100_000)

    assert 21 == len(found)
    assert "prices.csv has more errors like these" == found[-1]


@pytest.mark.parametrize("kind", ["missing", "a folder", "too large"])
def test_a_file_that_cannot_be_read(path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "a folder":
        path.mkdir()
    elif kind == "too large":
        path.write_text(SAVED)
        monkeypatch.setattr(prices_module, "MAX_BYTES", 10)
    with pytest.raises(
        InputError, match=r"prices\.csv (can't be read: .*; check the file name|is too large for a price list)"
    ):
        read_prices(path)


PRICE_TEXTS = st.decimals(min_value=0, max_value=1_000_000, places=7, allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.sampled_from(sorted(WITH_NUMBERS)), st.tuples(st.text(max_size=20), PRICE_TEXTS), min_size=1))
def test_whatever_is_saved_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, listed: dict[str, tuple[str, Decimal]]
) -> None:
    path = tmp_path_factory.mktemp("prices") / "prices.csv"
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for country, (operator, price) in listed.items():
            writer.writerow((country, operator, f"{price:f}", "USD", "acme"))

    assert {country: Price(price, price) for country, (_, price) in listed.items()} == read_prices(path).by_country


@given(st.text(alphabet='"",;\n\r ab0.1SGUSD\t|\0é', max_size=40), st.sampled_from([HEAD, HEAD.replace(",", ";"), ""]))
def test_no_file_is_a_bug(tmp_path_factory: pytest.TempPathFactory, text: str, head: str) -> None:
    path = tmp_path_factory.mktemp("prices") / "prices.csv"
    path.write_bytes((head + text).encode())
    with contextlib.suppress(InputError):
        assert read_prices(path, "acme").by_country
