"""`recipients.where`: an SQL condition on the columns of one row.

Imported only if there is a condition, because polars loads slowly. Polars evaluates the condition for each batch, and
an average over a batch would depend on the batch size. So only a fixed list of functions is allowed, without those
that read other files, the clock or random numbers. A condition that is NULL is false.
"""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager

import polars as pl

from runner.base import interrupts
from runner.base.errors import InputError, Problem, is_panic
from runner.base.placeholders import error_in_words
from runner.base.text import closest, folded, quoted
from runner.files.columns import Header, find_column, no_single_column
from runner.files.source import NULL, Cells, UnreadableRow

_PLACE = re.compile(r"Line: (\d+), Column: (\d+)")
_COLUMN_OF_ERROR = re.compile(r'col\("((?:[^"\\]|\\.)*)"\)')
_BAD_VALUE = re.compile(r"in column '(.*?)' for \d+ out of \d+ values?: \[(.*?)\]", re.DOTALL)
_NO_CAST = re.compile(r"casting from .* not supported")
_ANSWER = "\0answer"
_BARE = re.compile(r"[A-Za-z_]\w*")

_FUNCTIONS = frozenset({
    "abs", "ceil", "ceiling", "floor", "ln", "log", "log10", "log2", "mod", "pow", "power", "round", "sign", "sqrt",
    "div", "cast", "try_cast", "coalesce", "greatest", "least", "if", "ifnull", "nullif", "date", "date_part",
    "extract", "strftime", "strptime", "timestamp", "concat", "concat_ws", "ends_with", "starts_with", "left", "right",
    "lower", "upper", "initcap", "length", "char_length", "character_length", "octet_length", "ltrim", "rtrim", "trim",
    "btrim", "lpad", "rpad", "regexp_like", "replace", "reverse", "split_part", "strpos", "position", "substr",
    "substring", "normalize",
})  # fmt: skip
# SQL keywords and type names that may precede a parenthesis without being functions.
_BEFORE_PARENTHESIS = frozenset({
    "and", "or", "not", "in", "like", "ilike", "between", "is", "case", "when", "then", "else", "any", "all",
    "rlike", "regexp", "varchar", "char", "decimal", "numeric", "dec", "float", "timestamp", "time", "datetime", "from",
})  # fmt: skip
_WRITE_DATE = "write the date as DATE '2026-12-31'"
# A plan must be the same today and tomorrow, because its fingerprint is approved.
_BANNED = dict.fromkeys(
    ("current_date", "current_timestamp", "current_time", "localtimestamp", "localtime", "now"), _WRITE_DATE
) | {
    "select": "a condition can't query tables",
    "exists": "a condition can't query tables",
    "over": "a condition can't use other rows",
}
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|(?P<word>[A-Za-z_]\w*)(?P<call>\s*\()?", re.DOTALL
)
_QUOTED_OR_MARK = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|[(),]")
# The parts of a condition that say what is compared with what.
_OPERAND = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|[A-Za-z_]\w*|<>|[<>]=?|[^\s]""")
_ORDER = frozenset({"<", ">", "<=", ">="})
# The order of texts isn't that of the numbers in them (9 is after 100), nor that of dates other than in ISO 8601.
_DIGITS_FIRST = re.compile(r"[-+]?[0-9]")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}")
_NUMBER = re.compile(r"[-+]?[0-9][0-9.,]*")
_QUOTED_OR_MARK = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|[(),]")


class Condition:
    """A condition that is valid for the columns. `types` are their polars types, None for text.

    Names are found as in `find_column`. `left_out` are columns that can't be used (see `Header`).

    Raises InputError, for `recipients.where`, if the condition isn't SQL, names an unknown column, isn't true or
    false, or compares incompatible types.
    """

    def __init__(
        self, condition: str, types: Mapping[str, pl.DataType | None], left_out: Mapping[str, str] | None = None
    ) -> None:
        # Numbers in quotes would be compared as text.
        self._has_order = any(_in_order(condition))
        _check_words(condition)
        try:
            with interrupts.quiet():
                self._expression = pl.sql_expr(condition)
        except BaseException as error:
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            raise _wrong(*_syntax(condition, str(error))) from error
        # By their names in the condition.
        self._columns = {name: _column(name, Header(types, left_out)) for name in self._expression.meta.root_names()}
        if not self._columns:
            raise _wrong("the condition uses no column", "write a condition such as consent = 'yes'")
        self._types = {name: types[column] for name, column in self._columns.items()}
        self._ordered = self._text_in_order(condition)
        self._check_types()

    @property
    def _first(self) -> str:
        return next(iter(self._columns))

    @property
    def columns(self) -> list[str]:
        """The names of the columns in the file."""
        return list(self._columns.values())

    def match_texts(
        self, rows: Sequence[Cells | UnreadableRow], header: Sequence[str], numbers: Sequence[int]
    ) -> list[bool]:
        """For each row, whether the condition is true; True for an unreadable row. Errors name a row by its number."""
        numbered = [(n, row) for n, row in zip(numbers, rows, strict=True) if not isinstance(row, UnreadableRow)]
        places = {name: header.index(column) for name, column in self._columns.items()}
        texts = {name: [row[place] or None for _, row in numbered] for name, place in places.items()}
        answers = iter(self._answers(pl.DataFrame(texts, dict.fromkeys(texts, pl.String)), [n for n, _ in numbered]))
        return [True if isinstance(row, UnreadableRow) else next(answers) for row in rows]

    def without_errors(self, rows: list[Cells | UnreadableRow], header: Sequence[str]) -> list[Cells | UnreadableRow]:
        """The rows; those with an error value such as #N/A in a column of the condition are unreadable.

        The value would differ from everything that it is compared with.
        """
        places = [(name, header.index(column)) for name, column in self._columns.items()]
        checked: list[Cells | UnreadableRow] = []
        for row in rows:
            cells = [] if isinstance(row, UnreadableRow) else [(name, row[place]) for name, place in places]
            error = next((f"{name} {words}" for name, cell in cells if (words := error_in_words(cell))), None)
            checked.append(UnreadableRow(f"{error}; correct or clear the cell") if error else row)
        return checked

    def match(self, frame: pl.DataFrame, first: int = 1) -> list[bool]:
        """For each row of a frame with typed columns, whether the condition is true."""
        typed = frame.select(_typed(column, self._types[name]).alias(name) for name, column in self._columns.items())
        return self._answers(typed, range(first, first + frame.height))

    def _answers(self, frame: pl.DataFrame, numbers: Sequence[int]) -> list[bool]:
        for name in self._ordered:
            cell = pl.col(name).str
            odd = frame[name].filter(
                frame.select(cell.contains(f"^{_DIGITS_FIRST.pattern}") & ~cell.contains(f"^{_ISO_DATE.pattern}"))[name]
            )
            if len(odd):
                place = frame[name].index_of(odd[0]) or 0
                raise _wrong(*_no_order(_sql_name(name), odd[0], f" on row {numbers[place]}"))
        try:
            return _evaluate(frame, self._expression)
        except pl.exceptions.PolarsError as error:
            for place, number in enumerate(numbers):
                try:
                    _evaluate(frame.slice(place, 1), self._expression)
                except pl.exceptions.PolarsError as single:
                    raise _wrong(*_failed(str(single), f" on row {number}")) from error
            raise _wrong(*_failed(str(error), "")) from error

    def _text_in_order(self, condition: str) -> list[str]:
        """The columns with text that <, > or BETWEEN compares with a date in quotes or another column.

        Raises InputError for a quoted text that begins with a digit and isn't such a date: '9' is after '100'.
        """
        found: dict[str, None] = {}
        for operands in _in_order(condition):
            columns = [name for name in map(_unquoted, operands) if name in self._types]
            is_text = bool(columns) and all(_in_words(self._types[name]) == "text" for name in columns)
            for text in (operand[1:-1].strip() for operand in operands if operand[0] == "'"):
                if is_text and _DIGITS_FIRST.match(text) and not _ISO_DATE.match(text):
                    raise _wrong(*_no_order(_sql_name(columns[0]), text))
            if is_text and not any(operand[0] == "'" and not _ISO_DATE.match(operand[1:]) for operand in operands):
                found |= dict.fromkeys(columns)
        return list(found)

    def _check_types(self) -> None:
        """Evaluate with an empty row, and with the text "1": polars rejects some casts only then."""
        schema = {name: _schema_type(self._types[name]) for name in self._columns}
        empty = pl.DataFrame(schema=schema)
        try:
            with _polars_errors():
                answer = empty.select(self._expression.alias(_ANSWER)).schema[_ANSWER]
            if answer != pl.Boolean:
                remedy = f"write a comparison such as {self._first} = 'yes', or {self._first} IS NOT NULL"
                raise _wrong("the expression is not true or false", remedy)
            _evaluate(pl.DataFrame({name: [None] for name in schema}, schema), self._expression)
            text = {name: ["1" if dtype == pl.String else None] for name, dtype in schema.items()}
            try:
                _evaluate(pl.DataFrame(text, schema), self._expression)
            except pl.exceptions.PolarsError as error:
                if _NO_CAST.search(str(error)):
                    raise
                # "1" may not be the value that is cast: the rows will show
        except pl.exceptions.PolarsError as error:
            raise _wrong(*self._mismatch(str(error))) from error

    def _mismatch(self, error: str) -> tuple[str, str]:
        """Explain a comparison or function that doesn't fit a column's type."""
        name = next((name for name in _COLUMN_OF_ERROR.findall(error) if name in self._types), self._first)
        kind = _in_words(self._types[name])
        column = _sql_name(name)
        if "regex" in error:
            return "the pattern is not a regular expression", "escape brackets with a backslash, or use LIKE"
        if "to a string value" in error and kind == "text":
            remedy = f"write DATE({column}, '%Y-%m-%d') > DATE '2026-12-31'"
            return "the condition compares a date with text", remedy
        if "cannot compare string with numeric" in error:
            if kind != "text":
                return f'the column "{name}" is {kind}, but is compared with text', "write the value without quotes"
            remedy = f"write CAST({column} AS INT)"
            if not self._has_order:
                remedy += ", or put the number in single quotes"
            return f'the column "{name}" is text, but is compared with a number', remedy
        remedy = "compare it with a value of the same type"
        if kind in ("a date", "a time"):
            remedy = f"compare it with DATE '2026-12-31' or TIMESTAMP '2026-12-31 10:00:00': {column} > DATE '…'"
        elif kind == "text" and "Boolean" in error:
            remedy = f"compare it with text: {column} = 'true'"
        elif kind == "text":
            remedy = f"write CAST({column} AS INT) for a number, DATE({column}, '%Y-%m-%d') for a date"
        return f'the column "{name}" is {kind}, but is used as another type', remedy


def _in_order(condition: str) -> Iterator[list[str]]:
    """The names and quoted texts around each <, > and BETWEEN; calls and calculations are left out."""
    parts = ["", *_OPERAND.findall(condition), "", "", "", ""]
    for place, part in enumerate(parts):
        operands = []
        if part in _ORDER:
            operands = [parts[place - 1], parts[place + 1] if parts[place + 2] != "(" else ""]
        elif part.upper() == "BETWEEN":
            before = parts[place - 2] if parts[place - 1].upper() == "NOT" else parts[place - 1]
            operands = [before, parts[place + 1], parts[place + 3]]
        if operands:
            yield [operand for operand in operands if operand[:1].isalpha() or operand[:1] in set("'\"`_")]


def _unquoted(operand: str) -> str:
    return operand[1:-1] if operand[0] in '"`' else operand


def _sql_name(name: str) -> str:
    return name if _BARE.fullmatch(name) else f'"{name}"'


def _no_order(column: str, text: str, where: str = "") -> tuple[str, str]:
    """Explain that the order of texts isn't that of the numbers or dates in them."""
    if _NUMBER.fullmatch(text):
        value = f" ({quoted(text)}{where})" if where else ""
        what = f"{column} is text, and <, > and BETWEEN order text by letters: '9' is after '100'{value}"
        return what, f"write CAST({column} AS INT), or AS DOUBLE, and numbers without quotes"
    what = f"{quoted(text)}{where} is text that <, > and BETWEEN can't order"
    return what, f"write DATE({column}, '%d/%m/%Y') > DATE '2026-12-31' for a date such as 31/12/2026"


