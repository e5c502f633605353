"""Masking of phone numbers in what is printed: unless the stream is a terminal, or if the campaign asks for it.

Everything that is printed passes `shown` or `shown_document`, so no command masks by itself. What only looks like a
number stays: counts, dates, amounts, IDs, fingerprints, paths. If in doubt, it is masked. Only the list that
`campaign optouts export` prints is not, because its purpose is the numbers.
"""

import os
import re
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

HINT = "numbers are masked; --unmask shows them"

_SUFFIXES = "csv|tsv|txt|xlsx|parquet|ya?ml|j2|gz|zst|jsonl?|sqlite3|html|md|part"
_IP = r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"
# What is never a number, wherever it stands.
_KEPT = "|".join((
    r"(?<!\d)(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d)(?:[ T]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?",  # dates and times
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",  # UUIDs: umids, error IDs, accounts
    r"(?:[\w-]{1,64}[.:][\w.-]{1,64}[.:])?\b(?=[2-7]*[a-z])[a-z2-7]{24}\b",  # message IDs
    r"\b(?:[0-9a-f]{64}|(?=[0-9]*[a-f])[0-9a-f]{12,63})\b",  # fingerprints, also their first digits
    r"(?<=  plan )[0-9a-f]{12}\b|(?<=, not )[0-9a-f]{12}\b",  # and if those are decimal
    r"(?<=--approve )\S+|(?<=--run )\S+|(?<=--limit )\d+",  # commands to copy
    r"(?<![\w.,+-])\d{1,6}\.\.\d{1,6}(?![\w.])",  # ranges: 1000..5000
    r"(?<=quote error ID )\S+",  # in any form: support asks for it
    rf"(?<=://){_IP}(?::\d+)?|(?<![\w.+-]){_IP}:\d{{2,5}}\b",
    # names with a date, a week or a month: hello/20261201, sale8/2026-12-01, sale888/2026-W49, sale8/2026-12
    r"(?<![\w./:@-])[A-Za-z][\w.-]{0,64}[-_/]20\d\d"
    r"(?:(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])|-(?:0[1-9]|1[0-2])(?:-[0-3]\d)?|-W[0-5]\d)(?!\d)",
    rf"(?<![^\s\"'(=`])[\w./\\~-]{{0,255}}\.(?:{_SUFFIXES})(?:, line \d+|(?::\d+){{0,2}})\b(?![\w@])",  # files
))  # fmt: skip
# What is not a number in words, but could be one in a cell.
_KEPT_IN_WORDS = "|".join((  # noqa: FLY002 (each with its comment)
    r"\b(?:rows?|limit) \d{1,8}(?:, \d{1,8})*\b",
    r"(?<![\w.,+-])\d{1,9} s\b",  # durations
    r"\b(?:GSM7|UCS2)\b",  # otherwise, the count after it would seem longer
    r"\bprovider error codes:(?:\s+\d{1,5}\s\d{1,3}(?:,\d{3})*(?:,|$))+",
    r"(?<![\w.,+-])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d|,\d)",  # counts
    r"(?<![\w.,+-])(?:\d{1,3}(?:,\d{3})*\.\d+(?= [A-Z]{3}\b)|0\.\d+(?![\d.]))",  # amounts
    r"(?<![\d:])[0-2]?\d:[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?![\d:])",  # times of day
    r"(?<![\w.+-])[0-3]?\d(?P<parts>[./-])[0-3]?\d(?P=parts)(?:19|20)\d\d(?![\w-])",  # 31.12.2026
))  # fmt: skip
# Seven digits or more, in any script, with the usual separators.
_IN_WORDS = (
    rf"(?P<kept>{_KEPT}|{_KEPT_IN_WORDS})|\"(?P<cell>[^\"\n]*)\"|“(?P<also_cell>[^”\n]*)”"
    r"|\d(?:(?:_|[^\w+,;:\"'“”‘’]){0,3}\d|[,\"'“”‘’]\d){6,}"
)
# Digits that aren't decimal, such as ².
_RAISED = "²³¹⁰-₉"
# Any punctuation between digits may belong to a number: 9123,4567.
_IN_CELL = rf"(?P<kept>{_KEPT})|\d(?:[\W_{_RAISED}]{{0,3}}\d){{6,}}"
_SHORTEST = 7
# Where a path may begin and end. Paths may contain spaces, so a few of these places are tried.
_BEFORE, _AFTER, _TRIED = re.compile(r"[\s\"'`(=,:]"), re.compile(r"[\s\"'`),:;]|\.?$"), 6

# The fields of a document whose texts may look like numbers.
_KEPT_FIELDS = frozenset({
    "campaign", "run", "version", "sub_account_id", "umid", "client_message_id", "message_id", "error_id",
    "fingerprint", "billed", "price", "lowest_price", "at_most", "next_at_most",
})  # fmt: skip


@dataclass(slots=True)
class Masking:
    """Which numbers the current command may print.

    `unmask`: all of them (--unmask). `by_campaign`: none, not even on a terminal (`report.mask`). `template`: those in
    the template's own text, because they belong to nobody who gets a message.
    """

    unmask: bool = False
    by_campaign: bool = False
    template: str = ""

    def reset(self) -> None:
        """Forget the command before: tests run several in one process."""
        self.unmask, self.by_campaign, self.template = False, False, ""

    def applies_to(self, stream: IO[str]) -> bool:
        """Whether numbers are masked in what is printed to the stream."""
        return not self.unmask and (self.by_campaign or not stream.isatty())


# Of the command that this process runs.
masking = Masking()


def shown(text: str, stream: IO[str]) -> str:
    """The text as it may be printed to the stream."""
    return masked_output(text) if masking.applies_to(stream) else text


def shown_document(document: Any, stream: IO[str]) -> Any:  # noqa: ANN401 (any JSON)
    """The JSON document as it may be printed to the stream."""
    return _masked_document(document) if masking.applies_to(stream) else document


def _masked_document(document: Any) -> Any:  # noqa: ANN401 (any JSON)
    match document:
        case str():
            return masked_output(document)
        case dict():
            return {
                name: value if name in _KEPT_FIELDS else _masked_document(value) for name, value in document.items()
            }
        case list() | tuple():
            return [_masked_document(value) for value in document]
        case _:
            return document


def masked_output(text: str) -> str:
    """The text with the middle digits of possible phone numbers hidden. It keeps its length."""
    if len(text) < _SHORTEST:
        return text
    # A text without any letter is a cell, such as a key. Compiling takes too long for `--help` and terminals.
    return re.sub(_IN_WORDS if any(map(str.isalpha, text)) else _IN_CELL, _mask, text)


def _mask(match: re.Match[str]) -> str:
    from runner.report.masking import without_middle

    found, groups = match.group(), match.groupdict()
    if groups["kept"] is not None or found in masking.template:
        return found
    for name in ("cell", "also_cell"):
        if groups.get(name) is not None:
            return f"{found[0]}{re.sub(_IN_CELL, _mask, groups[name])}{found[-1]}"
    of_path = _path_end(match.string, match.start()) - match.start()
    if of_path > 0:
        return found[:of_path] + masked_output(found[of_path:])
    return without_middle(found)


def _path_end(text: str, at: int) -> int:
    """Where an existing path ends that includes the character `at`; 0 if there is none."""
    starts = [match.end() for match in _BEFORE.finditer(text, 0, at)]
    for start in (*starts[-_TRIED:], 0):
        for match in islice(_AFTER.finditer(text, at), _TRIED):
            path = text[start : match.start()]
            if path.strip("/.") and os.path.lexists(path):
                return match.start()
    return 0
