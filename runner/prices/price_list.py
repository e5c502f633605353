"""Price files: what `campaign prices` saves, or a table of the user's own with country, price and currency.

The columns that count hold ASCII alone, so an operator's name in any encoding does no harm. What a number means is
never guessed: a price read a thousand times too low would let a campaign through its cost limit.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path

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
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError.of(f"{path} is larger than any price list", "name the right file in `prices:`")
        with path.open(encoding=_encoding(path), errors="replace", newline="") as file:
            reader = _Reader(path, sub_account_id)
            reader.read(file)
    except OSError as error:
        raise InputError.of(f"the price list {path} cannot be read: {error.strerror}", "check the name") from error
    return reader.result()


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        begin = file.read(4)
    if begin == b"PK\x03\x04":
        raise InputError.of(f"{path} is a spreadsheet or an archive", 'save it as "CSV UTF-8"')
    return "utf-16" if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


@dataclass(slots=True)
class _Found:
    """Prices by country, in the currency of the first row; `mixed` are rows with another."""

    currency: str = ""
    line: int = 0
    low: dict[str, Decimal] = field(default_factory=dict)
    high: dict[str, Decimal] = field(default_factory=dict)
    mixed: list[Problem] = field(default_factory=list)

    def add(self, country: str, price: Decimal, currency: str, place: Callable[[], Position]) -> None:
        if not self.currency:
            self.currency, self.line = currency, place().line
        if currency != self.currency:
            if len(self.mixed) <= MAX_PROBLEMS:
                what = f"this price is in {currency}, and that of line {self.line} in {self.currency}"
                self.mixed.append(Problem(what, "write all prices in one currency", where=place()))
            return
        self.low[country] = min(price, self.low.get(country, price))
        self.high[country] = max(price, self.high.get(country, price))


class _Reader:
    """Reads one file; collects its mistakes, so that all are told."""

    def __init__(self, path: Path, sub_account_id: str | None) -> None:
        self._path = path
        self._wanted = sub_account_id.casefold() if sub_account_id else None
        self._all, self._own = _Found(), _Found()
        self._names_others = False
        self._problems: list[Problem] = []
        self._columns: dict[str, int] = {}
        self._delimiter = ","
        self._decimal_sign: tuple[str, int] | None = None
        self._newest_line = ""
        self._one_line = True

    def read(self, file: Iterator[str]) -> None:
        first = next(file, "")
        bare = _QUOTED.sub("", first)
        self._delimiter = max(",;\t|", key=bare.count)
        reader = csv.reader(self._lines(first, file), delimiter=self._delimiter, strict=True)
        width, line = 0, 1
        try:
            for cells in reader:
                begins, line = line, reader.line_num + 1
                self._one_line = begins == reader.line_num
                if not any(map(str.strip, cells)):
                    continue
                if not width:
                    width = len(cells)
                    self._read_header(cells, begins)
                elif len(cells) != width:
                    what = f"this row has {len(cells)} cells, and the header names {width} columns"
                    self._wrong(begins, 0, what, "put a cell that holds the delimiter in double quotes")
                else:
                    self._read_row(cells, begins)
                if len(self._problems) > MAX_PROBLEMS:
                    break
        except csv.Error:
            self._wrong(line, 0, "a double quote in this row is never closed, or text follows it", "mend the quotes")

    def result(self) -> Prices:
        found = self._own if self._own.currency else self._all
        problems = self._problems + found.mixed
        if not problems and not found.high:
            problems = [Problem(f"{self._path} has no prices", f"write a header with {', '.join(_NEEDED)}, and a row "
                                "for each country that is sent to")]  # fmt: skip
        if len(problems) > MAX_PROBLEMS:
            problems = [*problems[:MAX_PROBLEMS], Problem(f"{self._path} has more mistakes like these")]
        if problems:
            raise InputError(problems)
        by_country = {country: Price(found.low[country], high) for country, high in found.high.items()}
        of_others = found is self._all and self._names_others and self._wanted is not None
        return Prices(self._path, found.currency, by_country, of_others)

    def _lines(self, first: str, file: Iterator[str]) -> Iterator[str]:
        line = first
        while line:
            self._newest_line = line
            yield line
            line = next(file, "")

    def _read_header(self, cells: list[str], line: int) -> None:
        for index, cell in enumerate(cells):
            name = re.sub("[^a-z]", "", cell.casefold())
            name = {"subaccount": "sub_account", "subaccountid": "sub_account"}.get(name, name)
            if name in COLUMNS and name in self._columns:
                self._wrong(line, index, f"there are two columns {name}", "leave one")
            self._columns.setdefault(name, index)
        for name in _NEEDED:
            if name not in self._columns:
                like = closest(name, [cell for cell in cells if cell.casefold() not in COLUMNS])
                remedy = f"rename {quoted(like)}" if like else "the first line must name country, price and currency"
                self._wrong(line, 0, f"there is no column {name}", remedy)

    def _read_row(self, cells: list[str], line: int) -> None:
        if not all(name in self._columns for name in _NEEDED):
            return  # the header's mistake says it all
        before = len(self._problems)
        country, price, currency = "", Decimal(0), ""
        for name in _NEEDED:
            index = self._columns[name]
            cell = cells[index].strip()
            try:
                if name == "country":
                    country = cell.upper() if cell.upper() in WITH_NUMBERS else check_country(cell)
                elif name == "price":
                    price = self._price(cell, line)
                else:
                    currency = _currency(cell)
            except InvalidValue as error:
                self._wrong(line, index, error.what, error.remedy)
        if len(self._problems) > before:
            return
        place = partial(self._place, line, self._columns["currency"])
        # `campaign prices` puts an apostrophe before what a spreadsheet would run as a formula.
        owner = cells[self._columns["sub_account"]].strip().removeprefix("'") if "sub_account" in self._columns else ""
        self._all.add(country, price, currency, place)
        if self._wanted and owner.casefold() in ("", self._wanted):
            self._own.add(country, price, currency, place)
        elif owner:
            self._names_others = True

    def _price(self, cell: str, line: int) -> Decimal:
        """A decimal point or, throughout a file, a decimal comma. Raises InvalidValue for an ambiguous one."""
        match = _NUMBER.fullmatch(cell)
        if not match or not (match[1] or match[3]):
            what = f"{quoted(cell)} is not a price" if cell else "there is no price"
            raise InvalidValue(what, "write digits with a decimal point alone, such as 0.0345")
        whole, sign, fraction, exponent = match.groups()
        if sign:
            if sign == "," or self._delimiter != ",":
                self._refuse_thousands(cell)
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

    def _refuse_thousands(self, cell: str) -> None:
        if _THOUSANDS.fullmatch(cell):
            units, thousandths = re.sub("[.,]", "", cell), f"{cell}0"
            what = f"{quoted(cell)} can be read in two ways"
            raise InvalidValue(what, f"write {units}, or {thousandths} if the sign is a decimal one")

    def _wrong(self, line: int, index: int, what: str, remedy: str) -> None:
        self._problems.append(Problem(what, remedy, where=self._place(line, index)))

    def _place(self, line: int, index: int) -> Position:
        """Where a cell of the newest row begins; the row itself, when it goes over several lines."""
        column = 1
        if self._one_line:
            cell = re.compile(rf'(?:"(?:[^"]|"")*"|(?!")[^{re.escape(self._delimiter)}]*){re.escape(self._delimiter)}')
            for _ in range(index):
                match = cell.match(self._newest_line, column - 1)
                assert match, "csv has read a cell here"
                column = match.end() + 1
        return Position(str(self._path), line, column)


def _currency(cell: str) -> str:
    code = cell.upper()
    if not re.fullmatch("[A-Z]{3}", code):
        what = f"{quoted(cell)} is not a currency code" if cell else "there is no currency"
        raise InvalidValue(what, "write the three letters of ISO 4217, such as USD")
    return code