def _evaluate(frame: pl.DataFrame, expression: pl.Expr) -> list[bool]:
    with _polars_errors():
        return frame.with_columns(expression.fill_null(value=False).alias(_ANSWER))[_ANSWER].to_list()


@contextmanager
def _polars_errors() -> Generator[None, None, None]:
    """Turn a panic into a PolarsError: an infinite date makes some functions panic."""
    try:
        with interrupts.quiet():
            yield
    except BaseException as error:
        if not is_panic(error):
            raise
        raise pl.exceptions.ComputeError(str(error)) from error


def _column(name: str, header: Header) -> str:
    """The column that the condition names. Raises InputError if there is none."""
    found = find_column(header, name)
    if isinstance(found, str):
        return found
    if no_single_column(header, name):
        raise _wrong(found.what, found.remedy)
    hint = f"put text in single quotes: '{name}'"
    if field := next((column for column in header if folded(column).startswith(f"{folded(name)}.")), None):
        hint = f'put a name with a dot in double quotes: "{field}"'
    elif meant := closest(name, header, cutoff=0.75):
        written = meant if _BARE.fullmatch(meant) else f'"{meant}" in double quotes'
        hint = f"did you mean {written}? {hint}"
    raise _wrong(found.what, hint)


def _syntax(condition: str, error: str) -> tuple[str, str]:
    place = _PLACE.search(error)
    remedy = "write a condition such as consent = 'yes' AND city IN ('Penang', 'Ipoh')"
    if condition.count("'") % 2:
        remedy = "close the single quote"
    elif "==" in condition or "&&" in condition or "!" in condition.replace("!=", ""):
        remedy = "use =, AND, OR and NOT: consent = 'yes' AND NOT city = 'Penang'"
    return f"not a valid SQL condition{f' (line {place[1]}, column {place[2]} of it)' if place else ''}", remedy


