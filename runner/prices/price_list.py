"""Reads price lists: files saved by `campaign prices`, or a user's table with country, price and currency.

The columns that matter contain only ASCII, so the encoding of operator names doesn't matter. An ambiguous number is
never guessed: a price read a thousand times too low would let a campaign pass its cost limit.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from runner.base.errors import InputError, Position, Problem
from runner.base.text import closest, quoted
from runner.campaign.values import COUNTRIES, InvalidValue
from runner.campaign.values import country as check_country
from runner.prices.costs import Price, Prices
from runner.provider.prices import MAX_DECIMALS, MAX_PRICE

# The columns of the file that `campaign prices` saves. `operator` (for people) and `sub_account` are optional.
COLUMNS = ("country", "operator", "price", "currency", "sub_account")

# ISO 3166-1, and other places with their own numbers: Ascension, Tristan da Cunha, Kosovo.
WITH_NUMBERS = COUNTRIES | {"AC", "TA", "XK"}

MAX_BYTES = 64 * 1024 * 1024
MAX_PROBLEMS = 20

_NEEDED = ("country", "price", "currency")
_NUMBER = re.compile(r"([0-9]*)(?:([.,])([0-9]+))?(?:[eE]([+-]?[0-9]{1,2}))?")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_QUOTED = re.compile(r'"[^"]*(?:"|$)')


def read_prices(path: Path, sub_account_id: str | None = None) -> Prices:
    """Read the prices for a sub-account from a CSV file (comma, semicolon, tab or pipe).

    With a column `sub_account`, the rows with this sub-account or an empty one are used; if there are none, all rows.
    If a country has several prices, the lowest and the highest are kept.

    Raises InputError with the errors of the file, at most 20.
    """
    reader = _Reader(path, _lines(path))
    rows = reader.read()
    wanted = (sub_account_id or "").casefold()
    own = [row for row in rows if row.sub_account in ("", wanted)] if wanted else []
    chosen = own or rows
    problems = reader.problems + [
        Problem(
            f"this price is in {row.currency}, but the one in line {chosen[0].place.line} is in {chosen[0].currency}",
            "use one currency for all prices",
            where=row.place,
        )
        for row in chosen
        if row.currency != chosen[0].currency
    ]
    if not problems and not chosen:
        remedy = f"add a header with {', '.join(_NEEDED)}, and a row for each country you send to"
        problems = [Problem(f"{path} has no prices", remedy)]
    if len(problems) > MAX_PROBLEMS:
        problems = [*problems[:MAX_PROBLEMS], Problem(f"{path} has more errors like these")]
    if problems:
        raise InputError(problems)
    by_country: dict[str, Price] = {}
    for row in chosen:
        known = by_country.get(row.country, Price(row.price, row.price))
        by_country[row.country] = Price(min(known.low, row.price), max(known.high, row.price))
    return Prices(path, chosen[0].currency, by_country, of_others=bool(wanted) and not own)


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError.of(f"{path} is too large for a price list", "check the file name in `prices`")
        content = path.read_bytes()
    except OSError as error:
        raise InputError.of(f"the price list {path} can't be read: {error.strerror}", "check the file name") from error
    if content.startswith(b"PK\x03\x04"):
        raise InputError.of(f"{path} is a spreadsheet or an archive", 'save it as "CSV UTF-8"')
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if is_utf16 else "utf-8-sig", "replace")
    return io.StringIO(text, newline="").readlines()


@dataclass(frozen=True, slots=True)
class _Row:
    """A price in the file. `sub_account` is casefolded, "" for all; `place` is the position of the currency."""

    country: str
    price: Decimal
    currency: str
    sub_account: str
    place: Position


class _Reader:
    """Reads one file, and collects all of its errors in `problems`."""

    def __init__(self, path: Path, lines: list[str]) -> None:
        self._path = str(path)
        self._lines = lines
        first = _QUOTED.sub("", lines[0]) if lines else ""
        self._delimiter = max(",;\t|", key=first.count)
        sign = re.escape(self._delimiter)
        self._cell = re.compile(rf'(?:^|{sign})("(?:[^"]|"")*"|[^{sign}]*)')
        self._columns: dict[str, int] = {}
        self._decimal_sign: tuple[str, int] | None = None
        self.problems: list[Problem] = []

    def read(self) -> list[_Row]:
        reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)
        rows: list[_Row] = []
        width, line = 0, 1
        try:
            for cells in reader:
                begins, line = line, reader.line_num + 1
                if not any(map(str.strip, cells)):
                    continue
                places = self._places(begins, len(cells), is_one_line=begins == reader.line_num)
                if not width:
                    width = len(cells)
                    self._read_header(cells, places)
                elif len(cells) != width:
                    what = f"this row has {len(cells)} cells, but the header names {width} columns"
                    self._wrong(places[0], what, "put double quotes around a cell that contains the delimiter")
                elif self._columns.keys() >= {*_NEEDED}:  # otherwise the error in the header is enough
                    row = self._read_row(cells, places)
                    rows += [row] if row else []
                if len(self.problems) > MAX_PROBLEMS:
                    break
        except csv.Error:
            what = "this row has an unclosed double quote, or text after a closing one"
            self._wrong(Position(self._path, line, 1), what, "correct the quotes")
        return rows

    def _places(self, line: int, count: int, *, is_one_line: bool) -> list[Position]:
        """The position of each cell of a row; the start of the row if it has several lines."""
        if not is_one_line:
            return [Position(self._path, line, 1)] * count
        cells = self._cell.finditer(self._lines[line - 1])
        return [Position(self._path, line, cell.start(1) + 1) for cell in cells]

    def _read_header(self, cells: list[str], places: list[Position]) -> None:
        for index, cell in enumerate(cells):
            name = re.sub("[^a-z]", "", cell.casefold())
            name = {"subaccount": "sub_account", "subaccountid": "sub_account"}.get(name, name)
            if name in COLUMNS and name in self._columns:
                self._wrong(places[index], f"there are two columns {name}", "remove one")
            self._columns.setdefault(name, index)
        for name in _NEEDED:
            if name not in self._columns:
                like = closest(name, [cell for cell in cells if cell.casefold() not in COLUMNS])
                remedy = f"rename {quoted(like)}" if like else "write country, price and currency in the first line"
                self._wrong(places[0], f"there is no column {name}", remedy)

    def _read_row(self, cells: list[str], places: list[Position]) -> _Row | None:
        values: dict[str, Any] = {}
        parsers: dict[str, Callable[[str], object]] = {
            "country": _country, "price": partial(self._price, line=places[0].line), "currency": _currency
        }  # fmt: skip
        for name, parse in parsers.items():
            index = self._columns[name]
            try:
                values[name] = parse(cells[index].strip())
            except InvalidValue as error:
                self._wrong(places[index], error.what, error.remedy)
        if len(values) < len(_NEEDED):
            return None
        # `campaign prices` puts an apostrophe before a cell that a spreadsheet would run as a formula.
        owner = cells[self._columns["sub_account"]].strip().removeprefix("'") if "sub_account" in self._columns else ""
        return _Row(**values, sub_account=owner.casefold(), place=places[self._columns["currency"]])

    def _price(self, cell: str, line: int) -> Decimal:
        """A price with a decimal point, or a decimal comma in all rows. Raises InvalidValue if it is ambiguous."""
        match = _NUMBER.fullmatch(cell)
        if not match or not (match[1] or match[3]):
            what = f"{quoted(cell)} is not a price" if cell else "the price is missing"
            raise InvalidValue(what, "write digits with a decimal point only, such as 0.0345")
        whole, sign, fraction, exponent = match.groups()
        if sign:
            if (sign == "," or self._delimiter != ",") and _THOUSANDS.fullmatch(cell):
                remedy = f"write {whole}{fraction} if the separator is for thousands, or {cell}0 if it is for decimals"
                raise InvalidValue(f"{quoted(cell)} is ambiguous", remedy)
            known, first_line = self._decimal_sign = self._decimal_sign or (sign, line)
            if sign != known:
                what = f"{quoted(cell)} has a different decimal separator than line {first_line} ({known!r})"
                raise InvalidValue(what, "use the same separator in all rows")
        price = Decimal(f"{whole or '0'}.{fraction or '0'}E{exponent or '0'}")
        if price > MAX_PRICE:
            raise InvalidValue(f"{quoted(cell)} is too high for one segment", "write the price of one segment")
        if round(price, MAX_DECIMALS) != price:
            raise InvalidValue(f"{quoted(cell)} has too many decimals", f"write at most {MAX_DECIMALS}")
        return price

    def _wrong(self, where: Position, what: str, remedy: str) -> None:
        self.problems.append(Problem(what, remedy, where=where))


def _country(cell: str) -> str:
    return cell.upper() if cell.upper() in WITH_NUMBERS else check_country(cell)


def _currency(cell: str) -> str:
    code = cell.upper()
    if not re.fullmatch("[A-Z]{3}", code):
        what = f"{quoted(cell)} is not a currency code" if cell else "the currency is missing"
        raise InvalidValue(what, "write a code of ISO 4217, such as USD")
    return code
