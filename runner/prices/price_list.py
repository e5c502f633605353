"""Price files: what `campaign prices` saves, or a table of the user's own with country, price and currency.

The columns that count hold ASCII alone, so an operator's name in any encoding does no harm. What a number means is
never guessed: a price read a thousand times too low would let a campaign through its cost limit.
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

# Of the file that `campaign prices` saves. `operator`, for people, and `sub_account` may be missing.
COLUMNS = ("country", "operator", "price", "currency", "sub_account")

# ISO 3166-1, and what has numbers of its own besides: Ascension, Tristan da Cunha, Kosovo.
WITH_NUMBERS = COUNTRIES | {"AC", "TA", "XK"}

MAX_BYTES = 64 * 1024 * 1024
MAX_PROBLEMS = 20

_NEEDED = ("country", "price", "currency")
_NUMBER = re.compile(r"([0-9]*)(?:([.,])([0-9]+))?(?:[eE]([+-]?[0-9]{1,2}))?")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_QUOTED = re.compile(r'"[^"]*(?:"|$)')


def read_prices(path: Path, sub_account_id: str | None = None) -> Prices:
    """The prices of a CSV file (comma, semicolon, tab or pipe) that hold for a sub-account.

    With a column `sub_account` those are the rows with this sub-account, or with none; or all, when there are no such
    rows. A country with several prices has the lowest and the highest.

    Raises InputError with every mistake of the file, the first 20 of them.
    """
    reader = _Reader(path, _lines(path))
    rows = reader.read()
    wanted = (sub_account_id or "").casefold()
    own = [row for row in rows if row.sub_account in ("", wanted)] if wanted else []
    chosen = own or rows
    problems = reader.problems + [
        Problem(
            f"this price is in {row.currency}, and that of line {chosen[0].place.line} in {chosen[0].currency}",
            "write all prices in one currency",
            where=row.place,
        )
        for row in chosen
        if row.currency != chosen[0].currency
    ]
    if not problems and not chosen:
        remedy = f"write a header with {', '.join(_NEEDED)}, and a row for each country that is sent to"
        problems = [Problem(f"{path} has no prices", remedy)]
    if len(problems) > MAX_PROBLEMS:
        problems = [*problems[:MAX_PROBLEMS], Problem(f"{path} has more mistakes like these")]
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
            raise InputError.of(f"{path} is larger than any price list", "name the right file in `prices:`")
        content = path.read_bytes()
    except OSError as error:
        raise InputError.of(f"the price list {path} cannot be read: {error.strerror}", "check the name") from error
    if content.startswith(b"PK\x03\x04"):
        raise InputError.of(f"{path} is a spreadsheet or an archive", 'save it as "CSV UTF-8"')
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if is_utf16 else "utf-8-sig", "replace")
    return io.StringIO(text, newline="").readlines()


@dataclass(frozen=True, slots=True)
class _Row:
    """A price of the file. `sub_account` is casefolded, "" for all; `place` is that of the currency."""

    country: str
    price: Decimal
    currency: str
    sub_account: str
    place: Position


class _Reader:
    """Reads one file; collects its mistakes in `problems`, so that all are told."""

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
                    what = f"this row has {len(cells)} cells, and the header names {width} columns"
                    self._wrong(places[0], what, "put a cell that holds the delimiter in double quotes")
                elif self._columns.keys() >= {*_NEEDED}:  # else the header's mistake says it all
                    row = self._read_row(cells, places)
                    rows += [row] if row else []
                if len(self.problems) > MAX_PROBLEMS:
                    break
        except csv.Error:
            what = "a double quote in this row is never closed, or text follows it"
            self._wrong(Position(self._path, line, 1), what, "mend the quotes")
        return rows

    def _places(self, line: int, count: int, *, is_one_line: bool) -> list[Position]:
        """Where each cell of a row begins; the row itself, when it goes over several lines."""
        if not is_one_line:
            return [Position(self._path, line, 1)] * count
        cells = self._cell.finditer(self._lines[line - 1])
        return [Position(self._path, line, cell.start(1) + 1) for cell in cells]

    def _read_header(self, cells: list[str], places: list[Position]) -> None:
        for index, cell in enumerate(cells):
            name = re.sub("[^a-z]", "", cell.casefold())
            name = {"subaccount": "sub_account", "subaccountid": "sub_account"}.get(name, name)
            if name in COLUMNS and name in self._columns:
                self._wrong(places[index], f"there are two columns {name}", "leave one")
            self._columns.setdefault(name, index)
        for name in _NEEDED:
            if name not in self._columns:
                like = closest(name, [cell for cell in cells if cell.casefold() not in COLUMNS])
                remedy = f"rename {quoted(like)}" if like else "the first line must name country, price and currency"
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
        # `campaign prices` puts an apostrophe before what a spreadsheet would run as a formula.
        owner = cells[self._columns["sub_account"]].strip().removeprefix("'") if "sub_account" in self._columns else ""
        return _Row(**values, sub_account=owner.casefold(), place=places[self._columns["currency"]])

    def _price(self, cell: str, line: int) -> Decimal:
        """A decimal point or, throughout a file, a decimal comma. Raises InvalidValue for an ambiguous one."""
        match = _NUMBER.fullmatch(cell)
        if not match or not (match[1] or match[3]):
            what = f"{quoted(cell)} is not a price" if cell else "there is no price"
            raise InvalidValue(what, "write digits with a decimal point alone, such as 0.0345")
        whole, sign, fraction, exponent = match.groups()
        if sign:
            if (sign == "," or self._delimiter != ",") and _THOUSANDS.fullmatch(cell):
                remedy = f"write {whole}{fraction}, or {cell}0 if the sign is a decimal one"
                raise InvalidValue(f"{quoted(cell)} can be read in two ways", remedy)
            known, first_line = self._decimal_sign = self._decimal_sign or (sign, line)
            if sign != known:
                what = f"{quoted(cell)} has another decimal sign than line {first_line} ({known!r})"
                raise InvalidValue(what, "write the same in all rows")
        price = Decimal(f"{whole or '0'}.{fraction or '0'}E{exponent or '0'}")
        if price > MAX_PRICE:
            raise InvalidValue(f"{quoted(cell)} is more than a message costs", "write the price of one segment")
        if round(price, MAX_DECIMALS) != price:
            raise InvalidValue(f"{quoted(cell)} is finer than any price", f"write at most {MAX_DECIMALS} decimals")
        return price

    def _wrong(self, where: Position, what: str, remedy: str) -> None:
        self.problems.append(Problem(what, remedy, where=where))


def _country(cell: str) -> str:
    return cell.upper() if cell.upper() in WITH_NUMBERS else check_country(cell)


def _currency(cell: str) -> str:
    code = cell.upper()
    if not re.fullmatch("[A-Z]{3}", code):
        what = f"{quoted(cell)} is not a currency code" if cell else "there is no currency"
        raise InvalidValue(what, "write the three letters of ISO 4217, such as USD")
    return code
