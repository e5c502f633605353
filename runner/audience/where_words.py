"""The words that a condition in SQL may use. Pure.

A condition is evaluated batch by batch, and an average over a batch would depend on where the batches end. Functions
are therefore a closed list; it also keeps out those that read other files, the clock or chance.
"""

import re
from difflib import get_close_matches

from runner.errors import InputError, Problem

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
WRITE_DATE = "write the date as DATE '2026-12-31'"
_BANNED = {
    "select": "no other table can be asked",
    "exists": "no other table can be asked",
    "over": "it sees one row at a time",
    # A plan must be the same today and tomorrow: its fingerprint is what was approved.
    "current_date": WRITE_DATE,
    "current_timestamp": WRITE_DATE,
    "current_time": WRITE_DATE,
    "localtimestamp": WRITE_DATE,
    "localtime": WRITE_DATE,
    "now": WRITE_DATE,
}
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|(?P<word>[A-Za-z_]\w*)(?P<call>\s*\()?", re.DOTALL
)
_QUOTED_OR_MARK = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|[(),]")


def check_words(condition: str) -> None:
    """Raises InputError for a word that a condition can't use. What isn't SQL at all may pass."""
    for match in _TOKEN.finditer(condition):
        word = (match["word"] or "").lower()
        if match[0].startswith(("--", "/*")):
            raise wrong("holds a comment", "leave it out")
        if word in _BANNED:
            raise wrong(f"cannot use {word.upper()}", _BANNED[word])
        if match["call"] and word not in _FUNCTIONS | _BEFORE_PARENTHESIS:
            close = get_close_matches(word, _FUNCTIONS, n=1, cutoff=0.8)
            hint = f"did you mean {close[0].upper()}?" if close else "a condition sees one row at a time;"
            raise wrong(f"cannot use {word.upper()}()", f"{hint} there are LOWER, LENGTH, COALESCE and the like")
        if match["call"] and word in ("date", "timestamp") and not _has_second(condition, match.end()):
            # Without one polars guesses it from the first row of each batch, and 01/02 is two days of a year.
            what = f"{word.upper()}() doesn't say how the text is written"
            raise wrong(what, f"add the format: {word.upper()}(since, '%Y-%m-%d')")


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


def wrong(what: str, remedy: str) -> InputError:
    return InputError([Problem(what, remedy, "recipients.where")])