def _failed(error: str, where: str) -> tuple[str, str]:
    found = _BAD_VALUE.search(error)
    if found is None:
        return f"the condition fails{where}: {error.splitlines()[0]}", "use TRY_CAST if some values can't be converted"
    value = quoted(found[2].strip('"'))
    what = f'can\'t convert {value} in the column "{found[1]}"{where}'
    if "strptime" in error:
        return what, "correct the cell, or the format in the condition"
    return what, "correct the cell, or use TRY_CAST to read it as NULL"


def _typed(name: str, dtype: pl.DataType | None) -> pl.Expr:
    """Text trimmed, with NULL for empty text, as in a CSV; categories as text."""
    column = pl.col(name)
    if dtype is not None and dtype.is_float():
        return column.fill_nan(None)
    if _schema_type(dtype) != pl.String:
        return column
    text = column.cast(pl.String).str.strip_chars()
    return pl.when(~text.is_in(["", NULL])).then(text).alias(name)


def _schema_type(dtype: pl.DataType | None) -> pl.DataType:
    return pl.String() if dtype is None or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null) else dtype


def _in_words(dtype: pl.DataType | None) -> str:
    dtype = _schema_type(dtype)
    if dtype.is_temporal():
        return "a date" if dtype == pl.Date else "a time"
    return "text" if dtype == pl.String else "true or false" if dtype == pl.Boolean else "a number"


