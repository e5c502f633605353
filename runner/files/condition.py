"""`recipients.where`: a condition in SQL over the columns of one row.

Imported only with a condition, because polars is slow to load. Polars evaluates it batch by batch, and an average over
a batch would depend on where the batches end. Functions are therefore a closed list, which also keeps out those that
read other files, the clock or chance. A condition that is NULL doesn't hold.
"""

import re
from collections.abc import Mapping, Sequence

import polars as pl

from runner.base.errors import InputError, Problem
from runner.base.text import closest, quoted
from runner.files.source import Cells, UnreadableRow

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
# Words of SQL and names of types that may stand before a parenthesis without being functions.
_BEFORE_PARENTHESIS = frozenset({
    "and", "or", "not", "in", "like", "ilike", "between", "is", "case", "when", "then", "else", "any", "all",
    "rlike", "regexp", "varchar", "char", "decimal", "numeric", "dec", "float", "timestamp", "time", "datetime", "from",
})  # fmt: skip
_WRITE_DATE = "write the date as DATE '2026-12-31'"
# A plan must be the same today and tomorrow: its fingerprint is what was approved.
_BANNED = dict.fromkeys(
    ("current_date", "current_timestamp", "current_time", "localtimestamp", "localtime", "now"), _WRITE_DATE
) | {
    "select": "no other table can be asked",
    "exists": "no other table can be asked",
    "over": "it sees one row at a time",
}
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|(?P<word>[A-Za-z_]\w*)(?P<call>\s*\()?", re.DOTALL
)
_QUOTED_OR_MARK = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|[(),]")


class Condition:
    """A condition that fits the columns. `types` are their polars types, None for text.

    Raises InputError, for `recipients.where`, if the condition is no SQL, names an unknown column, isn't true or
    false, or compares what can't be compared.
    """

    def __init__(self, condition: str, types: Mapping[str, pl.DataType | None]) -> None:
        self._types = types
        _check_words(condition)
        try:
            self._expression = pl.sql_expr(condition)
        except BaseException as error:
            # How a panic in the library's Rust shows in Python; it has no importable class.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise _wrong(*_syntax(condition, str(error))) from error
        self._columns: list[str] = list(dict.fromkeys(self._expression.meta.root_names()))
        self._check_columns()
        self._check_types()

    def match_texts(self, rows: Sequence[Cells | UnreadableRow], header: Sequence[str], first: int = 1) -> list[bool]:
        """For each row, from row number `first` on, whether the condition holds; True for an unreadable one."""
        numbered = [(number, row) for number, row in enumerate(rows, first) if not isinstance(row, UnreadableRow)]
        places = {name: header.index(name) for name in self._columns}
        texts = {name: [row[place] or None for _, row in numbered] for name, place in places.items()}
        answers = iter(self._answers(pl.DataFrame(texts, dict.fromkeys(texts, pl.String)), [n for n, _ in numbered]))
        return [True if isinstance(row, UnreadableRow) else next(answers) for row in rows]

    def match(self, frame: pl.DataFrame, first: int = 1) -> list[bool]:
        """For each row of a frame with the columns in their types, whether the condition holds."""
        typed = frame.select(_typed(name, self._types[name]) for name in self._columns)
        return self._answers(typed, range(first, first + frame.height))

    def _answers(self, frame: pl.DataFrame, numbers: Sequence[int]) -> list[bool]:
        try:
            return _evaluate(frame, self._expression)
        except pl.exceptions.PolarsError as error:
            for place, number in enumerate(numbers):
                try:
                    _evaluate(frame.slice(place, 1), self._expression)
                except pl.exceptions.PolarsError as single:
                    raise _wrong(*_failed(str(single), f" on row {number}")) from error
            raise _wrong(*_failed(str(error), "")) from error

    def _check_columns(self) -> None:
        if not self._columns:
            raise _wrong("looks at no column", "write one such as consent = 'yes'")
        name = next((name for name in self._columns if name not in self._types), None)
        if name is None:
            return
        hint = f"if it is text, write it in single quotes: '{name}'"
        if field := next((column for column in self._types if column.startswith(f"{name}.")), None):
            hint = f'write a name with a dot in double quotes: "{field}"'
        elif meant := closest(name, self._types, cutoff=0.75):
            written = meant if _BARE.fullmatch(meant) else f'"{meant}" in double quotes'
            hint = f"did you mean {written}? {hint}"
        raise _wrong(f'there is no column "{name}"', hint)

    def _check_types(self) -> None:
        """Asks with an empty row, and with "1" as text: there are casts that polars refuses only then."""
        schema = {name: _schema_type(self._types[name]) for name in self._columns}
        empty = pl.DataFrame(schema=schema)
        try:
            answer = empty.select(self._expression.alias(_ANSWER)).schema[_ANSWER]
            if answer != pl.Boolean:
                remedy = f"compare it with something, or write {self._columns[0]} IS NOT NULL"
                raise _wrong("is not a condition, which is true or false", remedy)
            _evaluate(pl.DataFrame({name: [None] for name in schema}, schema), self._expression)
            text = {name: ["1" if dtype == pl.String else None] for name, dtype in schema.items()}
            try:
                _evaluate(pl.DataFrame(text, schema), self._expression)
            except pl.exceptions.PolarsError as error:
                if _NO_CAST.search(str(error)):
                    raise
                # "1" may not be what is cast: that the rows will show
        except pl.exceptions.PolarsError as error:
            raise _wrong(*self._mismatch(str(error))) from error

    def _mismatch(self, error: str) -> tuple[str, str]:
        """Words for a comparison or function that doesn't suit a type."""
        name = next((name for name in _COLUMN_OF_ERROR.findall(error) if name in self._types), self._columns[0])
        kind = _in_words(self._types[name])
        column = name if _BARE.fullmatch(name) else f'"{name}"'
        if "regex" in error:
            return "holds a pattern that is no regular expression", "escape brackets with a backslash, or use LIKE"
        if "to a string value" in error and kind == "text":
            return "compares a date with text", f"{_WRITE_DATE}, or compare two texts: {column} > '2026-12-31'"
        if "cannot compare string with numeric" in error:
            if kind != "text":
                return f'"{name}" is {kind}, and is compared with text', "write the number without quotes"
            remedy = f"write CAST({column} AS INT), or put the number in single quotes"
            return f'"{name}" is text, and is compared with a number', remedy
        remedy = "compare it with a value of its own type"
        if kind in ("a date", "a time"):
            remedy = f"compare it with DATE '2026-12-31' or TIMESTAMP '2026-12-31 10:00:00': {column} > DATE '…'"
        elif kind == "text" and "Boolean" in error:
            remedy = f"compare it with what it holds: {column} = 'true'"
        elif kind == "text":
            remedy = f"write CAST({column} AS INT) for a number, DATE({column}, '%Y-%m-%d') for a date"
        return f'"{name}" is {kind}, and is used as something else', remedy


