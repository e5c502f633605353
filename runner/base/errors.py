"""The exception tree, and the record that says what is wrong with an input.

Exceptions stop a run; trouble with a single recipient is a value instead (an `Exclusion` or an `Outcome`).

    CampaignError               whatever this program says on purpose; anything else is a bug (exit 70)
    ├── InputError          2   the campaign, template, recipients or options are wrong; nothing was sent
    ├── StoppedError        3   stopped early; running it again continues
    │   └── LedgerError     3   the ledger cannot be read or written
    └── RunLockedError      4   the same run is being sent by another process
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file, as an editor counts: the first character is line 1, column 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what the user gave, and what to write instead.

    `path` is the key in the campaign file (`recipients.phone`), empty where there is none; `what` and `remedy` are
    lower-case clauses without a full stop, because `str()` joins them into one line.
    """

    what: str
    remedy: str = ""
    path: str = ""
    where: Position | None = None

    def __str__(self) -> str:
        words = f"{self.what}; {self.remedy}" if self.remedy else self.what
        return ": ".join(str(part) for part in (self.where, self.path, words) if part)


class CampaignError(Exception):
    """The base of everything this program raises on purpose. `exit_code` is what the command ends with."""

    exit_code: ClassVar[int] = 70


class InputError(CampaignError):
    """What the user gave is wrong. Carries every problem found, so that all are mended in one go."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = list(problems)
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def of(cls, what: str, remedy: str = "") -> "InputError":
        """An error with one problem that has no place in a file, such as a wrong option."""
        return cls([Problem(what, remedy)])


class StoppedError(CampaignError):
    """Stopped before the end. Nothing is lost: the same command continues."""

    exit_code = 3


class LedgerError(StoppedError):
    """The ledger cannot be read or written, so that nothing may leave."""


class RunLockedError(CampaignError):
    """Another process is sending this very run."""

    exit_code = 4