def _check_words(condition: str) -> None:
    """Raise InputError for a word that a condition can't use. Other invalid SQL may pass."""
    for match in _TOKEN.finditer(condition):
        word = (match["word"] or "").lower()
        if match[0].startswith(("--", "/*")):
            raise _wrong("comments are not allowed", "remove the comment")
        if word in _BANNED:
            raise _wrong(f"{word.upper()} is not allowed", _BANNED[word])
        if match["call"] and word not in _FUNCTIONS | _BEFORE_PARENTHESIS:
            near = closest(word, _FUNCTIONS, cutoff=0.8)
            hint = f"did you mean {near.upper()}?" if near else "use functions such as LOWER, LENGTH or COALESCE"
            raise _wrong(f"the function {word.upper()} is not supported", hint)
        if match["call"] and word in ("date", "timestamp") and not _has_second(condition, match.end()):
            # Without a format, polars guesses it from the first row of each batch, and 01/02 may be two different days.
            what = f"{word.upper()}() needs the format of the text"
            raise _wrong(what, f"add the format: {word.upper()}(since, '%Y-%m-%d')")


def _has_second(condition: str, start: int) -> bool:
    """Whether the parenthesis that opens before `start` has more than one argument."""
    depth = 1
    for match in _QUOTED_OR_MARK.finditer(condition, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return False
        if depth == 1 and match[0] == ",":
            return True
    return False


def _wrong(what: str, remedy: str) -> InputError:
    return InputError([Problem(what, remedy, "recipients.where")])