def _evaluate(frame: pl.DataFrame, expression: pl.Expr) -> list[bool]:
    return frame.with_columns(expression.fill_null(value=False).alias(_ANSWER))[_ANSWER].to_list()


def _syntax(condition: str, error: str) -> tuple[str, str]:
    place = _PLACE.search(error)
    remedy = "write one such as consent = 'yes' AND city IN ('Penang', 'Ipoh')"
    if condition.count("'") % 2:
        remedy = "a single quote is opened and never closed"
    elif "==" in condition or "&&" in condition or "!" in condition.replace("!=", ""):
        remedy = "write =, AND, OR and NOT: consent = 'yes' AND NOT city = 'Penang'"
    return f"is not a condition in SQL{f' (at its line {place[1]}, column {place[2]})' if place else ''}", remedy


def _failed(error: str, where: str) -> tuple[str, str]:
    found = _BAD_VALUE.search(error)
    if found is None:
        return f"fails{where}: {error.splitlines()[0]}", "use TRY_CAST where a value may not fit"
    value = quoted(found[2].strip('"'))
    what = f'cannot turn {value} in the column "{found[1]}" into what it is cast to{where}'
    if "strptime" in error:
        return what, "correct the cell, or the format that it is written in"
    return what, "correct the cell, or write TRY_CAST, which makes it NULL"


def _typed(name: str, dtype: pl.DataType | None) -> pl.Expr:
    """Text trimmed, and nothing as NULL, as in a CSV; categories as the text that they stand for."""
    column = pl.col(name)
    if dtype is not None and dtype.is_float():
        return column.fill_nan(None)
    if _schema_type(dtype) != pl.String:
        return column
    text = column.cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text).alias(name)


def _schema_type(dtype: pl.DataType | None) -> pl.DataType:
    return pl.String() if dtype is None or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null) else dtype


def _in_words(dtype: pl.DataType | None) -> str:
    dtype = _schema_type(dtype)
    if dtype.is_temporal():
        return "a date" if dtype == pl.Date else "a time"
    return "text" if dtype == pl.String else "true or false" if dtype == pl.Boolean else "a number"


def _check_words(condition: str) -> None:
    """Raises InputError for a word that a condition can't use. What isn't SQL at all may pass."""
    for match in _TOKEN.finditer(condition):
        word = (match["word"] or "").lower()
        if match[0].startswith(("--", "/*")):
            raise _wrong("holds a comment", "leave it out")
        if word in _BANNED:
            raise _wrong(f"cannot use {word.upper()}", _BANNED[word])
        if match["call"] and word not in _FUNCTIONS | _BEFORE_PARENTHESIS:
            near = closest(word, _FUNCTIONS, cutoff=0.8)
            hint = f"did you mean {near.upper()}?" if near else "a condition sees one row at a time;"
            raise _wrong(f"cannot use {word.upper()}()", f"{hint} there are LOWER, LENGTH, COALESCE and the like")
        if match["call"] and word in ("date", "timestamp") and not _has_second(condition, match.end()):
            # Without one polars guesses it from the first row of each batch, and 01/02 is two days of a year.
            what = f"{word.upper()}() doesn't say how the text is written"
            raise _wrong(what, f"add the format: {word.upper()}(since, '%Y-%m-%d')")


def _has_second(condition: str, start: int) -> bool:
    """Whether the parenthesis that is opened before `start` holds more than one argument."""
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
